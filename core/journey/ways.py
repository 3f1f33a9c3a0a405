"""Ways through the stages, steps and whole paths, of which only those are told that leave nobody to be found.

Whose a journey is decides what may be told: fewer than K_PEOPLE customers, alone or as what is left when told shares
are subtracted from each other, stay hidden. Where a common way is withheld for that, it is said.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Final, TypeAlias

import msgspec

from core.journey.rules import Stage
from core.metrics.disclosure import K_PEOPLE

PATHS: Final = 12
"""More lines cannot be told apart."""
_STAGES: Final = tuple(Stage)

Way: TypeAlias = tuple[Stage, ...]
"""The stages of a journey in the order in which they were reached."""


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Stages in the order in which they were reached, and the share of journeys that went so."""

    stages: Way
    share: float


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """From one stage to the next that was reached: share of all journeys."""

    begin: Stage
    end: Stage
    share: float


class Onward(msgspec.Struct, frozen=True, kw_only=True):
    """Journeys that went on from a stage by steps that are not told: their share of all, None if that tells too."""

    begin: Stage
    share: float | None


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """Steps and paths that may be told.

    `other_paths` is the share of journeys on paths that are not. `withheld` says that one of K_PEOPLE customers or
    more is among them, and `onward` of which stages such steps are: too few would be left beside them.
    """

    links: tuple[Link, ...]
    onward: tuple[Onward, ...]
    paths: tuple[Path, ...]
    other_paths: float
    withheld: bool


def told_ways(journeys: Sequence[tuple[int, Way]], reached: Set[Stage], stopped: Set[Stage]) -> Ways:
    """Return the ways of some journeys, each told by whose it is.

    Parameters
    ----------
    journeys : sequence of (int, Way)
        A customer and the stages that the journey reached; a customer may have several.
    reached, stopped : set of Stage
        Stages of which the share that reached them, or that stopped there, is told beside.
    """
    paths: dict[Way, list[int]] = defaultdict(list)
    for who, way in journeys:
        paths[way].append(who)
    links = _told_links(paths, len(journeys))
    steps = {(link.begin, link.end) for link in links}
    onward = tuple(_onward(paths, steps))
    wholes = [*_told_wholes(paths, reached, stopped, steps)]
    wholes += [_untold_from(paths, one.begin, steps) for one in onward if one.share is not None]
    shown = _told_paths(paths, wholes)
    told = tuple(Path(stages=path, share=len(whose) / len(journeys)) for path, whose in shown.items())
    common = [path for path, whose in paths.items() if path and enough(whose)]
    return Ways(
        links=links,
        onward=onward,
        paths=told,
        other_paths=max(0.0, 1 - sum(path.share for path in told)) if journeys else 0.0,
        withheld=len(shown) < min(PATHS, len(common)),
    )


def told_share(part: Sequence[int], whole: Sequence[int]) -> float | None:
    """Return a share of journeys, each told by whose it is; None where it, or what is missing, speaks of too few.

    Of a customer with several journeys one alone may be missing to the whole: that speaks of her.
    """
    missing = Counter(whole) - Counter(part)
    if not enough(whole) or (part and not enough(part)) or 0 < len(missing) < K_PEOPLE:
        return None
    return len(part) / len(whole)


def enough(whose: Iterable[int]) -> bool:
    """Say whether journeys are of as many customers as a figure needs."""
    return len(set(whose)) >= K_PEOPLE


def _few(whose: Set[int]) -> bool:
    return 0 < len(whose) < K_PEOPLE


def _told_links(paths: Mapping[Way, list[int]], journeys: int) -> tuple[Link, ...]:
    """Return the links of which enough is told, so that what they leave of a stage speaks of nobody or of K_PEOPLE.

    Who reached a stage, and who stopped there, is told as well: the links to it and from it could be subtracted.
    """
    links: dict[tuple[Stage, Stage], list[int]] = defaultdict(list)
    begun, ended = defaultdict(set), defaultdict(set)
    for path, whose in paths.items():
        for step in pairwise(path):
            links[step] += whose
        for stage in path[:1]:
            begun[stage].update(whose)
        for stage in path[-1:]:
            ended[stage].update(whose)
    everybody = [who for whose in paths.values() for who in whose]
    shown = {step: whose for step, whose in sorted(links.items()) if told_share(whose, everybody) is not None}
    while (telling := next(_telling(links, shown, begun, ended), None)) is not None:
        del shown[telling]
    return tuple(Link(begin=begin, end=end, share=len(whose) / journeys) for (begin, end), whose in shown.items())


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
            if any(_few(left) for left in (hidden, hidden | others.get(stage, set()))):
                here = [step for step in shown if step[side] is stage]
                yield from sorted(here, key=lambda step: len(shown[step]))[:1]


def _onward(paths: Mapping[Way, list[int]], told: Set[tuple[Stage, Stage]]) -> Iterator[Onward]:
    """Give the stages from which a step of K_PEOPLE or more is not told, with all who took such steps."""
    everybody = [who for whose in paths.values() for who in whose]
    for stage in _STAGES:
        ended = {who for path, whose in paths.items() if path[-1:] == (stage,) for who in whose}
        steps: dict[Stage, list[int]] = defaultdict(list)
        for path, whose in paths.items():
            for begin, end in pairwise(path):
                if begin is stage and (begin, end) not in told:
                    steps[end] += whose
        if any(enough(whose) for whose in steps.values()):
            hidden = [who for whose in steps.values() for who in whose]
            yield Onward(begin=stage, share=None if _few(ended) else told_share(hidden, everybody))


def _told_paths(paths: Mapping[Way, list[int]], wholes: Sequence[Set[Way]]) -> dict[Way, list[int]]:
    """Return the most common paths, so that what they leave of whatever is told speaks of nobody or of K_PEOPLE.

    Where too few would be left beside them, the least common of them joins the few; what is not told, or what no
    shown path is part of, cannot have one subtracted from it.
    """
    common = sorted(paths.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = dict([(path, whose) for path, whose in common if path and enough(whose)][:PATHS])
    while (telling := next(_leaving_few(paths, shown, wholes), None)) is not None:
        del shown[telling]
    return shown


def _untold_from(paths: Iterable[Way], stage: Stage, told: Set[tuple[Stage, Stage]]) -> Set[Way]:
    """Return the paths that go on from a stage by a step that is not told."""
    return {path for path in paths if any(step[0] is stage and step not in told for step in pairwise(path))}


def _leaving_few(
    paths: Mapping[Way, list[int]], shown: Mapping[Way, list[int]], wholes: Sequence[Set[Way]]
) -> Iterator[Way]:
    """Give, of each whole that is told and beside whose shown paths too few are left, the least common of them."""
    for whole in wholes:
        here = [path for path in shown if path in whole]
        if here and _few({who for path in whole if path not in shown for who in paths[path]}):
            yield min(here, key=lambda path: (len(shown[path]), path))


def _told_wholes(
    paths: Mapping[Way, list[int]], reached: Set[Stage], stopped: Set[Stage], links: Set[tuple[Stage, Stage]]
) -> Iterator[Set[Way]]:
    """Give the paths of each whole that is told: all, those with a stage and without it, to an end, with a step."""
    yield paths.keys()
    for stage in sorted(reached):
        through = {path for path in paths if stage in path}
        yield through
        yield paths.keys() - through
    for stage in sorted(stopped):
        yield {path for path in paths if path[-1:] == (stage,)}
    for step in sorted(links):
        yield {path for path in paths if step in pairwise(path)}
