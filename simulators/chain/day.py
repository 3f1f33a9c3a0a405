"""One store on one day: everything that is heard, everything that is true."""

from datetime import date
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.floorplan import StorePlan
from core.records import SIGNAL, ClosedBy
from simulators import truth
from simulators.chain.air import Air
from simulators.chain.calendar import PLACES, Hours, Opening, Place
from simulators.chain.draws import Draws
from simulators.chain.faults import Arrived, Fault, arrived, draw_faults, outlived
from simulators.chain.ground import Ground
from simulators.chain.layouts import layout
from simulators.chain.members import Bought, events
from simulators.chain.settings import ChainSettings
from simulators.chain.visitors import Person, changes_of_address, device_name, visitors
from simulators.chain.ways import Manner

_CLOSED_BY = 13  # place of `closed_by` in a row of VISITS


class StoreDay(NamedTuple):
    """What one store gives on one day. `arrived.signals.device` indexes `devices`."""

    plan: StorePlan
    devices: list[str]
    arrived: Arrived
    truth: list[tuple[Any, ...]]
    """Rows of VISITS."""
    people: list[tuple[Any, ...]]
    """store, person, party, manner, member, device, from, until (ns): who carried which device when."""
    faults: list[tuple[Any, ...]]
    """store, anchor, kind, size, from, until (ns)."""
    events: list[dict[str, str]]

    def digest(self) -> bytes:
        """Return a checksum of everything, whatever files it goes to."""
        told = [self.devices, self.truth, self.people, self.faults, self.events]
        state = sha256(repr(self.plan).encode())
        state.update(msgspec.json.encode(told))
        for name in ("ts", "anchor", "device", "rssi_dbm"):
            state.update(self.arrived.signals[name].astype("<i8").tobytes())
        state.update(self.arrived.arrived_us.astype("<i8").tobytes())
        return state.digest()


class Store(NamedTuple):
    """A store of the chain."""

    plan: StorePlan
    ground: Ground
    opening: Opening


def store_of(settings: ChainSettings, number: int) -> Store:
    """Return a store by its number from 0."""
    given = settings.plans[number] if settings.plans else None
    return _made(settings.seed, number, given)


@lru_cache(maxsize=4096)
def _made(seed: int, number: int, given: StorePlan | None) -> Store:
    town = PLACES[Draws(seed, "town", number).below(len(PLACES))]
    if given is not None:
        town = Place(given.label, given.timezone, town.shut_on_sunday)
    plan = given if given is not None else layout(f"store-{number + 1:04}", town, Draws(seed, "layout", number))
    return Store(plan, Ground(plan), Opening(town, Draws(seed, "hours", number)))


def simulate_day(settings: ChainSettings, number: int, day: date) -> StoreDay:
    """Simulate one store on one day; of a store that is shut nothing is heard."""
    plan, ground, opening = store_of(settings, number)
    hours = opening.hours(day)
    stamp = day.isoformat()
    faults = _faults(settings, plan, hours, stamp)
    air = Air(plan, settings.seed, stamp, settings.air)
    found = StoreDay(plan, [], _nothing(), [], [], [_told(plan, fault) for fault in faults], [])
    people = visitors(settings, ground, plan.id, day, hours)
    heard = [_follow(settings, found, air, faults, person) for person in people]
    if not heard:
        return found
    signals = np.concatenate(heard)
    return found._replace(
        arrived=arrived(signals, faults, settings.faults, Draws(settings.seed, "messages", plan.id, stamp))
    )


def _follow(settings: ChainSettings, found: StoreDay, air: Air, faults: list[Fault], person: Person) -> NDArray[Any]:
    """Let one person be heard, note what is true of them, and return the signals."""
    store = found.plan.id
    draws = Draws(settings.seed, "carried", store, person.name, person.begin_us)
    changes = changes_of_address(person, draws)
    signals = outlived(air.hear(person.way, person.sender, person.begin_us, draws), faults)
    stays = _stays(person, signals["ts"])
    ends_us = person.begin_us + int(person.way.t_us[-1])
    edges = [person.begin_us, *changes, ends_us]
    signals["device"] = len(found.devices) + np.searchsorted(
        np.array(changes, np.int64) * 1000, signals["ts"], side="right"
    )
    for address, (from_us, until_us) in enumerate(pairwise(edges)):
        of = f"{person.name}-{person.begin_us}" if person.rotates else person.name
        device = device_name(settings.seed, store, of, address)
        found.devices.append(device)
        span = (from_us * 1000, until_us * 1000)
        member = -1 if person.member is None else person.member
        found.people.append((store, person.name, person.party, person.manner.value, member, device, *span))
        if person.manner is not Manner.PASSER_BY:
            rows = truth.rows(found.plan, device, stays, *span)
            found.truth.extend(_as_silence(row) for row in rows)
    if person.member is not None:
        bought = Bought(person.begin_us * 1000, _paid_at(found.plan, stays))
        found.events.extend(events(settings, store, found.plan.timezone, person.member, bought))
    return signals


def _stays(person: Person, heard_at: NDArray[np.int64]) -> truth.Stays:
    way = person.way
    first = np.flatnonzero(np.diff(way.stay, prepend=-1))
    edges_ns = (person.begin_us + way.t_us[np.append(first, len(way.zone))]) * 1000
    readings = np.diff(np.searchsorted(heard_at, edges_ns))
    return truth.Stays(way.zone[first].astype(np.int64), edges_ns[:-1], edges_ns[1:], readings)


def _paid_at(plan: StorePlan, stays: truth.Stays) -> int:
    tills = [place for place, zone in enumerate(plan.zones) if zone.kind == "checkout"]
    at_till = np.isin(stays.zone, tills) & (stays.left_at - stays.entered_at > 30_000_000_000)
    return int(stays.left_at[at_till].max(initial=0))


def _as_silence(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row as it is for a device that takes a new name: silent under the old one, no recording ends there."""
    if row[_CLOSED_BY] != ClosedBy.END_OF_RECORDING.word:
        return row
    return (*row[:_CLOSED_BY], ClosedBy.SILENCE.word, *row[_CLOSED_BY + 1 :])


def _faults(settings: ChainSettings, plan: StorePlan, hours: Hours | None, stamp: str) -> list[Fault]:
    if hours is None:
        return []
    draws = Draws(settings.seed, "faults", plan.id, stamp)
    return draw_faults(len(plan.anchors), hours.opens_at, hours.closes_at, settings.faults, draws)


def _told(plan: StorePlan, fault: Fault) -> tuple[Any, ...]:
    return (plan.id, plan.anchors[fault.anchor].id, fault.kind, fault.size, fault.from_ns, fault.until_ns)


def _nothing() -> Arrived:
    return Arrived(np.zeros(0, SIGNAL), np.zeros(0, np.int64))
