"""What goes wrong on the way from the gateways of a store to whoever takes signals in, one day at a time."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.limits import NS_PER_S
from core.records import SignalArray
from simulators.chain.draws import Draws, as_uniforms

ANCHORS_PER_EDGE: Final = 4
_SEND_US: Final = 1_000_000  # an edge sends once a second
_LATENCY_US: Final = 300_000


@dataclass(frozen=True, kw_only=True)
class FaultSettings:
    """Probabilities a day and anchor, unless they say otherwise."""

    outage: float = 0.01
    outage_s: tuple[float, float] = (600.0, 3600.0)
    skew: float = 0.02
    skew_s: tuple[float, float] = (0.5, 4.0)
    drift: float = 0.02
    drift_ppm: tuple[float, float] = (5.0, 40.0)
    """Crystals of small computers are good to about 20 ppm: 1.7 s a day."""
    delayed: float = 0.002
    """Of an edge's messages: they arrive behind later ones, in another order than they were heard."""
    delay_s: float = 20.0
    """Less than the 30 s that the engine waits, so that nothing is lost by it."""
    replayed: float = 0.001
    """Of an edge's messages: they arrive a second time, as after a lost acknowledgement."""


FAULTS: Final = {
    "none": FaultSettings(outage=0, skew=0, drift=0, delayed=0, replayed=0),
    "usual": FaultSettings(),
    "many": FaultSettings(outage=0.1, skew=0.1, drift=0.1, delayed=0.03, replayed=0.02),
}
"""By the words of the command line."""


class Fault(NamedTuple):
    """What was wrong with one anchor: `kind` outage (seconds), skew (seconds ahead) or drift (ppm)."""

    anchor: int
    kind: str
    size: float
    from_ns: int
    until_ns: int


class Arrived(NamedTuple):
    """Signals in order of arrival, stamped as anchors stamp them, and when each arrived, us."""

    signals: SignalArray
    arrived_us: NDArray[np.int64]


def draw_faults(anchors: int, opens_at: int, closes_at: int, settings: FaultSettings, draws: Draws) -> list[Fault]:
    """Return what is wrong with the anchors of a store on a day."""
    found = []
    for anchor in range(anchors):
        if draws.chance(settings.outage):
            lasts_s = draws.uniform(*settings.outage_s)
            begins = opens_at + int(draws.uniform() * (closes_at - opens_at)) // 1000 * 1000
            found.append(Fault(anchor, "outage", lasts_s, begins, begins + round(lasts_s * 1e6) * 1000))
        for kind, probability, sizes in (
            ("skew", settings.skew, settings.skew_s),
            ("drift", settings.drift, settings.drift_ppm),
        ):
            if draws.chance(probability):
                sign = 1 if draws.chance(0.5) else -1
                found.append(Fault(anchor, kind, sign * draws.uniform(*sizes), opens_at, closes_at))
    return found


def outlived(signals: SignalArray, faults: list[Fault]) -> SignalArray:
    """Return the signals that are heard in spite of outages."""
    heard = np.ones(len(signals), np.bool_)
    for fault in faults:
        if fault.kind == "outage":
            off = (signals["ts"] >= fault.from_ns) & (signals["ts"] < fault.until_ns)
            heard &= ~(off & (signals["anchor"] == fault.anchor))
    return signals[heard]


def arrived(signals: SignalArray, faults: list[Fault], settings: FaultSettings, draws: Draws) -> Arrived:
    """Let signals (true times) arrive: in the edges' messages, with wrong stamps, late, and some of them twice.

    Parameters
    ----------
    signals : ndarray of SIGNAL
    faults : list of Fault
    settings : FaultSettings
    draws : Draws
        Its stream stays where it is: each message has its own place there.
    """
    true_us = signals["ts"] // 1000
    edge = signals["anchor"].astype(np.int64) // ANCHORS_PER_EDGE
    edges = int(edge.max(initial=0)) + 1
    phase_us = edge * _SEND_US // edges
    message = (true_us - phase_us) // _SEND_US
    first = int(message.min(initial=0))
    place = ((message - first) * edges + edge) * 4
    latency, late, again = (as_uniforms(draws.words_at(place + part)) for part in range(3))
    how_late_us = as_uniforms(draws.words_at(place + 3)) * (settings.delay_s * 1e6)
    sent_us = message * _SEND_US + phase_us + _SEND_US
    at_us = sent_us + np.floor(latency * _LATENCY_US).astype(np.int64)
    at_us += np.where(late < settings.delayed, np.floor(how_late_us), 0).astype(np.int64)
    replayed = again < settings.replayed
    stamped = signals.copy()
    stamped["ts"] += _wrong_by(signals, faults)
    twice_at_us = at_us[replayed] + np.floor(how_late_us[replayed]).astype(np.int64) + _SEND_US
    both = np.concatenate([stamped, stamped[replayed]])
    both_at = np.concatenate([at_us, twice_at_us])
    both_edge = np.concatenate([edge, edge[replayed]])
    order = np.lexsort((both["device"], both["anchor"], both["ts"], both_edge, both_at))
    return Arrived(both[order], both_at[order])


def _wrong_by(signals: SignalArray, faults: list[Fault]) -> NDArray[np.int64]:
    """Return by how many ns each signal's stamp is ahead, whole microseconds."""
    ahead_us = np.zeros(len(signals), np.int64)
    for fault in faults:
        of = signals["anchor"] == fault.anchor
        if fault.kind == "skew":
            ahead_us[of] += round(fault.size * 1e6)
        elif fault.kind == "drift":
            ahead_us[of] += np.floor((signals["ts"][of] - fault.from_ns) / NS_PER_S * fault.size).astype(np.int64)
    return ahead_us * 1000
