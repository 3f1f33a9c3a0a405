"""What a device sounds like in each zone: levels, detection and spread per (zone, anchor), as an artefact.

Without a calibration `prior_model` gives sensible values from the floor plan alone: log-distance path loss
where places are known, two levels (own anchors, other anchors) where they are not.
"""

from dataclasses import dataclass
from hashlib import blake2b
from math import erf, log10, pi, sqrt
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.floorplan import StorePlan, Zone

VERSION: Final = 1

LEVEL_AT_1_M_DBM: Final = -62.0
"""Tags and phones are calibrated to about -59 dBm at one metre; a hand or pocket takes a few dB."""
PATH_LOSS: Final = 2.4
"""Exponent between free space (2) and furnished halls (3); shops measure 1.8 to 3.2."""
FLOOR_LOSS_DB: Final = 15.0
"""A concrete slab (ITU-R P.1238: 9 to 16 dB at 2.4 GHz)."""
ZONE_RADIUS_M: Final = 3.0
"""Mean distance from the centre of a cell of 8 m, where a plan draws no outline."""
OTHER_DISTANCE_M: Final = 9.0
"""How far the next zones' anchors are where a plan gives no places: one cell and a bit."""
DETECTION_OWN: Final = 0.8
"""Share of adverts an anchor hears from its own zone: 20% are lost to collisions and scanning gaps."""
DETECTION_OTHER: Final = 0.3
"""The same for anchors of other zones at unknown distance: some are next door, most are out of reach."""
SENSITIVITY_DBM: Final = -92.0
"""Half of the adverts at this level are received; usual gateways."""
DETECTION_MIN: Final = 0.02
DETECTION_MAX: Final = 0.97
"""No anchor is certain to hear or not to hear."""
SPREAD_DB: Final = 6.0
"""Standard deviation of one reading about its zone's level: noise 4, shadowing 3, place in the zone 3.5."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One store's calibration; made by `prior_model`, `calibrate` or `load`.

    `level_dbm` and `detection` are float32, shape (zones, anchors): the mean RSSI of a reading and the
    probability that an advert is heard at all. `spread_db` is one standard deviation for all.
    `decodable` is bool, shape (zones,): False for a zone that no anchor covers and whose place is not
    known; such a zone is never reported (it would otherwise win whenever everything is heard weakly).
    """

    level_dbm: NDArray[np.float32]
    detection: NDArray[np.float32]
    spread_db: float
    decodable: NDArray[np.bool_]
    origin: Literal["prior", "calibrated"]
    signals: int
    plan_fingerprint: bytes


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    plan: bytes
    zones: int
    anchors: int
    level_dbm: bytes
    detection: bytes
    spread_db: float
    decodable: bytes
    origin: Literal["prior", "calibrated"]
    signals: int


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
    covered = plan.coverage
    distance_m = _distances(plan)
    level_dbm = np.empty(covered.shape, np.float32)
    detection = np.empty(covered.shape, np.float32)
    for zone, anchor in np.ndindex(covered.shape):
        metres = float(distance_m[zone, anchor])
        if np.isnan(metres):
            metres = ZONE_RADIUS_M if covered[zone, anchor] else OTHER_DISTANCE_M
            heard = DETECTION_OWN if covered[zone, anchor] else DETECTION_OTHER
            level = _path_loss(metres)
        else:
            level = _path_loss(metres) - FLOOR_LOSS_DB * _floors_between(plan, zone, anchor)
            heard = DETECTION_OWN * _received(level)
        level_dbm[zone, anchor] = max(level, SENSITIVITY_DBM)  # only what is received is read
        detection[zone, anchor] = min(max(heard, DETECTION_MIN), DETECTION_MAX)
    decodable = np.logical_or(covered.any(axis=1), ~np.isnan(distance_m).all(axis=1))
    if not decodable.any():
        raise ModelError("No zone of this plan is covered by an anchor.", hint="Give at least one anchor a zone.")
    return Model(
        level_dbm=level_dbm,
        detection=detection,
        spread_db=SPREAD_DB,
        decodable=decodable,
        origin="prior",
        signals=0,
        plan_fingerprint=plan_fingerprint(plan),
    )


def dump(model: Model) -> bytes:
    """Return a model as bytes, the same bytes for the same model."""
    zones, anchors = model.level_dbm.shape
    return msgspec.msgpack.encode(
        _Stored(
            VERSION,
            model.plan_fingerprint,
            zones,
            anchors,
            model.level_dbm.astype("<f4").tobytes(),
            model.detection.astype("<f4").tobytes(),
            model.spread_db,
            model.decodable.astype("u1").tobytes(),
            model.origin,
            model.signals,
        )
    )


def load(data: bytes, plan: StorePlan) -> Model:
    """Read a model and check that it belongs to a plan.

    Raises
    ------
    ModelError
        If it is torn, of another version, made for other zones or anchors, or holds impossible values.
    """
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ModelError(f"The model cannot be read: {error}.", hint="Calibrate again.") from error
    if stored.version != VERSION:
        raise ModelError(f"The model is of version {stored.version}, not {VERSION}.", hint="Calibrate again.")
    shape = (len(plan.zones), len(plan.anchors))
    if stored.plan != plan_fingerprint(plan) or (stored.zones, stored.anchors) != shape:
        raise ModelError(
            f"The model was made for another floor plan than store {plan.id!r} has now.", hint="Calibrate again."
        )
    cells = shape[0] * shape[1]
    sizes = (len(stored.level_dbm), len(stored.detection), len(stored.decodable))
    if sizes != (4 * cells, 4 * cells, shape[0]):
        raise ModelError("The model's arrays do not have the plan's size.", hint="Calibrate again.")
    level_dbm = np.frombuffer(stored.level_dbm, "<f4").reshape(shape).astype(np.float32)
    detection = np.frombuffer(stored.detection, "<f4").reshape(shape).astype(np.float32)
    decodable = np.frombuffer(stored.decodable, "u1").astype(np.bool_)
    if not (
        np.isfinite(level_dbm).all() and ((detection > 0) & (detection < 1)).all() and 0 < stored.spread_db < 100
    ):
        raise ModelError("The model holds values that cannot be.", hint="Calibrate again.")
    if not decodable.any():
        raise ModelError("The model can decode no zone.", hint="Calibrate again.")
    return Model(
        level_dbm=level_dbm,
        detection=detection,
        spread_db=stored.spread_db,
        decodable=decodable,
        origin=stored.origin,
        signals=stored.signals,
        plan_fingerprint=stored.plan,
    )


def check_fits(model: Model, plan: StorePlan) -> None:
    """Raise ModelError unless the model was made for this plan."""
    shape = (len(plan.zones), len(plan.anchors))
    if model.plan_fingerprint != plan_fingerprint(plan) or model.level_dbm.shape != shape:
        raise ModelError(f"The model was made for another floor plan than that of store {plan.id!r}.")


def _distances(plan: StorePlan) -> NDArray[np.float64]:
    """Root mean square distance in metres from a zone's points to each anchor; NaN where a place is unknown."""
    metres = np.full((len(plan.zones), len(plan.anchors)), np.nan)
    for row, zone in enumerate(plan.zones):
        place = _place(plan, zone)
        if place is None:
            continue
        x, y, radius = place
        for column, anchor in enumerate(plan.anchors):
            if anchor.x is not None and anchor.y is not None:
                metres[row, column] = sqrt((anchor.x - x) ** 2 + (anchor.y - y) ** 2 + radius**2)
    return metres


def _place(plan: StorePlan, zone: Zone) -> tuple[float, float, float] | None:
    """Centre and mean radius of a zone from its outline, else the mean place of the anchors that stand in it."""
    if zone.outline is not None and len(zone.outline) >= 3:
        return _outline_place(np.array(zone.outline, np.float64))
    standing = [(a.x, a.y) for a in plan.anchors if a.zone == zone.id and a.x is not None and a.y is not None]
    if not standing:
        return None
    x, y = np.array(standing, np.float64).mean(axis=0)
    return float(x), float(y), ZONE_RADIUS_M


def _outline_place(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """Centroid of a polygon (shoelace formula) and two thirds of the radius of the circle of its area."""
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    doubled = float(cross.sum())
    if abs(doubled) < 1e-9:
        x, y = points.mean(axis=0)
        return float(x), float(y), ZONE_RADIUS_M
    x, y = ((points + following) * cross[:, None]).sum(axis=0) / (3 * doubled)
    return float(x), float(y), 2 / 3 * sqrt(abs(doubled) / 2 / pi)


def _floors_between(plan: StorePlan, zone: int, anchor: int) -> int:
    there = plan.anchors[anchor].floor
    here = {a.floor for a in plan.anchors if a.zone == plan.zones[zone].id and a.floor is not None}
    if there is None or not here:
        return 0
    return min(abs(there - floor) for floor in here)


def _path_loss(metres: float) -> float:
    return LEVEL_AT_1_M_DBM - 10 * PATH_LOSS * log10(max(metres, 1.0))


def _received(level_dbm: float) -> float:
    """Share of readings about a level that lie above the sensitivity, for a normal spread."""
    return 0.5 * (1 + erf((level_dbm - SENSITIVITY_DBM) / (SPREAD_DB * sqrt(2))))
