"""Survey points: somebody stood in a zone with a device and wrote it down. They pin labels while calibrating."""

from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.dwell.model import Model
from core.errors import SurveyError
from core.limits import NS_PER_US

SURVEY: Final = np.dtype(
    [
        ("begins_at", "<i8"),  # ns, in the store's time
        ("ends_at", "<i8"),  # ns, no longer there
        ("device", "<i4"),  # dense index, as in the signals
        ("zone", "<i2"),  # index into StorePlan.zones
        ("reserved", "V2"),
    ],
)
"""One survey point: a device was in a zone from one time to another; 24 bytes."""
SurveyArray: TypeAlias = NDArray[Any]
"""One-dimensional array of dtype SURVEY."""
NOWHERE: Final[SurveyArray] = np.zeros(0, SURVEY)

WEIGHT: Final = 20.0
"""What a surveyed signal counts for: its label is certain, so that ten seconds of an advert a second weigh as much as
the prior (200 pseudo-signals), and a minute outweighs what a wrong plan makes of it."""
STRETCH_US: Final = 10_000_000
"""A surveyor who walks about a hall is at another of its anchors after ten seconds."""
MISFIT_MAX: Final = 16.0
"""Squared spreads; one reading of a reflection does not choose the spot."""
ZONE_SIGNALS_LEAST: Final = 100
"""So many signals make a zone decodable that no anchor covers: half of what moves a level half-way from nothing."""


def pin(
    survey: SurveyArray, signals: NDArray[Any], model: Model, spot: NDArray[np.int64], weight: NDArray[np.float64]
) -> int:
    """Label the signals of survey points in place, each stretch with the spot of its zone that fits best.

    Parameters
    ----------
    survey : SURVEY, shape (k,)
    signals : SIGNAL, shape (n,)
        `ts` in microseconds of the store's time, sorted by device and time.
    model : Model
    spot, weight : int64, float64, shape (n,)
        Changed where a survey point says so.

    Returns
    -------
    int
        How many signals were labelled.

    Raises
    ------
    SurveyError
        If a device was said to be in two zones at once.
    """
    pinned = np.zeros(len(signals), np.bool_)
    for point, rows in zip(survey, _rows(survey, signals), strict=True):
        if pinned[rows].any():
            raise SurveyError("The survey has a device in two places at once.")
        pinned[rows] = True
        spots = np.flatnonzero(model.spot_zone == point["zone"])
        inside = signals[rows]
        stretch = (inside["ts"] - point["begins_at"] // NS_PER_US) // STRETCH_US
        away = (inside["rssi_dbm"][:, None] - model.level_dbm[spots][:, inside["anchor"]].T) / model.spread_db
        odds = np.log(model.detection[spots]) - np.log1p(-model.detection[spots])
        nats = odds[:, inside["anchor"]].T - np.minimum(away**2, MISFIT_MAX) / 2
        _, place = np.unique(stretch, return_inverse=True)
        fit = np.zeros((int(place.max(initial=-1)) + 1, len(spots)))
        np.add.at(fit, place, nats)
        spot[rows] = spots[fit.argmax(axis=1)][place]
        weight[rows] = WEIGHT
    return int(pinned.sum())


def decodable_with(survey: SurveyArray, signals: NDArray[Any], model: Model) -> Model:
    """Return the model with those zones decodable that no anchor covers but that were surveyed well.

    signals : SIGNAL in microseconds, in any order
    """
    if not len(survey):
        return model
    by_device = signals[np.lexsort((signals["ts"], signals["device"]))]
    heard = np.zeros(len(model.decodable), np.int64)
    for point, rows in zip(survey, _rows(survey, by_device), strict=True):
        heard[point["zone"]] += rows.stop - rows.start
    return replace(model, decodable=model.decodable | (heard >= ZONE_SIGNALS_LEAST))


def _rows(survey: SurveyArray, signals: NDArray[Any]) -> list[slice]:
    """Which signals (sorted by device and time) belong to each survey point."""
    found = []
    for point in survey:
        begin, end = np.searchsorted(signals["device"], [point["device"], point["device"] + 1])
        at = signals["ts"][begin:end]
        first = int(np.searchsorted(at, point["begins_at"] // NS_PER_US))
        last = int(np.searchsorted(at, point["ends_at"] // NS_PER_US))
        found.append(slice(int(begin) + first, int(begin) + max(first, last)))
    return found
