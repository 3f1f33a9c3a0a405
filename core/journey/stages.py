"""Visits and events to the stages of one journey, by rules that are the same every time.

One journey surrounds one store visit. The machine keeps no state: late evidence changes the journey by being
among the inputs the next time. A stage without evidence is `skipped` once its time has passed, never filled in.
All times are int nanoseconds since the epoch, UTC.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from core.errors import InputError
from core.journey.rules import (
    CONSENT_GRANTED,
    CONSENT_WITHDRAWN,
    DISCOVER_LOOK_BACK_NS,
    ENGAGE_DWELL_S,
    REFLECT_LOOK_AHEAD_NS,
    RULES,
    Stage,
)
from core.limits import NS_PER_S

_ENGAGE_NS: Final = ENGAGE_DWELL_S * NS_PER_S
_END_NOT_SEEN: Final = frozenset({"anchor_down", "end_of_recording"})
"""Closing reasons that speak of us, not of the customer: a dead gateway is not a departed customer."""
_CHECKOUT: Final = "checkout"


class State(StrEnum):
    """How far a stage has come."""

    REACHED = "reached"
    UNDER_WAY = "under_way"
    NOT_YET = "not_yet"
    SKIPPED = "skipped"


class Event(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that happened to a profile at one time; kinds that no rule names are passed over."""

    id: str
    kind: str
    at: int


class Stay(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One zone visit; while `in_progress`, `left_at` is the newest signal that supports it."""

    id: str
    revision: int = 0
    in_progress: bool = False
    zone: str
    zone_kind: str
    entered_at: int
    left_at: int


class StoreVisit(msgspec.Struct, frozen=True, kw_only=True):
    """The store visit that the journey surrounds; `closed_by` is None exactly while it is in progress."""

    id: str
    store: str
    entered_at: int
    left_at: int
    closed_by: str | None = None

    @property
    def in_progress(self) -> bool:
        """Whether it has not ended yet."""
        return self.closed_by is None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage rests on: a row that exists under this kind and id; `until` where it has a length."""

    kind: str
    id: str
    at: int
    until: int | None = None
    zone: str | None = None


class StageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stage: how far, since when (`at`, None unless reached), on what evidence and by which rule."""

    stage: Stage
    state: State
    at: int | None
    evidence: tuple[Evidence, ...]
    rule: str
    rule_version: int
    because: str


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """The six stages in their order; `visit` is None for a customer who has not come yet."""

    visit: str | None
    store: str | None
    as_of: int
    stages: tuple[StageReport, ...]


class _Scene(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs after ordering, clipping and removal of repetitions."""

    visit: StoreVisit | None
    stays: tuple[Stay, ...]
    events: tuple[Event, ...]
    as_of: int
    previous_left_at: int | None
    next_entered_at: int | None


_Kind = TypeVar("_Kind", Event, Stay)


def journey(
    visit: StoreVisit | None,
    stays: Iterable[Stay],
    events: Iterable[Event],
    *,
    as_of: int,
    previous_left_at: int | None = None,
    next_entered_at: int | None = None,
) -> Journey:
    """Return the journey around one store visit.

    Parameters
    ----------
    visit : StoreVisit or None
        In progress or ended; None for a customer who is not and was not in a store.
    stays : iterable of Stay
        Zone visits of it, in any order, repeated or not; of one id the highest revision counts, and a decided stay
        before one in progress. What lies outside the store visit is cut off.
    events : iterable of Event
        In any order, repeated or not.
    as_of : int
        Up to when everything is known; later events and the later part of stays are not looked at. While a visit is
        in progress this is its newest signal or later.
    previous_left_at, next_entered_at : int or None
        End of the store visit before and start of the one after: they cut the times of Discover and Reflect.

    Returns
    -------
    Journey
        `at` of the reached stages rises from Discover over Arrive, Engage and Complete to Reflect (Plan/Enroll may
        come at any time: some enrol at the till).

    Raises
    ------
    InputError
        If a visit or stay ends before it begins.
    """
    scene = _Scene(
        visit=visit,
        stays=_stays_inside(visit, stays, as_of),
        events=_events_known(events, as_of),
        as_of=as_of,
        previous_left_at=previous_left_at,
        next_entered_at=next_entered_at,
    )
    return Journey(
        visit=visit.id if visit is not None else None,
        store=visit.store if visit is not None else None,
        as_of=as_of,
        stages=tuple(_JUDGES[stage](scene) for stage in Stage),
    )


def _stays_inside(visit: StoreVisit | None, stays: Iterable[Stay], as_of: int) -> tuple[Stay, ...]:
    if visit is not None:
        _check_order(visit.id, visit.entered_at, visit.left_at)
    inside: list[Stay] = []
    for stay in _single(stays, lambda stay: (stay.revision, not stay.in_progress)):
        _check_order(stay.id, stay.entered_at, stay.left_at)
        clipped = _clip(stay, visit, as_of)
        if clipped is not None:
            inside.append(clipped)
    return tuple(sorted(inside, key=lambda stay: (stay.entered_at, stay.id)))


def _events_known(events: Iterable[Event], as_of: int) -> tuple[Event, ...]:
    known = [event for event in _single(events, lambda _: ()) if event.at <= as_of]
    return tuple(sorted(known, key=lambda event: (event.at, event.kind, event.id)))


def _single(rows: Iterable[_Kind], rank: Callable[[_Kind], tuple[Any, ...]]) -> list[_Kind]:
    """Keep one row an id: the highest rank, and among equals the greatest, so that order can't matter."""
    best: dict[str, _Kind] = {}
    for row in rows:
        held = best.get(row.id)
        if held is None or (rank(row), row) > (rank(held), held):
            best[row.id] = row
    return list(best.values())


def _clip(stay: Stay, visit: StoreVisit | None, as_of: int) -> Stay | None:
    if visit is None:
        return None
    end = as_of if visit.in_progress else min(visit.left_at, as_of)
    entered_at, left_at = max(stay.entered_at, visit.entered_at), min(stay.left_at, end)
    if entered_at > left_at:
        return None
    return msgspec.structs.replace(
        stay, entered_at=entered_at, left_at=left_at, in_progress=stay.in_progress and visit.in_progress
    )


def _check_order(row: str, entered_at: int, left_at: int) -> None:
    if left_at < entered_at:
        raise InputError("The visit ends before it begins.", where=f"visit {row}")


def _discover(scene: _Scene) -> StageReport:
    end = scene.visit.entered_at if scene.visit is not None else scene.as_of
    start = end - DISCOVER_LOOK_BACK_NS
    if scene.previous_left_at is not None:
        start = max(start, scene.previous_left_at)
    found = _events_between(scene, Stage.DISCOVER, start, end)
    if found:
        return _report(Stage.DISCOVER, State.REACHED, "evidence", found, at=found[0].at)
    if scene.visit is None:
        return _report(Stage.DISCOVER, State.NOT_YET, "no_evidence_so_far")
    return _report(Stage.DISCOVER, State.SKIPPED, "no_evidence")


def _plan_enroll(scene: _Scene) -> StageReport:
    ended = scene.visit is not None and not scene.visit.in_progress
    end = scene.visit.left_at if scene.visit is not None and ended else scene.as_of
    withdrawn = max(
        (event.at for event in scene.events if event.kind == CONSENT_WITHDRAWN and event.at <= end), default=-1
    )
    found = [
        evidence
        for evidence in _events_between(scene, Stage.PLAN_ENROLL, 0, end)
        if evidence.kind != CONSENT_GRANTED or evidence.at > withdrawn
    ]
    if found:
        return _report(Stage.PLAN_ENROLL, State.REACHED, "evidence", found, at=found[0].at)
    if ended:
        return _report(Stage.PLAN_ENROLL, State.SKIPPED, "no_evidence")
    return _report(Stage.PLAN_ENROLL, State.NOT_YET, "no_evidence_so_far")


def _arrive(scene: _Scene) -> StageReport:
    visit = scene.visit
    if visit is None:
        return _report(Stage.ARRIVE, State.NOT_YET, "not_arrived")
    found = [Evidence(kind="store_visit", id=visit.id, at=visit.entered_at)]
    return _report(Stage.ARRIVE, State.REACHED, "evidence", found, at=visit.entered_at)


def _engage(scene: _Scene) -> StageReport:
    long = [stay for stay in scene.stays if stay.left_at - stay.entered_at >= _ENGAGE_NS]
    if long:
        found = [_evidence_of(stay) for stay in long]
        return _report(Stage.ENGAGE, State.REACHED, "evidence", found, at=long[0].entered_at + _ENGAGE_NS)
    if scene.visit is None:
        return _report(Stage.ENGAGE, State.NOT_YET, "not_arrived")
    if not scene.visit.in_progress:
        return _report(Stage.ENGAGE, State.SKIPPED, "no_evidence")
    running = [_evidence_of(stay) for stay in scene.stays if stay.in_progress]
    if running:
        return _report(Stage.ENGAGE, State.UNDER_WAY, "stay_in_progress", running)
    return _report(Stage.ENGAGE, State.NOT_YET, "no_evidence_so_far")


def _complete(scene: _Scene) -> StageReport:
    visit = scene.visit
    if visit is None:
        return _report(Stage.COMPLETE, State.NOT_YET, "not_arrived")
    if visit.in_progress:
        paying = [_evidence_of(stay) for stay in scene.stays if stay.in_progress and stay.zone_kind == _CHECKOUT]
        if paying:
            return _report(Stage.COMPLETE, State.UNDER_WAY, "at_checkout", paying)
        return _report(Stage.COMPLETE, State.NOT_YET, "visit_in_progress")
    if visit.closed_by in _END_NOT_SEEN:
        return _report(Stage.COMPLETE, State.SKIPPED, "end_not_seen")
    found = [Evidence(kind="store_visit", id=visit.id, at=visit.entered_at, until=visit.left_at)]
    return _report(Stage.COMPLETE, State.REACHED, "evidence", found, at=visit.left_at)


def _reflect(scene: _Scene) -> StageReport:
    visit = scene.visit
    if visit is None:
        return _report(Stage.REFLECT, State.NOT_YET, "not_arrived")
    if visit.in_progress:
        return _report(Stage.REFLECT, State.NOT_YET, "visit_in_progress")
    end = visit.left_at + REFLECT_LOOK_AHEAD_NS
    if scene.next_entered_at is not None:
        end = min(end, scene.next_entered_at)
    found = _events_between(scene, Stage.REFLECT, visit.left_at, end)
    if found:
        return _report(Stage.REFLECT, State.REACHED, "evidence", found, at=found[0].at)
    if scene.as_of > end:
        return _report(Stage.REFLECT, State.SKIPPED, "no_evidence")
    return _report(Stage.REFLECT, State.NOT_YET, "no_evidence_so_far")


_JUDGES: Final[dict[Stage, Callable[[_Scene], StageReport]]] = {
    Stage.DISCOVER: _discover,
    Stage.PLAN_ENROLL: _plan_enroll,
    Stage.ARRIVE: _arrive,
    Stage.ENGAGE: _engage,
    Stage.COMPLETE: _complete,
    Stage.REFLECT: _reflect,
}


def _events_between(scene: _Scene, stage: Stage, start: int, end: int) -> list[Evidence]:
    kinds = RULES[stage].kinds
    return [
        Evidence(kind=event.kind, id=event.id, at=event.at)
        for event in scene.events
        if event.kind in kinds and start <= event.at <= end
    ]


def _evidence_of(stay: Stay) -> Evidence:
    return Evidence(kind="zone_visit", id=stay.id, at=stay.entered_at, until=stay.left_at, zone=stay.zone)


def _report(
    stage: Stage, state: State, because: str, evidence: Iterable[Evidence] = (), *, at: int | None = None
) -> StageReport:
    rule = RULES[stage]
    return StageReport(
        stage=stage,
        state=state,
        at=at,
        evidence=tuple(evidence),
        rule=rule.id,
        rule_version=rule.version,
        because=because,
    )
