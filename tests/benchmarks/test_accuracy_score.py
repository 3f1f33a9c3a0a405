from math import isnan

import numpy as np
import pytest

from benchmarks.accuracy_score import expected_calibration_error, reliability_of, score, switches_per_hour
from core.records import NO_ZONE, VISIT, VisitArray, VisitKind

SECOND = 10**9


def visits(*rows: tuple[int, int, float, float], confidence: float = np.nan, slack_s: float = 0.0) -> VisitArray:
    """Rows of device, zone (-1: a store visit), entered and left in seconds."""
    made = np.zeros(len(rows), VISIT)
    for place, (device, zone, entered_s, left_s) in enumerate(rows):
        made[place]["device"], made[place]["zone"] = device, zone
        made[place]["kind"] = VisitKind.STORE if zone == NO_ZONE else VisitKind.ZONE
        for at, time_s in (("entered", entered_s), ("left", left_s)):
            made[place][f"{at}_at"] = round(time_s * SECOND)
            made[place][f"{at}_earliest"] = round((time_s - slack_s) * SECOND)
            made[place][f"{at}_latest"] = round((time_s + slack_s) * SECOND)
    made["confidence"] = confidence
    return made


TRUTH = visits((0, 1, 0, 100), (0, 2, 100, 106), (0, 3, 106, 110), (0, 1, 110, 210), (0, -1, 0, 210))
"""One device: two long visits, a crossing of 6 s, one of 4 s that is no visit."""


def test_the_truth_itself_scores_full_marks_but_for_the_stay_that_is_no_visit() -> None:
    found = score(TRUTH, TRUTH).measures
    assert found["f1"] == found["f1_15"] == 1
    assert found["time_right"] == pytest.approx(206 / 210)
    assert found["dwell_mae_s"] == found["spurious_per_hour"] == found["false_departures"] == 0


def test_crossings_of_five_seconds_count_in_f1_and_not_from_fifteen_on() -> None:
    found = score(TRUTH, visits((0, 1, 0, 100), (0, 1, 110, 210), (0, -1, 0, 210))).measures
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["precision"] == 1
    assert found["f1"] == pytest.approx(4 / 5)
    assert found["f1_15"] == 1


@pytest.mark.parametrize(("left_s", "f1"), [(50.0, 1.0), (49.9, 0.0)])
def test_half_of_the_union_is_agreement(left_s: float, f1: float) -> None:
    truth = visits((0, 1, 0, 100), (0, -1, 0, 100))
    assert score(truth, visits((0, 1, 0, left_s))).measures["f1"] == f1


@pytest.mark.parametrize(("lasts_s", "reported"), [(5.0, 1.0), (4.999999999, 0.0)])
def test_five_seconds_are_a_visit(lasts_s: float, reported: float) -> None:
    truth = visits((0, 1, 0, 3600), (0, -1, 0, 3600))
    assert score(truth, visits((0, 2, 0, lasts_s))).measures["spurious_per_hour"] == reported


def test_pairs_are_one_to_one() -> None:
    truth = visits((0, 1, 0, 100), (0, -1, 0, 100))
    found = score(truth, visits((0, 1, 0, 50), (0, 1, 50, 100))).measures
    assert (found["recall"], found["precision"]) == (1, 0.5)


def test_another_device_or_zone_is_no_agreement() -> None:
    truth = visits((0, 1, 0, 100), (1, 1, 200, 300), (0, -1, 0, 100), (1, -1, 200, 300))
    found = score(truth, visits((0, 2, 0, 100), (1, 1, 0, 100))).measures
    assert found["f1"] == found["time_right"] == 0
    assert found["spurious_per_hour"] == pytest.approx(2 / (200 / 3600))


def test_a_visit_half_spent_in_its_zone_is_not_spurious() -> None:
    truth = visits((0, 1, 0, 50), (0, 2, 50, 100), (0, -1, 0, 100))
    assert score(truth, visits((0, 1, 25, 75))).measures["spurious_per_hour"] == 0
    assert score(truth, visits((0, 1, 26, 76))).measures["spurious_per_hour"] > 0


def test_errors_of_dwell_entry_and_exit_are_those_of_matched_visits() -> None:
    truth = visits((0, 1, 0, 100), (1, 1, 0, 100), (2, 1, 0, 100), (0, -1, 0, 100))
    found = score(truth, visits((0, 1, 1, 99), (1, 1, 0, 95), (2, 1, 5, 105))).measures
    assert found["dwell_mae_s"] == pytest.approx((2 + 5 + 0) / 3)
    assert found["dwell_median_s"] == 2
    assert found["entry_median_s"] == 1
    assert found["exit_median_s"] == 5


def test_coverage_is_that_of_stated_bounds() -> None:
    truth = visits((0, 1, 0, 100), (1, 1, 0, 100), (0, -1, 0, 100))
    found = score(truth, visits((0, 1, 2, 99), (1, 1, 1, 103), slack_s=1.0)).measures
    assert (found["entry_covered"], found["exit_covered"]) == (0.5, 0.5)
    assert found["entry_width_s"] == 2
    unstated = score(truth, visits((0, 1, 0, 100))).measures
    assert isnan(unstated["entry_covered"])


def test_store_visits_more_than_the_true_ones_are_false_departures() -> None:
    truth = visits((0, -1, 0, 100), (1, -1, 0, 100), (2, -1, 0, 100), (3, -1, 0, 100))
    found = score(truth, visits((0, -1, 0, 40), (0, -1, 60, 100), (1, -1, 0, 100), (2, -1, 0, 100))).measures
    assert (found["false_departures"], found["missed_store_visits"]) == (25, 25)


def test_switches_are_changes_of_zone_of_one_device() -> None:
    truth = visits((0, 1, 0, 3600), (1, 1, 0, 3600), (0, -1, 0, 3600), (1, -1, 0, 3600))
    found = visits((0, 1, 0, 10), (1, 1, 0, 3600), (0, 2, 10, 11), (0, 1, 11, 20), (0, 1, 30, 3600), (0, -1, 0, 3600))
    assert switches_per_hour(truth, found) == 1  # two in two hours


def test_confidence_is_compared_bin_by_bin() -> None:
    confidence = np.array([0.95, 0.95, 0.85, 0.85, np.nan, 1.0])
    right = np.array([True, True, True, False, False, False])
    bins = reliability_of(confidence, right)
    assert bins[9].tolist() == pytest.approx([3, 2.9, 2])
    assert bins[8].tolist() == pytest.approx([2, 1.7, 1])
    assert bins.sum(axis=0)[0] == 5
    assert expected_calibration_error(bins) == pytest.approx((0.9 + 0.7) / 5)


def test_nothing_reported_is_no_error() -> None:
    found = score(TRUTH, visits()).measures
    assert (found["f1"], found["recall"]) == (0, 0)
    assert isnan(found["dwell_mae_s"])
