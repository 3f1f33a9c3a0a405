import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.connect import Connection, connect, in_transaction
from storage.log.dead_letters import DeadLetter, prune, save_dead_letters

pytestmark = pytest.mark.servers


@pytest.fixture
def letters(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection


def letter(number: int = 1, **given: Any) -> DeadLetter:
    values: dict[str, Any] = {
        "received_at": number * 1_000_000_000,
        "store": "s",
        "edge": "e",
        "reason": "rssi",
        "message_bytes": 9,
        "sha256": b"%032d" % number,
    }
    return DeadLetter(**values | given)


def save(connection: Connection, *letters: DeadLetter) -> None:
    in_transaction(connection, lambda c: save_dead_letters(c, letters))


def test_the_same_message_with_the_same_fault_is_one_row_that_counts(letters: Connection) -> None:
    save(letters, letter(), letter(signals=3), letter(reason="past"))
    save(letters, letter())
    assert letters.execute("select reason, times from dead_letter order by reason").fetchall() == [
        ("past", 1),
        ("rssi", 3),
    ]


def test_identity_and_detail_are_kept(letters: Connection) -> None:
    save(letters, letter(boot=b"\1" * 16, sequence=7, signals=4, detail={"rssi_dbm": [30, 42]}))
    row = letters.execute("select boot, sequence, signals, detail, bytes from dead_letter").fetchone()
    assert row is not None
    assert (row[0].bytes, *row[1:]) == (b"\1" * 16, 7, 4, {"rssi_dbm": [30, 42]}, 9)


def test_a_detail_has_a_bound(letters: Connection) -> None:
    save(letters, letter(detail={"short": "x", "long": "y " * 50_000, "after": 1}))
    row = letters.execute("select detail from dead_letter").fetchone()
    assert row == ({"short": "x", "cut": True},)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(alphabet=st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    detail=st.dictionaries(st.text(alphabet=st.characters(), max_size=8), _json, max_size=4),
    store=st.text(alphabet=st.characters(), max_size=80),
)
def test_no_text_from_outside_can_stop_the_transaction(letters: Connection, detail: Any, store: str) -> None:
    letters.execute("truncate dead_letter")
    save(letters, letter(detail=detail, store=store))
    row = letters.execute("select detail::text from dead_letter").fetchone()
    assert row is not None
    assert isinstance(json.loads(row[0]), dict)


def test_lone_surrogates_and_nul_are_held(letters: Connection) -> None:
    save(letters, letter(store="a\0b\ud800", detail={"what\0": "\\u0000 \0 \udfff"}))
    assert letters.execute("select store, detail from dead_letter").fetchall() == [("ab?", {"what": "\\u0000  ?"})]


@pytest.mark.parametrize(("keep", "left"), [(0, []), (2, [4, 5]), (5, [1, 2, 3, 4, 5]), (9, [1, 2, 3, 4, 5])])
def test_only_the_newest_are_kept(letters: Connection, keep: int, left: list[int]) -> None:
    save(letters, *(letter(number) for number in range(1, 6)))
    assert prune(letters, keep=keep) == 5 - len(left)
    found = letters.execute("select extract(epoch from received_at)::int from dead_letter order by 1").fetchall()
    assert [row[0] for row in found] == left
