"""A customer's own rhythm: how often she comes, when she is expected, and whether her absence is unusual for her.

All times are int nanoseconds since the epoch, UTC.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from core.limits import NS_PER_S

DAY_NS: Final = 24 * 3600 * NS_PER_S
NO_BREAK_DAYS: Final = 1
"""A time without consent that is passed over: at most one visit is missed, and who takes a new wording withdraws the
old one. After a longer one nobody knows what she did meanwhile."""
FEWEST_INTERVALS: Final = 4
"""Five visits: fewer intervals have no middle that a next one would not move."""
_NEWEST_INTERVALS: Final = 20
"""What she did in the last months says more than what she did years ago."""
_UNUSUAL_TIMES: Final = 3.0
"""With visits that come as by chance, e^-3 = 5 % of the pauses are three times the mean."""
_SAME_VISIT_NS: Final = DAY_NS // 2
"""Who comes back within half a day has forgotten something: one occasion."""


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """How she comes: the middle pause, the pauses that 8 of 10 lie between, and what follows from them.

    `expected_at` is her last visit and the middle pause; `unusual` says that she has been away for longer than ever
    was usual for her.
    """

    occasions: int
    usual_days: float
    low_days: float
    high_days: float
    last_at: int
    expected_at: int
    away_days: float
    unusual: bool


def occasions(entered: Sequence[int]) -> list[int]:
    """Return when she came, in order, without coming back within half a day."""
    found: list[int] = []
    for at in sorted(entered):
        if not found or at - found[-1] > _SAME_VISIT_NS:
            found.append(at)
    return found


def rhythm(entered: Sequence[int], *, as_of: int) -> Rhythm | None:
    """Return her rhythm from the starts of her visits, in any order; None with too few of them."""
    came = [at for at in occasions(entered) if at <= as_of]
    pauses = np.diff(np.array(came, np.int64))[-_NEWEST_INTERVALS:] / DAY_NS
    if len(pauses) < FEWEST_INTERVALS:
        return None
    low, middle, high = (float(value) for value in np.quantile(pauses, (0.1, 0.5, 0.9)))
    away = (as_of - came[-1]) / DAY_NS
    return Rhythm(
        occasions=len(came),
        usual_days=middle,
        low_days=low,
        high_days=high,
        last_at=came[-1],
        expected_at=came[-1] + int(middle * DAY_NS),
        away_days=away,
        unusual=away > max(_UNUSUAL_TIMES * middle, float(pauses.max())),
    )


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value stands among others: how many those are, their middle, and which share of them is smaller."""

    among: int
    middle: float
    share_below: float


def standing(value: float, others: Sequence[float]) -> Standing | None:
    """Return where `value` stands among `others`, ties counted half; None among fewer than FEWEST_INTERVALS."""
    if len(others) < FEWEST_INTERVALS:
        return None
    held = np.asarray(others, np.float64)
    below = float(np.mean(held < value) + np.mean(held == value) / 2)
    return Standing(among=len(held), middle=float(np.median(held)), share_below=below)
