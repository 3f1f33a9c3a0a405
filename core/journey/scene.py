"""The inputs of a journey after ordering, clipping and removal of repetitions, so that neither can matter."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from core.errors import InputError
from core.journey.records import Event, Stay, StoreVisit
from core.journey.rules import DISCOVER_LOOK_BACK_NS, ORDERED

_Kind = TypeVar("_Kind", Event, Stay)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs after ordering, clipping and removal of repetitions."""

    visit: StoreVisit | None
    stays: tuple[Stay, ...]
    events: tuple[Event, ...]
    as_of: int
    previous_left_at: int | None
    next_entered_at: int | None
    order: str | None = None

    @property
    def begin(self) -> int:
        """When what the customer found out before is over: at the door, or else with the order online."""
        if self.visit is not None:
            return self.visit.entered_at
        order = self.order_online
        return order.at if order is not None else self.as_of

    @property
    def look_back(self) -> int:
        """From when on things say something about this visit."""
        starts = [self.begin - DISCOVER_LOOK_BACK_NS]
        if self.previous_left_at is not None:
            starts.append(self.previous_left_at)
        if self.visit is None:
            starts += [event.at for event in self.orders_online if event.at < self.begin]
        return max(starts)

    @property
    def orders_online(self) -> tuple[Event, ...]:
        """Those that were placed in no store."""
        return tuple(event for event in self.events if event.kind == ORDERED and not event.store)

    @property
    def order_online(self) -> Event | None:
        """The order online that the journey surrounds where it surrounds no visit: as asked for, or the newest."""
        orders = self.orders_online
        if self.order is not None:
            return next((event for event in orders if event.id == self.order), None)
        return orders[-1] if orders else None

    @property
    def next_begins_at(self) -> int | None:
        """When what follows belongs to the next visit, or, online, to the next order."""
        begins = [self.next_entered_at] if self.next_entered_at is not None else []
        if self.visit is None:
            begins += [event.at for event in self.orders_online if event.at > self.begin]
        return min(begins, default=None)


def stays_inside(visit: StoreVisit | None, stays: Iterable[Stay], as_of: int) -> tuple[Stay, ...]:
    """Return the stays cut to the store visit, each id once, in their order.

    Raises
    ------
    InputError
        If a visit or stay ends before it begins.
    """
    if visit is not None:
        _check_order(visit.id, visit.entered_at, visit.left_at)
    inside: list[Stay] = []
    for stay in _single(stays, lambda stay: (stay.revision, not stay.in_progress)):
        _check_order(stay.id, stay.entered_at, stay.left_at)
        clipped = _clip(stay, visit, as_of)
        if clipped is not None:
            inside.append(clipped)
    return tuple(sorted(inside, key=lambda stay: (stay.entered_at, stay.id)))


def events_known(events: Iterable[Event], as_of: int) -> tuple[Event, ...]:
    """Return what happened until `as_of`, each id once, in its order."""
    known = [event for event in _single(events, lambda event: (event.revision,)) if event.at <= as_of]
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
