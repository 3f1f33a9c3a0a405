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


def judged_of(
    *edges: tuple[str, str, set[int]], down: set[int], anchors: int = 20, standing: frozenset[AlarmKey] = frozenset()
) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return the alarms of edges (name, state, anchors by number) when these anchors are down."""
    told = alarms(
        [
            EdgeFigures(
                **(WELL | {"edge": edge, "state": state, "anchors": tuple(f"a{place}" for place in sorted(heard))})
            )
            for edge, state, heard in edges
        ],
        [
            AnchorFigures(anchor=f"a{place}", fault="down" if place in down else None, battery_percent=None)
            for place in range(anchors)
        ],
        standing,
    )
    return [(alarm.alarm, alarm.edge or alarm.anchor, alarm.anchors) for alarm in told]


def test_one_power_cut_is_one_alarm_an_edge_and_none_of_its_anchors() -> None:
    north, south = set(range(10)), set(range(10, 20))
    found = judged_of(("n", "offline", north), ("s", "offline", south), down=north | south)
    assert [(alarm, edge, len(anchors)) for alarm, edge, anchors in found] == [
        ("edge_gone", "n", 10),
        ("edge_gone", "s", 10),
    ], "coverage is low by nothing else either"


def test_an_anchor_that_another_edge_hears_is_a_cause_of_its_own() -> None:
    found = judged_of(("n", "offline", {0, 1, 2}), ("s", "online", {2, 3}), down={0, 1, 2})
    assert found == [("edge_gone", "n", ("a0", "a1")), ("anchor_down", "a2", ())]
    assert judged_of(("n", "offline", {0}), ("s", "stopped", {0}), down={0}) == [
        ("edge_gone", "n", ("a0",)),
        ("edge_stopped", "s", ("a0",)),
    ]


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        (set(), "The broker lost it without a goodbye."),
        ({1}, "The broker lost it without a goodbye. 1 anchor is heard by no other edge."),
        ({1, 2}, "The broker lost it without a goodbye. 2 anchors are heard by no other edge."),
        ({77}, "The broker lost it without a goodbye."),  # the plan has no such anchor
    ],
)
def test_an_edge_that_is_gone_says_what_nobody_hears_now(heard: set[int], says: str) -> None:
    gone = EdgeFigures(**(WELL | {"state": "offline", "anchors": tuple(f"a{place}" for place in heard)}))
    anchors = [AnchorFigures(anchor=f"a{place}", fault=None, battery_percent=None) for place in range(3)]
    assert [alarm.says for alarm in alarms([gone], anchors)] == [says]


def test_what_was_told_of_an_anchor_before_its_edge_went_stays_told() -> None:
    known: frozenset[AlarmKey] = frozenset({("anchor_down", "", "a1")})
    assert judged_of(("n", "offline", {0, 1}), down={0, 1}, standing=known) == [
        ("edge_gone", "n", ("a0", "a1")),
        ("anchor_down", "a1", ()),
    ]


def test_a_stopped_edge_is_told_of_only_if_nobody_hears_its_anchors() -> None:
    assert judged_of(("app", "stopped", set()), ("n", "stopped", {0}), ("s", "online", {0}), down=set()) == []
    assert judged_of(("n", "stopped", {0}), down={0}) == [("edge_stopped", "n", ("a0",))]
