"""How long each kind of data is kept: defaults with their reasons, and what an operator sets instead. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from core.errors import ConfigurationError

DAY_S: Final = 86_400
_UNITS: Final = {"d": 1, "w": 7, "mo": 31, "y": 366}
"""In days; a month is never shorter than one on a calendar."""
_LONGEST_DAYS: Final = 100 * 366


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of data: after `days` it goes; `least` days are needed for the rest to work. `why` is the reason."""

    kind: str
    days: int
    least: int
    why: str


KINDS: Final = {
    kind.kind: kind
    for kind in (
        Kind(kind="signals", days=30, least=8, why="Visits are revised for a month; late batches come for a week."),
        Kind(kind="visits", days=13 * 31, least=31, why="A season is compared with the one of the year before."),
        Kind(kind="notes", days=2 * 366, least=1, why="What staff remember of a customer; two years of seasons."),
        Kind(kind="events", days=3 * 366, least=1, why="Orders and appointments that journeys cite."),
        Kind(kind="messages", days=366, least=1, why="Caps look back a year at most."),
        Kind(kind="alerts", days=366, least=31, why="Whether an alert was right is settled after 30 days."),
        Kind(kind="cues", days=366, least=31, why="Trials of policies run for months."),
        Kind(kind="withdrawn", days=30, least=0, why="A withdrawal that was a mistake can be mended for a month."),
        Kind(kind="dead_letters", days=90, least=1, why="A fault of an edge is looked into within a season."),
        Kind(kind="audit", days=2 * 366, least=366, why="Complaints about a look come within a year."),
        Kind(kind="receipts", days=3 * 366, least=366, why="Proof that an erasure was done, while it may be asked."),
    )
}  # fmt: skip
"""By their words, in the order in which they are looked at."""


def read_policy(text: str) -> dict[str, int]:
    """Return days by kind: the defaults, and what a text such as `signals=14d, visits=6mo` sets instead.

    Raises
    ------
    ConfigurationError
        If a kind is none, a time cannot be read, or is shorter than the rest needs.
    """
    policy = {word: kind.days for word, kind in KINDS.items()}
    for part in text.replace(",", " ").split():
        word, _, said = part.partition("=")
        if word not in KINDS:
            raise ConfigurationError(f"Nothing of the kind {word!r} is kept.", hint=f"Kinds: {', '.join(KINDS)}.")
        days = _days(said)
        if not KINDS[word].least <= days <= _LONGEST_DAYS:
            raise ConfigurationError(
                f"{word} cannot be kept for {days} days.", hint=f"At least {KINDS[word].least}: {KINDS[word].why}"
            )
        policy[word] = days
    return policy


def cutoff_s(policy: Mapping[str, int], kind: str, now_s: float) -> float:
    """Return the time (s since 1970) before which data of a kind goes."""
    return now_s - policy[kind] * DAY_S


def _days(said: str) -> int:
    number = said.rstrip("dwmoy")
    unit = said[len(number) :]
    if not number.isascii() or not number.isdigit() or unit not in _UNITS:
        raise ConfigurationError(f"{said!r} is no time to keep something.", hint="Such as 30d, 6w, 13mo or 2y.")
    return int(number) * _UNITS[unit]
