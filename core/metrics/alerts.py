"""When a limit has been passed: with hysteresis, so that a value at the limit does not flicker.

An alert opens once a value has been at or above `opens_at` for `for_s`, and closes once it has been at or below
`clears_at` for as long; in between it stays as it is. A value that is not known changes nothing.
"""

from statistics import median
from typing import Final, Literal

import msgspec

from core.errors import InputError
from core.limits import ANCHORS_PER_STORE
from core.metrics.disclosure import K_PEOPLE, is_few

KindWord = Literal["occupancy", "queue_wait", "anchor_down", "unusual_dwell"]
WAIT_STEPS_S: Final = (0, 60, 120, 180, 300, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200)
"""Lengths of a wait that limits are set at and that alerts tell: minutes, each a third longer than the one before or
more. A queue is of fewer than ten people, so its median to the second is one person's time, and limits of every
second beside each other would find it; who waits needs no more than "longer than 10 min"."""
_WAITS: Final = ", ".join(map(str, WAIT_STEPS_S))
_WEEK_S: Final = 7 * 24 * 3600
_LEAST_HISTORY: Final = 4
"""Of eight weeks: with fewer of the same hour nobody can say what is usual."""
_NORMAL: Final = 1.4826
"""The median of absolute deviations times this is the standard deviation of a normal distribution."""
_LEAST_SCALE: Final = 0.1
"""Hours that were all alike would make anything unusual: a tenth of the median is taken as the least scatter."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert watches: unit, usual bounds and the reason for them."""

    kind: KindWord
    title: str
    unit: str
    says: str
    opens_at: float
    clears_at: float
    for_s: int
    reason: str
    least: float
    """The least limit to open at."""
    most: float
    """The highest."""
    clears_least: float = 0
    """The least limit to clear at."""


KINDS: Final[dict[KindWord, Kind]] = {
    kind.kind: kind
    for kind in (
        Kind(
            kind="occupancy", title="Occupancy limit", unit="people", opens_at=200, clears_at=180, for_s=30,
            says=f"People in the store, or in a zone, now; a limit is of {K_PEOPLE} people and more.",
            reason="The limit is the store's own; a tenth below it people can be let in again without it filling at"
            " once.",
            # the log of a limit of one would be when one person came and when she left
            least=K_PEOPLE, clears_least=K_PEOPLE - 1, most=100_000,  # the largest venues hold as many
        ),
        Kind(
            kind="queue_wait", title="Queue wait", unit="s", opens_at=300, clears_at=180, for_s=60,
            says="Half of those who wait in a checkout or service zone now have been there at least so long; needs"
            f" three. Limits and waits are in steps: {_WAITS} s.",
            reason="Five minutes are what shoppers put up with in most surveys; three are usual again.",
            least=WAIT_STEPS_S[1], most=WAIT_STEPS_S[-1],
        ),
        Kind(
            kind="anchor_down", title="Anchors down", unit="anchors", opens_at=1, clears_at=0, for_s=120,
            says="Anchors of the store, or of a zone, that do not work.",
            reason="An edge that restarts is back within a minute.",
            least=1, most=ANCHORS_PER_STORE,
        ),
        Kind(
            kind="unusual_dwell", title="Unusual dwell", unit="deviations", opens_at=3.5, clears_at=2.0, for_s=0,
            says="How far the median dwell of the last whole hour is from that of the same hour of the week in the"
            f" eight weeks before, in robust standard deviations; of hours with {K_PEOPLE} people and more.",
            reason="3.5 is the bound that Iglewicz and Hoaglin recommend for outliers by the median of deviations.",
            least=1, most=100,  # within one is usual; a hundred are ten times the usual dwell at the least
        ),
    )
}  # fmt: skip
"""Every kind by its word."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one alert, in the unit of its kind."""

    kind: KindWord
    opens_at: float
    clears_at: float
    for_s: int


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """How an alert stands: `since_s` is when the value passed the bound that matters now, None while it has not."""

    is_open: bool = False
    since_s: float | None = None


def checked(rule: Rule) -> Rule:
    """Return a rule that can be watched.

    Raises
    ------
    InputError
        If the bounds are upside down or out of reach.
    """
    kind = KINDS[rule.kind]
    if not kind.least <= rule.opens_at <= kind.most:
        raise InputError(
            f"{rule.opens_at:g} {kind.unit} is no limit of “{kind.title}”.",
            hint=f"Give {kind.least:g} to {kind.most:g}.",
            where="opens_at",
        )
    if not kind.clears_least <= rule.clears_at < rule.opens_at:
        raise InputError(
            "An alert must clear below where it opens.",
            hint=f"Let “clears at” be less than “opens at”, and {kind.clears_least:g} or more.",
            where="clears_at",
        )
    for where, limit in (("opens_at", rule.opens_at), ("clears_at", rule.clears_at)):
        if rule.kind == "queue_wait" and limit not in WAIT_STEPS_S:
            raise InputError(
                f"{limit:g} s lies between two steps of waiting.",
                hint=f"Give one of {_WAITS}.",
                where=where,
            )
    if not 0 <= rule.for_s <= _WEEK_S:
        raise InputError(f"{rule.for_s} s is no time to wait.", hint="Give 0 to a week.", where="for_s")
    return rule


def usual_clear(kind: Kind, opens_at: float) -> float:
    """Return where an alert clears whose own limit is given: in the same proportion as usual."""
    clears_at = max(kind.clears_least, opens_at * kind.clears_at / kind.opens_at)
    return _stepped(clears_at) if kind.kind == "queue_wait" else clears_at


def told(kind: KindWord, value: float) -> float | None:
    """Return what is told of a value: of a wait the step that is reached, of fewer than ten people nothing."""
    if kind == "queue_wait":
        return _stepped(value)
    return None if kind == "occupancy" and is_few(int(value)) else value


def _stepped(wait_s: float) -> float:
    return float(max(step_s for step_s in WAIT_STEPS_S if step_s <= max(0.0, wait_s)))


def step(rule: Rule, watch: Watch, value: float | None, now_s: float) -> Watch:
    """Return how the alert stands after a look at `now_s`; it opened or closed where `is_open` differs."""
    if value is None:
        return Watch(is_open=watch.is_open)
    passed = value <= rule.clears_at if watch.is_open else value >= rule.opens_at
    return turned(watch, passed=passed, for_s=rule.for_s, now_s=now_s)


def turned(watch: Watch, *, passed: bool, for_s: float, now_s: float) -> Watch:
    """Return how something stands whose bound (to open, or to close once it is open) is passed now or is not."""
    if not passed:
        return Watch(is_open=watch.is_open)
    since_s = now_s if watch.since_s is None else watch.since_s
    if now_s - since_s >= for_s:
        return Watch(is_open=not watch.is_open)
    return Watch(is_open=watch.is_open, since_s=since_s)


def deviation(value: float, history: list[float]) -> float | None:
    """Return how unusual a value is: its distance from the median of `history` in robust standard deviations.

    None with fewer than four earlier values. After Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993).
    """
    if len(history) < _LEAST_HISTORY:
        return None
    middle = median(history)
    scatter = _NORMAL * median(abs(one - middle) for one in history)
    return abs(value - middle) / max(scatter, _LEAST_SCALE * abs(middle), 1e-9)
