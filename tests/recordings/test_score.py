"""Score: a perfect copy is perfect, a shift shows as a shift, and greedy pairing is as good as any."""

import itertools
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RecordingError
from simulators.recordings.visits import VISITS_SCHEMA, read_visits, write_visits
from simulators.score.match import Span, covered_ns, match, shared_ns
from simulators.score.scoring import score, score_files
from simulators.score.table import score_table

SECOND = 1_000_000_000


def visit(
    device: str, zone: str, entered_s: float, left_s: float, *, kind: str = "zone", slack_s: float = 0.0
) -> dict[str, object]:
    entered, left = round(entered_s * SECOND), round(left_s * SECOND)
    slack = round(slack_s * SECOND)
    return {
        "kind": kind,
        "store": "s",
        "device": device,
        "zone": zone,
        "entered_at": entered,
        "left_at": left,
        "entered_earliest": entered - slack,
        "entered_latest": entered + slack,
        "left_earliest": left - slack,
        "left_latest": left + slack,
        "dwell_s": (left - entered) / SECOND,
        "confidence": 1.0,
        "signals": 3,
        "closed_by": "moved_on",
        "role": "visitor",
    }


def table(*visits: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(visits), schema=VISITS_SCHEMA)


@st.composite
def days(draw: st.DrawFn) -> pl.DataFrame:
    """Devices that go from zone to zone without being in two places."""
    rows = []
    for device in range(draw(st.integers(1, 3))):
        now = draw(st.integers(0, 100))
        for _ in range(draw(st.integers(0, 6))):
            now += draw(st.integers(0, 30))
            left = now + draw(st.integers(1, 120))
            rows.append(visit(f"d{device}", draw(st.sampled_from(["a", "b", "c"])), now, left))
            now = left + 1
    return table(*rows)


@given(days())
def test_a_copy_is_perfect(truth: pl.DataFrame) -> None:
    found = score(truth.sample(fraction=1.0, shuffle=True, seed=1), truth).zone
    assert found.matched == found.truth == found.reported == len(truth)
    if len(truth):
        assert (found.recall, found.precision, found.f1, found.time_right) == (1, 1, 1, 1)
        assert (found.dwell.mae_s, found.entry.bias_s, found.exit.median_s) == (0, 0, 0)
        assert (found.entries_within_bounds, found.exits_within_bounds) == (1, 1)
    else:
        assert (found.recall, found.f1, found.time_right, found.dwell.mae_s) == (None, None, None, None)


@given(days(), st.integers(-20, 20))
def test_a_shift_shows_as_a_shift_of_entries_and_exits_but_not_of_dwell(truth: pl.DataFrame, shift_s: int) -> None:
    long = truth.filter(pl.col("dwell_s") > 3 * abs(shift_s))  # overlap over union stays above 1/2
    moved = long.with_columns(pl.col("entered_at", "left_at") + shift_s * SECOND)
    found = score(moved, long).zone
    assert found.matched == len(long)
    if len(long):
        assert found.dwell.mae_s == 0
        assert found.entry.bias_s == found.exit.bias_s == pytest.approx(shift_s)
        assert found.entry.mae_s == pytest.approx(abs(shift_s))


def test_nothing_reported_is_no_recall_and_no_precision() -> None:
    truth = table(visit("d", "a", 0, 10), visit("d", "", 0, 10, kind="store"))
    found = score(table(), truth)
    assert (found.zone.recall, found.zone.precision, found.zone.f1, found.zone.time_right) == (0, None, 0, 0)
    assert found.store.recall == 0
    backwards = score(truth, table()).zone
    assert (backwards.recall, backwards.precision, backwards.time_right) == (None, 0, None)


def test_an_overlap_of_exactly_half_the_union_agrees_and_one_ns_less_does_not() -> None:
    truth = table(visit("d", "a", 0, 10))
    assert score(table(visit("d", "a", 0, 5)), truth).zone.matched == 1
    less = table(visit("d", "a", 0, 5)).with_columns(pl.col("left_at") - 1)
    assert score(less, truth).zone.matched == 0


def test_other_zones_devices_stores_and_kinds_do_not_agree() -> None:
    truth = table(visit("d", "a", 0, 10))
    for other in (visit("d", "b", 0, 10), visit("e", "a", 0, 10), visit("d", "a", 0, 10) | {"store": "t"}):
        assert score(table(other), truth).zone.matched == 0
    assert score(table(visit("d", "a", 0, 10, kind="store")), truth).zone.matched == 0


def test_errors_time_and_bounds_by_hand() -> None:
    truth = table(visit("d", "a", 0, 100), visit("d", "b", 100, 140), visit("d", "a", 200, 220))
    reported = table(visit("d", "a", 4, 98, slack_s=4), visit("d", "b", 98, 150, slack_s=5))
    found = score(reported, truth).zone
    assert (found.truth, found.reported, found.matched) == (3, 2, 2)
    assert found.f1 == pytest.approx(4 / 5)
    assert found.dwell.mae_s == pytest.approx((6 + 12) / 2)
    assert found.dwell.bias_s == pytest.approx((-6 + 12) / 2)
    assert found.entry.mae_s == pytest.approx((4 + 2) / 2)
    assert found.exit.bias_s == pytest.approx((-2 + 10) / 2)
    assert found.time_right == pytest.approx((94 + 40) / 160)
    assert found.entries_within_bounds == 1.0
    assert found.exits_within_bounds == 0.5


def test_short_visits_are_left_out_on_both_sides_but_their_time_counts() -> None:
    truth = table(visit("d", "a", 0, 10), visit("d", "b", 10, 12))
    reported = table(visit("d", "a", 0, 10), visit("d", "b", 10, 12.9), visit("d", "c", 13, 14))
    found = score(reported, truth, shortest_s=3).zone
    assert (found.truth, found.reported, found.matched, found.time_right) == (1, 1, 1, 1.0)


def test_where_visits_overlap_the_best_pair_is_taken_first() -> None:
    truth = table(visit("d", "a", 0, 10))
    reported = table(visit("d", "a", 0, 6), visit("d", "a", 0, 9))
    found = score(reported, truth).zone
    assert (found.matched, found.exit.bias_s) == (1, -1)


@st.composite
def apart(draw: st.DrawFn) -> list[Span]:
    """Spans of small whole numbers that do not overlap: ties at exactly 1/2 are common."""
    now, spans = 0, []
    for row in range(draw(st.integers(0, 5))):
        now += draw(st.integers(0, 3))
        left = now + draw(st.integers(1, 4))
        spans.append(Span(now, left, row))
        now = left
    return spans


def most_pairs(true: list[Span], reported: list[Span]) -> int:
    """The largest assignment, by trying all."""
    agrees = {
        (one.row, other.row)
        for one, other in itertools.product(true, reported)
        if 2 * (min(one.left_at, other.left_at) - max(one.entered_at, other.entered_at))
        >= max(one.left_at, other.left_at) - min(one.entered_at, other.entered_at)
    }
    return _most(sorted(agrees))


def _most(pairs: list[tuple[int, int]]) -> int:
    if not pairs:
        return 0
    (one, other), rest = pairs[0], pairs[1:]
    return max(_most(rest), 1 + _most([(a, b) for a, b in rest if a != one and b != other]))


@given(apart(), apart())
def test_greedy_pairing_finds_as_many_pairs_as_any(true: list[Span], reported: list[Span]) -> None:
    pairs = match(true, reported)
    assert len(pairs) == most_pairs(true, reported)
    assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == len(pairs)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9))),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9))),
)
def test_time_is_counted_once_however_many_visits_cover_it(
    true: list[tuple[int, int]], reported: list[tuple[int, int]]
) -> None:
    one, other = ([Span(a, a + b, row) for row, (a, b) in enumerate(spans)] for spans in (true, reported))
    ticks = [{tick for span in spans for tick in range(span.entered_at, span.left_at)} for spans in (one, other)]
    assert shared_ns(one, other) == len(ticks[0] & ticks[1])
    assert covered_ns(one) == len(ticks[0])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_of_both_kinds_give_the_same_score(tmp_path: Path, ending: str) -> None:
    truth = table(visit("d", "a", 0, 10), visit("d", "", 0, 10, kind="store"))
    write_visits(truth, tmp_path / f"visits.{ending}")
    write_visits(truth, tmp_path / "truth.csv")
    found = score_files(tmp_path / f"visits.{ending}", tmp_path / "truth.csv")
    assert (found.zone.f1, found.store.f1) == (1, 1)
    assert json.loads(found.as_json())["zone"]["dwell"] == {"mae_s": 0.0, "median_s": 0.0, "bias_s": 0.0}
    assert score_table(found).row_count == 12


def test_a_truth_needs_no_bounds(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("device,kind,store,zone,entered_at,left_at\nd,zone,s,a,0,10000000000\nd,store,s,,0,10000000000\n")
    truth = read_visits(path)
    assert truth["zone"].to_list() == ["a", ""]
    found = score(truth, truth)
    assert found.zone.f1 == found.store.f1 == 1
    assert found.zone.entries_within_bounds is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind,store,device,zone,entered_at\nzone,s,d,a,1\n", "no column 'left_at'"),
        ("kind,store,device,zone,entered_at,left_at\nroom,s,d,a,1,2\n", "'room' is no kind of visit"),
        ("kind,store,device,zone,entered_at,left_at\nzone,s,d,a,2,1\n", "ends before"),
        ("kind,store,device,zone,entered_at,left_at\nzone,s,d,a,2,x\n", "cannot be read"),
        (
            "kind,store,device,zone,entered_at,left_at\nzone,s,d,a,-9223372036854775808,9223372036854775807\n",
            "impossible entered_at: -9223372036854775808. Times are nanoseconds since 1970, up to the year 2116.",
        ),
        (f"kind,store,device,zone,entered_at,left_at\nzone,s,d,a,1,{2**62}\n", "impossible left_at"),
        (
            f"kind,store,device,zone,entered_at,left_at,left_latest\nzone,s,d,a,1,{2**62 - 1},{2**63 - 1}\n",
            "impossible left_latest",
        ),
        ("kind,store,device,zone,entered_at,left_at\nzone,s,d,a,2,\n", "'left_at' has a gap"),
        ("", "cannot be read"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "visits.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message):
        read_visits(path)


def test_an_unknown_ending_and_a_missing_file_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"End it with \.csv or \.parquet"):
        read_visits(tmp_path / "visits.txt")
    with pytest.raises(RecordingError, match="There is no such file"):
        read_visits(tmp_path / "visits.csv")
