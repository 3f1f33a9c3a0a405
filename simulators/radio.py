"""What gateways hear of a tag that is carried through a store.

Log-distance path loss with log-normal shadowing (Rappaport, Wireless Communications, ch. 4), plus what a body and
walls take away; every reception is lost with a probability or when it is too weak for the receiver.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import FloorPlanError
from core.floorplan import StorePlan
from core.limits import RSSI_MAX_DBM, RSSI_MIN_DBM
from core.records import SIGNAL, SignalArray
from simulators.shoppers import Walk


@dataclass(frozen=True, kw_only=True)
class RadioSettings:
    """Levels in dB and dBm, times in seconds, distances in metres."""

    level_at_1m_dbm: float = -59.0
    """The usual calibration value of BLE tags at 0 dBm."""
    path_loss: float = 2.4
    """Exponent; open sales floors are measured at 2.0-2.7."""
    nearest_m: float = 1.0
    """Gateways hang at the ceiling: nobody comes nearer."""
    shadowing_db: float = 3.0
    """Spread per stay and anchor: shelves and people between the two."""
    fading_db: float = 4.0
    """Spread per reception: multipath across the three advertising channels."""
    body_db: float = 6.0
    """Lost when the carrier stands between tag and anchor, nothing when the tag faces it."""
    wall_db: float = 4.0
    """Lost between inside and outside of fitting rooms and staff rooms."""
    device_db: float = 2.0
    """Spread between tags: antennas, batteries, bags."""
    device_offset_db: float = 0.0
    """What all tags send above (or below) `level_at_1m_dbm`: another make of tag than the one it was measured for."""
    loss: float = 0.2
    """Share of receptions lost: scanners hop over channels and adverts collide."""
    sensitivity_dbm: float = -92.0
    """Below this a gateway decodes nothing."""
    interval_s: float = 1.0
    """Between two adverts."""
    jitter_s: float = 0.01
    """The advDelay of the Bluetooth Core Specification, Vol. 6, Part B, 4.4.2.2.1: 0-10 ms on top."""
    stamp_s: float = 0.005
    """Gateways stamp one advert up to this much apart."""


_WALLED = frozenset({"fitting_room", "staff_only"})


class Radio:
    """The anchors of one store and the air between.

    Raises
    ------
    FloorPlanError
        If an anchor has no place.
    """

    def __init__(self, plan: StorePlan, settings: RadioSettings) -> None:
        self.settings = settings
        places = []
        for anchor in plan.anchors:
            if anchor.x is None or anchor.y is None:
                raise FloorPlanError(
                    f"Anchor {anchor.id!r} has no place, so it cannot be simulated.",
                    hint="Give it x and y in metres.",
                    where=f"store {plan.id!r}",
                )
            places.append((anchor.x, anchor.y))
        self._places = np.array(places, np.float64)
        walled = np.array([zone.kind in _WALLED for zone in plan.zones])
        stands_in = np.array([plan.zone_index[anchor.zone] for anchor in plan.anchors])
        other = np.arange(len(plan.zones))[:, None] != stands_in[None, :]
        self._wall_db = settings.wall_db * (other & (walled[:, None] | walled[stands_in][None, :]))

    def mean_level(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the level by distance alone, dBm, shape (places, anchors)."""
        away = np.hypot(x[:, None] - self._places[:, 0], y[:, None] - self._places[:, 1])
        decades = np.log10(np.maximum(away, self.settings.nearest_m))
        level: NDArray[np.float64] = self.settings.level_at_1m_dbm - 10 * self.settings.path_loss * decades
        return level

    def hear(self, walk: Walk, rng: np.random.Generator) -> SignalArray:
        """Return everything that is heard of one walk.

        Parameters
        ----------
        walk : Walk
        rng : numpy.random.Generator
            The only source of chance.

        Returns
        -------
        ndarray of SIGNAL
            `ts` in ns since the walk began (whole microseconds), `device` 0, ordered by time.
        """
        settings, anchors = self.settings, len(self._places)
        adverts_s = self._adverts(float(walk.t_s[-1]), rng)
        leg = walk.leg_at(adverts_s)
        x, y = np.interp(adverts_s, walk.t_s, walk.x), np.interp(adverts_s, walk.t_s, walk.y)
        shadow = rng.normal(0, settings.shadowing_db, (int(walk.stay[-1]) + 1, anchors))
        carried = float(rng.uniform(-np.pi, np.pi))  # on which side of the body the tag hangs
        level = self.mean_level(x, y)
        level += settings.device_offset_db + rng.normal(0, settings.device_db)
        level += shadow[walk.stay[leg]]
        level -= self._wall_db[walk.zone[leg]]
        level -= self._body_loss(x, y, walk.facing[leg] + carried)
        level += rng.normal(0, settings.fading_db, level.shape)
        heard = (level >= settings.sensitivity_dbm) & (rng.random(level.shape) >= settings.loss)
        stamp_s = adverts_s[:, None] + rng.uniform(0, settings.stamp_s, level.shape)

        advert, anchor = np.nonzero(heard)
        signals = np.zeros(len(advert), SIGNAL)
        signals["ts"] = np.round(stamp_s[advert, anchor] * 1e6).astype(np.int64) * 1000
        signals["anchor"] = anchor
        signals["rssi_dbm"] = np.clip(np.round(level[advert, anchor]), RSSI_MIN_DBM, RSSI_MAX_DBM)
        return signals[np.argsort(signals["ts"], kind="stable")]

    def _adverts(self, until_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
        settings = self.settings
        count = int(until_s / settings.interval_s) + 1
        gaps_s = settings.interval_s + rng.uniform(0, settings.jitter_s, count)
        adverts_s: NDArray[np.float64] = rng.uniform(0, settings.interval_s) + np.cumsum(gaps_s) - gaps_s[0]
        return adverts_s[adverts_s <= until_s]

    def _body_loss(
        self, x: NDArray[np.float64], y: NDArray[np.float64], tag_angle: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Nothing towards the side where the tag hangs, `body_db` on the far side, a cosine in between."""
        towards = np.arctan2(self._places[:, 1] - y[:, None], self._places[:, 0] - x[:, None])
        loss: NDArray[np.float64] = self.settings.body_db * (1 - np.cos(towards - tag_angle[:, None])) / 2
        return loss
