"""A model as integer tables: what one reading says about each zone.

All scores are whole numbers of quanta (1/64 nat), so that every sum is exact: kernels, the slow oracle and any
machine agree to the last bit, whatever the order of addition.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.dwell.model import Model
from core.dwell.places import neighbours
from core.dwell.settings import Settings
from core.limits import NS_PER_US

QUANTA: Final = 64
"""Per nat. 16 bits then span +-512 nats, which 16 signals of one advertisement cannot leave; a reading is rounded by
less than 1/100 nat, where its spread makes it uncertain by half a nat."""
RSSI_FLOOR_DBM: Final = -115
RSSI_ROWS: Final = 100
"""Table rows for -115..-16 dBm; readings outside take the nearest row, where the cap rules anyway."""
EVENT_ROWS: Final = 2
"""Behind them, what it says that an app entered (first) or left (second) the region of a beacon."""
MISFIT_NATS_MAX: Final = 8.0
"""A reading 4 spreads off its level (8 nats) is a fault or a reflection; beyond that it says nothing more."""
SILENCE_FLOOR: Final = -(1 << 13)
"""The least quanta a step that hearing nothing may say; zones that cannot be decoded and padding lanes stay there."""
LANES_STEP: Final = 16
"""Lanes come in multiples of this: 16 scores of 16 bits are one register of the processor."""
GAP_BINS: Final = 8192
GAP_SHIFT: Final = 17
"""Penalties are tabled by the gap in units of 2**17 microseconds (131 ms), up to 18 minutes."""
TOGETHER_MOST: Final = 64
"""Up to so many devices that fall silent at one are tabled; for more the bound grows with their number."""
DETECTION_SOME: Final = 0.3
"""Anchors that hear less than this of a spot may well be silent; their silence tells nothing about them. By the prior
it is 20 m, as far as one walks in a quarter of a minute."""
LEAD_SHIFT: Final = 3
LEAD_BINS: Final = 64
OFFSET_UNITS: Final = 8
"""Offsets of devices are learnt in eighths of a dB."""
SURE_UNIT: Final = 64
"""The probability of the leading zone is tabled in 64ths by its lead in eighths of a nat, up to 8 nats."""


class Tables(NamedTuple):
    """What kernels read.

    A lane is a spot of a zone (core.dwell.model); `zone_of` int16 (lanes,) says of which, -1 for padding; `able` bool
    (lanes,) is False for padding and for zones that cannot be decoded.
    `level` int16 (anchors, RSSI_ROWS + EVENT_ROWS, lanes): quanta for hearing an anchor at a level, and for what apps
    say.
    `expected` int16 (anchors, lanes): that level itself, eighths of a dB.
    `silence` int16 (lanes,): quanta per step before anything is heard, 0 for the quietest spot. `penalty` int32
    (GAP_BINS,): quanta that leaving a spot costs, by gap. `posterior` int32 (LEAD_BINS,): 64ths of certainty by lead.
    `missed` int32 (anchors, lanes) is each anchor's part of `silence`, `alarm` int32 (anchors, lanes) the quanta
    against an anchor's working that its silence to an advert from there is worth, 0 where it is not to be expected;
    `main` int32 (lanes,) the anchor that hears a spot best. `beside` bool (anchors, lanes) says to which anchors one
    gets from a spot before anybody else notices: those that hear the spot, and the neighbours of its main one and
    theirs, as who only crosses a zone is found in it half of the time; all spots of a zone alike. `together` int64
    (TOGETHER_MOST + 1,) tells, for so many devices beside the first that fall silent with it, up to which sum of
    windows (microseconds) they have not just left; -1: never. `lanes` is the number of spots rounded up to a
    multiple of LANES_STEP.
    """

    level: NDArray[np.int16]
    silence: NDArray[np.int16]
    penalty: NDArray[np.int32]
    posterior: NDArray[np.int32]
    expected: NDArray[np.int16]
    zone_of: NDArray[np.int16]
    able: NDArray[np.bool_]
    missed: NDArray[np.int32]
    alarm: NDArray[np.int32]
    main: NDArray[np.int32]
    beside: NDArray[np.bool_]
    together: NDArray[np.int64]

    @property
    def lanes(self) -> int:
        """Scores kept per device."""
        return len(self.silence)


def lanes_for(spots: int) -> int:
    """Return the number of lanes kernels use for so many spots: few sizes, so that few are compiled."""
    steps = -(-spots // LANES_STEP)
    return LANES_STEP * (steps if steps <= 4 else 1 << (steps - 1).bit_length())


def tables(model: Model, settings: Settings) -> Tables:
    """Turn a model into integer tables.

    The score of a spot for one advert is the sum over anchors of the log-likelihood of what each heard: a normal
    density about the level with bounded misfit, plus the weighted log-odds of being heard; the constant of
    hearing nothing at all goes to `silence`. An app that entered the region of a beacon heard it at an unknown level,
    one that left it does not hear it any more; neither says anything of other beacons.
    """
    spots, anchors = model.level_dbm.shape
    lanes = lanes_for(spots)
    weight = settings.evidence_weight
    heard = np.log(model.detection.astype(np.float64))
    missed = np.log1p(-model.detection.astype(np.float64))
    able = np.zeros(lanes, np.bool_)
    able[:spots] = model.decodable[model.spot_zone]
    quiet = np.zeros((anchors, lanes), np.int32)
    quiet[:, :spots] = np.rint(QUANTA * weight * missed.T)
    silence = _silence(quiet, able)
    alarm = np.zeros((anchors, lanes), np.int32)
    main = np.zeros(lanes, np.int32)
    main[:spots] = (model.detection + 1e-3 * model.level_dbm).argmax(axis=1)  # louder among equals
    hears = model.detection.T >= DETECTION_SOME
    own = np.arange(anchors)[:, None] == main[:spots]
    # how far an anchor reaches is a guess until it was learnt: until then only who is before it can miss it
    alarm[:, :spots] = np.rint(-QUANTA * missed.T) * (hears & own if model.origin == "prior" else hears)
    beside = np.zeros((anchors, lanes), np.bool_)
    beside[:, :spots] = hears
    if model.places is not None:
        near = neighbours(model.places).astype(np.float32)
        beside[:, :spots] |= (near + near @ near > 0)[:, main[:spots]]
    for zone in range(len(model.decodable)):
        spots_in = np.flatnonzero(model.spot_zone == zone)
        beside[:, spots_in] = beside[:, spots_in].any(axis=1, keepdims=True)
    expected = np.zeros((anchors, lanes), np.int16)
    expected[:, :spots] = np.rint(OFFSET_UNITS * model.level_dbm.T)
    zone_of = np.full(lanes, -1, np.int16)
    zone_of[:spots] = model.spot_zone
    level = np.zeros((anchors, RSSI_ROWS + EVENT_ROWS, lanes), np.int16)
    level[:, :RSSI_ROWS, :spots] = _readings(model, weight * (heard - missed))
    level[:, RSSI_ROWS, :spots] = np.rint(QUANTA * weight * heard.T) - silence[:spots]
    level[:, RSSI_ROWS + 1, :spots] = np.rint(QUANTA * weight * missed.T)
    level[:, :, ~able] = level[:, :, able].min(axis=2, keepdims=True)  # who cannot be decoded never catches up
    return Tables(
        level,
        silence,
        _penalties(int(model.decodable.sum()), settings),
        _posteriors(settings),
        expected,
        zone_of,
        able,
        quiet,
        alarm,
        main,
        beside,
        _together(settings),
    )


def _together(settings: Settings) -> NDArray[np.int64]:
    """Up to which sum of windows so many devices, beside a first one, leave within them too seldom to be believed.

    Each leaves within its window by the chance p of window to stay. That k of them do has at most the chance
    (sum of p)^k / k!, the sum over all k of them of what they do alone (Boole's inequality), however many there are.
    """
    stay_us = settings.together_stay_ns / NS_PER_US
    beside = range(2, TOGETHER_MOST + 1)
    sums = [math.exp((math.log(settings.together_chance) + math.lgamma(k + 1)) / k) for k in beside]
    return np.array([-1, -1, *(int(stay_us * total) for total in sums)], np.int64)


def _readings(model: Model, odds: NDArray[np.float64]) -> NDArray[np.int16]:
    """Quanta for hearing an anchor at a level, int16 (anchors, RSSI_ROWS, spots)."""
    rows_dbm = RSSI_FLOOR_DBM + np.arange(RSSI_ROWS, dtype=np.float64)
    away = (rows_dbm[None, :, None] - model.level_dbm.T.astype(np.float64)[:, None, :]) / model.spread_db
    nats = odds.T[:, None, :] - np.minimum(away**2 / 2, MISFIT_NATS_MAX)
    return np.rint(QUANTA * nats).astype(np.int16)


def _silence(quiet: NDArray[np.int32], able: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Return what hearing nothing says while all anchors work; also see watch_kernels.weigh_silence."""
    total = quiet.sum(axis=0)
    relative = np.maximum(total - total[able].max(), SILENCE_FLOOR)
    return np.where(able, relative, SILENCE_FLOOR).astype(np.int16)


def _penalties(zones: int, settings: Settings) -> NDArray[np.int32]:
    """Cost of leaving: ln(zones / P(left within the gap)), the gap taken at the middle of its bin.

    A zone does not become harder to enter by being made of many spots: the best of them counts, and one of them fits.
    """
    gap_s = (np.arange(GAP_BINS) + 0.5) * (1 << GAP_SHIFT) / 1e6
    chance = np.minimum(gap_s / settings.stay_mean_s, 0.9)
    cost: NDArray[np.int32] = np.rint(QUANTA * np.log(max(zones, 2) / chance)).astype(np.int32)
    return cost


def _posteriors(settings: Settings) -> NDArray[np.int32]:
    """Certainty that the leader is right against the runner-up: the logistic of the tempered lead."""
    lead_nats = (np.arange(LEAD_BINS) + 0.5) * (1 << LEAD_SHIFT) / QUANTA
    certainty: NDArray[np.int32] = np.rint(SURE_UNIT / (1 + np.exp(-lead_nats / settings.lead_nats))).astype(np.int32)
    return certainty
