"""What people read: lengths of time, times of day in the store's zone, steps of heat."""

from datetime import UTC, datetime

import pytest

from api import wording
from core.journey.rules import RULES
from core.records import ClosedBy, Role


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (-3, "0 s"), (0.5, "1 s"), (59.4, "59 s"), (59.5, "1 min 00 s"), (252.25, "4 min 12 s"),
        (3599.4, "59 min 59 s"), (3599.5, "1 h 00 min"), (3840, "1 h 04 min"), (86_400, "24 h 00 min"),
    ],
)  # fmt: skip
def test_dwell(seconds: float, words: str) -> None:
    assert wording.dwell(seconds) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (38, 46, "38 to 46 s"), (-1, 5, "0 to 5 s"), (58, 61, "0:58 to 1:01 min"), (238, 270, "3:58 to 4:30 min"),
        (3840, 4140, "1:04 to 1:09 h"), (3590, 3630, "1:00 to 1:01 h"),
    ],
)  # fmt: skip
def test_dwell_range(low: float, high: float, words: str) -> None:
    assert wording.dwell_range(low, high) == words


def test_times_are_those_of_the_store_on_both_sides_of_a_change_of_clocks() -> None:
    before, after = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert wording.clock(before, "Europe/Berlin") == wording.clock(after, "Europe/Berlin") == "02:30:00"
    assert wording.zone_abbreviation(before, "Europe/Berlin") == "CEST"
    assert wording.zone_abbreviation(after, "Europe/Berlin") == "CET"
    assert wording.zone_abbreviation(before, "America/Sao_Paulo") == "UTC-03"
    assert wording.day(datetime(2026, 11, 21, 23, 30, tzinfo=UTC), "Asia/Tokyo") == "Sun 22 Nov 2026"
    assert wording.utc_iso(before) == "2026-10-25T00:30:00.000Z"


def test_confidence_reads_certain_only_when_it_is() -> None:
    assert [wording.per_cent(share) for share in (0, 0.004, 0.934, 0.999, 1)] == ["0%", "0%", "93%", "99%", "100%"]


def test_heat_steps_and_their_words_say_the_same() -> None:
    words = wording.steps_words(wording.PEOPLE_STEPS)
    assert words[0] == "0"
    assert words[-1] == "25+"
    assert len(words) == len(wording.dwell_steps_words()) == len(wording.PEOPLE_STEPS) + 1 == 7
    for count in range(30):
        word = words[wording.heat_step(count, wording.PEOPLE_STEPS)]
        low, _, high = word.replace("+", "\N{EN DASH}99").partition("\N{EN DASH}")
        assert int(low) <= count <= int(high or low)


def test_every_code_has_its_words() -> None:
    assert set(wording.CLOSED_BY) == {reason.word for reason in ClosedBy}
    assert set(wording.RESIDENT) == {role.word for role in Role} - {"visitor"}
    assert {"store_visit", "zone_visit", "consent_granted", "enrolled"} <= set(wording.EVIDENCE)
    assert all(rule.says.endswith(".") for rule in RULES.values())
