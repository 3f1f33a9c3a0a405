"""What the gateways of a store hear of somebody on the way.

Log-distance path loss with log-normal shadowing (Rappaport, Wireless Communications, ch. 4), walls that a line of
sight crosses, the body that carries the device, receptions lost at random and in bursts, some delivered twice.
Levels in dB and dBm.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.floorplan import StorePlan
from core.limits import RSSI_MAX_DBM, RSSI_MIN_DBM
from core.records import SIGNAL, SignalArray
from simulators.chain.draws import Draws, as_uniforms, ln
from simulators.chain.ways import Way
from simulators.radio import RadioSettings

_LN_10 = 2.302585092994046
_USUAL = RadioSettings()
"""What a single simulated store has, with the reasons."""


@dataclass(frozen=True, kw_only=True)
class AirSettings:
    """How radio fares; times in microseconds."""

    level_at_1m_dbm: float = _USUAL.level_at_1m_dbm
    path_loss: float = _USUAL.path_loss
    nearest_m: float = _USUAL.nearest_m
    shadowing_db: float = _USUAL.shadowing_db
    fading_db: float = _USUAL.fading_db
    body_db: float = _USUAL.body_db
    wall_db: float = _USUAL.wall_db
    device_db: float = _USUAL.device_db
    loss: float = _USUAL.loss
    sensitivity_dbm: float = -85.0
    """Three or four gateways hear a tag: what is fainter is not worth its bytes, and real ones are set so."""
    jitter_us: int = 10_000
    stamp_us: int = 5_000
    noisy: float = 0.03
    """Share of ten-second spells in which an anchor's channel is taken by something else: a microwave, a download."""
    noisy_loss: float = 0.9
    twice: float = 0.002
    """Share of receptions that a gateway delivers twice."""


_SPELL_US = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Sender:
    """How a device sends: `burst` adverts a tenth of a second apart, every `burst` intervals."""

    interval_us: int
    burst: int = 1


class Air:
    """The anchors and walls of one store.

    Parameters
    ----------
    plan : StorePlan
        With places of all anchors.
    seed : int
    day : str
        Names the spells of noise.
    settings : AirSettings
    """

    def __init__(self, plan: StorePlan, seed: int, day: str, settings: AirSettings) -> None:
        self._settings = settings
        self._x = np.array([anchor.x for anchor in plan.anchors], np.float64)
        self._y = np.array([anchor.y for anchor in plan.anchors], np.float64)
        self._walls = np.array(plan.walls, np.float64).reshape(-1, 4)
        self._noise = [Draws(seed, "noise", plan.id, day, place) for place in range(len(plan.anchors))]

    def hear(self, way: Way, sender: Sender, begin_us: int, draws: Draws) -> SignalArray:
        """Return what is heard of one way.

        Parameters
        ----------
        way : Way
        sender : Sender
        begin_us : int
            When the way begins, microseconds since the epoch.
        draws : Draws

        Returns
        -------
        ndarray of SIGNAL
            `ts` ns since the epoch in whole microseconds, `device` 0; ordered by time, then anchor.
        """
        settings, anchors = self._settings, len(self._x)
        adverts = _adverts(int(way.t_us[-1]), sender, settings.jitter_us, draws)
        leg = np.clip(np.searchsorted(way.t_us, adverts, side="right") - 1, 0, len(way.zone) - 1)
        share = (adverts - way.t_us[leg]) / (way.t_us[leg + 1] - way.t_us[leg])
        x = way.x[leg] + share * (way.x[leg + 1] - way.x[leg])
        y = way.y[leg] + share * (way.y[leg + 1] - way.y[leg])
        shape = (len(adverts), anchors)

        across, down = self._x - x[:, None], self._y - y[:, None]
        square = np.maximum(across * across + down * down, settings.nearest_m * settings.nearest_m)
        level = settings.level_at_1m_dbm + settings.device_db * draws.normal()
        levels = level - (5 * settings.path_loss / _LN_10) * ln(square)
        shadow = draws.normals((int(way.stay[-1]) + 1) * anchors).reshape(-1, anchors)
        levels = levels + settings.shadowing_db * shadow[way.stay[leg]]
        levels = levels - settings.wall_db * self._walls_between(way)[leg]
        levels = levels - settings.body_db * self._behind(way.towards[leg], across, down, np.sqrt(square), draws)
        levels = levels + settings.fading_db * draws.normals(shape[0] * shape[1]).reshape(shape)

        stamps = begin_us + adverts[:, None] + _whole(draws.uniforms(shape[0] * shape[1]), settings.stamp_us, shape)
        lost = np.where(self._is_noisy(stamps), settings.noisy_loss, settings.loss)
        got = draws.uniforms(shape[0] * shape[1]).reshape(shape) >= lost
        advert, anchor = np.nonzero((levels >= settings.sensitivity_dbm) & got)
        twice = draws.uniforms(len(advert)) < settings.twice
        advert, anchor = np.repeat(advert, 1 + twice), np.repeat(anchor, 1 + twice)

        signals = np.zeros(len(advert), SIGNAL)
        signals["ts"] = stamps[advert, anchor] * 1000
        signals["anchor"] = anchor
        signals["rssi_dbm"] = np.clip(np.rint(levels[advert, anchor]), RSSI_MIN_DBM, RSSI_MAX_DBM)
        return signals[np.lexsort((signals["anchor"], signals["ts"]))]

    def _walls_between(self, way: Way) -> NDArray[np.int64]:
        """Return how many walls lie between the middle of each leg and each anchor, shape (legs, anchors)."""
        middle = _Points(((way.x[:-1] + way.x[1:]) / 2)[:, None, None], ((way.y[:-1] + way.y[1:]) / 2)[:, None, None])
        anchor = _Points(self._x[None, :, None], self._y[None, :, None])
        walls = self._walls[None, None]
        one, other = _Points(walls[..., 0], walls[..., 1]), _Points(walls[..., 2], walls[..., 3])
        apart = _left_of(one, other, middle) != _left_of(one, other, anchor)
        between = _left_of(middle, anchor, one) != _left_of(middle, anchor, other)
        return np.asarray(np.count_nonzero(apart & between, axis=2), np.int64)

    def _behind(
        self,
        towards: NDArray[np.float64],
        across: NDArray[np.float64],
        down: NDArray[np.float64],
        away: NDArray[np.float64],
        draws: Draws,
    ) -> NDArray[np.float64]:
        """Return 0 where the tag faces the anchor, 1 where the body stands between, a cosine between the two."""
        carried_x, carried_y = draws.direction()  # on which side of the body the tag hangs
        tag_x = towards[:, 0] * carried_x - towards[:, 1] * carried_y
        tag_y = towards[:, 0] * carried_y + towards[:, 1] * carried_x
        cosine = (tag_x[:, None] * across + tag_y[:, None] * down) / away
        behind: NDArray[np.float64] = (1 - cosine) / 2
        return behind

    def _is_noisy(self, stamps_us: NDArray[np.int64]) -> NDArray[np.bool_]:
        spells = stamps_us // _SPELL_US
        columns = [noise.words_at(spells[:, place]) for place, noise in enumerate(self._noise)]
        noisy: NDArray[np.bool_] = as_uniforms(np.stack(columns, axis=1)) < self._settings.noisy
        return noisy


class _Points(NamedTuple):
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def _left_of(one: _Points, other: _Points, point: _Points) -> NDArray[np.bool_]:
    """Return on which side of the line through two points others lie."""
    turn = (other.x - one.x) * (point.y - one.y) - (other.y - one.y) * (point.x - one.x)
    left: NDArray[np.bool_] = turn > 0
    return left


def _adverts(until_us: int, sender: Sender, jitter_us: int, draws: Draws) -> NDArray[np.int64]:
    """Return when a device sends, microseconds since the way began."""
    every_us = sender.interval_us * sender.burst
    count = until_us // every_us + 1
    gaps = every_us + _whole(draws.uniforms(count), jitter_us, (count,))
    begins = round(draws.uniform() * every_us) + np.cumsum(gaps) - gaps[0]
    adverts: NDArray[np.int64] = (begins[:, None] + 100_000 * np.arange(sender.burst)).ravel()
    return adverts[adverts < until_us]


def _whole(uniforms: NDArray[np.float64], most: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    return np.floor(uniforms * most).astype(np.int64).reshape(shape)
