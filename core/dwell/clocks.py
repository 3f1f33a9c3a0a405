"""How far each anchor's clock is ahead of the store's, from nothing but the signals.

One advert reaches all anchors at the same instant, so the times they give it differ by their clocks alone: reference
broadcasts (Elson, Girod, Estrin, OSDI 2002). Which signals are the same advert is not written in them. It is
found by correlation (Knapp and Carter, IEEE Trans. ASSP 24 (1976), 320), and because adverts are nearly periodic, so
that their times agree again after every interval, it is not the times that are correlated but what is left when the
period is taken out: the gaps between a device's adverts, each off its interval by up to 10 ms at random (advDelay).
A clock also drifts, so pairs are compared in blocks of time, with a line through them (Theil 1950, Sen, J. Am. Stat.
Assoc. 63 (1968), 1379). Pairs are then joined by least absolute deviations over their graph.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.dwell import clock_kernels as kernels
from core.dwell.clock_graph import CLOSING_US, Pairs, join, partners
from core.dwell.reorder import in_order_of_time
from core.limits import RSSI_MAX_DBM

REACH_US: Final = 60_000_000
"""Clocks that are further apart are not found; tens of seconds is what sources were seen to be off."""
DEAD_BAND_US: Final = 100_000
"""Below a step (what is one advert) nothing is corrected: the decoder takes such signals together anyway."""
WIDTHS_US: Final = (4_000, 20_000, 100_000)
"""Gaps that agree this well: stamps made in a radio's driver, in a busy process, at a server."""
BIN_US: Final = 25_000
WINDOWS: Final = (3, 3, 12)
"""Bins that one peak covers, by width: its stamps differ by up to a width or two either way."""
GAPS: Final = 3
"""Adverts before that each is compared over: where half are lost, one of three is likely common to two anchors."""
GAP_LONGEST_US: Final = 30_000_000
"""A device heard less often hardly has two adverts in reach."""
SPAN_US: Final = 120_000_000
"""Signals are chosen by whole spans: twice the reach, so that not all is cut off at their ends."""
SPANS_PER_BLOCK: Final = 10
"""In 20 minutes two clocks of 25 ppm each part by 60 ms, which is one peak still."""
BLOCKS_MOST: Final = 8
"""Of a recording of which not all is looked at: a line through eight points shows whether it is one."""
BLOCKS_LEAST: Final = 3
"""Two points lie on a line whatever they are."""
SIGNALS_PER_PAIR: Final = 10_000
SIGNALS_IN_ALL: Final = 1_000_000
SIGNALS_PER_PAIR_LEAST: Final = 2_000
"""Five hundred common adverts were ample; the bounds keep a store of 1,024 anchors within seconds."""
COMPARISONS_PER_PAIR: Final = 2_000_000
"""A device that sends once a second meets 120 adverts in reach, so that it does not bind; one that sends ten times a
second meets as many for each of ten times as many."""
SIGMAS_LEAST: Final = 6.0
"""Chance: 2,400 lags, 3 widths and 4,000 pairs make 3e7 trials, one in a thousand million is beyond 6."""
RIVAL_SIGMAS: Final = 4.0
"""The best lag must beat every other by so much: among 7,000 rivals one in 30,000 would do so by chance."""
MATCHES_LEAST: Final = 12
"""More matches than expected, at least: below it counts are not normal."""
CLEARED_LEAST: Final = 0.4
"""Of the gaps that disagree by chance so many agree at the true lag; stamps of 5 ms and a jitter of 10 clear 0.6.
Enough data makes lesser effects certain too, such as gateways that poll in one rhythm."""
GRAINS_PER_WIDTH: Final = 4
"""Times in whole grains hide what is finer, and gaps then agree by how grains fall, not by what was sent."""
GAIN_LEAST_US: Final = 10_000
"""A clock that gains less in half of the recording is not said to drift: lags are known to some milliseconds."""
ARRIVED_AHEAD_LEAST_US: Final = 30_000_000
"""Beyond half of the reach the order of arrival is asked, too: edges send within a second, retries within ten."""
ARRIVALS_LEAST: Final = 200
"""So many arrivals of an anchor behind another's are asked for, half of which agree within `ARRIVED_ALIKE_US`: else
their order tells nothing."""
ARRIVED_ALIKE_US: Final = 20_000_000
AGREEING_LEAST: Final = 2 / 3
"""Of the blocks of a pair: otherwise a clock was set while it was listened to, and no line is true."""


KEPT_LEAST: Final = 1 / 3
"""So many clocks that agree are kept in time. Of twelve that are anywhere within 20 s of the true time two agree by
chance in 28% of stores, four in less than one of three thousand."""


class Clocks(NamedTuple):
    """What is known of a store's clocks.

    At `at_us` (microseconds, the middle of what was looked at) an anchor's clock is `ahead_us` ahead of the store's
    and gains `drift_ppb` microseconds in a thousand million; int64, shape (anchors,); 0 where it agrees within the
    dead band or is not known. `known` bool (anchors,): whether it could be compared.
    """

    ahead_us: NDArray[np.int64]
    drift_ppb: NDArray[np.int64]
    known: NDArray[np.bool_]
    at_us: int

    @property
    def off(self) -> NDArray[np.bool_]:
        """Whose clock is corrected, bool (anchors,)."""
        off: NDArray[np.bool_] = (self.ahead_us != 0) | (self.drift_ppb != 0)
        return off


def no_clocks(anchors: int) -> Clocks:
    """Return clocks of which nothing is known."""
    return Clocks(np.zeros(anchors, np.int64), np.zeros(anchors, np.int64), np.zeros(anchors, np.bool_), 0)


class _Heard(NamedTuple):
    """What one anchor heard: `rows` int64 (n, 2 + GAPS), columns device, time, gaps, sorted by device and time."""

    rows: NDArray[np.int64]
    block: NDArray[np.int64]
    """Which block of time each row lies in."""
    blocks: NDArray[np.int64]
    """All of them, ascending."""
    grain_us: int
    """What the times are whole multiples of."""

    @classmethod
    def of(cls, rows: NDArray[np.int64]) -> "_Heard":
        """Tell the blocks and the grain of rows."""
        block = rows[:, 1] // (SPANS_PER_BLOCK * SPAN_US)
        return cls(rows, block, np.unique(block), int(np.gcd.reduce(rows[:, 2])))


def estimate_clocks(
    signals: NDArray[Any], anchors: int, step_us: int, roughly_us: NDArray[np.int64] | None = None
) -> Clocks:
    """Compare the clocks of a store's anchors.

    Parameters
    ----------
    signals : SIGNAL, shape (n,)
        `ts` in microseconds by the anchors' own clocks less `roughly_us`, sorted by device and time.
    anchors : int
    step_us : int
        What is heard within it is one advert.
    roughly_us : int64, shape (anchors,)
        By how much clocks are ahead that were put right before.

    Returns
    -------
    Clocks
        All zero and unknown where signals do not tell: a clock is corrected on good evidence or not at all.
    """
    signals = signals[signals["rssi_dbm"] <= RSSI_MAX_DBM]  # readings, no words of apps
    if not len(signals):
        return no_clocks(anchors)
    first_us, last_us = int(signals["ts"].min()), int(signals["ts"].max())
    at_us, half_us = (first_us + last_us) // 2, max((last_us - first_us) / 2, 1.0)
    gap_us = np.empty((len(signals), GAPS), np.int64)
    last_at, last_device = np.zeros((anchors, GAPS), np.int64), np.full(anchors, -1, np.int64)
    kernels.gaps(signals, step_us, GAP_LONGEST_US, last_at, last_device, gap_us)
    told = np.flatnonzero(gap_us[:, 0] >= 0)
    told = told[np.argsort(signals["anchor"][told], kind="stable")]
    rows = np.column_stack([signals["device"][told].astype(np.int64), signals["ts"][told], gap_us[told]])
    ends = np.searchsorted(signals["anchor"][told], np.arange(anchors + 1))
    heard = [_Heard.of(rows[begin:end]) for begin, end in pairwise(ends)]
    together = np.zeros((anchors, anchors), np.int64)
    kernels.company(signals, gap_us, SPAN_US, together, np.zeros(anchors, np.int64), np.zeros(anchors, np.int64))
    edges = partners(together)
    most = max(SIGNALS_PER_PAIR_LEAST, min(SIGNALS_PER_PAIR, SIGNALS_IN_ALL // max(len(edges), 1)))
    apart, drifts = [], []
    for one, other in edges.tolist():
        found = _compared(heard[one], heard[other], most, at_us)
        if found is not None:
            apart.append((one, other, found[0]))
            if found[1] is not None:
                drifts.append((one, other, found[1] * half_us))
    ahead_us, known = join(Pairs.of(apart), anchors)
    if roughly_us is not None:
        ahead_us += roughly_us
    if 2 * np.count_nonzero(known) <= np.count_nonzero(np.diff(ends)):
        return no_clocks(anchors)  # the few may be those that are off
    gain_us, drifting = join(Pairs.of(drifts), anchors)  # half_us after at_us
    if known.any():
        store = _reference(ahead_us, known)
        ahead_us -= ahead_us[store]
        gain_us -= gain_us[store]
        drifting &= known & drifting[store]
    gain_us[~drifting | (np.abs(gain_us) < GAIN_LEAST_US)] = 0
    ahead_us[~known | ((np.abs(ahead_us) < DEAD_BAND_US) & (gain_us == 0))] = 0
    return Clocks(np.rint(ahead_us).astype(np.int64), np.rint(1e9 * gain_us / half_us).astype(np.int64), known, at_us)


def ahead_by_arrival(signals: NDArray[Any], anchors: int) -> NDArray[np.int64]:
    """Return by how many microseconds a clock is roughly ahead, int64 (anchors,), by what arrived just before.

    It finds clocks that are off by more than adverts are compared over, minutes or hours; 0 for all others, and where
    signals are not in order of arrival but of time.

    signals : SIGNAL, `ts` in microseconds by the anchors' own clocks, in order of arrival
    """
    ahead_us = np.zeros(anchors, np.int64)
    after_us, anchor = np.diff(signals["ts"]), signals["anchor"]
    others = anchor[1:] != anchor[:-1]
    after_us, anchor = after_us[others], anchor[1:][others]
    for place in range(anchors):
        own = after_us[anchor == place]
        if len(own) < ARRIVALS_LEAST:
            continue
        low, middle, high = np.quantile(own, [0.25, 0.5, 0.75])
        if abs(middle) > ARRIVED_AHEAD_LEAST_US and high - low < ARRIVED_ALIKE_US:
            ahead_us[place] = round(middle)
    return ahead_us


def estimate_clocks_as_arrived(signals: NDArray[Any], anchors: int, step_us: int) -> Clocks:
    """Compare the clocks of a store's anchors, those first put right that arrivals show to be far off.

    signals : SIGNAL, `ts` in microseconds by the anchors' own clocks, in order of arrival; see `estimate_clocks`
    """
    roughly_us = ahead_by_arrival(signals, anchors)
    near = signals.copy()
    near["ts"] -= roughly_us[signals["anchor"]]
    near = in_order_of_time(near)[0]
    return estimate_clocks(near[np.argsort(near["device"], kind="stable")], anchors, step_us, roughly_us)


def in_store_time(signals: NDArray[Any], clocks: Clocks | None, unit: int) -> NDArray[Any]:
    """Return signals with their times by the store's clock; the same array if no clock is known to be off.

    signals : SIGNAL; unit : how much of `ts` is a microsecond (1000 where it is in ns)
    """
    if clocks is None or not clocks.off.any():
        return signals
    corrected = signals.copy()
    anchor = signals["anchor"]
    elapsed_us = signals["ts"] // unit - clocks.at_us
    gained_us = np.rint(elapsed_us * (clocks.drift_ppb[anchor] * 1e-9)).astype(np.int64)
    heard = signals["rssi_dbm"] <= RSSI_MAX_DBM  # what an app says comes by the phone's clock
    corrected["ts"] -= unit * np.where(heard, clocks.ahead_us[anchor] + gained_us, 0)
    return corrected


def _compared(one: _Heard, other: _Heard, most: int, at_us: int) -> tuple[float, float | None] | None:
    """Return by how many microseconds one clock is ahead of the other at `at_us`, and its gain per microsecond.

    The gain is None where there are too few blocks for a line; all is None if it is not certain.
    About `most` rows from all of the recording are looked at.
    """
    shape = (kernels.SUMS, len(WIDTHS_US), 2 * REACH_US // BIN_US + 1)
    whole = np.zeros(shape, np.int64)
    widths_us = np.array(WIDTHS_US, np.int64)
    compared, matched, touched = (
        np.zeros(shape[1:], np.int64),
        np.zeros(shape[1:], np.int64),
        np.zeros(shape[2], np.int64),
    )
    finest_us = GRAINS_PER_WIDTH * max(one.grain_us, other.grain_us)
    points = []
    for mine, theirs in _blocks(one, other, most):
        sums = np.zeros(shape, np.int64)
        kernels.agreement(mine, theirs, widths_us, REACH_US, BIN_US, compared, matched, touched, sums)
        whole += sums
        apart_us = _apart(sums, finest_us)
        if apart_us is not None:
            points.append((float(mine[:, 1].mean()) - at_us, apart_us))
    if len(points) < BLOCKS_LEAST:
        apart_us = _apart(whole, finest_us)
        return None if apart_us is None else (apart_us, None)
    return _line(np.array(points))


def _blocks(one: _Heard, other: _Heard, most: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Cut into blocks of time; where there is too much, take fewer blocks and the first spans of each."""
    blocks = np.intersect1d(one.blocks, other.blocks, assume_unique=True)
    if len(one.rows) + len(other.rows) > most and len(blocks) > BLOCKS_MOST:
        blocks = blocks[np.linspace(0, len(blocks) - 1, BLOCKS_MOST).astype(np.int64)]
    for block in blocks.tolist():
        inside = [heard.rows[heard.block == block] for heard in (one, other)]
        count = sum(map(len, inside)) * len(blocks)
        spans = max(1, min(SPANS_PER_BLOCK, SPANS_PER_BLOCK * most // max(count, 1)))
        if spans < SPANS_PER_BLOCK:
            end_us = (block * SPANS_PER_BLOCK + spans) * SPAN_US
            inside = [rows[rows[:, 1] < end_us] for rows in inside]
        yield _middle(inside[0], inside[1], COMPARISONS_PER_PAIR // len(blocks)), inside[1]


def _middle(one: NDArray[np.int64], other: NDArray[np.int64], comparisons: int) -> NDArray[np.int64]:
    """Return those of the rows in the middle of their time that meet about so many of the others' at most.

    The middle, as there nothing within reach is cut off.
    """
    devices = int(max(one[:, 0].max(initial=0), other[:, 0].max(initial=0))) + 1
    mine, theirs = (np.bincount(rows[:, 0], minlength=devices).astype(np.float64) for rows in (one, other))
    spans = max(1.0, float(np.ptp(one[:, 1])) / SPAN_US) if len(one) else 1.0
    share = comparisons / max(float(mine @ theirs) / spans, 1.0)
    if share >= 1:
        return one
    first_us, last_us = np.quantile(one[:, 1], [(1 - share) / 2, (1 + share) / 2])
    middle: NDArray[np.int64] = one[(one[:, 1] >= first_us) & (one[:, 1] <= last_us)]
    return middle


def _line(points: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return value at 0 and slope of the line through most of the points, float64 (n, 2); None if there is none."""
    at, value = points.T
    first, second = np.triu_indices(len(at), 1)
    slope = float(np.median((value[second] - value[first]) / (at[second] - at[first])))
    start = float(np.median(value - slope * at))
    agreeing = np.abs(value - slope * at - start) <= CLOSING_US
    return (start, slope) if agreeing.mean() >= AGREEING_LEAST else None


def _apart(sums: NDArray[np.int64], finest_us: int) -> float | None:
    """Return the lag of the one peak that there is, None if there is none or more than one.

    sums : int64 (SUMS, widths, bins), as `agreement` gives them; finest_us : widths below it are not looked at
    """
    best_sigmas, best_us = RIVAL_SIGMAS, None
    for width, window in enumerate(WINDOWS):
        found = _peak(_sliding(sums[:, width], window), window) if WIDTHS_US[width] >= finest_us else None
        if found is not None and found[0] >= best_sigmas:
            best_sigmas, best_us = found
    return best_us


def _peak(sums: NDArray[np.int64], window: int) -> tuple[float, float] | None:
    """Return by how many standard deviations the best window beats every other, and its mean lag.

    sums : int64 (SUMS, places), by window
    """
    gain = sums[kernels.EXCESS] / kernels.UNIT
    variance = sums[kernels.DOUBT] / kernels.UNIT**2 + 1.0  # never quite certain
    place = int(gain.argmax())
    compared, matched = int(sums[kernels.COMPARED, place]), int(sums[kernels.MATCHED, place])
    by_chance = matched - gain[place]
    if gain[place] < max(
        MATCHES_LEAST, SIGMAS_LEAST * np.sqrt(variance[place]), CLEARED_LEAST * (compared - by_chance)
    ):
        return None
    lead = (gain[place] - gain) / np.sqrt(variance[place] + variance)
    lead[max(0, place - window) : place + window + 1] = np.inf
    return float(lead.min()), float(sums[kernels.LAGS, place] / matched)


def _sliding(values: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    total = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    summed: NDArray[np.int64] = total[:, window:] - total[:, :-window]
    return summed


def _reference(ahead_us: NDArray[np.float64], known: NDArray[np.bool_]) -> int:
    """Return the anchor whose clock is the store's: of the most that agree, the nearest to the median.

    Clocks that are kept in time agree; those that are not each go their own way, two of them together by chance.
    """
    places = np.flatnonzero(known)
    clocks = ahead_us[places]
    agree = (np.abs(clocks[:, None] - clocks[None, :]) < DEAD_BAND_US).sum(axis=1)
    if agree.max() < KEPT_LEAST * len(places):
        agree[:] = 1
    off = np.abs(clocks - np.median(clocks))
    return int(places[np.lexsort((places, off, -agree))[0]])
