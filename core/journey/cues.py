"""What to do for a customer who arrives: greet by name, offer the last order, recognise loyalty, or leave alone.

A store's policy is data: rules in their order, the first that fits decides. What the customer prefers stands above
it, and who fits no rule is left alone: quiet is the default.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from core.errors import InputError

RULES_OF_A_POLICY: Final = 20
"""More than anybody at a counter keeps in mind; the first that fits decides."""
LONGEST_BOUND: Final = 36_525
"""A hundred years in days, and more visits than anybody makes: a larger bound is a slip."""


class Cue(StrEnum):
    """What staff are asked to do."""

    GREET = "greet"
    OFFER = "offer"
    RECOGNISE = "recognise"
    LEAVE_ALONE = "leave_alone"


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a customer as she arrives; None where it is not known.

    `visits` are earlier store visits, `days_away` since the last of them, `days_since_order` since the newest order
    anywhere, `browses` the probability that she is a browser, `preference` what she asked for herself.
    """

    visits: int = 0
    days_away: float | None = None
    days_since_order: float | None = None
    tier: str | None = None
    browses: float | None = None
    appointment_today: bool = False
    complained_days: float | None = None
    preference: str | None = None


class CueRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cue, and the bounds that all have to hold; bounds that are not there always hold.

    A bound on something that is not known does not hold: nothing is guessed.
    """

    cue: Cue
    says: str
    visits_at_least: int | None = None
    days_away_at_least: float | None = None
    order_within_days: float | None = None
    tiers: tuple[str, ...] | None = None
    browses_at_least: float | None = None
    browses_at_most: float | None = None
    appointment_today: bool | None = None
    complained_within_days: float | None = None


class CuePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of a store, the first that fits decides."""

    rules: tuple[CueRule, ...]


class CueReport(msgspec.Struct, frozen=True, kw_only=True):
    """A cue and its reason; `rule` counts from 1, None where no rule of the policy decided."""

    cue: Cue
    because: str
    rule: int | None


DEFAULT_POLICY: Final = CuePolicy(
    rules=(
        CueRule(
            cue=Cue.LEAVE_ALONE,
            says="Complained within the last 30 days: a manager calls, the floor keeps quiet.",
            complained_within_days=30,
        ),
        CueRule(cue=Cue.GREET, says="Has an appointment today.", appointment_today=True),
        CueRule(
            cue=Cue.LEAVE_ALONE,
            says="Visits are of the short kind: knows what to get, wants to be quick.",
            browses_at_most=0.1,
        ),
        CueRule(
            cue=Cue.RECOGNISE,
            says="Gold, and has been away for 60 days.",
            tiers=("Gold",),
            days_away_at_least=60,
        ),
        CueRule(
            cue=Cue.OFFER,
            says="Takes time for a visit, and ordered within the last 30 days.",
            browses_at_least=0.9,
            order_within_days=30,
        ),
    )
)
"""What holds until a store has decided otherwise."""
_PREFERRED: Final = "The customer asked for it."
_QUIET: Final = "No rule of the store fits, and quiet is the default."


def read_policy(text: bytes) -> CuePolicy:
    """Return a policy from JSON.

    Raises
    ------
    InputError
        If it is no policy, has too many rules, a rule that holds for everybody but the last, or a bound that always
        holds or never.
    """
    try:
        policy = msgspec.json.decode(text, type=CuePolicy)
    except msgspec.DecodeError as error:
        raise InputError(f"This is no policy: {error}.", hint="See GET of the same for one.") from error
    if len(policy.rules) > RULES_OF_A_POLICY:
        raise InputError(f"A policy has at most {RULES_OF_A_POLICY} rules, this one {len(policy.rules)}.")
    for number, rule in enumerate(policy.rules, 1):
        if not 1 <= len(rule.says) <= 200:
            raise InputError("A rule says why in 1 to 200 characters.", where=f"rules {number}")
        bounds = {name: value for name, value in msgspec.structs.asdict(rule).items() if name not in {"cue", "says"}}
        _check_bounds(bounds, f"rules {number}")
        if all(bound is None for bound in bounds.values()) and number < len(policy.rules):
            raise InputError("The rule holds for everybody, so no later one is reached.", where=f"rules {number}")
    return policy


def _check_bounds(bounds: Mapping[str, Any], where: str) -> None:
    if bounds["tiers"] is not None and not any(tier.strip() for tier in bounds["tiers"]):
        raise InputError("No tier is named, so the rule never holds.", hint="Name one or leave it out.", where=where)
    for name, value in bounds.items():
        if value is None or isinstance(value, bool | tuple):
            continue
        most = 1 if name.startswith("browses") else LONGEST_BOUND
        if not 0 <= value <= most:
            raise InputError(f"{name} is between 0 and {most}.", hint="Or leave it out.", where=where)


def cue(policy: CuePolicy, found: Situation) -> CueReport:
    """Return what to do for a customer, and why."""
    if found.preference is not None and found.preference in set(Cue):
        return CueReport(cue=Cue(found.preference), because=_PREFERRED, rule=None)
    for number, rule in enumerate(policy.rules, 1):
        if _fits(rule, found):
            return CueReport(cue=rule.cue, because=rule.says, rule=number)
    return CueReport(cue=Cue.LEAVE_ALONE, because=_QUIET, rule=None)


def speaks_of_order(policy: CuePolicy, report: CueReport) -> bool:
    """Return whether staff need to know the newest order: it is to be offered, or decided."""
    bound = policy.rules[report.rule - 1].order_within_days if report.rule is not None else None
    return report.cue is Cue.OFFER or bound is not None


def _fits(rule: CueRule, found: Situation) -> bool:
    return (
        (rule.visits_at_least is None or found.visits >= rule.visits_at_least)
        and (rule.tiers is None or _same_tier(found.tier, rule.tiers))
        and (rule.appointment_today is None or found.appointment_today == rule.appointment_today)
        and _at_least(found.days_away, rule.days_away_at_least)
        and _at_most(found.days_since_order, rule.order_within_days)
        and _at_most(found.complained_days, rule.complained_within_days)
        and _at_least(found.browses, rule.browses_at_least)
        and _at_most(found.browses, rule.browses_at_most)
    )


def _same_tier(tier: str | None, tiers: tuple[str, ...]) -> bool:
    """Compare as people read: systems write GOLD, policies Gold, and a rule that never fits says nothing of it."""
    return tier is not None and tier.strip().casefold() in {one.strip().casefold() for one in tiers}


def _at_least(value: float | None, bound: float | None) -> bool:
    return bound is None or (value is not None and value >= bound)


def _at_most(value: float | None, bound: float | None) -> bool:
    return bound is None or (value is not None and value <= bound)
