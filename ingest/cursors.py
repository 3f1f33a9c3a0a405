"""Which batches may be logged now: the contiguous cursor of each boot of each edge.

A cursor never jumps. A batch that comes before its predecessor is parked in memory; if it has to give way, nothing
is lost, for the edge keeps every batch in its outbox until the cursor has passed it. For the same reason MQTT may
acknowledge a parked batch: acknowledgements must go out in order of receipt (MQTT 5, 4.6), so one that was
withheld would hold up those of every other edge, and behind ReceiveMaximum the very batch that is missing.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar


class Sequenced(Protocol):
    """Something that stands for the sequences `first` to `last` of a boot; usually they are the same."""

    @property
    def first(self) -> int: ...  # noqa: D102

    @property
    def last(self) -> int: ...  # noqa: D102


class Weighed(Sequenced, Protocol):
    """A Sequenced that takes room and has an age (`received_at`, ns)."""

    @property
    def held_bytes(self) -> int: ...  # noqa: D102

    @property
    def received_at(self) -> int: ...  # noqa: D102


K = TypeVar("K", bound=Hashable)
S = TypeVar("S", bound=Sequenced)
W = TypeVar("W", bound=Weighed)
Parked: TypeAlias = Mapping[K, Mapping[int, S]]
"""What waits, by boot and by the first sequence it stands for."""


@dataclass(frozen=True)
class Arranged(Generic[K, S]):
    """What `arrange` decided.

    `ready` are to be logged in this order, `repeated` are in the log already, `parked` wait for an earlier one;
    `committed` are the cursors after `ready` is logged, for the boots that were asked about.
    """

    ready: tuple[tuple[K, S], ...]
    repeated: tuple[tuple[K, S], ...]
    parked: dict[K, dict[int, S]]
    committed: dict[K, int]


def arrange(arrivals: Iterable[tuple[K, S]], parked: Parked[K, S], committed: Mapping[K, int]) -> Arranged[K, S]:
    """Sort what has arrived into next, repeated and too early.

    Parameters
    ----------
    arrivals : iterable of (key, arrival)
        In order of receipt.
    parked : mapping
        What waited before; not changed.
    committed : mapping of key to int
        The cursor of each key in `arrivals` and `parked` that may move; keys without one keep waiting.

    Returns
    -------
    Arranged
    """
    cursors = dict(committed)
    waiting = {key: dict(held) for key, held in parked.items()}
    ready: list[tuple[K, S]] = []
    repeated: list[tuple[K, S]] = []
    for key, arrival in arrivals:
        if arrival.last <= cursors[key]:
            repeated.append((key, arrival))
        elif arrival.first > cursors[key] + 1:
            held = waiting.setdefault(key, {})
            if arrival.first in held and held[arrival.first].last >= arrival.last:
                repeated.append((key, arrival))
            else:
                held[arrival.first] = arrival
        else:
            ready.append((key, arrival))
            cursors[key] = arrival.last
            _release(key, waiting, cursors, ready, repeated)
    for key in [key for key in waiting if key in cursors]:  # another ingest may have moved a cursor
        _release(key, waiting, cursors, ready, repeated)
    return Arranged(tuple(ready), tuple(repeated), waiting, cursors)


def bounded(parked: Parked[K, W], *, most_bytes: int, not_before: int) -> tuple[dict[K, dict[int, W]], int]:
    """Return what may stay parked and how many batches had to go.

    Batches received before `not_before` (ns) go, then, until the rest fits into `most_bytes`, the last ones of the
    boot that holds most: they are the last that will be wanted.
    """
    kept = {
        key: {first: held for first, held in batches.items() if held.received_at >= not_before}
        for key, batches in parked.items()
    }
    held_bytes = {key: sum(batch.held_bytes for batch in batches.values()) for key, batches in kept.items()}
    while sum(held_bytes.values()) > most_bytes:
        largest = max(held_bytes, key=held_bytes.__getitem__)
        held_bytes[largest] -= kept[largest].pop(max(kept[largest])).held_bytes
    gone = sum(map(len, parked.values())) - sum(map(len, kept.values()))
    return {key: batches for key, batches in kept.items() if batches}, gone


def _release(
    key: K,
    waiting: dict[K, dict[int, S]],
    cursors: dict[K, int],
    ready: list[tuple[K, S]],
    repeated: list[tuple[K, S]],
) -> None:
    """Move what the cursor has reached out of `waiting`."""
    held: dict[int, S] = waiting.get(key, {})
    for first in sorted(held):
        if first > cursors[key] + 1:
            break
        arrival = held.pop(first)
        if arrival.last > cursors[key]:
            ready.append((key, arrival))
            cursors[key] = arrival.last
        else:
            repeated.append((key, arrival))
    if not held:
        waiting.pop(key, None)


def parked_count(parked: Parked[K, S]) -> int:
    """Return how many batches wait."""
    return sum(map(len, parked.values()))
