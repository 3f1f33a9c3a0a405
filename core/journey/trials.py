"""A policy tried on a random half of the customers: who is in which half, and what it changed.

One customer counts once, by the first visit within the trial: visits of one customer are alike, and would make the
interval look narrower than it is. Everybody counts in the half she was drawn for, whatever staff then did.
Sources: B. Welch, Biometrika 34 (1947), on the logarithm of dwell; R. Newcombe, Interval estimation for the
difference between independent proportions, Statistics in Medicine 17 (1998), method 10, from E. Wilson's
intervals (1927).
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import exp, sqrt
from typing import Final

import msgspec
import numpy as np

FEWEST_A_HALF: Final = 20
"""Below, a difference is mostly chance: its interval spans from half to double."""
CONFIDENCE: Final = 0.95
RETURN_WITHIN_DAYS: Final = 30
"""Who comes back within a month of the visit returned; the month that campaigns are planned in."""
_SHORTEST_S: Final = 1.0
_NOTHING: Final = 1e-9


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer did on the first visit in a trial; `returned` None while the time for it is not over."""

    tried: bool
    dwell_s: float
    bought: bool
    returned: bool | None


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """A difference and the interval that holds the true one in 95 of 100 trials.

    `tried` and `kept` are the two halves' own figures, `tried_count` and `kept_count` their sizes.
    """

    tried: float
    kept: float
    tried_count: int
    kept_count: int
    change: float
    low: float
    high: float


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial changed; None while there are too few.

    `dwell` is the geometric mean in seconds, its change a ratio (1.1: a tenth longer); `bought` and `returned` are
    shares, their change a difference of shares.
    """

    customers: int
    dwell: Effect | None
    bought: Effect | None
    returned: Effect | None


def tries(salt: bytes, profile: bytes) -> bool:
    """Return whether a customer is in the half that the policy is tried on; always the same within a trial."""
    return blake2b(profile, key=salt, digest_size=8).digest()[0] & 1 == 1


def effects(outcomes: Sequence[Outcome]) -> Effects:
    """Return what the trial changed, from one outcome for each customer."""
    halves = [[one for one in outcomes if one.tried is tried] for tried in (True, False)]
    return Effects(
        customers=len(outcomes),
        dwell=_dwell(*halves),
        bought=share_effect(*([one.bought for one in half] for half in halves)),
        returned=share_effect(*([one.returned for one in half if one.returned is not None] for half in halves)),
    )


def _dwell(tried: list[Outcome], kept: list[Outcome]) -> Effect | None:
    if min(len(tried), len(kept)) < FEWEST_A_HALF:
        return None
    from scipy.stats import ttest_ind  # noqa: PLC0415 - takes longer to load than the rest of the API

    logs = [np.log(np.maximum([one.dwell_s for one in half], _SHORTEST_S)) for half in (tried, kept)]
    means = [float(half.mean()) for half in logs]
    if all(float(np.ptp(half)) < _NOTHING for half in logs):
        low = high = means[0] - means[1]  # nothing varies: there is no chance in it
    else:
        found = ttest_ind(*logs, equal_var=False).confidence_interval(CONFIDENCE)
        low, high = float(found.low), float(found.high)
    return Effect(
        tried=exp(means[0]),
        kept=exp(means[1]),
        tried_count=len(tried),
        kept_count=len(kept),
        change=exp(means[0] - means[1]),
        low=exp(low),
        high=exp(high),
    )


def share_effect(tried: list[bool], kept: list[bool]) -> Effect | None:
    """Return the difference of two shares (tried less kept); None with fewer than FEWEST_A_HALF on a side."""
    if min(len(tried), len(kept)) < FEWEST_A_HALF:
        return None
    one, two = sum(tried) / len(tried), sum(kept) / len(kept)
    (low_one, high_one), (low_two, high_two) = _wilson(tried), _wilson(kept)
    return Effect(
        tried=one,
        kept=two,
        tried_count=len(tried),
        kept_count=len(kept),
        change=one - two,
        low=one - two - sqrt((one - low_one) ** 2 + (high_two - two) ** 2),
        high=one - two + sqrt((high_one - one) ** 2 + (two - low_two) ** 2),
    )


def _wilson(seen: list[bool]) -> tuple[float, float]:
    from scipy.stats import binomtest  # noqa: PLC0415 - as above

    found = binomtest(sum(seen), len(seen)).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)
