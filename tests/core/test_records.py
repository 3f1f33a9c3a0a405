import numpy as np

from core import records


def test_records_are_packed_as_their_docstrings_say() -> None:
    assert (records.SIGNAL.itemsize, records.VISIT.itemsize, records.PRESENCE.itemsize) == (16, 72, 40)


def test_closing_words_are_those_of_the_database() -> None:
    words = {code.value: code.word for code in records.ClosedBy}
    assert words == {
        0: "moved_on",
        1: "silence",
        2: "anchor_down",
        3: "app_exit",
        4: "store_closed",
        5: "end_of_recording",
    }


def test_no_zone_is_no_index() -> None:
    assert np.array([records.NO_ZONE], records.VISIT["zone"])[0] == -1
