"""How well visits agree with the truth of a scene.

Visits of at least 5 s count, on both sides, crossings included: a shopper who walks through a zone in 5 s or more has
visited it. As more than half of the true visits of `walks` are such crossings, `f1_15` looks at the others: recall
over true visits of 15 s and more, precision over reported visits of 15 s and more, each matched as in `f1`, so that a
true visit of 16 s may well be reported as 14 s.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.limits import NS_PER_S
from core.records import VisitArray, VisitKind
from simulators.score.match import Span, covered_ns, match, shared_ns

SHORTEST_NS: Final = 5 * NS_PER_S
"""Shorter stays are no visits."""
LONG_NS: Final = 15 * NS_PER_S
"""From here on nobody merely walks through: a cell of 8 m takes 5 to 13 s."""
RIGHT_FROM: Final = 0.5
"""A reported visit is right if its device was in its zone for at least this share of it; otherwise it is spurious."""
BINS: Final = 10
"""Of the reliability curve, equally wide."""

_Key: TypeAlias = tuple[int, int]
_Spans: TypeAlias = Mapping[_Key, list[Span]]

MEASURES: Final[dict[str, str]] = {
    "f1": "F1 of zone visits at IoU >= .5, one to one",
    "recall": "matched / true",
    "precision": "matched / reported",
    "f1_15": "the same from 15 s on",
    "dwell_mae_s": "mean absolute error of the dwell of matched visits, s",
    "dwell_median_s": "median absolute error of the dwell of matched visits, s",
    "entry_median_s": "median absolute error of the entry, s",
    "exit_median_s": "median absolute error of the exit, s",
    "time_right": "share of the true time that is reported in the right zone",
    "spurious_per_hour": "reported visits mostly spent elsewhere, per device-hour",
    "entry_covered": "share of true entries within the stated bounds",
    "exit_covered": "share of true exits within the stated bounds",
    "entry_width_s": "median width of the bounds of entry, s",
    "exit_width_s": "median width of the bounds of exit, s",
    "ece": "expected calibration error of the confidence",
    "false_departures": "store visits more than true ones, per 100 true ones",
    "missed_store_visits": "store visits fewer than true ones, per 100 true ones",
    "late_share": "share of signals that came too late to be decoded",
    "forced_share": "share of reported zone visits decided by the bound",
    "switches_per_hour": "changes of zone per hour of a device that stands still",
}
"""Every measure and what it says; NaN where there is nothing to measure."""


class Scored(NamedTuple):
    """One scene's measures and what its reliability curve is made of."""

    measures: dict[str, float]
    reliability: NDArray[np.float64]
    """Shape (BINS, 3): reported visits, the sum of their confidence, how many of them are right."""


def score(truth: VisitArray, visits: VisitArray) -> Scored:
    """Compare the visits of a method with the truth.

    Parameters
    ----------
    truth : VISIT
        Every true stay and store visit, however short.
    visits : VISIT
        Zone visits and store visits as reported, in any order; confidence NaN where a method states none,
        bounds of no width where it states none. Devices that have no truth are left out.
    """
    visits = visits[np.isin(visits["device"], truth["device"])]
    true_stays = truth[truth["kind"] == VisitKind.ZONE]
    true, found = true_stays[_long(true_stays)], visits[_long(visits) & (visits["kind"] == VisitKind.ZONE)]
    spans, true_spans, stay_spans = _spans(found), _spans(true), _spans(true_stays)
    pairs = np.array(
        [pair for key, own in true_spans.items() if key in spans for pair in match(own, spans[key])], np.int64
    ).reshape(-1, 2)
    one, other = true[pairs[:, 0]], found[pairs[:, 1]]
    right = _share_in_zone(found, stay_spans) >= RIGHT_FROM
    reliability = reliability_of(found["confidence"].astype(np.float64), right)
    measures = {
        **_agreement(true, found, pairs),
        **_errors(one, other),
        **_bounds(one, other),
        **_store_visits(truth, visits),
        "time_right": ratio(
            sum(shared_ns(own, spans.get(key, [])) for key, own in stay_spans.items()),
            sum(covered_ns(own) for own in stay_spans.values()),
        ),
        "spurious_per_hour": ratio(int((~right).sum()), _device_hours(truth)),
        "ece": expected_calibration_error(reliability),
        "forced_share": ratio(int(found["forced"].sum()), len(found)),
    }
    return Scored(measures, reliability)


def switches_per_hour(truth: VisitArray, visits: VisitArray) -> float:
    """Return how often devices that stand still are said to change zone, per device-hour.

    Stays of any length count: a method that flips every second may not hide behind the five seconds of a visit. A
    second stay in the same zone (after one too short to be reported, or after a false departure) is no change.
    """
    zones = visits[visits["kind"] == VisitKind.ZONE]
    zones = zones[np.lexsort((zones["entered_at"], zones["device"]))]
    changed = (np.diff(zones["zone"]) != 0) & (np.diff(zones["device"]) == 0)
    return ratio(int(changed.sum()), _device_hours(truth))


def reliability_of(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return per bin of confidence: how many, the sum of their confidence, how many are right; shape (BINS, 3)."""
    told = ~np.isnan(confidence)
    place = np.clip((confidence[told] * BINS).astype(np.int64), 0, BINS - 1)
    columns = (np.ones(len(place)), confidence[told], right[told].astype(np.float64))
    return np.stack([np.bincount(place, column, BINS) for column in columns], axis=1)


def expected_calibration_error(reliability: NDArray[np.float64]) -> float:
    """Return the mean distance between confidence and share of right visits (Naeini et al., AAAI 2015)."""
    return ratio(float(np.abs(reliability[:, 1] - reliability[:, 2]).sum()), float(reliability[:, 0].sum()))


def ratio(part: float, whole: float) -> float:
    """Return part / whole, NaN where there is no whole."""
    return part / whole if whole else float("nan")


def _agreement(true: VisitArray, found: VisitArray, pairs: NDArray[np.int64]) -> dict[str, float]:
    true_long, found_long = _long(true, LONG_NS), _long(found, LONG_NS)
    recall = ratio(int(true_long[pairs[:, 0]].sum()), int(true_long.sum()))
    precision = ratio(int(found_long[pairs[:, 1]].sum()), int(found_long.sum()))
    return {
        "f1": ratio(2 * len(pairs), len(true) + len(found)),
        "recall": ratio(len(pairs), len(true)),
        "precision": ratio(len(pairs), len(found)),
        "f1_15": 2 * recall * precision / (recall + precision) if recall + precision else 0.0,
    }


def _errors(one: VisitArray, other: VisitArray) -> dict[str, float]:
    entry, exit_ = ((other[name] - one[name]) / NS_PER_S for name in ("entered_at", "left_at"))
    dwell = np.abs(exit_ - entry)
    return {
        "dwell_mae_s": float(dwell.mean()) if len(dwell) else float("nan"),
        "dwell_median_s": _median(dwell),
        "entry_median_s": _median(np.abs(entry)),
        "exit_median_s": _median(np.abs(exit_)),
    }


def _bounds(one: VisitArray, other: VisitArray) -> dict[str, float]:
    """Coverage and width; NaN where no bounds are stated."""
    measures = {}
    for name, at in (("entry", "entered"), ("exit", "left")):
        earliest, latest = other[f"{at}_earliest"], other[f"{at}_latest"]
        width_s = (latest - earliest) / NS_PER_S
        inside = (one[f"{at}_at"] >= earliest) & (one[f"{at}_at"] <= latest)
        stated = bool(width_s.any())
        measures[f"{name}_covered"] = ratio(int(inside.sum()), len(one)) if stated else float("nan")
        measures[f"{name}_width_s"] = _median(width_s) if stated else float("nan")
    return measures


def _store_visits(truth: VisitArray, visits: VisitArray) -> dict[str, float]:
    count = int(max(truth["device"].max(initial=0), visits["device"].max(initial=0))) + 1
    true, found = (
        np.bincount(side["device"][_long(side) & (side["kind"] == VisitKind.STORE)], minlength=count)
        for side in (truth, visits)
    )
    return {
        "false_departures": 100 * ratio(int(np.maximum(found - true, 0).sum()), int(true.sum())),
        "missed_store_visits": 100 * ratio(int(np.maximum(true - found, 0).sum()), int(true.sum())),
    }


def _share_in_zone(found: VisitArray, stays: _Spans) -> NDArray[np.float64]:
    """Return for which share of each reported visit its device really was in its zone."""
    share = np.zeros(len(found))
    for key, own in _spans(found).items():
        true = stays.get(key, [])
        for span in own:
            within = sum(
                max(0, min(span.left_at, stay.left_at) - max(span.entered_at, stay.entered_at)) for stay in true
            )
            share[span.row] = within / (span.left_at - span.entered_at)
    return share


def _spans(visits: VisitArray) -> _Spans:
    spans: defaultdict[_Key, list[Span]] = defaultdict(list)
    columns = (visits[name].tolist() for name in ("device", "zone", "entered_at", "left_at"))
    for row, (device, zone, entered_at, left_at) in enumerate(zip(*columns, strict=True)):
        spans[device, zone].append(Span(entered_at, left_at, row))
    return spans


def _long(visits: VisitArray, shortest_ns: int = SHORTEST_NS) -> NDArray[np.bool_]:
    long: NDArray[np.bool_] = visits["left_at"] - visits["entered_at"] >= shortest_ns
    return long


def _device_hours(truth: VisitArray) -> float:
    stores = truth[truth["kind"] == VisitKind.STORE]
    return float((stores["left_at"] - stores["entered_at"]).sum()) / (3600 * NS_PER_S)


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
