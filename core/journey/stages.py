"""Visits and events to the stages of one journey, by rules that are the same every time.

One journey surrounds one store visit, or one order online. The machine keeps no state: late evidence changes the
journey by being among the inputs the next time. A stage without evidence is `skipped` once its time has passed, never
filled in.
All times are int nanoseconds since the epoch, UTC.
"""

from collections.abc import Callable, Iterable
from typing import Final

from core.journey.records import Event, Evidence, Journey, StageReport, State, Stay, StoreVisit
from core.journey.rules import (
    COMPLETE_SLACK_NS,
    CONSENT_GRANTED,
    CONSENT_WITHDRAWN,
    ENGAGE_DWELL_S,
    ORDERED,
    PASSED_BY,
    PASSING_NS,
    REFLECT_LOOK_AHEAD_NS,
    RULES,
    Stage,
)
from core.journey.scene import Scene, events_known, stays_inside
from core.limits import NS_PER_S

_ENGAGE_NS: Final = ENGAGE_DWELL_S * NS_PER_S
_END_NOT_SEEN: Final = frozenset({"anchor_down", "end_of_recording"})
"""Closing reasons that speak of us, not of the customer: a dead gateway is not a departed customer."""
_CHECKOUT: Final = "checkout"
_DONE: Final = {ORDERED: "bought", "collected": "collected", "returned": "returned"}
"""What completes a visit, and why it is then said to be complete; of several the first here says it."""
_PAID_BACK: Final = "paid_back"
"""Said instead where nothing else was done than to order what was paid back as a whole since."""


def journey(
    visit: StoreVisit | None,
    stays: Iterable[Stay],
    events: Iterable[Event],
    *,
    as_of: int,
    previous_left_at: int | None = None,
    next_entered_at: int | None = None,
    order: str | None = None,
) -> Journey:
    """Return the journey around one store visit, or around one order online.

    Parameters
    ----------
    visit : StoreVisit or None
        In progress or ended; None for an order online, or a customer who is not and was not in a store.
    stays : iterable of Stay
        Zone visits of it, in any order, repeated or not; of one id the highest revision counts, and a decided stay
        before one in progress. What lies outside the store visit is cut off.
    events : iterable of Event
        In any order, repeated or not; of one id the highest revision counts.
    as_of : int
        Up to when everything is known; later events and the later part of stays are not looked at. While a visit is
        in progress this is its newest signal or later.
    previous_left_at, next_entered_at : int or None
        End of the store visit before and start of the one after: they cut the times of Discover and Reflect.
        Around an order online the orders before and after it do so as well.
    order : str or None
        Without a visit: id of the order online; None for the newest.

    Returns
    -------
    Journey
        `at` of the reached stages rises from Discover over Arrive and Complete to Reflect, and from Arrive to Engage
        (Plan/Enroll may come at any time: some enrol at the till; some buy first and look around after).

    Raises
    ------
    InputError
        If a visit or stay ends before it begins.
    """
    scene = Scene(
        visit=visit,
        stays=stays_inside(visit, stays, as_of),
        events=events_known(events, as_of),
        as_of=as_of,
        previous_left_at=previous_left_at,
        next_entered_at=next_entered_at,
        order=order,
    )
    online = scene.order_online if visit is None else None
    return Journey(
        visit=visit.id if visit is not None else None,
        order=online.id if online is not None else None,
        store=visit.store if visit is not None else None,
        as_of=as_of,
        reflect_by=_reflect_by(scene),
        stages=tuple(_JUDGES[stage](scene) for stage in Stage),
    )


def _discover(scene: Scene) -> StageReport:
    found = [
        evidence
        for evidence in _events_between(scene, Stage.DISCOVER, scene.look_back, scene.begin)
        if evidence.kind != PASSED_BY or not _entered(scene, evidence)
    ]
    if found:
        return _report(Stage.DISCOVER, State.REACHED, "evidence", found, at=found[0].at)
    if scene.visit is None and scene.order_online is None:
        return _report(Stage.DISCOVER, State.NOT_YET, "no_evidence_so_far")
    return _report(Stage.DISCOVER, State.SKIPPED, "no_evidence")


def _entered(scene: Scene, passed: Evidence) -> bool:
    """Return whether who is said to have passed by this store was about to enter it, or had just left a store."""
    if scene.visit is None:
        return False
    store = next(event.store for event in scene.events if event.id == passed.id)
    left_at = scene.previous_left_at
    return store in {"", scene.visit.store} and (
        passed.at >= scene.visit.entered_at - PASSING_NS
        or (left_at is not None and passed.at <= left_at + PASSING_NS)
    )


def _plan_enroll(scene: Scene) -> StageReport:
    ended = scene.visit is not None and not scene.visit.in_progress
    end = scene.begin if scene.visit is None else scene.visit.left_at if ended else scene.as_of
    withdrawn = max(
        (event.at for event in scene.events if event.kind == CONSENT_WITHDRAWN and event.at <= end), default=-1
    )
    since = scene.look_back
    found = [
        evidence
        for evidence in _events_between(scene, Stage.PLAN_ENROLL, 0, end)
        if (evidence.kind != CONSENT_GRANTED or evidence.at > withdrawn)
        and (evidence.kind in RULES[Stage.PLAN_ENROLL].lasting or evidence.at >= since)
    ]
    if found:
        return _report(Stage.PLAN_ENROLL, State.REACHED, "evidence", found, at=found[0].at)
    if ended:
        return _report(Stage.PLAN_ENROLL, State.SKIPPED, "no_evidence")
    return _report(Stage.PLAN_ENROLL, State.NOT_YET, "no_evidence_so_far")


def _arrive(scene: Scene) -> StageReport:
    visit = scene.visit
    if visit is None:
        return _report(Stage.ARRIVE, State.NOT_YET, "not_arrived")
    found = [Evidence(kind="store_visit", id=visit.id, at=visit.entered_at)]
    return _report(Stage.ARRIVE, State.REACHED, "evidence", found, at=visit.entered_at)


def _engage(scene: Scene) -> StageReport:
    long = [stay for stay in scene.stays if stay.left_at - stay.entered_at >= _ENGAGE_NS]
    contacts = _contacts(scene)
    if long or contacts:
        found = sorted([*map(_evidence_of, long), *contacts], key=lambda evidence: (evidence.at, evidence.id))
        since = [stay.entered_at + _ENGAGE_NS for stay in long] + [contact.at for contact in contacts]
        return _report(Stage.ENGAGE, State.REACHED, "evidence", found, at=min(since))
    if scene.visit is None:
        return _report(Stage.ENGAGE, State.NOT_YET, "not_arrived")
    if not scene.visit.in_progress:
        return _report(Stage.ENGAGE, State.SKIPPED, "no_evidence")
    running = [_evidence_of(stay) for stay in scene.stays if stay.in_progress]
    if running:
        return _report(Stage.ENGAGE, State.UNDER_WAY, "stay_in_progress", running)
    return _report(Stage.ENGAGE, State.NOT_YET, "no_evidence_so_far")


def _contacts(scene: Scene) -> list[Evidence]:
    visit = scene.visit
    if visit is None:
        return []
    end = scene.as_of if visit.in_progress else visit.left_at
    return _events_between(scene, Stage.ENGAGE, visit.entered_at, end, stores=("", visit.store))


def _complete(scene: Scene) -> StageReport:
    visit = scene.visit
    if visit is None:
        return _complete_online(scene)
    done = _done_in_store(scene, visit)
    if done:
        # a till's clock may be off: what was bought was bought during the visit
        at = min(max(done[0].at, visit.entered_at), scene.as_of if visit.in_progress else visit.left_at)
        back = {event.id for event in scene.events if event.paid_back}
        kinds = {evidence.kind for evidence in done if evidence.id not in back}
        because = next((said for kind, said in _DONE.items() if kind in kinds), _PAID_BACK)
        return _report(Stage.COMPLETE, State.REACHED, because, done, at=at)
    if visit.in_progress:
        paying = [_evidence_of(stay) for stay in scene.stays if stay.in_progress and stay.zone_kind == _CHECKOUT]
        if paying:
            return _report(Stage.COMPLETE, State.UNDER_WAY, "at_checkout", paying)
        return _report(Stage.COMPLETE, State.NOT_YET, "visit_in_progress")
    if visit.closed_by in _END_NOT_SEEN:
        return _report(Stage.COMPLETE, State.SKIPPED, "end_not_seen")
    found = [Evidence(kind="store_visit", id=visit.id, at=visit.entered_at, until=visit.left_at)]
    return _report(Stage.COMPLETE, State.REACHED, "left_empty_handed", found, at=visit.left_at)


def _complete_online(scene: Scene) -> StageReport:
    order = scene.order_online
    if order is None:
        return _report(Stage.COMPLETE, State.NOT_YET, "not_arrived")
    found = [Evidence(kind=order.kind, id=order.id, at=order.at)]
    because = _PAID_BACK if order.paid_back else "ordered_online"
    return _report(Stage.COMPLETE, State.REACHED, because, found, at=order.at)


def _done_in_store(scene: Scene, visit: StoreVisit) -> list[Evidence]:
    """Return orders, collections and returns of this visit; those between two visits belong to the earlier one."""
    start, end = visit.entered_at - COMPLETE_SLACK_NS, visit.left_at + COMPLETE_SLACK_NS
    if scene.previous_left_at is not None:
        start = max(start, min(scene.previous_left_at + COMPLETE_SLACK_NS + 1, visit.entered_at))
    if scene.next_entered_at is not None:
        end = min(end, max(scene.next_entered_at - 1, visit.left_at))
    end = scene.as_of if visit.in_progress else end
    return _events_between(scene, Stage.COMPLETE, start, end, stores=(visit.store,))


def _reflect_from(scene: Scene) -> int | None:
    """Return the end of the visit, or the time of the order online; None while there is neither."""
    if scene.visit is not None:
        return None if scene.visit.in_progress else scene.visit.left_at
    return scene.order_online.at if scene.order_online is not None else None


def _reflect_by(scene: Scene) -> int | None:
    start = _reflect_from(scene)
    if start is None:
        return None
    end = start + REFLECT_LOOK_AHEAD_NS
    return end if scene.next_begins_at is None else min(end, scene.next_begins_at)


def _reflect(scene: Scene) -> StageReport:
    start, end = _reflect_from(scene), _reflect_by(scene)
    if start is None or end is None:
        return _report(
            Stage.REFLECT, State.NOT_YET, "visit_in_progress" if scene.visit is not None else "not_arrived"
        )
    found = _events_between(scene, Stage.REFLECT, start, end)
    if found:
        return _report(Stage.REFLECT, State.REACHED, "evidence", found, at=found[0].at)
    if scene.as_of > end:
        return _report(Stage.REFLECT, State.SKIPPED, "no_evidence")
    return _report(Stage.REFLECT, State.NOT_YET, "no_evidence_so_far")


_JUDGES: Final[dict[Stage, Callable[[Scene], StageReport]]] = {
    Stage.DISCOVER: _discover,
    Stage.PLAN_ENROLL: _plan_enroll,
    Stage.ARRIVE: _arrive,
    Stage.ENGAGE: _engage,
    Stage.COMPLETE: _complete,
    Stage.REFLECT: _reflect,
}


def _events_between(
    scene: Scene, stage: Stage, start: int, end: int, *, stores: tuple[str, ...] | None = None
) -> list[Evidence]:
    """Return the stage's events within start <= t <= end, everywhere or in these stores."""
    kinds = RULES[stage].kinds
    return [
        Evidence(kind=event.kind, id=event.id, at=event.at)
        for event in scene.events
        if event.kind in kinds and start <= event.at <= end and (stores is None or event.store in stores)
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
