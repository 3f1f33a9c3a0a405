"""Nested zones, told slowly: the visits of a zone from the visits of the zones within it."""

from itertools import groupby
from typing import NamedTuple


class Stay(NamedTuple):
    """One stay of one device in an innermost zone; the next begins where it ends."""

    zone: int
    entered: tuple[int, int, int]
    left: tuple[int, int, int]
    signals: int
    closed_by: int


def rolled_up(path: list[Stay], parent_of: list[int | None]) -> list[Stay]:
    """Return all visits of one store visit: leaves as they are, every zone around others from first to last."""
    leaves = [zone not in parent_of for zone in range(len(parent_of))]
    found = [stay for stay in path if leaves[stay.zone]]
    for outer, leaf in enumerate(leaves):
        if leaf:
            continue
        for inside, run in groupby(path, lambda stay, outer=outer: _lies_in(stay.zone, outer, parent_of)):  # type: ignore[misc]
            if inside:
                stays = list(run)
                entered, entered_earliest, entered_latest = stays[0].entered
                left, left_earliest, left_latest = stays[-1].left
                found.append(
                    Stay(
                        outer,
                        (entered, entered_earliest, min(entered_latest, left_latest)),
                        (left, max(left_earliest, entered_earliest), left_latest),
                        sum(stay.signals for stay in stays),
                        stays[-1].closed_by,
                    )
                )
    return sorted(found)


def _lies_in(zone: int | None, outer: int, parent_of: list[int | None]) -> bool:
    while zone is not None:
        if zone == outer:
            return True
        zone = parent_of[zone]
    return False
