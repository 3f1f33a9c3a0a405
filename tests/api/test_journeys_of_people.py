"""A customer's journeys are the same whether all of her events are judged or those that can matter to each."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.journey_map import building
from core.journey.records import Journey
from core.journey.rules import RULES
from storage.journey_map.people import JourneyPerson, JourneyVisit
from tests.api.seeding import floor_plan

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
KINDS = sorted({kind for rule in RULES.values() for kind in rule.kinds} - {"noted", "consent_granted"})
PLANS = {store.id: store for store in floor_plan().stores}
HOURS = st.integers(0, 120 * 24)


@given(
    events=st.lists(st.tuples(st.sampled_from(KINDS), HOURS, st.booleans()), max_size=40),
    visits=st.lists(HOURS, max_size=4, unique=True),
    words=st.lists(st.tuples(st.sampled_from(["granted", "withdrawn"]), HOURS), max_size=4),
)
def test_what_lies_far_from_a_journey_cannot_matter_to_it(
    events: list[tuple[str, int, bool]], visits: list[int], words: list[tuple[str, int]]
) -> None:
    def at(hour: int) -> datetime:
        return NOON + timedelta(hours=hour)

    person = JourneyPerson(
        profile_id=UUID(int=1),
        visits=[
            JourneyVisit(
                visit_id=UUID(int=number), store="marktplatz", store_no=1, entered_at=at(hour),
                left_at=at(hour) + timedelta(minutes=20), dwell_s=1200.0, closed_by="silence", stays=[],
            )
            for number, hour in enumerate(sorted(visits), 2)
        ],
        events=[
            (UUID(int=number), 0, kind, at(hour), "marktplatz" if inside else "", False)
            for number, (kind, hour, inside) in enumerate(sorted(events, key=lambda one: one[1]), 100)
        ],
        words=[(number, status, at(hour)) for number, (status, hour) in enumerate(words, 1)],
        notes=[],
    )  # fmt: skip

    def judged() -> list[Journey]:
        return building.journeys_of(person, PLANS, begin=at(0), end=at(121 * 24), now=at(150 * 24))

    near = judged()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building._Known, "around", lambda known, _begin, _end: known._events)
        assert judged() == near
