"""A model as integer tables: what one reading says about each zone.

All scores are whole numbers of quanta (1/256 nat), so that every sum is exact: kernels, the slow oracle and any
machine agree to the last bit, whatever the order of addition.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.model import Model
from core.dwell.settings import Settings

QUANTA: Final = 256
"""Per nat. A 16-bit row entry then spans +-128 nats, and rounding stays below 1/500 nat."""
RSSI_FLOOR_DBM: Final = -115
RSSI_ROWS: Final = 100
"""Table rows for -115..-16 dBm; readings outside take the nearest row, where the cap rules anyway."""
MISFIT_NATS_MAX: Final = 8.0
"""A reading 4 spreads off its level (8 nats) is a fault or a reflection; beyond that it says nothing more."""
UNDECODABLE: Final = -(1 << 20)
"""Quanta per step against zones that cannot be decoded and against the padding lanes."""
GAP_BINS: Final = 8192
GAP_SHIFT: Final = 17
"""Penalties are tabled by the gap in units of 2**17 microseconds (131 ms), up to 18 minutes."""
LEAD_SHIFT: Final = 5
LEAD_BINS: Final = 64
OFFSET_UNITS: Final = 8
"""Offsets of devices are learnt in eighths of a dB."""
SURE_UNIT: Final = 64
"""The probability of the leading zone is tabled in 64ths by its lead in eighths of a nat, up to 8 nats."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What kernels read.

    A lane is a spot of a zone (core.dwell.model); `zone_of` int32 (lanes,) says of which, -1 for padding.
    `level` int16 (anchors, RSSI_ROWS, lanes): quanta for hearing an anchor at a level.
    `expected` int16 (anchors, lanes): that level itself, eighths of a dB.
    `silence` int32 (lanes,): quanta per step before anything is heard. `penalty` int32 (GAP_BINS,):
    quanta that leaving a spot costs, by gap. `posterior` int32 (LEAD_BINS,): 64ths of certainty by lead.
    `lanes` is the number of spots rounded up to a power of two of at least 8.
    """

    level: NDArray[np.int16]
    silence: NDArray[np.int32]
    penalty: NDArray[np.int32]
    posterior: NDArray[np.int32]
    expected: NDArray[np.int16]
    zone_of: NDArray[np.int32]

    @property
    def lanes(self) -> int:
        """Scores kept per device."""
        return len(self.silence)


def lanes_for(spots: int) -> int:
    """Return the number of lanes kernels use for so many zones: few sizes, so that few are compiled."""
    return max(8, 1 << (spots - 1).bit_length())


def tables(model: Model, settings: Settings) -> Tables:
    """Turn a model into integer tables.

    The score of a spot for one advert is the sum over anchors of the log-likelihood of what each heard: a normal
    density about the level with bounded misfit, plus the weighted log-odds of being heard; the constant of
    hearing nothing at all goes to `silence`.
    """
    spots, anchors = model.level_dbm.shape
    lanes = lanes_for(spots)
    rows_dbm = RSSI_FLOOR_DBM + np.arange(RSSI_ROWS, dtype=np.float64)
    weight = settings.evidence_weight
    heard = np.log(model.detection.astype(np.float64))
    missed = np.log1p(-model.detection.astype(np.float64))
    level = np.zeros((anchors, RSSI_ROWS, lanes), np.int16)
    for anchor in range(anchors):
        away = (rows_dbm[:, None] - model.level_dbm[None, :, anchor].astype(np.float64)) / model.spread_db
        nats = -np.minimum(away**2 / 2, MISFIT_NATS_MAX) + weight * (heard[:, anchor] - missed[:, anchor])
        level[anchor, :, :spots] = np.rint(QUANTA * nats)
    silence = np.full(lanes, UNDECODABLE, np.int32)
    quiet = np.rint(QUANTA * weight * missed.sum(axis=1)).astype(np.int32)
    able = model.decodable[model.spot_zone]
    silence[:spots][able] = quiet[able]
    expected = np.zeros((anchors, lanes), np.int16)
    expected[:, :spots] = np.rint(OFFSET_UNITS * model.level_dbm.T)
    zone_of = np.full(lanes, -1, np.int32)
    zone_of[:spots] = model.spot_zone
    return Tables(level, silence, _penalties(int(able.sum()), settings), _posteriors(settings), expected, zone_of)


def _penalties(spots: int, settings: Settings) -> NDArray[np.int32]:
    """Cost of leaving: ln(spots / P(left within the gap)), the gap taken at the middle of its bin."""
    gap_s = (np.arange(GAP_BINS) + 0.5) * (1 << GAP_SHIFT) / 1e6
    chance = np.minimum(gap_s / settings.stay_mean_s, 0.9)
    cost: NDArray[np.int32] = np.rint(QUANTA * np.log(max(spots, 2) / chance)).astype(np.int32)
    return cost


def _posteriors(settings: Settings) -> NDArray[np.int32]:
    """Certainty that the leader is right against the runner-up: the logistic of the tempered lead."""
    lead_nats = (np.arange(LEAD_BINS) + 0.5) * (1 << LEAD_SHIFT) / QUANTA
    certainty: NDArray[np.int32] = np.rint(SURE_UNIT / (1 + np.exp(-lead_nats / settings.lead_nats))).astype(np.int32)
    return certainty
