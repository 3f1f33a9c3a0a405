"""Alarms of the fleet: each on both sides of its threshold."""

from typing import Any

import pytest

from core.fleet import (
    BATTERY_OVER_PERCENT,
    BATTERY_PERCENT,
    CERTIFICATE_DAYS,
    GROWING_S,
    SILENT_S,
    SKEW_OVER_S,
    SKEW_S,
    AlarmKey,
    AnchorFigures,
    EdgeFigures,
    alarms,
)

WELL: dict[str, Any] = {
    "edge": "e", "state": "online", "status_age_s": 5.0, "skew_s": 0.4, "backlog": 0, "growing_s": None, "dropped": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({}, []),
        ({"state": None, "status_age_s": None, "skew_s": None}, []),
        ({"certificate_days": float(CERTIFICATE_DAYS)}, []),
        ({"certificate_days": CERTIFICATE_DAYS - 0.1}, ["certificate_ends"]),
        ({"certificate_days": -1.0}, ["certificate_ends"]),
        ({"status_age_s": SILENT_S}, []),
        ({"status_age_s": SILENT_S + 1}, ["edge_silent"]),
        ({"state": "stopped", "status_age_s": 9e9}, []),
        ({"state": "offline", "status_age_s": 9e9}, ["edge_gone"]),
        ({"skew_s": SKEW_S}, []),
        ({"skew_s": -SKEW_S - 0.1}, ["clock_skew"]),
        ({"backlog": 900, "growing_s": GROWING_S - 1}, []),
        ({"backlog": 900, "growing_s": GROWING_S}, ["backlog_growing"]),
        ({"dropped": 1}, ["signals_dropped"]),
    ],
)
def test_an_edge_is_told_of_when_it_passes_a_threshold(figures: dict[str, Any], words: list[str]) -> None:
    found = alarms([EdgeFigures(**(WELL | figures))], [])
    assert [alarm.alarm for alarm in found] == words
    assert all(alarm.edge == "e" and alarm.says.endswith(".") and alarm.hint.endswith(".") for alarm in found)


@pytest.mark.parametrize(
    ("faulty", "battery", "words"),
    [
        (0, None, []),
        (0, BATTERY_PERCENT + 1, []),
        (0, BATTERY_PERCENT, ["battery_low"]),
        (1, None, ["anchor_down"]),
        (2, None, ["anchor_down", "anchor_down", "coverage_low"]),
    ],
)
def test_anchors_are_told_of_one_by_one_and_the_store_when_many_are_missing(
    faulty: int, battery: int | None, words: list[str]
) -> None:
    anchors = [
        AnchorFigures(anchor=f"a{place}", fault="down" if place < faulty else None, battery_percent=None)
        for place in range(10)
    ]
    anchors[9] = AnchorFigures(anchor="a9", fault=None, battery_percent=battery)
    assert [alarm.alarm for alarm in alarms([], anchors)] == words


@pytest.mark.parametrize(
    ("standing", "skew_s", "battery", "faulty"),
    [
        (("clock_skew", "e", ""), SKEW_OVER_S, None, 0),
        (("battery_low", "", "a"), None, BATTERY_OVER_PERCENT + 1, 0),
        (("coverage_low", "", ""), None, None, 1),
    ],
)
def test_what_was_raised_is_over_only_at_its_second_bound(
    standing: AlarmKey, skew_s: float | None, battery: int | None, faulty: int
) -> None:
    def judged(skew_s: float | None, battery: int | None, faulty: int, known: set[AlarmKey]) -> set[str]:
        anchors = [AnchorFigures(anchor="a", fault=None, battery_percent=battery)]
        anchors += [
            AnchorFigures(anchor=f"a{place}", fault="down" if place < faulty else None, battery_percent=None)
            for place in range(20)
        ]
        found = alarms([EdgeFigures(**(WELL | {"skew_s": skew_s}))], anchors, known)
        return {str(alarm.alarm) for alarm in found} - {"anchor_down"}

    assert judged(skew_s, battery, faulty, {standing}) == set(), "beyond the second bound"
    between = (
        None if skew_s is None else skew_s + 0.1,
        None if battery is None else battery - 1,
        faulty and faulty + 1,
    )
    assert judged(*between, {standing}) == {standing[0]}
    assert judged(*between, set()) == set(), "it is not raised there"
