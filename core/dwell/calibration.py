"""Calibration without a survey: the decoder labels the signals, the labels make the model, three times.

Hard (classification) EM, Celeux and Govaert, Comput. Stat. Data Anal. 14 (1992), 315, on the states of a sticky
path, with every estimate shrunk to what the floor plan alone suggests, so that little data changes little.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.dwell import calibration_kernels as kernels
from core.dwell.clocks import estimate_clocks_as_arrived, in_store_time
from core.dwell.decoder import Decoder
from core.dwell.emission import SURE_UNIT, tables
from core.dwell.levels import detection_of_store, levels_of_store
from core.dwell.model import DETECTION_MAX, DETECTION_MIN, Model, prior_model
from core.dwell.outages import block_of, working
from core.dwell.reorder import in_order_of_time
from core.dwell.settings import Settings
from core.dwell.survey import NOWHERE, SurveyArray, decodable_with, pin
from core.errors import InputError
from core.floorplan import StorePlan
from core.limits import NS_PER_US, RSSI_MAX_DBM
from core.records import ClosedBy, SignalArray

ROUNDS: Final = 3
"""Six gave no better visits than three."""
LEVEL_SIGNALS: Final = 200
"""A level moves half-way from its prior after so many signals: seven stays, whose shadowing then averages out."""
DETECTION_STEPS: Final = 20
"""The same for detection, in adverts: its prior is vague, and adverts are lost independently."""
OFFSET_SIGNALS: Final = 200
"""The same for a device's offset, which must not take up what belongs to the zones it was in."""
STAY_ADVERTS: Final = 30.0
"""What one stay counts for at most, and what all stays of one device at one spot do together. The adverts of a stay
share one place, one body and one shadowing: a quarter of an hour tells no more of how loud or how often a spot is
heard than the first half minute. All stays of a device share its own level (2 to 6 dB between makes; what it is, one
that was at few spots hardly tells), those of a tag that lies still place and shadowing too: twenty tell no more than
one."""
SPREAD_RANGE_DB: Final = (3.0, 12.0)
"""Below 3 dB a reading would be trusted more than receivers quantise and fade; above 12 nothing is decoded."""
SHADOWING_DB: Final = 3.5
"""Added in squares to the spread of the residuals: those are too small, as the labels were chosen to fit the signals,
and the readings of one stay err together by the shadowing of that place and body (3 to 5 dB indoors), so that taken
one by one they would be believed too much: long stays then break up."""
CERTAINTY_LEAST: Final = 0.7
"""Stays less certain than this teach nothing."""
_DEFAULT: Final = Settings()


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Signals sorted by device and time, whether each begins an advert, its spot (-1: too uncertain), its weight."""

    signals: NDArray[Any]
    first: NDArray[np.bool_]
    spot: NDArray[np.int64]
    weight: NDArray[np.float64]


def calibrate(
    plan: StorePlan, signals: SignalArray, settings: Settings = _DEFAULT, survey: SurveyArray = NOWHERE
) -> Model:
    """Learn a store's model, and how far its anchors' clocks are off, from its own signals.

    Parameters
    ----------
    plan : StorePlan
    signals : SIGNAL, shape (n,)
        In any order, that of arrival tells of clocks that are minutes off; devices by any dense index, times in ns.
    settings : Settings
        As the engine will use them.
    survey : SURVEY, shape (k,)
        Where devices are known to have been; those signals are labelled so and weigh more.

    Returns
    -------
    Model
        `origin` is "calibrated"; the prior itself where there are no signals.

    Raises
    ------
    InputError
        If an anchor or device index is out of range.
    """
    prior = prior_model(plan)
    ordered = signals[signals["rssi_dbm"] <= RSSI_MAX_DBM]  # what apps say is no reading
    if not len(ordered):
        return prior
    _check(plan, ordered)
    ordered["ts"] //= NS_PER_US
    clocks = estimate_clocks_as_arrived(ordered, len(plan.anchors), settings.step_ns // NS_PER_US)
    ordered, _ = in_order_of_time(in_store_time(ordered, clocks, 1))
    model = prior = decodable_with(survey, ordered, prior)
    offset_db = np.zeros(int(ordered["device"].max()) + 1)
    surveyed = 0
    if len(survey):  # begin from it: what people saw corrects a plan that is wrong before the decoder believes it
        nothing = _unlabelled(ordered, settings)
        surveyed = pin(survey, nothing.signals, model, nothing.spot, nothing.weight)
        model, offset_db = _fit(nothing, prior, model, offset_db)
    for _ in range(ROUNDS):
        labelled = _label(ordered, model, settings)
        pin(survey, labelled.signals, model, labelled.spot, labelled.weight)
        model, offset_db = _fit(labelled, prior, model, offset_db)
    return replace(model, clocks=clocks, survey_signals=surveyed)


def _check(plan: StorePlan, signals: SignalArray) -> None:
    for column, count in (("anchor", len(plan.anchors)), ("device", np.iinfo(np.int32).max)):
        if int(signals[column].min()) < 0 or int(signals[column].max()) >= count:
            raise InputError(f"A signal's {column} is not among the {count} there are.", where=plan.id)


def _unlabelled(ordered: NDArray[Any], settings: Settings) -> _Labelled:
    signals = ordered[np.argsort(ordered["device"], kind="stable")]
    first = _begins_advert(signals, settings)
    return _Labelled(signals, first, np.full(len(signals), -1, np.int64), np.ones(len(signals)))


def _begins_advert(signals: NDArray[Any], settings: Settings) -> NDArray[np.bool_]:
    first = np.zeros(len(signals), np.bool_)
    kernels.find_adverts(signals, settings.step_ns // NS_PER_US, first)
    return first


def _label(ordered: NDArray[Any], model: Model, settings: Settings) -> _Labelled:
    """Decode with every spot as a zone of its own, and give each signal the spot of its stay."""
    tabled = tables(model, settings)
    spots = len(model.spot_zone)
    zone_of = np.where(np.arange(tabled.lanes) < spots, np.arange(tabled.lanes), -1).astype(np.int16)
    decoder = Decoder(tabled._replace(zone_of=zone_of), settings)
    decoder.admit(int(ordered["device"].max()) + 1)
    never_heard = np.bincount(ordered["anchor"], minlength=model.level_dbm.shape[1]) == 0
    # whoever stands before one is not to move for that
    decoder.set_down(np.flatnonzero(never_heard), int(ordered["ts"][0]), down=True)
    stays = np.concatenate([decoder.decode(ordered), decoder.close_silent(1 << 62, ClosedBy.END_OF_RECORDING)])
    stays = stays[stays["zone"] >= 0]
    signals = ordered[np.lexsort((ordered["ts"], ordered["device"]))]
    # the stay of a signal is the last one of its device that had begun: sort both together, stays first
    order = np.lexsort(
        (
            np.r_[np.zeros(len(stays), np.int8), np.ones(len(signals), np.int8)],
            np.r_[stays["entered_at"], signals["ts"]],
            np.r_[stays["device"], signals["device"]],
        )
    )
    is_stay = order < len(stays)
    running = np.maximum.accumulate(np.where(is_stay, np.arange(len(order)), 0))
    stay = order[running[~is_stay]]
    certain = stays["sure"] >= CERTAINTY_LEAST * SURE_UNIT * stays["signals"]
    lasting = (stays["left_at"] - stays["entered_at"]) * NS_PER_US >= settings.stay_min_ns
    spot = np.where((certain & lasting)[stay], stays["zone"][stay], -1).astype(np.int64)
    first = _begins_advert(signals, settings)
    return _Labelled(signals, first, spot, weights(signals["device"], first, stay, spot))


def weights(
    device: NDArray[np.int32], first: NDArray[np.bool_], stay: NDArray[np.int64], spot: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what each signal counts for, at most 1, in levels and in detection alike.

    The adverts of one stay weigh the same, STAY_ADVERTS together at most; then those of one device at one spot.

    Parameters
    ----------
    device, first, stay, spot : shape (n,)
        Of each signal: its device; whether an advert begins with it; its stay, an index; the spot of that stay,
        negative for what teaches nothing.
    """
    of_stay = np.minimum(1.0, STAY_ADVERTS / np.maximum(np.bincount(stay, first), 1.0))
    weight = of_stay[stay]
    _, pair = np.unique(device.astype(np.int64) << 32 | (spot + 1), return_inverse=True)
    of_pair = np.minimum(1.0, STAY_ADVERTS / np.maximum(np.bincount(pair, weight * first), 1.0))
    weight *= of_pair[pair]
    return weight


def _fit(
    labelled: _Labelled, prior: Model, before: Model, offset_db: NDArray[np.float64]
) -> tuple[Model, NDArray[np.float64]]:
    """Return the model that the labels make, and each device's offset in dB; `before` tells outages of anchors."""
    spots, anchors = prior.level_dbm.shape
    block = block_of(labelled.signals["ts"])
    blocks = int(block.max()) + 1
    sent, adverts = np.zeros((blocks, spots)), np.zeros((blocks, spots))
    heard_in = np.zeros((blocks, anchors), np.int64)
    heard, count, total = np.zeros((spots, anchors)), np.zeros((spots, anchors)), np.zeros((spots, anchors))
    kernels.tally(
        labelled.signals,
        labelled.first,
        labelled.spot,
        labelled.weight,
        offset_db,
        block,
        sent,
        adverts,
        heard_in,
        heard,
        count,
        total,
        np.zeros(anchors, np.int64),
    )
    steps = adverts.T @ working(sent @ before.detection.astype(np.float64), heard_in)
    suggested = levels_of_store(prior.level_dbm.astype(np.float64), count, total)
    level_dbm = (total + LEVEL_SIGNALS * suggested) / (count + LEVEL_SIGNALS)
    devices = len(offset_db)
    away, square, number = np.zeros(devices), np.zeros(devices), np.zeros(devices)
    kernels.residuals(labelled.signals, labelled.spot, labelled.weight, level_dbm, away, square, number)
    offset_db = away / (number + OFFSET_SIGNALS)
    rest = square - 2 * offset_db * away + offset_db**2 * number
    spread_db = prior.spread_db
    if number.any():
        spread_db = float(np.sqrt(rest.sum() / number.sum() + SHADOWING_DB**2))
    spread_db = min(max(spread_db, SPREAD_RANGE_DB[0]), SPREAD_RANGE_DB[1])
    expected = detection_of_store(
        prior.detection.astype(np.float64),
        prior.level_dbm.astype(np.float64),
        level_dbm=suggested,
        spread_db=spread_db,
        steps=steps,
        heard=heard,
    )
    detection = (heard + DETECTION_STEPS * expected) / (steps + DETECTION_STEPS)
    return (
        Model(
            spot_zone=prior.spot_zone,
            level_dbm=level_dbm.astype(np.float32),
            detection=detection.clip(DETECTION_MIN, DETECTION_MAX).astype(np.float32),
            spread_db=spread_db,
            decodable=prior.decodable,
            origin="calibrated",
            signals=int((labelled.spot >= 0).sum()),
            plan_fingerprint=prior.plan_fingerprint,
            places=prior.places,
            outlines=prior.outlines,
        ),
        offset_db,
    )
