"""The journey map of a segment: how many reach each stage, how long it takes, where they stop, how they feel.

Everything is counted by customers as well as by journeys: a figure that speaks of fewer than K_PEOPLE customers,
alone or as what is missing to a whole that is told, is None.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

import msgspec

from core.journey.records import Journey, StageReport, State
from core.journey.rules import COMPLETIONS, Stage
from core.journey.segments import Facts, completion, told_count
from core.journey.trials import Effect, share_effect
from core.limits import NS_PER_S
from core.metrics.disclosure import K_PEOPLE

PATHS: Final = 12
"""More lines cannot be told apart."""
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


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Stages in the order in which they were reached, and the share of journeys that went so."""

    stages: tuple[Stage, ...]
    share: float


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """From one stage to the next that was reached: share of all journeys."""

    begin: Stage
    end: Stage
    share: float


class JourneyMap(msgspec.Struct, frozen=True, kw_only=True):
    """The map; `customers` and `journeys` are exact and not to be told as they are.

    `completions` are shares of the journeys that completed, by how; those of too few are left out.
    """

    customers: int
    journeys: int
    stages: tuple[StageFigures, ...]
    paths: tuple[Path, ...]
    other_paths: float
    links: tuple[Link, ...]
    completions: dict[str, float] | None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What changed in one stage from before to after; None with too few."""

    stage: Stage
    effect: Effect | None


def journey_map(people: Sequence[Facts]) -> JourneyMap:
    """Return the map of some customers."""
    told = [(who, one) for who, facts in enumerate(people) for one in facts.journeys]
    paths: dict[tuple[Stage, ...], list[int]] = defaultdict(list)
    links: dict[tuple[Stage, Stage], list[int]] = defaultdict(list)
    for who, one in told:
        path = reached_in_order(one)
        paths[path].append(who)
        for pair in pairwise(path):
            links[pair].append(who)
    felt = _felt(people)
    everybody = [who for who, _ in told]
    shown = _told_paths(paths, everybody)
    return JourneyMap(
        customers=len({who for who, _ in told}),
        journeys=len(told),
        stages=tuple(_figures(stage, told, felt[stage]) for stage in _STAGES),
        paths=tuple(shown),
        other_paths=max(0.0, 1 - sum(path.share for path in shown)) if told else 0.0,
        links=_told_links(links, told, everybody),
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


def _told_links(
    links: Mapping[tuple[Stage, Stage], list[int]], told: Sequence[tuple[int, Journey]], everybody: list[int]
) -> tuple[Link, ...]:
    """Return the links of which enough is told, so that what they leave of a stage speaks of nobody or of K_PEOPLE.

    Who reached a stage, and who stopped there, is told as well: the links to it and from it could be subtracted.
    """
    shown = {step: whose for step, whose in sorted(links.items()) if _share(whose, everybody) is not None}
    begun, ended = defaultdict(set), defaultdict(set)
    for who, one in told:
        path = reached_in_order(one)
        if path:
            begun[path[0]].add(who)
            ended[path[-1]].add(who)
    while True:
        telling = next((step for step in _telling(links, shown, begun, ended)), None)
        if telling is None:
            break
        del shown[telling]
    return tuple(Link(begin=begin, end=end, share=len(whose) / len(told)) for (begin, end), whose in shown.items())


def _telling(
    links: Mapping[tuple[Stage, Stage], list[int]],
    shown: Mapping[tuple[Stage, Stage], list[int]],
    begun: Mapping[Stage, set[int]],
    ended: Mapping[Stage, set[int]],
) -> Iterator[tuple[Stage, Stage]]:
    """Give, of each stage beside whose links too few are left, the link of fewest that is shown."""
    for stage in _STAGES:
        for side, others in ((1, begun), (0, ended)):  # the links to the stage, and those from it
            hidden = {
                who for step, whose in links.items() if step[side] is stage and step not in shown for who in whose
            }
            if any(0 < len(left) < K_PEOPLE for left in (hidden, hidden | others.get(stage, set()))):
                here = [step for step in shown if step[side] is stage]
                yield from sorted(here, key=lambda step: len(shown[step]))[:1]


def _told_paths(paths: dict[tuple[Stage, ...], list[int]], everybody: list[int]) -> list[Path]:
    """Return the most common paths, so that what is left over speaks of nobody or of K_PEOPLE as well.

    That holds for all journeys, and for those that reach a stage, do not, or go from one to the next: their shares
    are told too, and paths could be subtracted from them.
    """
    common = sorted(paths.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = [(path, whose) for path, whose in common if path and _enough(whose)][:PATHS]
    while shown:
        left = {path: whose for path, whose in paths.items() if path not in dict(shown)}
        if not any(0 < len(rest) < K_PEOPLE for rest in _rests(left)):
            break
        shown.pop()
    return [Path(stages=path, share=len(whose) / len(everybody)) for path, whose in shown]


def _rests(left: Mapping[tuple[Stage, ...], list[int]]) -> Iterator[set[int]]:
    """Give whose journeys could be told from paths that are not shown: all, by stage, and by step."""
    yield {who for whose in left.values() for who in whose}
    for stage in _STAGES:
        yield {who for path, whose in left.items() if stage in path for who in whose}
        yield {who for path, whose in left.items() if stage not in path for who in whose}
    for step in {step for path in left for step in pairwise(path)}:
        yield {who for path, whose in left.items() if step in set(pairwise(path)) for who in whose}


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
        share=_share(reached, decided),
        onward_s=median(length for _, length in onward) if _enough([who for who, _ in onward]) else None,
        drop_off=_share(stopped, ended),
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


def _share(part: list[int], whole: list[int]) -> float | None:
    """Return a share of journeys, each told by whose it is; None where it, or what is missing, speaks of too few.

    Of a customer with several journeys one alone may be missing to the whole: that speaks of her.
    """
    missing = Counter(whole) - Counter(part)
    if not _enough(whole) or (part and not _enough(part)) or 0 < len(missing) < K_PEOPLE:
        return None
    return len(part) / len(whole)


def _enough(whose: Sequence[int]) -> bool:
    return len(set(whose)) >= K_PEOPLE


def _decided(journeys: Sequence[Journey], stage: Stage) -> list[bool]:
    reports = [(one, one.stages[_STAGES.index(stage)]) for one in journeys]
    return [report.state is State.REACHED for one, report in reports if _is_decided(one, report)]


def _is_decided(one: Journey, report: StageReport) -> bool:
    if report.stage is Stage.REFLECT:
        return one.over
    return report.state in {State.REACHED, State.SKIPPED}
