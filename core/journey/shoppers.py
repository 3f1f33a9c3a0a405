"""Get-in-get-out or browser: two kinds of visits by their length, if the data hold two kinds at all.

The logarithm of dwell is described by one normal distribution and by a mixture of two (EM, one dimension). Two kinds
are only spoken of where the mixture is clearly better and its parts stand apart.
Sources: A. Dempster, N. Laird, D. Rubin, Maximum likelihood from incomplete data, JRSS B 39 (1977); G. Schwarz (BIC),
Ann. Statist. 6 (1978); K. Ashman, C. Bird, S. Zepf, Detecting bimodality in astronomical datasets, AJ 108 (1994).
A customer's share of long visits varies as in J. Skellam, A probability distribution derived from the binomial
distribution by regarding the probability of success as variable between the sets of trials, JRSS B 10 (1948). The
kind of a visit is not seen and is summed over: A. Gelman et al., Bayesian Data Analysis, 3rd edition (2013), chapter
22.
"""

from collections.abc import Sequence
from math import exp, log
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

FEWEST_VISITS: Final = 200
"""With fewer, one in twenty stores of a single kind looks like two."""
FEWEST_OF_A_CUSTOMER: Final = 5
"""Below, one unusual visit decides."""
_CLEARLY_BETTER: Final = 10.0
"""Difference in BIC that counts as very strong evidence (Kass and Raftery, JASA 90, 1995)."""
_APART: Final = 2.0
"""Ashman's D: below 2 the two parts overlap so far that a visit's kind cannot be told."""
_SMALLEST_SHARE: Final = 0.1
"""A kind that fewer than one visit in ten belongs to is a tail."""
_WORTH: Final = 1.0
"""What the store's share says of a customer weighs as much as one of her own visits."""
_STEPS: Final = 100
"""Shares at which the posterior is summed up; even, so that one half is an edge."""
_ROUNDS: Final = 200
_SETTLED: Final = 1e-8
_SHORTEST_S: Final = 1.0


class DwellKinds(msgspec.Struct, frozen=True, kw_only=True):
    """Two kinds of visits: share, middle (s) and spread (of the logarithm) of the short ones and of the long ones."""

    visits: int
    share_short: float
    short_s: float
    short_spread: float
    long_s: float
    long_spread: float


def dwell_kinds(dwells_s: Sequence[float]) -> DwellKinds | None:
    """Return the two kinds of visits of a store; None if its dwells do not support two."""
    logs = np.log(np.maximum(np.asarray(dwells_s, np.float64), _SHORTEST_S))
    if len(logs) < FEWEST_VISITS or float(logs.std()) == 0:
        return None
    share, means, spreads, likelihood = _two(logs)
    single = float(np.sum(_log_normal(logs, float(logs.mean()), float(logs.std()))))
    better = 2 * (likelihood - single) - 3 * log(len(logs))  # three parameters more
    apart = abs(means[1] - means[0]) * 2**0.5 / (spreads[0] ** 2 + spreads[1] ** 2) ** 0.5
    if better < _CLEARLY_BETTER or apart < _APART or not _SMALLEST_SHARE <= share <= 1 - _SMALLEST_SHARE:
        return None
    return DwellKinds(
        visits=len(logs),
        share_short=share,
        short_s=exp(means[0]),
        short_spread=float(spreads[0]),
        long_s=exp(means[1]),
        long_spread=float(spreads[1]),
    )


def browses(kinds: DwellKinds, dwells_s: Sequence[float]) -> float | None:
    """Return the probability that most of a customer's visits are of the long kind, given her dwells; None with few.

    Each of her visits is of the one kind or the other, a share of them long; before anything is known of her that
    share is spread as Beta(m, 1 - m) around that of the store, m. So half short and half long says neither, and
    one visit that is unlike the others changes little. The posterior (Skellam 1948; Gelman et al. 2013) is summed up
    over a grid of shares.
    """
    if len(dwells_s) < FEWEST_OF_A_CUSTOMER:
        return None
    logs = np.log(np.maximum(np.asarray(dwells_s, np.float64), _SHORTEST_S))
    short = _log_normal(logs, log(kinds.short_s), kinds.short_spread)
    long = _log_normal(logs, log(kinds.long_s), kinds.long_spread)
    mean = 1 - kinds.share_short
    share = (np.arange(_STEPS) + 0.5) / _STEPS
    likely = (_WORTH * mean - 1) * np.log(share) + (_WORTH * (1 - mean) - 1) * np.log(1 - share)
    likely += np.logaddexp(np.log(share)[:, None] + long, np.log(1 - share)[:, None] + short).sum(axis=1)
    weight = np.exp(likely - likely.max())
    return float(weight[_STEPS // 2 :].sum() / weight.sum())


def _two(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], NDArray[np.float64], float]:
    """Fit two normals by EM from the quartiles: share of the lower one, means, spreads, log-likelihood."""
    means = np.quantile(logs, (0.25, 0.75))
    spreads = np.full(2, float(logs.std()) / 2)
    narrowest = float(logs.std()) / 20  # else a part shrinks onto one value and its likelihood grows without bound
    share, likelihood = 0.5, -np.inf
    for _ in range(_ROUNDS):
        parts = np.stack(
            [
                log(share) + _log_normal(logs, float(means[0]), float(spreads[0])),
                log(1 - share) + _log_normal(logs, float(means[1]), float(spreads[1])),
            ]
        )
        whole = np.logaddexp(parts[0], parts[1])
        before, likelihood = likelihood, float(whole.sum())
        if likelihood - before < _SETTLED * abs(likelihood):
            break
        belongs = np.exp(parts - whole)
        weight = belongs.sum(axis=1)
        share = float(np.clip(weight[0] / len(logs), 1e-6, 1 - 1e-6))
        means = belongs @ logs / weight
        spreads = np.maximum(np.sqrt((belongs * (logs - means[:, None]) ** 2).sum(axis=1) / weight), narrowest)
    if means[0] > means[1]:
        share, means, spreads = 1 - share, means[::-1], spreads[::-1]
    return share, means, spreads, likelihood


def _log_normal(values: NDArray[np.float64], mean: float, spread: float) -> NDArray[np.float64]:
    density: NDArray[np.float64] = -0.5 * ((values - mean) / spread) ** 2 - log(spread) - 0.5 * log(2 * np.pi)
    return density
