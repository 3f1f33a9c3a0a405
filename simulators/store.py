"""A whole store of shoppers whose tags are heard: readings and truth, lazily as time goes on or all at once.

Equal plan, seed and settings give equal readings, however the time is cut into pieces.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import ConfigurationError
from core.floorplan import StorePlan
from core.identity import KEY_BYTES, pseudonym
from core.limits import NS_PER_S, NS_PER_US
from core.records import SIGNAL, SignalArray
from simulators import truth
from simulators.radio import Radio, RadioSettings
from simulators.recordings.visits import VISITS_SCHEMA
from simulators.shoppers import Manner, draw_manner, walk
from simulators.shoppers_floor import Floor

START_NS: Final = 1_767_603_600 * NS_PER_S
"""Monday 2026-01-05 09:00 UTC: recordings start there unless told otherwise, so that equal seeds give equal bytes."""
TOLD_VISITS: Final = 100_000
"""Visits whose truth is kept: three days of 150 shoppers, 100 MB."""
EDGES: Final = 4
"""Gateways of a store are wired to this many agents."""

_STAFF_SHARE: Final = 0.07  # ten of 150
_UNDER_WAY_S: Final = 900.0  # at the start people are already inside, come within the last quarter of an hour
_NEXT_S: Final = 20.0  # mean seconds until somebody follows who has left: the store stays as full as asked
_MEMBER_BACK_S: Final = (60.0, 240.0)  # members come back soon, so that a demo of minutes sees them again
_IDENTITY_BYTES: Final = 16
_SEND_S: Final = 1.0  # how often an edge sends, which is what disorders readings on arrival
_VISITS, _MEMBERS, _WAITS = 0, 1, 2  # branches of the seed


@dataclass(frozen=True)
class _Visit:
    """One person's stay in the store, complete from the moment it begins."""

    device: int
    signals: SignalArray  # absolute times


@dataclass(order=True)
class _Slot:
    """A place in the store that is taken by one person after another."""

    begins_us: int
    number: int
    visits: int = field(compare=False, default=0)


class StoreSimulation:
    """Shoppers and staff of one store with their tags, from `start_ns` on for as long as one asks.

    Parameters
    ----------
    plan : StorePlan
        With outlines and places of anchors.
    seed : int
        Not negative.
    shoppers : int
        People in the store at the same time, staff included.
    members : int
        How many of them always carry the same tag (consented customers); they come back again and again.
    start_ns : int
        Time of second 0, whole microseconds.
    settings : RadioSettings

    Raises
    ------
    FloorPlanError
        If the plan has no outlines or places.
    ConfigurationError
        If there are more members than shoppers.
    """

    def __init__(
        self,
        plan: StorePlan,
        seed: int,
        *,
        shoppers: int = 150,
        members: int = 0,
        start_ns: int = START_NS,
        settings: RadioSettings | None = None,
    ) -> None:
        self.plan = plan
        self.start_ns = start_ns - start_ns % NS_PER_US
        self.identities: list[bytes] = []
        """What each device calls itself, by its index in the readings."""
        self._seed = seed
        self._staff = max(1, round(_STAFF_SHARE * shoppers))
        self._members = members
        if members > shoppers - self._staff:
            raise ConfigurationError(
                f"{members} members do not fit among {shoppers - self._staff} shoppers.",
                hint="Ask for more shoppers or fewer members.",
            )
        self._floor = Floor(plan)
        self._radio = Radio(plan, settings if settings is not None else RadioSettings())
        self._device_of_member: dict[int, int] = {}
        self._inside: list[_Visit] = []
        self._stays: deque[tuple[int, truth.Stays]] = deque(maxlen=TOLD_VISITS)  # device, where it was
        self._slots = [self._first(number) for number in range(shoppers)]
        heapq.heapify(self._slots)
        self._came_to_ns = self.start_ns

    @property
    def inside(self) -> int:
        """How many people are in the store at the time up to which readings were taken."""
        return len(self._inside)

    def readings(self, until_s: float) -> SignalArray:
        """Return what is heard from the last call (or the start) until `until_s` seconds after the start.

        Returns
        -------
        ndarray of SIGNAL
            `device` indexes `identities`; ordered by time, then anchor, then device.
        """
        until_ns = self.start_ns + int(until_s * 1e6) * NS_PER_US
        since_ns, self._came_to_ns = self._came_to_ns, max(until_ns, self._came_to_ns)
        self._let_in((until_ns - self.start_ns) // NS_PER_US)
        pieces = []
        for visit in self._inside:
            first, last = np.searchsorted(visit.signals["ts"], [since_ns, until_ns])
            pieces.append(visit.signals[first:last])
        self._inside = [visit for visit in self._inside if len(visit.signals) and visit.signals["ts"][-1] >= until_ns]
        heard = np.concatenate(pieces) if pieces else np.zeros(0, SIGNAL)
        return heard[np.lexsort((heard["device"], heard["anchor"], heard["ts"]))]

    def true_visits(self, from_ns: int, until_ns: int, names: Sequence[str]) -> pl.DataFrame:
        """Return the visits that really took place between two times, as rows of `recordings_visits.VISITS_SCHEMA`.

        Parameters
        ----------
        from_ns, until_ns : int
            What crosses them is cut there. Up to where `readings` was asked for the truth is complete; of visits
            that ended long ago, only the last TOLD_VISITS are known.
        names : sequence of str
            What each device is called, by its index.
        """
        found = [
            row
            for device, stays in self._stays
            for row in truth.rows(self.plan, names[device], stays, max(from_ns, self.start_ns), until_ns)
        ]
        return pl.DataFrame(found, schema=VISITS_SCHEMA, orient="row").sort(["entered_at", "device", "kind", "zone"])

    def true_stays(self) -> list[tuple[int, truth.Stays]]:
        """Return where every visitor so far really was, crossings included, as (device, stays of one visit).

        Times are not cut: they may lie before the start and after the time up to which readings were taken.
        """
        return list(self._stays)

    def _first(self, number: int) -> _Slot:
        rng = self._rng(_WAITS, number, 0)
        return _Slot(-int(rng.uniform(0, _UNDER_WAY_S) * 1e6), number)

    def _let_in(self, until_us: int) -> None:
        """Create every visit that begins before `until_us`, in order of its beginning."""
        while self._slots[0].begins_us < until_us:
            slot = self._slots[0]
            ends_us = self._visit(slot)
            slot.visits += 1
            rng = self._rng(_WAITS, slot.number, slot.visits)
            member = self._is_member(slot.number)
            wait_s = rng.uniform(*_MEMBER_BACK_S) if member else rng.exponential(_NEXT_S)
            slot.begins_us = ends_us + int(wait_s * 1e6)
            heapq.heapreplace(self._slots, slot)

    def _visit(self, slot: _Slot) -> int:
        """Let the next person of a slot through the store; return when they leave, in us after the start."""
        rng = self._rng(_VISITS, slot.number, slot.visits)
        manner = Manner.STAFF if slot.number < self._staff else draw_manner(rng)
        device_identity = rng.bytes(_IDENTITY_BYTES)
        way = walk(self._floor, manner, rng)
        ends_us = slot.begins_us + round(float(way.t_s[-1]) * 1e6)
        signals = self._radio.hear(way, rng)
        begin_ns = self.start_ns + slot.begins_us * NS_PER_US
        signals["ts"] += begin_ns
        if ends_us > 0:  # who left before the start was never here
            device = self._device(slot.number, device_identity)
            signals["device"] = device
            self._inside.append(_Visit(device, signals))
            self._stays.append((device, truth.stays(way, begin_ns, signals["ts"])))
        return ends_us

    def _is_member(self, number: int) -> bool:
        return self._staff <= number < self._staff + self._members

    def _device(self, number: int, identity: bytes) -> int:
        if self._is_member(number):
            known = self._device_of_member.get(number)
            if known is not None:
                return known
            self._device_of_member[number] = len(self.identities)
            identity = member_identity(self._seed, number - self._staff)
        self.identities.append(identity)
        return len(self.identities) - 1

    def _rng(self, branch: int, number: int, visits: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self._seed, spawn_key=(branch, number, visits)))
        )


def member_identity(seed: int, member: int) -> bytes:
    """Return what the tag of a member calls itself (members count from 0)."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_MEMBERS, member))))
    return rng.bytes(_IDENTITY_BYTES)


def edge_of_anchor(plan: StorePlan, edges: int = EDGES) -> NDArray[np.int64]:
    """Return which edge each anchor is wired to: by its place from west to east, equally many each."""
    across = np.array([anchor.x if anchor.x is not None else 0.0 for anchor in plan.anchors])
    order = np.argsort(across, kind="stable")
    edge = np.empty(len(order), np.int64)
    edge[order] = np.arange(len(order)) * edges // len(order)
    return edge


class Generated(NamedTuple):
    """A simulated recording in the contract of `sojourn replay`, with its truth."""

    signals: pl.DataFrame
    """RECORDING in order of arrival: ts, store, anchor, device, rssi_dbm."""
    truth: pl.DataFrame
    """VISITS as they really were, see `simulators.recordings.visits.VISITS_SCHEMA`."""


def generate(
    plan: StorePlan,
    seed: int,
    duration_s: float,
    shoppers: int = 150,
    *,
    members: int = 0,
    start_ns: int = START_NS,
    settings: RadioSettings | None = None,
) -> Generated:
    """Simulate a whole period at once.

    Devices are named by a pseudonym (hexadecimal, 32 digits) under a key that depends on the seed alone.
    Parameters and errors as in `StoreSimulation`.

    Returns
    -------
    Generated
    """
    simulation = StoreSimulation(plan, seed, shoppers=shoppers, members=members, start_ns=start_ns, settings=settings)
    heard = simulation.readings(duration_s)
    heard = heard[arrival_order(heard, edge_of_anchor(plan))]
    key = blake2b(f"simulated {seed}".encode(), digest_size=KEY_BYTES).digest()
    names = [pseudonym(identity, key).hex() for identity in simulation.identities]
    signals = pl.DataFrame(
        {
            "ts": heard["ts"],
            "store": pl.Series([plan.id], dtype=pl.String).gather(np.zeros(len(heard), np.int64)),
            "anchor": pl.Series([anchor.id for anchor in plan.anchors], dtype=pl.String).gather(heard["anchor"]),
            "device": pl.Series(names, dtype=pl.String).gather(heard["device"]),
            "rssi_dbm": heard["rssi_dbm"].astype(np.float64),
        }
    )
    until_ns = simulation.start_ns + int(duration_s * 1e6) * NS_PER_US
    return Generated(signals, simulation.true_visits(simulation.start_ns, until_ns, names))


def arrival_order(heard: SignalArray, edge_of: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the order in which readings arrive when every edge sends once a second at its own moment."""
    edge = edge_of[heard["anchor"]]
    period_ns = int(_SEND_S * NS_PER_S)
    phase_ns = edge * period_ns // (int(edge_of.max()) + 1)
    sent_ns = (heard["ts"] - phase_ns) // period_ns * period_ns + phase_ns
    order: NDArray[np.intp] = np.lexsort((heard["ts"], edge, sent_ns))
    return order
