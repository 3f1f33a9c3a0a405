"""What a device sounds like at each spot: levels, detection and spread per (spot, anchor), as an artefact.

With them go the anchors' clocks (core.dwell.clocks), as they are learnt from the same signals.

Without a calibration `prior_model` gives sensible values from the floor plan alone: log-distance path loss
where places are known, two levels (own anchors, other anchors) where they are not.
"""

from dataclasses import dataclass
from hashlib import blake2b
from math import erf, hypot, log10, sqrt
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.dwell.clocks import Clocks, no_clocks
from core.dwell.places import check_outlines, check_places, outlines_of, places_of
from core.dwell.spots import SPOTS_PER_STORE, ZONE_RADIUS_M, Spot, spots_of
from core.errors import ModelError
from core.floorplan import Anchor, StorePlan

VERSION: Final = 3
UNCHECKED_VERSION: Final = 2
"""Read as well: models of live stores from before there was a checksum and the anchors' places."""

LEVEL_AT_1_M_DBM: Final = -62.0
"""Tags and phones are calibrated to about -59 dBm at one metre; a hand or pocket takes a few dB."""
PATH_LOSS: Final = 2.4
"""Exponent between free space (2) and furnished halls (3); shops measure 1.8 to 3.2."""
FLOOR_LOSS_DB: Final = 15.0
"""A concrete slab (ITU-R P.1238: 9 to 16 dB at 2.4 GHz)."""
OTHER_DISTANCE_M: Final = 9.0
"""How far the next zones' anchors are where a plan gives no places: one cell and a bit."""
DETECTION_OWN: Final = 0.8
"""Share of adverts an anchor hears from its own zone: 20% are lost to collisions and scanning gaps."""
DETECTION_BESIDE: Final = 0.5
"""The same for another anchor of the same zone at unknown distance."""
DETECTION_OTHER: Final = 0.3
"""The same for anchors of other zones at unknown distance: some are next door, most are out of reach."""
SENSITIVITY_DBM: Final = -92.0
"""Half of the adverts at this level are received; usual gateways."""
DETECTION_MIN: Final = 0.02
DETECTION_MAX: Final = 0.97
"""No anchor is certain to hear or not to hear."""
SPREAD_DB: Final = 6.0
"""Standard deviation of one reading about its zone's level: noise 4, shadowing 3, place in the zone 3.5."""
LEVELS_MIDDLE_DBM: Final = 50.0
LEVELS_REACH_DB: Final = 90.0
"""A mean level lies between -140 and 40 dBm: beyond all that is heard, by as much as shrinking may overshoot."""
SPREAD_DB_LEAST: Final = 0.5
"""Readings are whole dBm, and nothing holds still to less."""
CLOCK_AHEAD_MAX_US: Final = 1 << 40
"""Twelve days, far more than can be found; keeps corrected times in 64 bits."""
CLOCK_DRIFT_MAX_PPB: Final = 10_000_000
"""A hundredth: no clock is so bad."""
CLOCK_AT_MAX_US: Final = 1 << 52
"""The year 2112."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One store's calibration; made by `prior_model`, `calibrate` or `load`.

    A zone is one or more spots (core.dwell.spots): places in it that sound alike, usually one per anchor. `spot_zone`
    int16, shape (spots,), says which zone each belongs to. `level_dbm` and `detection` are float32, shape (spots,
    anchors): the mean RSSI of a reading and the probability that an advert is heard at all. `spread_db` is one
    standard deviation for all. `decodable` is bool, shape (zones,): False for a zone that no anchor covers and whose
    place is not known; such a zone is never reported (it would otherwise win whenever everything is heard weakly).
    `clocks` is None where they were not compared; `survey_signals` is how many signals survey points labelled.
    `places` is where the anchors stood, `outlines` the outlines over which spots are laid (core.dwell.places), None
    where that is not known.
    """

    spot_zone: NDArray[np.int16]
    level_dbm: NDArray[np.float32]
    detection: NDArray[np.float32]
    spread_db: float
    decodable: NDArray[np.bool_]
    origin: Literal["prior", "calibrated"]
    signals: int
    plan_fingerprint: bytes
    clocks: Clocks | None = None
    survey_signals: int = 0
    places: NDArray[np.float64] | None = None
    outlines: NDArray[np.float64] | None = None


class _Version(msgspec.Struct, frozen=True):
    version: int


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    plan: bytes
    anchors: int
    spot_zone: bytes
    level_dbm: bytes
    detection: bytes
    spread_db: float
    decodable: bytes
    origin: Literal["prior", "calibrated"]
    signals: int
    survey_signals: int
    clock_ahead_us: bytes  # this and the next two are empty where clocks were not compared
    clock_drift_ppb: bytes
    clock_known: bytes
    clock_at_us: int
    places: bytes = b""
    outlines: bytes = b""  # only where there are any: models from before know no such field
    checksum: bytes = b""  # over all the rest


def plan_fingerprint(plan: StorePlan) -> bytes:
    """Return 16 bytes over what a model depends on: the ids of zones and anchors, in order, and what they cover."""
    told = [
        plan.id,
        [zone.id for zone in plan.zones],
        [[anchor.id, anchor.zone, *anchor.covers] for anchor in plan.anchors],
    ]
    return blake2b(msgspec.json.encode(told), digest_size=16).digest()


def prior_model(plan: StorePlan) -> Model:
    """Return the model to start from when nothing has been heard yet.

    Parameters
    ----------
    plan : StorePlan
        Places of anchors (x, y) and outlines of zones are used where given.

    Returns
    -------
    Model
        `origin` is "prior".

    Raises
    ------
    ModelError
        If no zone at all could ever be told apart because none is covered (a plan cannot be so today,
        every anchor stands in a zone).
    """
    spots = spots_of(plan)
    level_dbm = np.empty((len(spots), len(plan.anchors)), np.float32)
    detection = np.empty_like(level_dbm)
    for row, spot in enumerate(spots):
        for column, anchor in enumerate(plan.anchors):
            level, heard = _expect(spot, anchor, plan.zones[spot.zone].id)
            level_dbm[row, column] = max(level, SENSITIVITY_DBM)  # only what is received is read
            detection[row, column] = min(max(heard, DETECTION_MIN), DETECTION_MAX)
    decodable = np.zeros(len(plan.zones), np.bool_)
    for spot in spots:
        decodable[spot.zone] |= bool(spot.anchors or spot.places)
    spot_zone = np.array([spot.zone for spot in spots], np.int16)
    return Model(
        spot_zone=spot_zone,
        level_dbm=level_dbm,
        detection=detection,
        spread_db=SPREAD_DB,
        decodable=decodable,
        origin="prior",
        signals=0,
        plan_fingerprint=plan_fingerprint(plan),
        places=places_of(plan),
        outlines=outlines_of(plan, spot_zone),
    )


def dump(model: Model) -> bytes:
    """Return a model as bytes, the same bytes for the same model."""
    clocks = model.clocks if model.clocks is not None else no_clocks(0)
    stored = _Stored(
        VERSION,
        model.plan_fingerprint,
        model.level_dbm.shape[1],
        model.spot_zone.astype("<i2").tobytes(),
        model.level_dbm.astype("<f4").tobytes(),
        model.detection.astype("<f4").tobytes(),
        model.spread_db,
        model.decodable.astype("u1").tobytes(),
        model.origin,
        model.signals,
        model.survey_signals,
        clocks.ahead_us.astype("<i8").tobytes(),
        clocks.drift_ppb.astype("<i8").tobytes(),
        clocks.known.astype("u1").tobytes(),
        clocks.at_us,
        b"" if model.places is None else model.places.astype("<f8").tobytes(),
        b"" if model.outlines is None else model.outlines.astype("<f8").tobytes(),
    )
    return _encoded(stored, _checksum(stored))


def _encoded(stored: _Stored, checksum: bytes) -> bytes:
    told = msgspec.structs.asdict(stored) | {"checksum": checksum}
    if not stored.outlines:
        del told["outlines"]
    return msgspec.msgpack.encode(told)


def _checksum(stored: _Stored) -> bytes:
    return blake2b(_encoded(stored, b""), digest_size=16).digest()


def load(data: bytes, plan: StorePlan) -> Model:
    """Read a model and check that it belongs to a plan.

    Raises
    ------
    ModelError
        If it is torn or was changed, is of another version, was made for other zones or anchors or for other places
        of them, or holds impossible values.
    """
    try:
        version = msgspec.msgpack.decode(data, type=_Version).version
        if version not in (VERSION, UNCHECKED_VERSION):  # said first: another version has other fields
            raise ModelError(f"The model is of version {version}, not {VERSION}.", hint="Calibrate again.")
        stored = msgspec.msgpack.decode(data, type=_Stored)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"The model cannot be read: {error}.", hint="Calibrate again.") from error
    if stored.checksum != (_checksum(stored) if version == VERSION else b""):
        raise ModelError(
            "The model was damaged or changed since it was written: its checksum is another one.",
            hint="Copy it again from where it came, or calibrate again.",
        )
    if stored.plan != plan_fingerprint(plan) or stored.anchors != len(plan.anchors):
        raise ModelError(
            f"The model was made for another floor plan than store {plan.id!r} has now.", hint="Calibrate again."
        )
    spots = len(stored.spot_zone) // 2
    shape = (spots, stored.anchors)
    sizes = (len(stored.spot_zone), len(stored.level_dbm), len(stored.detection), len(stored.decodable))
    if sizes != (2 * spots, 4 * spots * stored.anchors, 4 * spots * stored.anchors, len(plan.zones)):
        raise ModelError("The model's arrays do not have the plan's size.", hint="Calibrate again.")
    spot_zone = np.frombuffer(stored.spot_zone, "<i2").astype(np.int16)
    level_dbm = np.frombuffer(stored.level_dbm, "<f4").reshape(shape).astype(np.float32)
    detection = np.frombuffer(stored.detection, "<f4").reshape(shape).astype(np.float32)
    decodable = np.frombuffer(stored.decodable, "u1").astype(np.bool_)
    if not (1 <= spots <= SPOTS_PER_STORE and set(spot_zone.tolist()) == set(range(len(plan.zones)))):
        raise ModelError("The model's spots do not lie in the plan's zones.", hint="Calibrate again.")
    if not (
        np.isfinite(level_dbm).all()
        and (np.abs(level_dbm + LEVELS_MIDDLE_DBM) <= LEVELS_REACH_DB).all()
        and ((detection > 0) & (detection < 1)).all()
        and SPREAD_DB_LEAST <= stored.spread_db < 100
    ):
        raise ModelError("The model holds values that cannot be.", hint="Calibrate again.")
    if not decodable.any():
        raise ModelError("The model can decode no zone.", hint="Calibrate again.")
    places = _places(stored)
    if places is not None:
        check_places(places, plan)
    outlines = _outlines(stored)
    if outlines is not None:
        check_outlines(outlines, plan, spot_zone)
    return Model(
        spot_zone=spot_zone,
        level_dbm=level_dbm,
        detection=detection,
        spread_db=stored.spread_db,
        decodable=decodable,
        origin=stored.origin,
        signals=stored.signals,
        plan_fingerprint=stored.plan,
        clocks=_clocks(stored),
        survey_signals=stored.survey_signals,
        places=places,
        outlines=outlines,
    )


def _places(stored: _Stored) -> NDArray[np.float64] | None:
    if not stored.places:
        return None
    if len(stored.places) != 3 * 8 * stored.anchors:
        raise ModelError("The model's arrays do not have the plan's size.", hint="Calibrate again.")
    return np.frombuffer(stored.places, "<f8").reshape(stored.anchors, 3).astype(np.float64)


def _outlines(stored: _Stored) -> NDArray[np.float64] | None:
    if not stored.outlines:
        return None
    if len(stored.outlines) % (3 * 8):
        raise ModelError("The model's arrays do not have the plan's size.", hint="Calibrate again.")
    return np.frombuffer(stored.outlines, "<f8").reshape(-1, 3).astype(np.float64)


def _clocks(stored: _Stored) -> Clocks | None:
    sizes = (len(stored.clock_ahead_us), len(stored.clock_drift_ppb), len(stored.clock_known))
    if not any(sizes):
        return None
    if sizes != (8 * stored.anchors, 8 * stored.anchors, stored.anchors):
        raise ModelError("The model's arrays do not have the plan's size.", hint="Calibrate again.")
    clocks = Clocks(
        np.frombuffer(stored.clock_ahead_us, "<i8").astype(np.int64),
        np.frombuffer(stored.clock_drift_ppb, "<i8").astype(np.int64),
        np.frombuffer(stored.clock_known, "u1").astype(np.bool_),
        stored.clock_at_us,
    )
    if not (
        (np.abs(clocks.ahead_us) <= CLOCK_AHEAD_MAX_US).all()
        and (np.abs(clocks.drift_ppb) <= CLOCK_DRIFT_MAX_PPB).all()
        and 0 <= clocks.at_us <= CLOCK_AT_MAX_US
    ):
        raise ModelError("The model holds values that cannot be.", hint="Calibrate again.")
    return clocks


def never_reported(plan: StorePlan, model: Model) -> tuple[str, ...]:
    """Return the ids of zones that are never reported, because no anchor covers them and no place is known."""
    able = model.decodable.copy()
    for place in np.flatnonzero(model.decodable).tolist():
        able[list(plan.around[place])] = True  # who is in a zone is in those around it
    return tuple(zone.id for zone, told in zip(plan.zones, able, strict=True) if not told)


def check_fits(model: Model, plan: StorePlan) -> None:
    """Raise ModelError unless the model was made for this plan, anchors and outlines as they are in it."""
    shape = (len(model.spot_zone), len(plan.anchors))
    if model.plan_fingerprint != plan_fingerprint(plan) or model.level_dbm.shape != shape:
        raise ModelError(f"The model was made for another floor plan than that of store {plan.id!r}.")
    if model.places is not None:
        check_places(model.places, plan)
    if model.outlines is not None:
        check_outlines(model.outlines, plan, model.spot_zone)


def _expect(spot: Spot, anchor: Anchor, zone: str) -> tuple[float, float]:
    """Mean level in dBm and probability of detection of an anchor at a spot."""
    covers = anchor.zone == zone or zone in anchor.covers
    if spot.places and anchor.x is not None and anchor.y is not None:
        metres = [hypot(anchor.x - x, anchor.y - y, spot.radius_m) for x, y in spot.places]
        level = sum(map(_path_loss, metres)) / len(metres) - FLOOR_LOSS_DB * _floors_between(spot, anchor)
        if covers and anchor.zone != zone:
            level = max(level, _path_loss(ZONE_RADIUS_M))  # said to serve that zone as well as its own
        return level, DETECTION_OWN * _received(level)
    if anchor.id in spot.anchors:
        return _path_loss(ZONE_RADIUS_M), DETECTION_OWN
    return _path_loss(OTHER_DISTANCE_M), DETECTION_BESIDE if covers else DETECTION_OTHER


def _floors_between(spot: Spot, anchor: Anchor) -> int:
    if anchor.floor is None or not spot.floors:
        return 0
    return min(abs(anchor.floor - floor) for floor in spot.floors)


def _path_loss(metres: float) -> float:
    return LEVEL_AT_1_M_DBM - 10 * PATH_LOSS * log10(max(metres, 1.0))


def _received(level_dbm: float) -> float:
    """Share of readings about a level that lie above the sensitivity, for a normal spread."""
    return 0.5 * (1 + erf((level_dbm - SENSITIVITY_DBM) / (SPREAD_DB * sqrt(2))))
