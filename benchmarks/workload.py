"""Four stores full of people, made at once from a seed: the signals as they arrive, and the truth.

As in the engine's notes: an anchor a zone, an advert a second, 20% of receptions lost, 4 dB of noise on 3 dB of
shadowing a stay, +-2 dB a device, edges that send once a second. Log-distance path loss as in `simulators.radio`,
without its people: walks are drawn as columns, five million signals in two seconds.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.floorplan import StorePlan, load
from core.limits import NS_PER_S, NS_PER_US, PSEUDONYM_BYTES
from core.records import SIGNAL, SignalArray

STORES: Final = 4
ZONES: Final = 12
DEVICES: Final = 2_000
CELL_M: Final = 8.0
_SIDE: Final = 4  # cells in a row
BEGIN_NS: Final = 1_790_000_000 * NS_PER_S
AWAY: Final = -1
_CHUNK: Final = 65_536

_LEVEL_AT_1_M_DBM: Final = -62.0
"""A tag at -59 less what a hand, a pocket or a body takes on average."""
_PATH_LOSS: Final = 2.4
_NOISE_DB: Final = 4.0
_SHADOWING_DB: Final = 3.0
_DEVICE_DB: Final = 2.0
_LOSS: Final = 0.2
_SENSITIVITY_DBM: Final = -92.0
_CROSSING_S: Final = (5.0, 8.0)
_CROSSINGS: Final = 0.4
"""Share of stays that only cross a zone."""
_STAY_MEAN_S: Final = 60.0
_AWAY_SHARE: Final = 0.02
_AWAY_S: Final = (120.0, 300.0)
_JITTER_US: Final = 10_000
_STAMP_US: Final = 5_000
_ANCHORS_AN_EDGE: Final = 3
_HEARD_AN_ADVERT: Final = 4.2
"""About so many anchors hear one advert; sets how long the recording lasts, not what is in it."""

TRUTH: Final = np.dtype([("device", "<i4"), ("zone", "<i2"), ("entered_at", "<i8"), ("left_at", "<i8")])
"""One true stay: device of the store, zone (AWAY: outside), ns."""


@dataclass(frozen=True)
class Chunk:
    """What an engine is given at once: signals whose `device` is a row of the chunk's own table of pseudonyms."""

    signals: SignalArray
    pseudonyms: NDArray[np.uint8]


@dataclass(frozen=True)
class StoreLoad:
    """One store's signals in order of arrival, `device` dense; `pseudonyms` uint8 (devices, 16); TRUTH rows."""

    plan: StorePlan
    signals: SignalArray
    pseudonyms: NDArray[np.uint8]
    truth: NDArray[Any]

    def chunks(self, size: int = _CHUNK) -> list[Chunk]:
        """Cut into what arrives together, each part with its own table of devices, as batches have them."""
        cut = []
        for begin in range(0, len(self.signals), size):
            part = self.signals[begin : begin + size].copy()
            named, rows = np.unique(part["device"], return_inverse=True)
            part["device"] = rows
            cut.append(Chunk(part, self.pseudonyms[named]))
        return cut

    def in_order(self) -> SignalArray:
        """Return the signals in order of time, `ts` in microseconds, as a decoder takes them."""
        ordered = self.signals[np.argsort(self.signals["ts"], kind="stable")]
        ordered["ts"] //= NS_PER_US
        return ordered


def plan_of(store: int) -> StorePlan:
    """Return a store of 12 square cells in rows of four, an anchor in the middle of each."""
    zones = [{"id": f"zone-{zone}"} for zone in range(ZONES)]
    anchors = [
        {"id": f"anchor-{zone}", "zone": f"zone-{zone}", "x": float(x), "y": float(y)}
        for zone, (x, y) in enumerate(_middles())
    ]
    plan = {"id": f"store-{store}", "timezone": "Europe/Berlin", "zones": zones, "anchors": anchors}
    return load(json.dumps({"stores": [plan]})).stores[0]


def workload(signals: int, seed: int, stores: int = STORES, devices: int = DEVICES) -> list[StoreLoad]:
    """Make `signals` signals of `devices` devices, spread evenly over the stores; the same ones for the same seed."""
    return [_store(store, signals // stores, devices // stores, seed) for store in range(stores)]


def _middles() -> NDArray[np.float64]:
    zone = np.arange(ZONES)
    return np.asarray(CELL_M * (np.stack([zone % _SIDE, zone // _SIDE], axis=1) + 0.5), np.float64)


def _store(store: int, signals: int, devices: int, seed: int) -> StoreLoad:
    rng = np.random.default_rng([seed, store])
    until_s = signals / (devices * _HEARD_AN_ADVERT) * 1.15 + 30
    pseudonyms = rng.integers(0, 256, (devices, PSEUDONYM_BYTES), dtype=np.uint8)
    while True:
        stays, zones, ends_s = _walks(devices, until_s, rng)
        made = _hear(stays, zones, ends_s, until_s, rng)
        if len(made) >= signals:
            break
        until_s *= 1.3
    made = made[:signals]
    return StoreLoad(plan_of(store), made, pseudonyms, _truth(stays, zones, ends_s, int(made["ts"].max())))


def _walks(
    devices: int, until_s: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Draw who is where: device, zone and end (s) of every stay, device by device in order of time."""
    most = int(until_s / _CROSSING_S[0]) + 2
    shape = (devices, most)
    long_s = np.maximum(rng.exponential(_STAY_MEAN_S, shape), _CROSSING_S[1])
    lasts_s = np.where(rng.random(shape) < _CROSSINGS, rng.uniform(*_CROSSING_S, shape), long_s)
    away = rng.random(shape) < _AWAY_SHARE
    away[:, 0] = False
    lasts_s = np.where(away, rng.uniform(*_AWAY_S, shape), lasts_s)
    ends_s = np.cumsum(lasts_s, axis=1) + rng.uniform(0, 20, (devices, 1))
    zone = np.empty(shape, np.int64)
    zone[:, 0] = rng.integers(0, ZONES, devices)
    doors, turns = _doors(), rng.random(shape)
    for step in range(1, most):
        open_to = doors[zone[:, step - 1]]
        zone[:, step] = open_to[np.arange(devices), (turns[:, step] * 4).astype(np.int64)]
    used = np.concatenate([np.ones((devices, 1), np.bool_), ends_s[:, :-1] < until_s], axis=1)
    device = np.broadcast_to(np.arange(devices)[:, None], shape)
    return device[used], np.where(away, AWAY, zone)[used], ends_s[used]


def _doors() -> NDArray[np.int64]:
    """Return the four neighbours of each zone; one on the edge of the store has some of them twice."""
    doors = np.empty((ZONES, 4), np.int64)
    for zone in range(ZONES):
        x, y = zone % _SIDE, zone // _SIDE
        beside = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
        inside = [bx + _SIDE * by for bx, by in beside if 0 <= bx < _SIDE and 0 <= by < ZONES // _SIDE]
        doors[zone] = (inside * 4)[:4]
    return doors


def _hear(
    device: NDArray[np.int64],
    zone: NDArray[np.int64],
    ends_s: NDArray[np.float64],
    until_s: float,
    rng: np.random.Generator,
) -> SignalArray:
    """Return what the anchors hear of all stays, in order of arrival."""
    anchors = _middles()
    devices = int(device[-1]) + 1
    # adverts: one a second and up to 10 ms (advDelay, Bluetooth Core Specification, Vol. 6, Part B, 4.4.2.2.1)
    ticks = int(until_s)
    jitter_us = np.cumsum(rng.integers(0, _JITTER_US, (devices, ticks)), axis=1)
    at_us = jitter_us + 1_000_000 * np.arange(ticks) + rng.integers(0, 1_000_000, (devices, 1))
    span_us = 10_000_000_000  # puts the devices' stays one after another, so that one search finds them all
    stay = np.searchsorted(
        device * span_us + (ends_s * 1e6).astype(np.int64), (at_us + np.arange(devices)[:, None] * span_us).ravel()
    )
    stay = np.minimum(stay, len(device) - 1)
    place = anchors[zone] + rng.uniform(-CELL_M / 2, CELL_M / 2, (len(zone), 2))
    away_m = np.maximum(np.hypot(*(place[:, None, :] - anchors[None, :, :]).transpose(2, 0, 1)), 1.0)
    level = _LEVEL_AT_1_M_DBM - 10 * _PATH_LOSS * np.log10(away_m)
    level += rng.normal(0, _SHADOWING_DB, level.shape)
    level += rng.normal(0, _DEVICE_DB, devices)[device][:, None]
    level[zone == AWAY] = -200
    read = level.astype(np.float32)[stay]
    read += np.float32(_NOISE_DB) * rng.standard_normal(read.shape, np.float32)
    lost = rng.random(read.shape, np.float32) < _LOSS
    advert, anchor = np.nonzero((read >= _SENSITIVITY_DBM) & ~lost)
    signals = np.zeros(len(advert), SIGNAL)
    signals["ts"] = at_us.ravel()[advert] + rng.integers(0, _STAMP_US, len(advert))
    signals["device"] = advert // ticks
    signals["anchor"] = anchor
    signals["rssi_dbm"] = np.rint(read[advert, anchor])
    return _arrived(signals, rng)


def _arrived(signals: SignalArray, rng: np.random.Generator) -> SignalArray:
    """Put signals into the order in which edges of three anchors send them.

    Each sends once a second at a moment of its own, and lists a second's readings as they lie in its table.
    """
    edge = signals["anchor"] // _ANCHORS_AN_EDGE
    sends_us = rng.integers(0, 1_000_000, ZONES // _ANCHORS_AN_EDGE)[edge]
    sent_us = (signals["ts"] - sends_us) // 1_000_000 * 1_000_000 + sends_us
    signals["ts"] = signals["ts"] * NS_PER_US + BEGIN_NS
    return signals[np.argsort(sent_us + rng.random(len(signals)), kind="stable")]


def _truth(
    device: NDArray[np.int64], zone: NDArray[np.int64], ends_s: NDArray[np.float64], last_at: int
) -> NDArray[Any]:
    truth = np.zeros(len(device), TRUTH)
    first = np.concatenate([[True], device[1:] != device[:-1]])
    begins_s = np.where(first, 0.0, np.roll(ends_s, 1))
    truth["device"], truth["zone"] = device, zone
    truth["entered_at"] = BEGIN_NS + (begins_s * 1e6).astype(np.int64) * NS_PER_US
    truth["left_at"] = np.minimum(BEGIN_NS + (ends_s * 1e6).astype(np.int64) * NS_PER_US, last_at)
    return truth[truth["entered_at"] < last_at]
