"""Segments: rules over what customers did, and counts of who fits that speak of nobody in particular."""

from collections.abc import Sequence
from statistics import median
from typing import Final, Literal, TypeAlias

import msgspec

from core.errors import InputError
from core.journey.cues import LONGEST_BOUND
from core.journey.feeling import Feeling
from core.journey.records import Journey, State
from core.journey.rules import Stage
from core.metrics.disclosure import K_PEOPLE

ROUNDED_TO: Final = 5
"""Counts are told to the nearest five: two rules that differ by one customer tell nothing of her."""
LONGEST_DAYS: Final = 366
LONGEST_DWELL_S: Final = 86_400.0
"""A day: no visit lasts longer, so nobody would ever fit a longer least one."""


Completion: TypeAlias = Literal[
    "bought", "collected", "returned", "ordered_online", "paid_back", "left_empty_handed"
]  # fmt: skip
"""Those of core.journey.rules.COMPLETIONS."""


class Felt(msgspec.Struct, frozen=True, kw_only=True):
    """A feeling that a note tells of, and when."""

    at: int
    feeling: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer did in the time that is looked at; `dwells_s` of each ended store visit, in order."""

    dwells_s: tuple[float, ...]
    orders: int
    felt: tuple[Felt, ...]
    journeys: tuple[Journey, ...]


class SegmentRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds that all have to hold; those that are not there always hold.

    Dwell is the middle of the customer's visits. `feeling` is the newest note's, `completed` how one of the journeys
    did. `days` is how far back is looked, `store` narrows visits to one store.
    """

    days: int = 90
    store: str | None = None
    visits_at_least: int | None = None
    visits_at_most: int | None = None
    dwell_at_least_s: float | None = None
    dwell_at_most_s: float | None = None
    orders_at_least: int | None = None
    orders_at_most: int | None = None
    reached: Stage | None = None
    skipped: Stage | None = None
    feeling: Feeling | None = None
    completed: Completion | None = None


def read_rule(text: bytes) -> SegmentRule:
    """Return a rule from JSON.

    Raises
    ------
    InputError
        If it is none, or nobody could ever fit it.
    """
    try:
        rule = msgspec.json.decode(text, type=SegmentRule)
    except msgspec.DecodeError as error:
        raise InputError(f"This is no rule of a segment: {error}.", where="rule") from error
    if not 1 <= rule.days <= LONGEST_DAYS:
        raise InputError(f"A segment looks back 1 to {LONGEST_DAYS} days.", where="rule.days")
    for name, least, most, longest in (
        ("visits", rule.visits_at_least, rule.visits_at_most, LONGEST_BOUND),
        ("dwell", rule.dwell_at_least_s, rule.dwell_at_most_s, LONGEST_DWELL_S),
        ("orders", rule.orders_at_least, rule.orders_at_most, LONGEST_BOUND),
    ):
        if any(bound is not None and not 0 <= bound <= longest for bound in (least, most)):
            raise InputError(f"A bound is between 0 and {longest:g}.", hint="Or leave it out.", where=f"rule.{name}")
        if least is not None and most is not None and least > most:
            raise InputError("At least is more than at most, so nobody fits.", where=f"rule.{name}")
    return rule


def fits(rule: SegmentRule, facts: Facts) -> bool:
    """Return whether a customer is in a segment; what is not known fits no bound."""
    middle = median(facts.dwells_s) if facts.dwells_s else None
    newest = max(facts.felt, key=lambda one: one.at).feeling if facts.felt else None
    return (
        _within(len(facts.dwells_s), rule.visits_at_least, rule.visits_at_most)
        and _within(middle, rule.dwell_at_least_s, rule.dwell_at_most_s)
        and _within(facts.orders, rule.orders_at_least, rule.orders_at_most)
        and (rule.reached is None or _any_in(facts.journeys, rule.reached, State.REACHED))
        and (rule.skipped is None or _any_in(facts.journeys, rule.skipped, State.SKIPPED))
        and (rule.feeling is None or newest == rule.feeling.value)
        and (rule.completed is None or any(completion(one) == rule.completed for one in facts.journeys))
    )


def completion(one: Journey) -> str | None:
    """Return how a journey completed, in a word of COMPLETIONS; None while it has not, or nobody saw it."""
    return next(
        (report.because for report in one.stages if report.stage is Stage.COMPLETE and report.at is not None), None
    )


def told_count(people: float) -> int | None:
    """Return a count as it may be told: None below K_PEOPLE, else to the nearest ROUNDED_TO; nobody at all is 0."""
    if people == 0:
        return 0
    if people < K_PEOPLE:
        return None
    return round(people / ROUNDED_TO) * ROUNDED_TO


def _within(value: float | None, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value <= most)


def _any_in(journeys: Sequence[Journey], stage: Stage, state: State) -> bool:
    return any(report.stage is stage and report.state is state for one in journeys for report in one.stages)
