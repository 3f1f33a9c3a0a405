from dataclasses import replace

import polars as pl
import pytest

from simulators.demo.account import account_signals, account_visits
from simulators.recordings.visits import VISITS_SCHEMA
from simulators.store_live import Sent
from storage.figures import Figures, LoggedBatch

S = 10**9
FIGURES = Figures(
    batches=3, signals=60, newest_log_no=3, engine_log_no=3, decoded=60, late=0, repeated=0,
    decided_through_us=1_000_000_000, zone_visits=5, store_visits=2, present=1,
)  # fmt: skip
SENT = [Sent("e1", "aa", 1, 10, "x1"), Sent("e1", "aa", 2, 20, "x2"), Sent("e2", "bb", 1, 30, "x3")]
LOGGED = [LoggedBatch(one.edge, one.boot, one.sequence, one.signals, one.sha256) for one in SENT]


def test_everything_there_once_is_right() -> None:
    assert account_signals(SENT, LOGGED, FIGURES)._asdict() == {
        "sent": 60, "logged": 60, "decoded": 60, "missing": 0, "duplicated": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("logged", "missing", "duplicated"),
    [
        pytest.param(LOGGED[1:], 10, 0, id="a batch is missing"),
        pytest.param([*LOGGED, LOGGED[1]], 0, 20, id="a batch is there twice"),
        pytest.param([*LOGGED, LOGGED[1], LOGGED[1]], 0, 40, id="a batch is there three times"),
        pytest.param([*LOGGED[:2], replace(LOGGED[2], sha256="other")], 30, 0, id="other content"),
        pytest.param([*LOGGED[:2], replace(LOGGED[2], signals=29)], 1, 0, id="a row was refused"),
        pytest.param([*LOGGED, replace(LOGGED[0], boot="cc")], 0, 10, id="nobody sent that"),
        pytest.param([*LOGGED[1:], replace(LOGGED[0], edge="e9")], 10, 10, id="under another edge"),
        pytest.param([], 60, 0, id="nothing arrived"),
    ],
)
def test_every_way_of_being_wrong_is_seen(logged: list[LoggedBatch], missing: int, duplicated: int) -> None:
    account = account_signals(SENT, logged, FIGURES)
    assert (account.missing, account.duplicated) == (missing, duplicated)


def test_what_the_engine_took_in_twice_counts() -> None:
    assert account_signals(SENT, LOGGED, replace(FIGURES, repeated=4)).duplicated == 4


def visit(kind: str, zone: str, entered_s: int, left_s: int, closed_by: str = "moved_on") -> tuple[object, ...]:
    times = (entered_s * S, left_s * S)
    return (
        kind,
        "s",
        "d",
        zone,
        *times,
        *(times[0],) * 2,
        *(times[1],) * 2,
        float(left_s - entered_s),
        1.0,
        9,
        closed_by,
        "visitor",
    )


def frame(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=VISITS_SCHEMA, orient="row")


def test_only_visits_that_were_decided_are_asked_for() -> None:
    real = frame(
        visit("zone", "a", 100, 200),
        visit("zone", "b", 200, 300),
        visit("zone", "c", 900, 1001),  # ended after the engine had decided
        visit("zone", "d", 400, 900, "end_of_recording"),  # not over
        visit("store", "", 100, 300),
    )
    found = frame(visit("zone", "a", 103, 197), visit("zone", "b", 260, 300), visit("store", "", 100, 300))
    account = account_visits(real, found, FIGURES)
    assert account._asdict() == {"zone": 5, "store": 2, "matched": 1, "truth": 2}
    undecided = replace(FIGURES, decided_through_us=None)
    assert account_visits(real, found, undecided).truth == 0
