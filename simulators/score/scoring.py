"""How well VISITS agree with a TRUTH of the same form: visits found, dwell, times of entry and exit, bounds."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.limits import NS_PER_S
from core.records import VisitKind
from simulators.recordings.visits import read_visits
from simulators.score.match import Span, covered_ns, match, shared_ns

_BOUNDS: Final = ("entered_earliest", "entered_latest", "left_earliest", "left_latest")


@dataclass(frozen=True, slots=True)
class Error:
    """Reported minus true, seconds, over matched visits; None without one."""

    mae_s: float | None
    """Mean of the absolute errors."""
    median_s: float | None
    """Median of the absolute errors."""
    bias_s: float | None
    """Mean of the signed errors: above 0 means reported too long or too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindScore:
    """Agreement for one kind of visit; shares are 0..1, or None where there is nothing to take a share of."""

    truth: int
    """True visits."""
    reported: int
    """Reported visits."""
    matched: int
    """Pairs, one-to-one: same store, device and zone, overlap over union of at least 1/2."""
    recall: float | None
    """Matched / true."""
    precision: float | None
    """Matched / reported."""
    f1: float | None
    """2 matched / (true + reported)."""
    time_right: float | None
    """Share of the true time that is reported in the right zone (a store visit: at all); the zone accuracy."""
    dwell: Error
    entry: Error
    exit: Error
    entries_within_bounds: float | None
    """Share of true entries between `entered_earliest` and `entered_latest`; 95% are stated."""
    exits_within_bounds: float | None
    """Share of true exits between `left_earliest` and `left_latest`."""


@dataclass(frozen=True, slots=True)
class Score:
    """Agreement of zone visits and of store visits."""

    zone: KindScore
    store: KindScore

    def as_json(self) -> str:
        """Return one JSON object on one line."""
        return msgspec.json.encode(asdict(self)).decode()


def score_files(visits: Path, truth: Path, *, shortest_s: float = 0.0) -> Score:
    """Score files; RecordingError where one cannot be read, else as `score`."""
    return score(read_visits(visits), read_visits(truth), shortest_s=shortest_s)


def score(visits: pl.DataFrame, truth: pl.DataFrame, *, shortest_s: float = 0.0) -> Score:
    """Compare reported visits with true ones.

    Parameters
    ----------
    visits, truth : DataFrame
        As `recordings_visits.read_visits` gives them; a truth needs no bounds.
    shortest_s : float
        Visits that last less are left out on both sides before anything is counted; but the time they cover
        counts for `time_right`.

    Returns
    -------
    Score
    """
    kinds = [
        _score_kind(visits.filter(pl.col("kind") == kind.word), truth.filter(pl.col("kind") == kind.word), shortest_s)
        for kind in (VisitKind.ZONE, VisitKind.STORE)
    ]
    return Score(*kinds)


def _score_kind(visits: pl.DataFrame, truth: pl.DataFrame, shortest_s: float) -> KindScore:
    shared = covered = 0
    spans_of, true_spans_of = _spans(visits), _spans(truth)
    for key, spans in true_spans_of.items():
        shared += shared_ns(spans, spans_of.get(key, []))
        covered += covered_ns(spans)
    visits, truth = (_long(table, shortest_s) for table in (visits, truth))
    pairs = _pairs(_spans(visits), _spans(truth))
    one = truth[pl.Series([row for row, _ in pairs], dtype=pl.Int64)]
    other = visits[pl.Series([row for _, row in pairs], dtype=pl.Int64)]
    entry, exit_ = (_difference_s(one, other, name) for name in ("entered_at", "left_at"))
    return KindScore(
        truth=len(truth),
        reported=len(visits),
        matched=len(pairs),
        recall=_share(len(pairs), len(truth)),
        precision=_share(len(pairs), len(visits)),
        f1=_share(2 * len(pairs), len(truth) + len(visits)),
        time_right=_share(shared, covered),
        dwell=_error(exit_ - entry),
        entry=_error(entry),
        exit=_error(exit_),
        entries_within_bounds=_within(one["entered_at"], other, "entered"),
        exits_within_bounds=_within(one["left_at"], other, "left"),
    )


_Key: TypeAlias = tuple[str, str, str]


def _spans(table: pl.DataFrame) -> Mapping[_Key, list[Span]]:
    """Return the visits of a table by (store, device, zone)."""
    spans: defaultdict[_Key, list[Span]] = defaultdict(list)
    rows = table.select("store", "device", "zone", "entered_at", "left_at").iter_rows()
    for row, (store, device, zone, entered_at, left_at) in enumerate(rows):
        spans[store, device, zone].append(Span(entered_at, left_at, row))
    return spans


def _long(table: pl.DataFrame, shortest_s: float) -> pl.DataFrame:
    return table.filter(pl.col("left_at") - pl.col("entered_at") >= round(shortest_s * NS_PER_S))


def _pairs(reported: Mapping[_Key, list[Span]], true: Mapping[_Key, list[Span]]) -> list[tuple[int, int]]:
    return [pair for key, spans in true.items() if key in reported for pair in match(spans, reported[key])]


def _difference_s(true: pl.DataFrame, reported: pl.DataFrame, name: str) -> NDArray[np.float64]:
    difference: NDArray[np.float64] = (reported[name] - true[name]).to_numpy() / NS_PER_S
    return difference


def _error(difference_s: NDArray[np.float64]) -> Error:
    if not len(difference_s):
        return Error(None, None, None)
    size = np.abs(difference_s)
    return Error(float(size.mean()), float(np.median(size)), float(difference_s.mean()))


def _within(true: pl.Series, reported: pl.DataFrame, what: str) -> float | None:
    if any(name not in reported.columns for name in _BOUNDS) or true.is_empty():
        return None
    inside = (true >= reported[f"{what}_earliest"]) & (true <= reported[f"{what}_latest"])
    return _share(int(inside.sum()), len(true))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
