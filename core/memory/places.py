"""At which stage of the journey something was felt.

The rules are those of `core.journey.rules` for one moment instead of a whole visit: during a visit the zone says,
after it the 14 days of Reflect, and otherwise whether something was planned.
"""

from collections.abc import Sequence
from typing import Final

from core.journey.rules import (
    COMPLETE_SLACK_NS,
    CONSENT_GRANTED,
    DISCOVER_LOOK_BACK_NS,
    REFLECT_LOOK_AHEAD_NS,
    RULES,
    Stage,
)
from core.memory.records import Felt, Happened, Visit

_OF_ZONE: Final = {"entrance": Stage.ARRIVE, "checkout": Stage.COMPLETE}
"""What a zone says during a visit; every other one is where customers engage."""
_PLANS: Final = RULES[Stage.PLAN_ENROLL].kinds - {CONSENT_GRANTED}
_REFLECTS: Final = RULES[Stage.REFLECT].kinds


def stage_of(felt: Felt, visits: Sequence[Visit], events: Sequence[Happened]) -> Stage:
    """Return the stage that something was felt at.

    Parameters
    ----------
    felt : Felt
    visits, events
        Of the same customer, in any order.
    """
    if felt.kind in _REFLECTS:
        return Stage.REFLECT
    for visit in visits:
        if visit.entered_at - COMPLETE_SLACK_NS <= felt.at <= visit.left_at + COMPLETE_SLACK_NS:
            return _OF_ZONE.get(felt.zone_kind if felt.zone_kind is not None else "", Stage.ENGAGE)
    left = max((visit.left_at for visit in visits if visit.left_at <= felt.at), default=None)
    if left is not None and felt.at - left <= REFLECT_LOOK_AHEAD_NS:
        return Stage.REFLECT
    since = felt.at - DISCOVER_LOOK_BACK_NS if left is None else max(left, felt.at - DISCOVER_LOOK_BACK_NS)
    if any(event.kind in _PLANS and since <= event.at <= felt.at for event in events):
        return Stage.PLAN_ENROLL
    if felt.zone_kind is not None:  # staff stood beside her although no device was heard
        return _OF_ZONE.get(felt.zone_kind, Stage.ENGAGE)
    return Stage.DISCOVER
