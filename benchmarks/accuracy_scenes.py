"""Scenes for the accuracy grid: a simulated store at one point of the grid, its signals and what really happened.

Every store has twelve square zones in four columns and three rows, one anchor in the middle of each. Two workloads:

`walks`
    `simulators.store`: shoppers and staff who walk from zone to zone through doorways, stand, stroll and leave. What
    they cross on their way counts as a stay, however short; at 8 m more than half of the true visits last less than
    15 s and are such crossings. A body takes up to 6 dB, the walls of the fitting room 4 dB.

`stays`
    The workload of the prototype: somebody is in a zone for a stay, then at once in another one, any of the other
    eleven, eight times; then they leave. For each stay **one place is drawn evenly over the zone's outline shrunk to
    85% around its centre**, and there they stand until the stay ends: whoever stands at the edge of a cell stays at
    the edge, and nobody walks. Stays are log-normal (median 45 s, sigma 1), from 5 s to half an hour. No body and no
    walls take anything away.

In both, every stay draws its own shadowing for each anchor (3 dB), every reading its noise (`noise_db`), every device
its own level (2 dB). `still` is a third scene beside each: devices that stand at one place, drawn as in `stays`, for
an hour; every change of zone is false there.

At one point, devices at rest are heard besides: one a zone, each at one place for as long as the scene lasts, weaker
than the shoppers, as shelf tags are. Every method is given their signals, and ours calibrates on them like on all
others; nothing that is said of them counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.floorplan import Anchor, StorePlan, Zone
from core.limits import NS_PER_S
from core.records import NO_ZONE, SIGNAL, VISIT, SignalArray, VisitArray, VisitKind
from simulators import truth
from simulators.faults import Outage, outlived, skewed
from simulators.radio import Radio, RadioSettings
from simulators.shoppers import Walk
from simulators.shoppers_floor import Floor
from simulators.store import START_NS, StoreSimulation, arrival_order, edge_of_anchor

Workload: TypeAlias = Literal["walks", "stays"]
WORKLOADS: Final[tuple[Workload, ...]] = ("walks", "stays")

COLUMNS: Final = 4
KINDS: Final = (
    *("department", "entrance", "checkout", "service"),
    *("department", "shelf", "department", "shelf"),
    *("shelf", "department", "shelf", "fitting_room"),
)
"""The twelve zones row by row, the street in front of the first row."""

_STAYS: Final = 8
_STAY_MEDIAN_S: Final = 45.0
_STAY_SIGMA: Final = 1.0
_STAY_RANGE_S: Final = (5.0, 1800.0)
_OUTAGE_S: Final = 600.0
_OUTAGES_FROM_S: Final = 300.0  # first five minutes in which all gateways work
_STILL, _RESTING = 2, 4  # streams of random numbers

_Begun: TypeAlias = tuple[float, Walk, np.random.Generator]  # when it begins, s
_Told: TypeAlias = list[tuple[int, truth.Stays]]  # where devices really were


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of the grid; the defaults are the usual one. dB, seconds, metres."""

    workload: Workload = "walks"
    noise_db: float = 4.0
    loss: float = 0.2
    device_offset_db: float = 0.0
    path_loss: float = 2.4
    cell_m: float = 8.0
    interval_s: float = 1.0
    outages: bool = False
    """From minute 5 on, one gateway after another is off for ten minutes, as many as the scene has room for."""
    skew_s: float = 0.0
    """Each anchor's clock is off by anything up to this, evenly drawn."""
    at_rest_db: float | None = None
    """Level of devices at rest beside that of the others; none are there by default."""

    @property
    def radio(self) -> RadioSettings:
        """The simulator's settings at this point."""
        settings = RadioSettings(
            fading_db=self.noise_db,
            loss=self.loss,
            device_offset_db=self.device_offset_db,
            path_loss=self.path_loss,
            interval_s=self.interval_s,
        )
        return settings if self.workload == "walks" else replace(settings, body_db=0.0, wall_db=0.0)


DIMENSIONS: Final[dict[str, tuple[Any, ...]]] = {
    "noise_db": (2.0, 4.0, 6.0, 8.0),
    "loss": (0.0, 0.2, 0.5, 0.8),
    "device_offset_db": (-6.0, 0.0, 6.0),
    "path_loss": (1.8, 2.4, 3.2),
    "cell_m": (5.0, 8.0),
    "interval_s": (1.0, 2.0, 10.0),
    "outages": (False, True),
    "skew_s": (0.0, 20.0),
    "at_rest_db": (None, -12.0),
}
"""What is varied, one at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a scene is."""

    shoppers: int = 40
    """In the store at any time (`walks`)."""
    lasts_s: float = 2400.0
    """How long signals are taken in `walks`; when the last one comes in `stays`."""
    stayers: int = 120
    """Devices of `stays`."""
    still: int = 24
    """Devices of `still`, equally many in each zone."""
    still_s: float = 3600.0


FULL: Final = Size()
QUICK: Final = Size(shoppers=25, lasts_s=1500.0, stayers=50, still=12)


class Scene(NamedTuple):
    """A simulated store."""

    plan: StorePlan
    signals: SignalArray
    """SIGNAL in order of arrival, times as stamped."""
    zone: NDArray[np.int64]
    """Where the device of each signal really was, an index into the plan."""
    sent_at: NDArray[np.int64]
    """When each signal really was heard, ns: what the stamp would be if clocks were right."""
    truth: VisitArray
    """VISIT: every true stay, however short, and the store visits; times as they really were. Devices at rest have
    none."""
    devices: int
    interval_s: float
    """Between two adverts, which whoever runs the store knows."""


def grid(workload: Workload) -> Iterator[tuple[str, Point]]:
    """Yield every point once with the dimension it varies; the usual one first, under "usual"."""
    usual = Point(workload=workload)
    yield "usual", usual
    for name, values in DIMENSIONS.items():
        for value in values:
            if value != getattr(usual, name):
                yield name, replace(usual, **{name: value})


def seed_of(point: Point, number: int, base: int) -> int:
    """Return the seed of the n-th scene of a point: another one at every point."""
    # points without devices at rest keep the scenes that they had before there were such points
    named = str(point).replace(", at_rest_db=None", "")
    return int.from_bytes(blake2b(f"{base} {number} {named}".encode(), digest_size=6).digest())


def make(point: Point, seed: int, size: Size = FULL) -> Scene:
    """Return the scene of one point of the grid; equal arguments give equal bytes."""
    plan = store(point.cell_m)
    if point.workload == "walks":
        simulation = StoreSimulation(plan, seed, shoppers=size.shoppers, settings=point.radio)
        heard = simulation.readings(size.lasts_s)
        told = simulation.true_stays()
        until_ns = START_NS + int(size.lasts_s) * NS_PER_S
    else:
        floor = Floor(plan)
        walks = []
        for device in range(size.stayers):
            rng = np.random.default_rng([seed, 1, device])
            walks.append((float(rng.uniform(0, size.lasts_s)), _stays(floor, rng), rng))
        heard, told, until_ns = _heard(Radio(plan, point.radio), walks)
    resting: _Told = []
    if point.at_rest_db is not None:
        lasts_s = (until_ns - START_NS) / NS_PER_S
        radio = Radio(plan, replace(point.radio, device_offset_db=point.device_offset_db + point.at_rest_db))
        still, resting, _ = _heard(radio, _standing_in(plan, len(KINDS), lasts_s, seed, _RESTING))
        first = 1 + max(device for device, _ in told)
        still["device"] += first
        resting = [(first + device, stays) for device, stays in resting]
        heard = np.concatenate([heard, still[still["ts"] < until_ns]])
        heard = heard[np.argsort(heard["ts"], kind="stable")]
    return _scene(point, plan, heard, told, seed, until_ns=until_ns, resting=resting)


def make_still(point: Point, seed: int, size: Size = FULL) -> Scene:
    """Return the scene of devices that stand still for an hour."""
    plan = store(point.cell_m)
    walks = _standing_in(plan, size.still, size.still_s, seed, _STILL)
    heard, told, until_ns = _heard(Radio(plan, point.radio), walks)
    return _scene(point, plan, heard, told, seed, until_ns=until_ns)


def store(cell_m: float) -> StorePlan:
    """Return the store of twelve cells."""
    zones, anchors = [], []
    for place, kind in enumerate(KINDS):
        x, y = place % COLUMNS * cell_m, place // COLUMNS * cell_m
        corners = ((x, y), (x + cell_m, y), (x + cell_m, y + cell_m), (x, y + cell_m))
        zones.append(Zone(id=f"zone{place}", kind=kind, outline=corners))
        anchors.append(Anchor(id=f"anchor{place}", zone=f"zone{place}", x=x + cell_m / 2, y=y + cell_m / 2))
    return StorePlan(id="grid", timezone="UTC", zones=tuple(zones), anchors=tuple(anchors))


def _stays(floor: Floor, rng: np.random.Generator) -> Walk:
    """Return a visit of eight stays: each at one place, the next one at once in another zone."""
    zones = [int(rng.integers(len(KINDS)))]
    while len(zones) < _STAYS:
        zones.append(int((zones[-1] + rng.integers(1, len(KINDS))) % len(KINDS)))
    lasts_s = np.clip(_STAY_MEDIAN_S * np.exp(rng.normal(0, _STAY_SIGMA, _STAYS)), *_STAY_RANGE_S)
    places = np.array([floor.spot(zone, rng) for zone in zones])
    ends_s = np.cumsum(lasts_s)
    # two waypoints a stay; the leg from one stay to the next takes no time
    times_s = np.stack([ends_s - lasts_s, ends_s], axis=1).ravel()
    times_s[2::2] = times_s[1:-1:2]
    stay = (np.arange(2 * _STAYS - 1) + 1) // 2
    facing = rng.uniform(-np.pi, np.pi, _STAYS)[stay]
    where = np.repeat(places, 2, axis=0)
    return Walk(times_s, where[:, 0], where[:, 1], np.array(zones, np.int16)[stay], stay.astype(np.int32), facing)


def _standing(floor: Floor, zone: int, lasts_s: float, rng: np.random.Generator) -> Walk:
    x, y = floor.spot(zone, rng)
    facing = rng.uniform(-np.pi, np.pi, 1)
    times_s = np.array([0.0, lasts_s])
    return Walk(
        times_s, np.array([x, x]), np.array([y, y]), np.array([zone], np.int16), np.zeros(1, np.int32), facing
    )


def _standing_in(plan: StorePlan, devices: int, lasts_s: float, seed: int, stream: int) -> list[_Begun]:
    """Return devices that stand at one place, equally many in each zone."""
    floor = Floor(plan)
    walks = []
    for device in range(devices):
        rng = np.random.default_rng([seed, stream, device])
        walks.append((float(rng.uniform(0, 1)), _standing(floor, device % len(KINDS), lasts_s, rng), rng))
    return walks


def _heard(radio: Radio, walks: list[_Begun]) -> tuple[SignalArray, _Told, int]:
    """Return what is heard of devices in order of time, where they really were, and when the last one has left."""
    heard, told = [np.zeros(0, SIGNAL)], []
    for device, (begin_s, walk, rng) in enumerate(walks):
        signals = radio.hear(walk, rng)
        begin_ns = START_NS + int(begin_s * 1e6) * 1000
        signals["ts"] += begin_ns
        signals["device"] = device
        heard.append(signals)
        told.append((device, truth.stays(walk, begin_ns, signals["ts"])))
    together = np.concatenate(heard)
    until_ns = max(int(stays.left_at[-1]) for _, stays in told)
    return together[np.argsort(together["ts"], kind="stable")], told, until_ns


def _scene(
    point: Point,
    plan: StorePlan,
    heard: SignalArray,
    told: _Told,
    seed: int,
    *,
    until_ns: int,
    resting: Sequence[tuple[int, truth.Stays]] = (),
) -> Scene:
    """Put faults on what is heard and the truth into VISIT, but for that of devices at rest."""
    rng = np.random.default_rng([seed, 3])
    if point.outages:
        heard = heard[outlived(heard, _outages(until_ns, len(plan.anchors), rng))]
    heard = heard[arrival_order(heard, edge_of_anchor(plan))]
    zone = _true_zones(heard, [*told, *resting])
    signals = skewed(heard, rng.uniform(-point.skew_s, point.skew_s, len(plan.anchors)))
    visits = np.concatenate([_true_visits(device, stays, until_ns) for device, stays in told])
    return Scene(
        plan, signals, zone, heard["ts"].copy(), visits, len({device for device, _ in told}), point.interval_s
    )


def _outages(until_ns: int, anchors: int, rng: np.random.Generator) -> list[Outage]:
    off_ns = int(_OUTAGE_S * NS_PER_S)
    begins = range(START_NS + int(_OUTAGES_FROM_S * NS_PER_S), until_ns - off_ns + 1, off_ns)
    off = rng.permutation(anchors)
    return [Outage(int(off[turn % anchors]), begin, begin + off_ns) for turn, begin in enumerate(begins)]


def _true_zones(heard: SignalArray, told: _Told) -> NDArray[np.int64]:
    """Return where each signal was sent from; every device has one walk."""
    order = np.argsort(heard["device"], kind="stable")
    devices = heard["device"][order]
    zone = np.zeros(len(heard), np.int64)
    for device, stays in told:
        own = order[slice(*np.searchsorted(devices, [device, device + 1]))]
        stay = np.searchsorted(stays.entered_at, heard["ts"][own], side="right") - 1
        zone[own] = stays.zone[np.clip(stay, 0, len(stays.zone) - 1)]
    return zone


def _true_visits(device: int, stays: truth.Stays, until_ns: int) -> VisitArray:
    """Return the stays of one visitor and their store visit, cut to the time in which signals are taken."""
    visits = np.zeros(len(stays.zone) + 1, VISIT)
    visits["device"] = device
    visits["confidence"] = 1
    visits["zone"][:-1], visits["kind"][:-1] = stays.zone, VisitKind.ZONE
    visits["zone"][-1], visits["kind"][-1] = NO_ZONE, VisitKind.STORE
    visits["entered_at"] = np.maximum(np.append(stays.entered_at, stays.entered_at[0]), START_NS)
    visits["left_at"] = np.minimum(np.append(stays.left_at, stays.left_at[-1]), until_ns)
    return visits[visits["left_at"] > visits["entered_at"]]
