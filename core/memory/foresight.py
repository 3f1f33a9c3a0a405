"""What may follow from what is known of a customer: rules that say why, and what they rest on.

No rule guesses: each is a bound on evidence that somebody can read, and the one that asks a model (slipping away)
says which and what it answered.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from core.journey.feeling import Feeling
from core.journey.habits import DAY_NS
from core.journey.records import Evidence
from core.journey.rules import COMPLETE_SLACK_NS, ORDERED
from core.limits import NS_PER_S
from core.memory.records import Due, Felt, Happened, Visit, disappointed
from core.memory.remembering import evidence_of, newest

MOOD_DAYS: Final = 30
"""The month in which a second bad experience still stands beside the first."""
GRACE_NS: Final = DAY_NS
"""What was promised for noon and is done in the evening was kept; the next day it was not."""
LONG_STAY_S: Final = 900
"""A quarter of an hour at one place: the longest step of the floor plan's dwell, thirty times an engagement."""
QUEUE_S: Final = 60
"""Who only passes the till does not stand there for a minute."""
SETTLED_NS: Final = DAY_NS
"""Orders of a day come in by night at the latest; until then nobody can say that nothing was bought."""
RECENT_NS: Final = 8 * DAY_NS
"""A week after that; a call about a visit of last month comes too late."""
SLIPPING_BELOW: Final = 0.5
"""More likely gone than not."""
GONE_BELOW: Final = 0.1
"""Nine of ten such never come again: they are gone, not slipping, and a call finds nobody to keep. By the model, not
by days: who comes each week is gone in months, who comes twice a year is not."""
URGENT_H: Final = 24
"""What is due within a day is never kept waiting."""
TASKS_PER_DAY: Final = 10
"""New tasks of one person within 24 h that are not urgent: ten calls of ten minutes fit beside a day in the store,
and more are a list that nobody ends. The others come on the next days, while they still hold."""
SLIPPING_OCCASIONS: Final = 3
"""With fewer the model says the same of everybody who came as often."""
EVIDENCE_CITED: Final = 20
_WARES: Final = frozenset({"shelf", "department", "fitting_room"})
_BOUGHT: Final = frozenset({ORDERED, "collected", "returned"})
_LEFT_QUEUE: Final = "left_queue"


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """A zone visit that ended; `visit` is the id of the store visit around it."""

    id: str
    visit: str
    zone: str
    zone_kind: str
    entered_at: int
    left_at: int


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What the return model says: the probability (0..1) that she still is a customer, and what it rests on."""

    alive: float
    occasions: int
    model: str
    customers: int
    usual_days: float | None


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at. `order_stores` are stores that tell what is bought: elsewhere nobody knows.

    `day` writes the date of an instant, on the calendar of where she last was.
    """

    felt: Sequence[Felt]
    visits: Sequence[Visit]
    events: Sequence[Happened]
    dues: Sequence[Due]
    stays: Sequence[Stay]
    order_stores: frozenset[str]
    outlook: Outlook | None
    day: Callable[[int], str]
    as_of: int


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found: why, in a sentence, and the evidence, newest first."""

    because: str
    evidence: tuple[Evidence, ...]


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in words, what to do (`act`), and within how many hours the task is due."""

    rule: str
    version: int
    label: str
    says: str
    act: str
    due_h: int
    find: Callable[[Scene], Foreseen | None]


def _mood_low(scene: Scene) -> Foreseen | None:
    low = _felt_lately(scene, Feeling.NEGATIVE)
    if len(low) < 2:
        return None
    return Foreseen(
        because=f"The mood was low {len(low)} times within {MOOD_DAYS} days,"
        f" the last time on {scene.day(low[0].at)}.",
        evidence=_cited(low),
    )


def _promise_overdue(scene: Scene) -> Foreseen | None:
    late = sorted(
        (due for due in scene.dues if due.done_at is None and due.due_at + GRACE_NS < scene.as_of),
        key=lambda one: (one.due_at, one.id),
    )
    if not late:
        return None
    due = late[0]
    more = f", nor were {len(late) - 1} more" if len(late) > 2 else ", nor was one more" if len(late) == 2 else ""
    return Foreseen(
        because=f"{due.operator} promised something for {scene.day(due.due_at)}."
        f" On {scene.day(scene.as_of)} it was not done{more}.",
        # all of them, since the task ends when all are kept; of very many the oldest, and the others alert next
        evidence=tuple(
            Evidence(kind="follow_up", id=one.id, at=one.due_at) for one in reversed(late[:EVIDENCE_CITED])
        ),
    )


def _long_stay(scene: Scene) -> Foreseen | None:
    for visit in _empty_handed(scene):
        stays = [
            stay
            for stay in scene.stays
            if stay.visit == visit.id
            and stay.zone_kind in _WARES
            and stay.left_at - stay.entered_at >= LONG_STAY_S * NS_PER_S
        ]
        if stays:
            longest = max(stays, key=lambda stay: (stay.left_at - stay.entered_at, stay.id))
            minutes = (longest.left_at - longest.entered_at) // (60 * NS_PER_S)
            return Foreseen(
                because=f"Stayed {minutes} min at {longest.zone} on {scene.day(longest.entered_at)}"
                " and had bought nothing a day later.",
                evidence=(_stay(longest), _visit(visit)),
            )
    return None


def _queue_left(scene: Scene) -> Foreseen | None:
    """Find the newest time: what staff saw of an earlier one says nothing of a later one."""
    found = [one for one in (_seen_leaving(scene), _queued_in_vain(scene)) if one is not None]
    return max(found, key=lambda one: newest(one.evidence).at, default=None)


def _seen_leaving(scene: Scene) -> Foreseen | None:
    seen = [
        felt for felt in scene.felt if _LEFT_QUEUE in felt.tags and scene.as_of - RECENT_NS <= felt.at <= scene.as_of
    ]
    if not seen:
        return None
    last = max(seen, key=lambda felt: (felt.at, felt.id))
    return Foreseen(
        because=f"Staff saw the customer leave the queue on {scene.day(last.at)}.", evidence=_cited([last])
    )


def _queued_in_vain(scene: Scene) -> Foreseen | None:
    for visit in _empty_handed(scene):
        queued = [
            stay
            for stay in scene.stays
            if stay.visit == visit.id
            and stay.zone_kind == "checkout"
            and stay.left_at - stay.entered_at >= QUEUE_S * NS_PER_S
        ]
        if queued:
            last = max(queued, key=lambda stay: (stay.entered_at, stay.id))
            minutes = max(1, round((last.left_at - last.entered_at) / (60 * NS_PER_S)))
            return Foreseen(
                because=f"Stood at {last.zone} for {minutes} min on {scene.day(last.entered_at)}"
                " and had bought nothing a day later.",
                evidence=(_stay(last), _visit(visit)),
            )
    return None


def _delight(scene: Scene) -> Foreseen | None:
    good = _felt_lately(scene, Feeling.POSITIVE)
    if len(good) < 2 or any(disappointed(felt) for felt in _lately(scene)):
        return None
    return Foreseen(
        because=f"Was delighted {len(good)} times within {MOOD_DAYS} days and never disappointed,"
        f" the last time on {scene.day(good[0].at)}.",
        evidence=_cited(good),
    )


def _slipping(scene: Scene) -> Foreseen | None:
    found = scene.outlook
    if found is None or found.occasions < SLIPPING_OCCASIONS or not scene.visits:
        return None
    if not GONE_BELOW <= found.alive < SLIPPING_BELOW:
        return None
    last = max(scene.visits, key=lambda visit: (visit.left_at, visit.id))
    usual = f", usually every {found.usual_days:.0f} days" if found.usual_days is not None else ""
    return Foreseen(
        because=f"Came {found.occasions} times{usual}, the last time on {scene.day(last.left_at)}."
        f" On {scene.day(scene.as_of)} {found.alive * 100:.0f}% still a customer, by {found.model} of"
        f" {found.customers} customers.",
        evidence=(_visit(last),),
    )


RULES: Final = {
    rule.rule: rule
    for rule in (
        AlertRule(
            rule="mood_low", version=1, label="Frustration is building",
            says=f"Two or more notes or complaints within {MOOD_DAYS} days are negative.",
            act="Call, listen, and make good what went wrong.", due_h=24, find=_mood_low,
        ),
        AlertRule(
            rule="promise_overdue", version=2, label="A promise is overdue",
            says="A follow-up on a note about the customer has been due for more than a day.",
            act="Keep the promise, or tell the customer why not.", due_h=4, find=_promise_overdue,
        ),
        AlertRule(
            rule="long_stay", version=1, label="Looked long, bought nothing",
            says=f"In the last week, a stay of {LONG_STAY_S // 60} min or more at shelves or in a fitting room, and"
            " no order, collection or return by a day later. Only in stores that tell what is bought.",
            act="Ask what was missing.", due_h=72, find=_long_stay,
        ),
        AlertRule(
            rule="queue_left", version=2, label="Left the queue",
            says=f"In the last week, staff saw it (tag “left_queue”); or {QUEUE_S} s or more at a checkout, and no"
            " order, collection or return by a day later. Only in stores that tell what is bought.",
            act="Apologise for the wait, and offer to set the goods aside.", due_h=72, find=_queue_left,
        ),
        AlertRule(
            rule="delight", version=3, label="Delight worth recognising",
            says=f"Two or more notes within {MOOD_DAYS} days are positive, and none is negative or mixed, or may be.",
            act="Thank the customer in person.", due_h=168, find=_delight,
        ),
        AlertRule(
            rule="slipping", version=2, label="Slipping away",
            says=f"Came {SLIPPING_OCCASIONS} times or more, and the return model gives {GONE_BELOW:.0%} to"
            f" {SLIPPING_BELOW:.0%} that this still is a customer. Who has less is gone.",
            act="Get in touch, with what the customer likes.", due_h=168, find=_slipping,
        ),
    )
}  # fmt: skip
"""Every rule, in the order in which alerts are shown."""


def foresee(scene: Scene) -> dict[str, Foreseen]:
    """Return what each rule finds; rules that find nothing are not there."""
    found = {name: rule.find(scene) for name, rule in RULES.items()}
    return {name: seen for name, seen in found.items() if seen is not None}


def key_of(found: Foreseen) -> str:
    """Return what must not alert twice: the newest evidence; of a promise its date too, as it may be put off."""
    last = newest(found.evidence)
    return f"{last.id} {last.at}" if last.kind == "follow_up" else last.id


def still_holds(rule: str, made_at: int, cited: Sequence[Evidence], scene: Scene) -> bool:
    """Return whether what a rule found then was so, by what is known now: notes are edited, or come in late.

    Of promises: whether one of those cited still is one; to put it off does not keep it. Visits and the return model
    do not change by hand, and are not looked at again.
    """
    kinds = {one.kind for one in cited}
    if kinds == {"follow_up"}:
        return not {one.id for one in cited}.isdisjoint(due.id for due in scene.dues)
    if not kinds or kinds & {"store_visit", "zone_visit"} or rule not in RULES:
        return True
    return RULES[rule].find(msgspec.structs.replace(scene, as_of=made_at, visits=(), stays=())) is not None


def _felt_lately(scene: Scene, feeling: Feeling) -> list[Felt]:
    """Return what was felt so within MOOD_DAYS, newest first."""
    return [felt for felt in _lately(scene) if felt.feeling is feeling]


def _lately(scene: Scene) -> list[Felt]:
    """Return what was felt within MOOD_DAYS, newest first."""
    since = scene.as_of - MOOD_DAYS * DAY_NS
    found = [felt for felt in scene.felt if since <= felt.at <= scene.as_of]
    return sorted(found, key=lambda felt: (felt.at, felt.id), reverse=True)


def _empty_handed(scene: Scene) -> list[Visit]:
    """Return recent visits, newest first, without anything bought, where that is known and may no longer change."""
    found = []
    for visit in sorted(scene.visits, key=lambda one: (one.left_at, one.id), reverse=True):
        settled = visit.left_at + SETTLED_NS <= scene.as_of <= visit.left_at + RECENT_NS
        if not settled or visit.store not in scene.order_stores:
            continue
        begin, end = visit.entered_at - COMPLETE_SLACK_NS, visit.left_at + COMPLETE_SLACK_NS
        bought = any(
            event.kind in _BOUGHT
            # bought online within the day counts too: the visit did what it was for
            and (begin <= event.at <= end or (not event.store and begin <= event.at <= visit.left_at + SETTLED_NS))
            for event in scene.events
        )
        if not bought:
            found.append(visit)
    return found


def _cited(felt: Sequence[Felt]) -> tuple[Evidence, ...]:
    return tuple(evidence_of(one) for one in felt[:EVIDENCE_CITED])


def _visit(visit: Visit) -> Evidence:
    return Evidence(kind="store_visit", id=visit.id, at=visit.entered_at, until=visit.left_at)


def _stay(stay: Stay) -> Evidence:
    return Evidence(kind="zone_visit", id=stay.id, at=stay.entered_at, until=stay.left_at, zone=stay.zone)
