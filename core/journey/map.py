"""The journey map of a segment: how many reach each stage, how long it takes, where they stop, how they feel.

Everything is counted by customers as well as by journeys: a figure that speaks of fewer than K_PEOPLE customers,
alone or as what is missing to a whole that is told, is None.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from core.journey.records import Journey, StageReport, State
from core.journey.rules import COMPLETIONS, Stage
from core.journey.segments import Facts, completion, told_count
from core.journey.trials import Effect, share_effect
from core.journey.ways import Ways, enough, told_share, told_ways
from core.limits import NS_PER_S
from core.metrics.disclosure import K_PEOPLE

FEELINGS: Final = ("positive", "neutral", "mixed", "negative")
_STAGES: Final = tuple(Stage)
_BOUGHT: Final = frozenset({"bought", "ordered_online"})


class StageFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One stage: shares 0..1 of the journeys for which it is decided; None where it would speak of too few.

    `onward_s` is the middle time from this stage to the next one that was reached, `drop_off` the share of those who
    reached it and nothing after it, of journeys that are over. Reflect is decided when they are over as well: else
    those who reflected at once would be all that is counted. `feelings` are shares of the notes written while it was
    the newest stage.
    """

    stage: Stage
    share: float | None
    onward_s: float | None
    drop_off: float | None
    feelings: dict[str, float] | None


class JourneyMap(msgspec.Struct, frozen=True, kw_only=True):
    """The map; `customers` and `journeys` are exact and not to be told as they are.

    `completions` are shares of the journeys that completed, by how; those of too few are left out.
    """

    customers: int
    journeys: int
    stages: tuple[StageFigures, ...]
    ways: Ways
    completions: dict[str, float] | None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What changed in one stage from before to after; None with too few."""

    stage: Stage
    effect: Effect | None


def journey_map(people: Sequence[Facts]) -> JourneyMap:
    """Return the map of some customers."""
    told = [(who, one) for who, facts in enumerate(people) for one in facts.journeys]
    felt = _felt(people)
    stages = tuple(_figures(stage, told, felt[stage]) for stage in _STAGES)
    return JourneyMap(
        customers=len({who for who, _ in told}),
        journeys=len(told),
        stages=stages,
        ways=told_ways(
            [(who, reached_in_order(one)) for who, one in told],
            {one.stage for one in stages if one.share is not None},
            {one.stage for one in stages if one.drop_off is not None},
        ),
        completions=_parts([(who, how) for who, one in told if (how := completion(one)) is not None], COMPLETIONS),
    )


def changes(before: Sequence[Facts], after: Sequence[Facts]) -> tuple[Changed, ...]:
    """Return how the share of each stage changed; a customer counts once on each side, by the newest journey.

    What would speak of few on one side, alone or as what is missing, has no effect that is told; counts are told to
    the nearest ROUNDED_TO.
    """
    sides = [[facts.journeys[-1] for facts in side if facts.journeys] for side in (after, before)]
    return tuple(
        Changed(stage=stage, effect=_change(*(_decided(side, stage) for side in sides))) for stage in _STAGES
    )


def bought_change(before: Sequence[Facts], after: Sequence[Facts]) -> Effect | None:
    """Return how the share who bought, in the store or online, changed among those whose newest journey completed."""
    sides = [[completion(facts.journeys[-1]) for facts in side if facts.journeys] for side in (after, before)]
    return _change(*([how in _BOUGHT for how in side if how is not None] for side in sides))


def _change(after: list[bool], before: list[bool]) -> Effect | None:
    for side in (after, before):
        if any(0 < count < K_PEOPLE for count in (sum(side), len(side) - sum(side))):
            return None
    effect = share_effect(after, before)
    if effect is None:
        return None
    counts = [told_count(len(side)) or 0 for side in (after, before)]
    return msgspec.structs.replace(effect, tried_count=counts[0], kept_count=counts[1])


def reached_in_order(one: Journey) -> tuple[Stage, ...]:
    """Return the stages that were reached, by when."""
    reached = [(report.at, report.stage) for report in one.stages if report.at is not None]
    return tuple(stage for _, stage in sorted(reached, key=lambda item: (item[0], _STAGES.index(item[1]))))


def _figures(stage: Stage, told: list[tuple[int, Journey]], felt: list[tuple[int, str]]) -> StageFigures:
    decided, reached, ended, stopped = [], [], [], []
    onward: list[tuple[int, float]] = []
    for who, one in told:
        report = one.stages[_STAGES.index(stage)]
        if _is_decided(one, report):
            decided.append(who)
            if report.at is not None:
                reached.append(who)
        if report.at is None:
            continue
        later = [other.at for other in one.stages if other.at is not None and other.at > report.at]
        if later:
            onward.append((who, (min(later) - report.at) / NS_PER_S))
        if one.over:
            ended.append(who)
            if not later:
                stopped.append(who)
    return StageFigures(
        stage=stage,
        share=told_share(reached, decided),
        onward_s=median(length for _, length in onward) if enough([who for who, _ in onward]) else None,
        drop_off=told_share(stopped, ended),
        feelings=_parts(felt, FEELINGS),
    )


def _felt(people: Sequence[Facts]) -> dict[Stage, list[tuple[int, str]]]:
    """Return whose notes tell of which feeling, by the newest stage at that time of the newest journey."""
    found: dict[Stage, list[tuple[int, str]]] = defaultdict(list)
    for who, facts in enumerate(people):
        for one in facts.felt:
            before = [
                (report.at, _STAGES.index(report.stage))
                for journey in facts.journeys
                for report in journey.stages
                if report.at is not None and report.at <= one.at
            ]
            if before and one.feeling in FEELINGS:
                found[_STAGES[max(before)[1]]].append((who, one.feeling))
    return found


def _parts(said: list[tuple[int, str]], words: Sequence[str]) -> dict[str, float] | None:
    """Return the share of each word that enough people had; of what is left out enough people had some as well."""
    whose = {word: {who for who, one in said if one == word} for word in words}
    left = {word for word, people in whose.items() if 0 < len(people) < K_PEOPLE}
    told = sorted(set(words) - left, key=lambda word: -len(whose[word]))
    while told and 0 < len(set[int]().union(*(whose[word] for word in left))) < K_PEOPLE:
        left.add(told.pop())
    if not any(whose[word] for word in told):
        return None
    counts = Counter(word for _, word in said)
    return {word: counts[word] / len(said) for word in words if word not in left}


def _decided(journeys: Sequence[Journey], stage: Stage) -> list[bool]:
    reports = [(one, one.stages[_STAGES.index(stage)]) for one in journeys]
    return [report.state is State.REACHED for one, report in reports if _is_decided(one, report)]


def _is_decided(one: Journey, report: StageReport) -> bool:
    if report.stage is Stage.REFLECT:
        return one.over
    return report.state in {State.REACHED, State.SKIPPED}
