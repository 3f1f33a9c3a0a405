"""How far each anchor's clock is ahead of the store's, from nothing but the signals.

One advert reaches all anchors at the same instant, so the times they give it differ by their clocks alone: reference
broadcasts (Elson, Girod, Estrin, OSDI 2002). Which signals are the same advert is not written in them. It is
found by correlation (Knapp and Carter, IEEE Trans. ASSP 24 (1976), 320), and because adverts are nearly periodic, so
that their times agree again after every interval, it is not the times that are correlated but what is left of them
when the period is taken out: the gaps between a device's adverts, each a little off its interval at random (advDelay).
A clock also drifts, so pairs are compared in blocks of time, with a line through them (Theil 1950, Sen, J. Am. Stat.
Assoc. 63 (1968), 1379). Pairs are then joined by least absolute deviations over their graph.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.dwell import clock_kernels as kernels

REACH_US: Final = 60_000_000
"""Clocks that are further apart are not found; tens of seconds is what sources were seen to be off."""
DEAD_BAND_US: Final = 100_000
"""Below a step (what is one advert) nothing is corrected: the decoder takes such signals together anyway."""
WIDTHS_US: Final = (4_000, 20_000, 100_000)
"""Gaps that agree this well: stamps made in a radio's driver, in a busy process, at a server."""
BIN_US: Final = 25_000
WINDOWS: Final = (3, 3, 12)
"""Bins that one peak covers, by width: its stamps differ by up to a width or two either way."""
GAP_LONGEST_US: Final = 30_000_000
"""A device heard less often hardly has two adverts in reach."""
SPAN_US: Final = 240_000_000
"""Signals are chosen by whole spans: twice the reach, twice over, so that little is cut off at their ends."""
SPANS_PER_BLOCK: Final = 5
"""In 20 minutes two clocks of 25 ppm each part by 60 ms, which is one peak still."""
BLOCKS_MOST: Final = 8
"""Of a recording of which not all is looked at: a line through eight points shows whether it is one."""
BLOCKS_LEAST: Final = 3
"""Two points lie on a line whatever they are."""
PARTNERS: Final = 4
"""Anchors that each one is compared with at least: closing circles need more than one, and a lie is outvoted."""
SIGNALS_PER_PAIR: Final = 10_000
SIGNALS_IN_ALL: Final = 1_000_000
SIGNALS_PER_PAIR_LEAST: Final = 2_000
"""Five hundred common adverts were ample; the bounds keep a store of 1,024 anchors within seconds."""
SIGMAS_LEAST: Final = 6.0
"""Chance: 2,400 lags, 3 widths and 4,000 pairs make 3e7 trials, one in a thousand million is beyond 6."""
RIVAL_SIGMAS: Final = 4.0
"""The best lag must beat every other by so much: among 7,000 rivals one in 30,000 would do so by chance."""
MATCHES_LEAST: Final = 12
"""More matches than expected, at least: below it counts are not normal."""
CLOSING_US: Final = 50_000
"""Pairs and blocks further off what the others say contradict them; half of the dead band."""
GAIN_LEAST_US: Final = 10_000
"""A clock that gains less in half of the recording is not said to drift: lags are known to some milliseconds."""
AGREEING_LEAST: Final = 2 / 3
"""Of the blocks of a pair: otherwise a clock was set while it was listened to, and no line is true."""
_ROUNDS: Final = 30
_SOFT: Final = 1e-3


class Clocks(NamedTuple):
    """What is known of a store's clocks.

    At `at_us` (microseconds, the middle of what was looked at) an anchor's clock is `ahead_us` ahead of the store's and
    gains `drift_ppb` microseconds in a thousand million; int64, shape (anchors,); 0 where it agrees within the dead
    band or is not known. `known` bool (anchors,): whether it could be compared.
    """

    ahead_us: NDArray[np.int64]
    drift_ppb: NDArray[np.int64]
    known: NDArray[np.bool_]
    at_us: int


def no_clocks(anchors: int) -> Clocks:
    """Return clocks of which nothing is known."""
    return Clocks(np.zeros(anchors, np.int64), np.zeros(anchors, np.int64), np.zeros(anchors, np.bool_), 0)


class Pairs(NamedTuple):
    """Differences between anchors: what `one` has more than `other`; int64 (pairs,) twice, float64 (pairs,)."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    apart: NDArray[np.float64]

    @classmethod
    def of(cls, told: list[tuple[int, int, float]]) -> "Pairs":
        """Make columns of rows."""
        one, other, apart = zip(*told, strict=True) if told else ((), (), ())
        return cls(np.array(one, np.int64), np.array(other, np.int64), np.array(apart, np.float64))

    def where(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """Return some of them."""
        return Pairs(self.one[chosen], self.other[chosen], self.apart[chosen])


def estimate_clocks(signals: NDArray[Any], anchors: int, step_us: int) -> Clocks:
    """Compare the clocks of a store's anchors.

    Parameters
    ----------
    signals : SIGNAL, shape (n,)
        `ts` in microseconds by the anchors' own clocks, sorted by device and time.
    anchors : int
    step_us : int
        What is heard within it is one advert.

    Returns
    -------
    Clocks
        All zero and unknown where signals do not tell: a clock is corrected on good evidence or not at all.
    """
    if not len(signals):
        return no_clocks(anchors)
    first_us, last_us = int(signals["ts"].min()), int(signals["ts"].max())
    at_us, half_us = (first_us + last_us) // 2, max((last_us - first_us) / 2, 1.0)
    gap_us = np.full(len(signals), -1, np.int64)
    last_at, last_device = np.zeros(anchors, np.int64), np.full(anchors, -1, np.int64)
    kernels.gaps(signals, step_us, GAP_LONGEST_US, last_at, last_device, gap_us)
    told = np.flatnonzero(gap_us >= 0)
    rows = np.stack([signals["device"][told], signals["ts"][told], gap_us[told]], axis=1).astype(np.int64)
    anchor = signals["anchor"][told].astype(np.int64)
    order = np.argsort(anchor, kind="stable")
    ends = np.searchsorted(anchor[order], np.arange(anchors + 1))
    together = np.zeros((anchors, anchors), np.int64)
    kernels.company(signals, gap_us, SPAN_US, together, np.zeros(anchors, np.int64), np.zeros(anchors, np.int64))
    edges = partners(together)
    most = max(SIGNALS_PER_PAIR_LEAST, min(SIGNALS_PER_PAIR, SIGNALS_IN_ALL // max(len(edges), 1)))
    apart, drifts = [], []
    for one, other in edges.tolist():
        both = [rows[order[ends[place] : ends[place + 1]]] for place in (one, other)]
        found = _compared(both[0], both[1], most, at_us)
        if found is not None:
            apart.append((one, other, found[0]))
            if found[1] is not None:
                drifts.append((one, other, found[1] * half_us))
    ahead_us, known = join(Pairs.of(apart), anchors)
    gain_us, drifting = join(Pairs.of(drifts), anchors)  # half_us after at_us
    if known.any():
        store = _reference(ahead_us, known)
        ahead_us -= ahead_us[store]
        gain_us -= gain_us[store]
        drifting &= known & drifting[store]
    gain_us[~drifting | (np.abs(gain_us) < GAIN_LEAST_US)] = 0
    ahead_us[~known | ((np.abs(ahead_us) < DEAD_BAND_US) & (gain_us == 0))] = 0
    return Clocks(
        np.rint(ahead_us).astype(np.int64), np.rint(1e9 * gain_us / half_us).astype(np.int64), known, at_us
    )


def in_store_time(signals: NDArray[Any], clocks: Clocks | None, unit: int) -> NDArray[Any]:
    """Return signals with their times by the store's clock; the same array if no clock is known to be off.

    signals : SIGNAL; unit : how much of `ts` is a microsecond (1000 where it is in ns)
    """
    if clocks is None or not (clocks.ahead_us.any() or clocks.drift_ppb.any()):
        return signals
    corrected = signals.copy()
    anchor = signals["anchor"]
    elapsed_us = signals["ts"] // unit - clocks.at_us
    gained_us = np.rint(elapsed_us * (clocks.drift_ppb[anchor] * 1e-9)).astype(np.int64)
    corrected["ts"] -= unit * (clocks.ahead_us[anchor] + gained_us)
    return corrected


def partners(together: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which anchors to compare, int64 (pairs, 2), the smaller first.

    Each with those that hear most of the same devices, and a spanning tree of the most company (Prim), so that what
    can be joined is joined.

    together : int64 (anchors, anchors), symmetric
    """
    anchors = len(together)
    chosen = np.zeros((anchors, anchors), np.bool_)
    best = np.argsort(-together, axis=1, kind="stable")[:, :PARTNERS]
    np.put_along_axis(chosen, best, values=True, axis=1)
    left = np.ones(anchors, np.bool_)
    reach = np.full(anchors, -1, np.int64)  # the most company with the tree so far, and whose
    nearest = np.zeros(anchors, np.int64)
    for _ in range(anchors):
        place = int(np.argmax(np.where(left, reach, -2)))
        if reach[place] > 0:
            chosen[place, nearest[place]] = True
        left[place] = False
        more = together[place] > reach
        reach[more] = together[place][more]
        nearest[more] = place
    return np.argwhere(np.triu(chosen | chosen.T, 1) & (together > 0))


def _compared(
    one: NDArray[np.int64], other: NDArray[np.int64], most: int, at_us: int
) -> tuple[float, float | None] | None:
    """Return by how many microseconds the first clock is ahead of the second at `at_us`, and its gain per microsecond.

    The gain is None where there are too few blocks for a line; all is None if it is not certain.
    one, other : int64 (n, 3), columns device, time, gap; about `most` rows of all of the recording are looked at
    """
    shape = (4, len(WIDTHS_US), 2 * REACH_US // BIN_US + 1)
    whole = np.zeros(shape, np.int64)
    points = []
    for mine, theirs in _blocks(one, other, most):
        sums = np.zeros(shape, np.int64)
        kernels.agreement(mine, theirs, np.array(WIDTHS_US, np.int64), REACH_US, BIN_US, *sums)
        whole += sums
        apart_us = _apart(sums)
        if apart_us is not None:
            points.append((float(mine[:, 1].mean()) - at_us, apart_us))
    if len(points) < BLOCKS_LEAST:
        apart_us = _apart(whole)
        return None if apart_us is None else (apart_us, None)
    return _line(np.array(points))


def _blocks(
    one: NDArray[np.int64], other: NDArray[np.int64], most: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Cut into blocks of time; where there is too much, take fewer blocks and the first spans of each."""
    spans = [part[:, 1] // SPAN_US for part in (one, other)]
    blocks = np.intersect1d(*(span // SPANS_PER_BLOCK for span in spans))
    if len(one) + len(other) > most and len(blocks) > BLOCKS_MOST:
        blocks = blocks[np.linspace(0, len(blocks) - 1, BLOCKS_MOST).astype(np.int64)]
    for block in blocks.tolist():
        inside = [np.flatnonzero(span // SPANS_PER_BLOCK == block) for span in spans]
        count = sum(map(len, inside)) * len(blocks)
        last = block * SPANS_PER_BLOCK + max(1, min(SPANS_PER_BLOCK, SPANS_PER_BLOCK * most // max(count, 1)))
        mine, theirs = (place[span[place] < last] for place, span in zip(inside, spans, strict=True))
        yield one[mine], other[theirs]


def _line(points: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return value at 0 and slope of the line through most of the points, float64 (n, 2); None if there is none."""
    at, value = points.T
    first, second = np.triu_indices(len(at), 1)
    slope = float(np.median((value[second] - value[first]) / (at[second] - at[first])))
    start = float(np.median(value - slope * at))
    agreeing = np.abs(value - slope * at - start) <= CLOSING_US
    return (start, slope) if agreeing.mean() >= AGREEING_LEAST else None


def _apart(sums: NDArray[np.int64]) -> float | None:
    """Return the lag of the one peak that there is, None if there is none or more.

    sums : int64 (4, widths, bins), as `agreement` gives them
    """
    best_sigmas, best_us = RIVAL_SIGMAS, None
    for width, window in enumerate(WINDOWS):
        excess, doubt, matched, lags = sums[:, width]
        found = _peak(excess, doubt, window)
        if found is not None and found[0] >= best_sigmas:
            inside = slice(found[1], found[1] + window)
            best_sigmas, best_us = found[0], float(lags[inside].sum() / matched[inside].sum())
    return best_us


def _peak(excess: NDArray[np.int64], doubt: NDArray[np.int64], window: int) -> tuple[float, int] | None:
    """Return by how many standard deviations the best window beats every other, and its first bin."""
    gain = _sliding(excess, window) / kernels.UNIT
    variance = _sliding(doubt, window) / kernels.UNIT**2 + 1.0  # never quite certain
    place = int(gain.argmax())
    if gain[place] < max(MATCHES_LEAST, SIGMAS_LEAST * float(np.sqrt(variance[place]))):
        return None
    lead = (gain[place] - gain) / np.sqrt(variance[place] + variance)
    lead[max(0, place - window) : place + window + 1] = np.inf
    return float(lead.min()), place


def _sliding(values: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    total = np.concatenate(([0], np.cumsum(values)))
    summed: NDArray[np.int64] = total[window:] - total[:-window]
    return summed


def join(pairs: Pairs, anchors: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Make one value for each anchor out of differences between pairs: what each has more than some one of them.

    Pairs that contradict the others are left out, and so is an anchor of which not most pairs agree. What is not
    joined with the largest part of the store stays 0 and unknown.

    Returns
    -------
    float64 (anchors,), bool (anchors,)
        Values, and which are known.
    """
    kept = pairs
    while True:
        part = _largest_part(kept, anchors)
        kept = kept.where(part[kept.one] & part[kept.other])
        if not len(kept.one):
            return np.zeros(anchors), np.zeros(anchors, np.bool_)
        value = _solve(kept, anchors)
        closes = np.abs(value[kept.one] - value[kept.other] - kept.apart) <= CLOSING_US
        if closes.all():
            return value, _degree(kept, anchors) > 0
        trusted = _degree(kept.where(closes), anchors) > _degree(kept.where(~closes), anchors)
        kept = kept.where(closes & trusted[kept.one] & trusted[kept.other])


def _degree(pairs: Pairs, anchors: int) -> NDArray[np.int64]:
    return np.bincount(np.concatenate((pairs.one, pairs.other)), minlength=anchors)


def _largest_part(pairs: Pairs, anchors: int) -> NDArray[np.bool_]:
    """Return which anchors belong to the largest connected part, the first among equals."""
    part = np.arange(anchors)
    while True:  # the smallest number spreads along the pairs
        least = np.minimum(part[pairs.one], part[pairs.other])
        spread = part.copy()
        np.minimum.at(spread, pairs.one, least)
        np.minimum.at(spread, pairs.other, least)
        if (spread == part).all():
            return part == np.bincount(part).argmax()
        part = spread


def _solve(pairs: Pairs, anchors: int) -> NDArray[np.float64]:
    """Least absolute deviations by reweighted least squares."""
    value = np.zeros(anchors)
    weight = np.ones(len(pairs.one))
    for _ in range(_ROUNDS):
        laplacian = np.zeros((anchors, anchors))
        np.add.at(laplacian, (pairs.one, pairs.other), -weight)
        np.add.at(laplacian, (pairs.other, pairs.one), -weight)
        np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
        right = np.zeros(anchors)
        np.add.at(right, pairs.one, weight * pairs.apart)
        np.add.at(right, pairs.other, -weight * pairs.apart)
        free = laplacian.diagonal() > 0
        free[np.flatnonzero(free)[0]] = False  # one clock is held; which one does not matter
        value = np.zeros(anchors)
        value[free] = np.linalg.solve(laplacian[np.ix_(free, free)], right[free])
        off = np.abs(value[pairs.one] - value[pairs.other] - pairs.apart)
        weight = 1 / np.maximum(off / CLOSING_US, _SOFT)
    return value


def _reference(ahead_us: NDArray[np.float64], known: NDArray[np.bool_]) -> int:
    """Return the anchor whose clock is the store's: of the most that agree, the nearest to the median.

    Clocks that are kept in time agree; those that are not each go their own way.
    """
    places = np.flatnonzero(known)
    clocks = ahead_us[places]
    agree = (np.abs(clocks[:, None] - clocks[None, :]) < DEAD_BAND_US).sum(axis=1)
    off = np.abs(clocks - np.median(clocks))
    return int(places[np.lexsort((places, off, -agree))[0]])
