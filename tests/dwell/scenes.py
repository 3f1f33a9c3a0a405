"""Small worlds with devices that walk about, made from a seed."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.dwell.model import Model, plan_fingerprint, prior_model
from core.floorplan import StorePlan, load
from core.records import APP_ENTER, APP_EXIT, SIGNAL, SignalArray
from tests.oracle.viterbi import Heard, World

START_NS = 1_760_000_000 * 10**9
CELL_M = 8.0


def grid_plan(zones: int, anchors_per_zone: int = 1, *, places: bool = True) -> StorePlan:
    """A store of square cells in rows of three, an anchor (or more) in the middle of each."""
    side = 3
    plan = {
        "id": "shop",
        "timezone": "Europe/Berlin",
        "zones": [{"id": f"z{zone}"} for zone in range(zones)],
        "anchors": [
            {"id": f"a{zone}-{one}", "zone": f"z{zone}"}
            | ({"x": CELL_M * (zone % side) + one, "y": CELL_M * (zone // side)} if places else {})
            for zone in range(zones)
            for one in range(anchors_per_zone)
        ],
    }
    return load(json.dumps({"stores": [plan]})).stores[0]


def pseudonyms(devices: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.random.default_rng([seed, 99]).integers(0, 256, (devices, 16), dtype=np.uint8)


def random_model(plan: StorePlan, seed: int) -> Model:
    """A model without any sense: the decoder must be exact whatever it is told."""
    rng = np.random.default_rng([seed, 7])
    zones = len(plan.zones)
    spot_zone = np.sort(np.concatenate([np.arange(zones), rng.integers(0, zones, zones // 2)])).astype(np.int16)
    shape = (len(spot_zone), len(plan.anchors))
    decodable = rng.random(zones) < 0.85
    decodable[rng.integers(zones)] = True
    return Model(
        spot_zone=spot_zone,
        level_dbm=rng.uniform(-95, -55, shape).astype(np.float32),
        detection=rng.uniform(0.02, 0.97, shape).astype(np.float32),
        spread_db=float(rng.uniform(3, 9)),
        decodable=decodable,
        origin="calibrated",
        signals=1,
        plan_fingerprint=plan_fingerprint(plan),
    )


def world_of(model: Model) -> World:
    """The same model as the oracle takes it."""
    return World(
        zone_of=model.spot_zone.tolist(),
        level_dbm=model.level_dbm.astype(float).tolist(),
        detection=model.detection.astype(float).tolist(),
        spread_db=model.spread_db,
        decodable=model.decodable.tolist(),
    )


@dataclass(frozen=True)
class Walk:
    """How devices walk and are heard."""

    devices: int = 2
    stays: int = 3
    stay_s: float = 20.0
    advert_s: float = 1.0
    loss: float = 0.2
    noise_db: float = 4.0
    path_loss: float = 2.4
    offset_db: float = 0.0
    absences: bool = False


WALK = Walk()


def walk(plan: StorePlan, seed: int, how: Walk = WALK) -> SignalArray:
    """Return the signals of walking devices, in order of time; devices are numbered from 0."""
    return walk_with_truth(plan, seed, how)[0]


def walk_with_truth(plan: StorePlan, seed: int, how: Walk = WALK) -> tuple[SignalArray, NDArray[np.int64]]:
    """Return the signals of walking devices and the zone each was sent from."""
    rng = np.random.default_rng([seed, 1])
    anchors = np.array([[a.x if a.x is not None else 8.0 * i, a.y or 0.0] for i, a in enumerate(plan.anchors)])
    homes = [
        anchors[[i for i, a in enumerate(plan.anchors) if a.zone == zone.id] or [0]].mean(axis=0)
        for zone in plan.zones
    ]
    rows: list[tuple[int, int, int, int]] = []
    truth: list[int] = []
    for device in range(how.devices):
        at = START_NS + int(rng.uniform(0, 20e9))
        for _ in range(how.stays):
            zone = int(rng.integers(len(plan.zones)))
            ends = at + int(rng.exponential(how.stay_s) * 1e9)
            while at < ends:
                at += int(rng.uniform(0.8, 1.2) * how.advert_s * 1e9)
                metres = np.hypot(*(anchors - homes[zone] - rng.normal(0, 1.5, 2)).T)
                level = -62 + how.offset_db - 10 * how.path_loss * np.log10(np.maximum(metres, 1))
                level = level + rng.normal(0, how.noise_db, len(anchors))
                hearing = np.flatnonzero((level > -92) & (rng.random(len(anchors)) >= how.loss))
                delay_ns = rng.integers(0, 30_000_000, len(hearing))
                rows.extend(
                    (at + int(delay), device, int(anchor), round(level[anchor]))
                    for anchor, delay in zip(hearing, delay_ns, strict=True)
                )
                truth.extend([zone] * len(hearing))
            if how.absences:
                at += int(rng.choice([0, 30e9, 59.9e9, 60e9, 60.1e9, 200e9]))
    signals = np.array(rows, SIGNAL)
    order = np.argsort(signals["ts"], kind="stable")
    return signals[order], np.array(truth, np.int64)[order]


def rest(
    plan: StorePlan,
    seed: int,
    devices: NDArray[np.int64],
    *,
    lasts_s: float,
    offset_db: float,
    advert_s: float = 2.0,
) -> SignalArray:
    """Return the signals of devices that lie where they are, zone after zone; each keeps one shadowing."""
    rng = np.random.default_rng([seed, 4])
    anchors = np.array([(a.x, a.y) for a in plan.anchors], np.float64)
    parts = []
    for number, device in enumerate(devices):
        home = anchors[[a.zone == plan.zones[number % len(plan.zones)].id for a in plan.anchors]].mean(axis=0)
        metres = np.hypot(*(anchors - home - rng.normal(0, 1.5, 2)).T)
        level = -62 + offset_db - 24 * np.log10(np.maximum(metres, 1)) + rng.normal(0, 3, len(anchors))
        times = START_NS + (np.arange(0, lasts_s, advert_s) * 1e9).astype(np.int64)
        heard = level + rng.normal(0, 4, (len(times), len(anchors)))
        step, anchor = np.nonzero((heard > -92) & (rng.random(heard.shape) >= 0.2))
        made = np.zeros(len(step), SIGNAL)
        made["ts"] = times[step] + rng.integers(0, 30_000_000, len(step))
        made["device"], made["anchor"] = device, anchor
        made["rssi_dbm"] = np.round(heard[step, anchor])
        parts.append(made)
    return np.concatenate(parts)


def noise(plan: StorePlan, seed: int, signals: int, devices: int = 2, gap_s: float = 1.0) -> SignalArray:
    """Return signals without any sense: any anchor, any level, gaps from none to departures."""
    rng = np.random.default_rng([seed, 2])
    made = np.zeros(signals, SIGNAL)
    gap_us = rng.exponential(gap_s * 1e6, signals) * rng.choice([0, 0.01, 1, 1, 1, 30], signals)
    made["ts"] = START_NS + np.cumsum(gap_us.astype(np.int64)) * 1000
    made["device"] = rng.integers(0, devices, signals)
    made["anchor"] = rng.integers(0, len(plan.anchors), signals)
    made["rssi_dbm"] = rng.integers(-120, 21, signals)
    return made


def with_words(signals: SignalArray, seed: int, share: float = 0.15) -> SignalArray:
    """Return the signals with words of apps woven in: in place of readings, beside them, late after them, twice.

    A word shares the device and anchor of a reading, at its time, within its advertisement, or up to 91 s after it:
    about the departure timeout of 60 s, and that with the 30 s by which systems are late. A third of the words are
    followed by another one, as late again. So words also fall into silences and behind departures.
    """
    rng = np.random.default_rng([seed, 3])
    chosen = signals[rng.random(len(signals)) < share]
    late_us = np.array(
        [0, 1, 99_999, 100_000, 100_001, *(1_000_000 * np.array([20, 30, 40, 59, 60, 61, 75, 89, 90, 91]))]
    )
    chosen["ts"] += rng.choice(late_us, len(chosen)) * 1000
    chosen["rssi_dbm"] = rng.choice([APP_ENTER, APP_EXIT], len(chosen))
    again = chosen[rng.random(len(chosen)) < 1 / 3]
    again["ts"] += rng.choice(late_us, len(again)) * 1000
    kept = signals[rng.random(len(signals)) >= share / 2]
    both = np.concatenate([kept, chosen, chosen[: len(chosen) // 8], again])
    return both[np.argsort(both["ts"], kind="stable")]


def heard(signals: SignalArray, device: int) -> list[Heard]:
    """One device's signals as the oracle takes them."""
    own = signals[signals["device"] == device]
    return [Heard(int(s["ts"]) // 1000, int(s["anchor"]), int(s["rssi_dbm"])) for s in own]


__all__ = [
    "CELL_M",
    "START_NS",
    "Walk",
    "grid_plan",
    "heard",
    "noise",
    "prior_model",
    "pseudonyms",
    "random_model",
    "rest",
    "with_words",
]
