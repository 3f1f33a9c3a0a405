"""The rules by which stages are reached: data with an id and a version, every bound once with its reason."""

from enum import StrEnum
from typing import Final

import msgspec

from core.limits import NS_PER_S

ENGAGE_DWELL_S: Final = 30
"""Walking through a zone of 10 m at a stroller's 0.5 m/s takes 20 s; who is still there after 30 s has stopped
for something. Shorter also lies inside the bounds of a dwell decoded from one advert a second."""
DISCOVER_LOOK_BACK_NS: Final = 30 * 24 * 3600 * NS_PER_S
"""The usual attribution window of view-through campaigns; older views say little about this visit."""
COMPLETE_SLACK_NS: Final = 5 * 60 * NS_PER_S
"""Till clocks and decoded ends of visits differ by minutes at most; hardly anybody is back within five."""
PASSING_NS: Final = 10 * 60 * NS_PER_S
"""An app says "passed by" at some 200 m from the store, three minutes' walk: who enters soon after, or has just left,
did not pass by."""
REFLECT_LOOK_AHEAD_NS: Final = 14 * 24 * 3600 * NS_PER_S
"""The EU's statutory period of withdrawal: what is said or sent back later belongs to owning, not to the visit."""


class Stage(StrEnum):
    """The six stages around a store visit, in their order."""

    DISCOVER = "discover"
    PLAN_ENROLL = "plan_enroll"
    ARRIVE = "arrive"
    ENGAGE = "engage"
    COMPLETE = "complete"
    REFLECT = "reflect"

    @property
    def label(self) -> str:
        """What people read."""
        return "Plan/Enroll" if self is Stage.PLAN_ENROLL else self.value.capitalize()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What lets a stage count as reached.

    `says` is the rule in words. `kinds` are the kinds of events that are evidence for the stage; where a stage is
    reached by visits rather than events it is empty. `lasting` are those of them that count however long ago they
    were: an enrolment stands until it ends, a wish belongs to one visit.
    """

    stage: Stage
    id: str
    version: int
    says: str
    kinds: frozenset[str] = frozenset()
    lasting: frozenset[str] = frozenset()


CONSENT_GRANTED: Final = "consent_granted"
CONSENT_WITHDRAWN: Final = "consent_withdrawn"
ORDERED: Final = "ordered"
PASSED_BY: Final = "passed_by"

COMPLETIONS: Final = ("bought", "collected", "returned", "ordered_online", "paid_back", "left_empty_handed")
"""Why Complete is reached, in the words of a report's `because`: who bought, and who left with nothing."""

RULES: Final = {
    rule.stage: rule
    for rule in (
        Rule(
            stage=Stage.DISCOVER,
            id="discover.before_the_visit",
            version=2,
            says="Saw a promotion, searched, viewed a product or passed by, and did not enter within 10 min, in the"
            " 30 days before the visit (online: the order), and after the one before.",
            kinds=frozenset({"promotion_viewed", "searched", "product_viewed", PASSED_BY}),
        ),
        Rule(
            stage=Stage.PLAN_ENROLL,
            id="plan_enroll.planned_or_enrolled",
            version=3,
            says="Enrolled, or gave a consent that still stood, before the visit ended (online: the order); or wished"
            " for something, reserved it or booked an appointment in the 30 days before it and after the one before.",
            kinds=frozenset({"enrolled", CONSENT_GRANTED, "wished", "reserved", "appointment_booked"}),
            lasting=frozenset({"enrolled", CONSENT_GRANTED}),
        ),
        Rule(
            stage=Stage.ARRIVE,
            id="arrive.store_visit_begins",
            version=1,
            says="A store visit began.",
        ),
        Rule(
            stage=Stage.ENGAGE,
            id="engage.zone_dwell_or_contact",
            version=2,
            says=f"Stayed in one zone for at least {ENGAGE_DWELL_S} s, was spoken with (a note says so),"
            " or scanned a product.",
            kinds=frozenset({"noted", "scanned"}),
        ),
        Rule(
            stage=Stage.COMPLETE,
            id="complete.order_or_end",
            version=4,
            says="Bought, or else collected or returned something in the store, from 5 min before the visit to 5 min"
            " after it; or the visit ended, and its end was seen, without that. Who only orders online completes by"
            " that. Where all that was bought was paid back as a whole since, it says so.",
            kinds=frozenset({ORDERED, "collected", "returned"}),
        ),
        Rule(
            stage=Stage.REFLECT,
            id="reflect.after_the_visit",
            version=2,
            says="Reviewed, checked points, asked for a refund, answered a survey or complained in the 14 days after"
            " the visit (online: the order), and before the next.",
            kinds=frozenset({"reviewed", "points_checked", "refunded", "survey_answered", "complained"}),
        ),
    )
}
"""The rule of each stage, in the order of the stages."""
