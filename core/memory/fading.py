"""How much what happened still counts: half as much after each half-life."""

from typing import Final

from core.journey.habits import DAY_NS

FEELING_HALF_LIFE_DAYS: Final = 180
"""Half a year, two seasons of a shop: who was angry a year ago has mostly come since, and feels a quarter of it."""
PREFERENCE_HALF_LIFE_DAYS: Final = 365
"""Sizes and habits outlast moods; after a year it is worth asking again."""
FADED: Final = 1 / 16
"""Four half-lives: what is older is kept with its note, and no longer told."""


def weight(at: int, *, as_of: int, half_life_days: float) -> float:
    """Return 0..1: 1 for what happens at `as_of` (or is said to happen later), 0.5 after one half-life."""
    return float(0.5 ** (max(0, as_of - at) / DAY_NS / half_life_days))


def age(at: int, as_of: int) -> str:
    """Return how long ago something was, as a person says it."""
    days = max(0, as_of - at) // DAY_NS
    if days < 1:
        return "less than a day ago"  # not today: midnight may lie between, on whose clocks ever
    if days < 60:
        return "1 day ago" if days == 1 else f"{days} days ago"
    months = round(days / 30.44)
    return f"{months} months ago" if months < 24 else f"{months // 12} years ago"
