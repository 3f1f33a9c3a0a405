"""Whether alerts were right: what a person said, else what came within 30 days; and the share with its bounds.

What came is a weaker judge: whoever is called because of an alert may behave otherwise for that very reason.
"""

from math import sqrt
from typing import Final

import msgspec

from core.journey.feeling import Feeling
from core.journey.habits import DAY_NS
from core.journey.rules import ORDERED
from core.memory.foresight import GRACE_NS, Scene
from core.memory.records import promised_for

FOLLOWS_NS: Final = 30 * DAY_NS
"""The month that alerts look back on, ahead."""
_Z: Final = 1.96
"""95 % of a normal distribution."""
_TURNED_AWAY: Final = frozenset({"returned", "refunded", "complained", "cancelled"})


class HitRate(msgspec.Struct, frozen=True, kw_only=True):
    """Hits of a rule: `share` of `judged`, None without any, and its 95 % bounds (Wilson 1927)."""

    alerts: int
    judged: int
    right: int
    share: float | None
    low: float | None
    high: float | None


def followed(rule: str, made_at: int, scene: Scene) -> bool | None:
    """Return whether what a rule foresaw came within FOLLOWS_NS; None while that time is not over, or nobody knows.

    Frustration: another negative statement, a return, refund or cancellation; a promise that was overdue: also that
    it still is. Delight: a visit, an order or another positive statement. Slipping away: no visit. Who was not heard
    of at all may be content or gone for good: silence says nothing of a feeling.
    """
    end = made_at + FOLLOWS_NS
    if scene.as_of < end:
        return None
    came = any(made_at < visit.entered_at <= end for visit in scene.visits)
    if rule == "slipping":
        return not came
    said = {felt.feeling for felt in scene.felt if made_at < felt.at <= end}
    kinds = {event.kind for event in scene.events if made_at < event.at <= end}
    if rule == "delight":
        right = Feeling.POSITIVE in said or came or ORDERED in kinds
    else:
        right = Feeling.NEGATIVE in said or bool(kinds & _TURNED_AWAY)
        right = right or (rule == "promise_overdue" and _stayed_overdue(made_at, end, scene))
    return right if right or came or said or kinds else None


def _stayed_overdue(made_at: int, end: int, scene: Scene) -> bool:
    """Return whether something that was overdue when the alert was made was not done all that time.

    By when it was promised for: to put it off does not keep it.
    """
    return any(
        promised_for(due) + GRACE_NS < made_at and (due.done_at is None or due.done_at > end)
        for due in scene.dues
        if due.made_at <= made_at
    )


def hit_rate(alerts: int, right: int, wrong: int) -> HitRate:
    """Return the share of hits among those that were judged."""
    judged = right + wrong
    if not judged:
        return HitRate(alerts=alerts, judged=0, right=0, share=None, low=None, high=None)
    share = right / judged
    middle = share + _Z**2 / (2 * judged)
    reach = _Z * sqrt(share * (1 - share) / judged + _Z**2 / (4 * judged**2))
    whole = 1 + _Z**2 / judged
    return HitRate(
        alerts=alerts,
        judged=judged,
        right=right,
        share=share,
        low=max(0.0, (middle - reach) / whole),
        high=min(1.0, (middle + reach) / whole),
    )
