"""The emotional memory of a customer, from her notes and events: every figure with its n and its evidence.

A feeling counts 1 (positive), -1 (negative) or 0 (neutral, mixed); means weigh each by its age
(`core.memory.fading`). Nothing is stored: an edited or erased note changes the memory by being, or not being, among
the inputs the next time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from core.journey.feeling import Feeling
from core.journey.records import Evidence
from core.journey.rules import COMPLETE_SLACK_NS, DISCOVER_LOOK_BACK_NS, REFLECT_LOOK_AHEAD_NS, Stage
from core.memory.fading import FADED, FEELING_HALF_LIFE_DAYS, PREFERENCE_HALF_LIFE_DAYS, weight
from core.memory.places import stage_of
from core.memory.records import Due, Felt, Happened, Visit, disappointed, promised_for
from core.memory.topics import TopicFinder

MONTHS: Final = 24
"""Two years: what lies further back has faded to a sixteenth."""
QUOTES: Final = 12
"""Preferences, and promises, that are told: more than anybody reads before a talk."""
WITHOUT_FEELING: Final = frozenset({"credit_control"})
"""Purposes whose notes are about money owed: who promises to pay is not delighted by paying, and nothing is promised
to her, by its text or its follow-ups. Of such a note only what staff say of the feeling counts."""
_VALUE: Final = {Feeling.POSITIVE: 1.0, Feeling.NEGATIVE: -1.0}


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """Feelings together: `value` -1..1 by weight, None where the newest has faded; `evidence` newest first.

    `weight` is what is left of the `n` after fading: 1 stands for one of today.
    """

    value: float | None
    weight: float
    n: int
    positive: int
    negative: int
    mixed: int
    neutral: int
    evidence: tuple[Evidence, ...]


class StageFeeling(msgspec.Struct, frozen=True, kw_only=True):
    """What was felt at a stage."""

    stage: Stage
    mean: Mean


class MonthFeeling(msgspec.Struct, frozen=True, kw_only=True):
    """What was felt in a month (UTC), like 2026-11; unweighted, as it was then."""

    month: str
    mean: Mean


class TopicFeeling(msgspec.Struct, frozen=True, kw_only=True):
    """Something that delighted or frustrated; `weight` says how much is left of it."""

    topic: str
    label: str
    n: int
    weight: float
    evidence: tuple[Evidence, ...]


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Words of a note that tell a preference, how much is left of them, and whether a message may quote them."""

    text: str
    weight: float
    evidence: Evidence
    quotable: bool = False


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was promised: a follow-up with its date, or words of a note without one.

    `was_due_at` is when it was promised for, where that is over and it is due later by now.
    """

    text: str
    operator: str
    due_at: int | None
    state: str
    evidence: Evidence
    was_due_at: int | None = None


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; `now` is everything together, faded."""

    as_of: int
    now: Mean
    stages: tuple[StageFeeling, ...]
    months: tuple[MonthFeeling, ...]
    delights: tuple[TopicFeeling, ...]
    frustrations: tuple[TopicFeeling, ...]
    preferences: tuple[Quote, ...]
    promises: tuple[Promise, ...]


def remember(
    felt: Sequence[Felt],
    visits: Sequence[Visit],
    events: Sequence[Happened],
    dues: Sequence[Due],
    finder: TopicFinder,
    *,
    as_of: int,
) -> Memory:
    """Return the memory of a customer.

    Parameters
    ----------
    felt : sequence of Felt
        Notes and feeling events, in any order; what lies after `as_of` is not looked at.
    visits, events, dues
        Of the same customer, in any order.
    finder : TopicFinder
    as_of : int
    """
    known = sorted((one for one in felt if one.at <= as_of), key=lambda one: (one.at, one.kind, one.id), reverse=True)
    by_stage: dict[Stage, list[Felt]] = defaultdict(list)
    by_month: dict[str, list[Felt]] = defaultdict(list)
    for one in known:
        by_stage[stage_of(one, visits, events)].append(one)
        by_month[_month(one.at)].append(one)
    delights, frustrations = _topics(known, finder, as_of)
    return Memory(
        as_of=as_of,
        now=mean(known, as_of),
        stages=tuple(StageFeeling(stage=stage, mean=mean(by_stage[stage], as_of)) for stage in Stage),
        months=tuple(
            MonthFeeling(month=month, mean=mean(by_month[month], None)) for month in sorted(by_month)[-MONTHS:]
        ),
        delights=delights,
        frustrations=frustrations,
        preferences=_preferences(known, finder, as_of),
        promises=_promises(known, dues, finder, as_of),
    )


def mean(felt: Sequence[Felt], as_of: int | None) -> Mean:
    """Return feelings together; `as_of` None weighs all alike. `felt` is newest first, as the evidence will be."""
    weights = [_fades(one.at, as_of) for one in felt]
    total = sum(weights)
    summed = sum(held * _VALUE.get(one.feeling, 0.0) for held, one in zip(weights, felt, strict=True))
    count = {feeling: sum(one.feeling is feeling for one in felt) for feeling in Feeling}
    return Mean(
        value=summed / total if max(weights, default=0.0) >= FADED else None,
        weight=total,
        n=len(felt),
        positive=count[Feeling.POSITIVE],
        negative=count[Feeling.NEGATIVE],
        mixed=count[Feeling.MIXED],
        neutral=count[Feeling.NEUTRAL],
        evidence=tuple(evidence_of(one) for one in felt),
    )


def evidence_of(felt: Felt) -> Evidence:
    """Return what a statement that rests on this cites."""
    return Evidence(kind=felt.kind, id=felt.id, at=felt.at)


def _fades(at: int, as_of: int | None) -> float:
    return 1.0 if as_of is None else weight(at, as_of=as_of, half_life_days=FEELING_HALF_LIFE_DAYS)


def _topics(
    known: Sequence[Felt], finder: TopicFinder, as_of: int
) -> tuple[tuple[TopicFeeling, ...], tuple[TopicFeeling, ...]]:
    """Return what delighted and what frustrated, the strongest first; a note counts once for each topic and side."""
    delights: dict[str, list[Felt]] = defaultdict(list)
    frustrations: dict[str, list[Felt]] = defaultdict(list)
    for one in known:
        if _fades(one.at, as_of) < FADED:
            break  # newest first: what follows is older, and of it nothing is told, however many said it
        for feeling, topic in _about(one, finder):
            if feeling is Feeling.POSITIVE:
                delights[topic].append(one)
            elif feeling is Feeling.NEGATIVE:
                frustrations[topic].append(one)
    return _strongest(delights, finder, as_of), _strongest(frustrations, finder, as_of)


def _about(felt: Felt, finder: TopicFinder) -> set[tuple[Feeling, str]]:
    """Return which topics a note feels how about.

    Clauses say it, and tags, which have no clause of their own, go with the whole note. A clause that contradicts a
    plain feeling of the whole is left out: its words were read another way than they are meant. What staff chose is
    sure enough for a clause without a feeling to take it, unless it only tells a preference.
    """
    found = {(felt.feeling, topic) for topic in finder.of_tags(felt.tags)}
    plain = felt.feeling in _VALUE
    for clause in felt.clauses:
        unsaid = clause.feeling is Feeling.NEUTRAL
        takes = felt.chosen and plain and unsaid and not finder.is_preference(clause.text)
        feeling = felt.feeling if takes else clause.feeling
        if not plain or feeling is felt.feeling:
            found |= {(feeling, topic) for topic in finder.of_text(clause.text)}
    return found


def _strongest(found: dict[str, list[Felt]], finder: TopicFinder, as_of: int) -> tuple[TopicFeeling, ...]:
    topics = [
        TopicFeeling(
            topic=topic,
            label=finder.labels[topic],
            n=len(felt),
            weight=sum(_fades(one.at, as_of) for one in felt),
            evidence=tuple(evidence_of(one) for one in felt),
        )
        for topic, felt in found.items()
    ]
    return tuple(sorted(topics, key=lambda topic: (-topic.weight, topic.topic)))


def _preferences(known: Sequence[Felt], finder: TopicFinder, as_of: int) -> tuple[Quote, ...]:
    """Return what the customer wants, in the words of the notes, the newest first; the same words once."""
    found: dict[str, Quote] = {}
    for one in known:
        left = weight(one.at, as_of=as_of, half_life_days=PREFERENCE_HALF_LIFE_DAYS)
        if left < FADED:
            break  # newest first: what follows is older
        for clause in one.clauses:
            if finder.is_preference(clause.text):
                text = clause.text.strip(" ,.;")
                quote = Quote(
                    text=text, weight=left, evidence=evidence_of(one), quotable=_is_quotable(one, clause.text, finder)
                )
                found.setdefault(text.casefold(), quote)
    return tuple(found.values())[:QUOTES]


def _is_quotable(felt: Felt, text: str, finder: TopicFinder) -> bool:
    """Say whether the customer may read this again: she wrote it herself, and means just what the words say."""
    return not felt.by_staff and not disappointed(felt) and finder.is_plain(text)


def _promises(known: Sequence[Felt], dues: Sequence[Due], finder: TopicFinder, as_of: int) -> tuple[Promise, ...]:
    """Return what was promised, open ones first: follow-ups, and words of staff on notes that have none.

    What was done is told until it has faded; what is open stays so, however old.
    """
    found = [
        _dated(due, as_of)
        for due in dues
        if due.made_at <= as_of and (due.done_at is None or _fades(due.done_at, as_of) >= FADED)
    ]
    followed = {due.note for due in dues}
    for one in known:
        if not one.by_staff or one.id in followed:
            continue
        if weight(one.at, as_of=as_of, half_life_days=FEELING_HALF_LIFE_DAYS) < FADED:
            break
        found += [
            Promise(
                text=clause.text.strip(" ,.;"),
                operator=one.operator,
                due_at=None,
                state="undated",
                evidence=evidence_of(one),
            )
            for clause in one.clauses
            if finder.is_promise(clause.text)
        ]
    order = ("overdue", "open", "undated", "kept_late", "kept")
    return tuple(sorted(found, key=lambda one: (order.index(one.state), -one.evidence.at)))[:QUOTES]


def _dated(due: Due, as_of: int) -> Promise:
    if due.done_at is not None and due.done_at <= as_of:
        state = "kept" if due.done_at <= (due.promised_at or due.due_at) else "kept_late"
    else:
        state = "open" if due.due_at >= as_of else "overdue"
    put_off = state == "open" and promised_for(due) < as_of
    return Promise(
        text=due.says,
        operator=due.operator,
        due_at=due.due_at,
        state=state,
        evidence=Evidence(kind="follow_up", id=due.id, at=due.made_at),
        was_due_at=promised_for(due) if put_off else None,
    )


def _month(at: int) -> str:
    return str(np.datetime64(at, "ns").astype("datetime64[M]"))


def newest(found: Iterable[Evidence]) -> Evidence:
    """Return the newest of some evidence, which there must be."""
    return max(found, key=lambda one: (one.at, one.id))


def journey_feelings(
    felt: Sequence[Felt], visits: Sequence[Visit], events: Sequence[Happened], visit: str | None, *, as_of: int
) -> dict[Stage, Mean]:
    """Return what was felt at each stage of the journey around one visit, unweighted; stages without are not there.

    The journey begins with the end of the visit before, or 30 days ahead, and ends 14 days after the visit, or with
    the next one (`core.journey.rules`). Without a visit it is what was felt in the last 30 days.
    """
    around = next((one for one in visits if one.id == visit), None)
    begin, end = as_of - DISCOVER_LOOK_BACK_NS, as_of
    if around is not None:
        before = [one.left_at for one in visits if one.left_at < around.entered_at]
        after = [one.entered_at for one in visits if one.entered_at > around.left_at]
        begin = max([around.entered_at - DISCOVER_LOOK_BACK_NS, *before])
        end = min([around.left_at + REFLECT_LOOK_AHEAD_NS, as_of, *after])
        if as_of - around.left_at <= COMPLETE_SLACK_NS:
            end = as_of  # in progress, or just over: a note says as well as a signal that the customer is there
    found: dict[Stage, list[Felt]] = defaultdict(list)
    for one in sorted(felt, key=lambda one: (one.at, one.kind, one.id), reverse=True):
        if begin < one.at <= end:
            stage = stage_of(one, visits, events)
            # what was said of the visit before belongs to its journey
            if stage is not Stage.REFLECT or around is None or one.at > around.entered_at:
                found[stage].append(one)
    return {stage: mean(held, None) for stage, held in found.items()}
