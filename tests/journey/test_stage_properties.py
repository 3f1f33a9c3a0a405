"""Order and repetition of the inputs don't matter; times rise from stage to stage."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from core.journey.records import Event, Journey, State, Stay, StoreVisit
from core.journey.rules import Stage
from core.journey.stages import journey

S = 1_000_000_000
DAY = 86_400 * S
ARRIVAL = 1_763_812_800 * S
KINDS = (
    "passed_by",
    "product_viewed",
    "searched",
    "enrolled",
    "consent_granted",
    "consent_withdrawn",
    "wished",
    "ordered",
    "collected",
    "scanned",
    "refunded",
    "reviewed",
    "complained",
    "of_no_rule",
)
CLOSED = ("moved_on", "silence", "anchor_down", "app_exit", "store_closed", "end_of_recording", None)

Inputs = tuple[StoreVisit | None, list[Stay], list[Event], int, int | None, int | None]


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    length = draw(st.integers(0, 7200)) * S
    visit = StoreVisit(
        id="visit",
        store="store",
        entered_at=ARRIVAL,
        left_at=ARRIVAL + length,
        closed_by=draw(st.sampled_from(CLOSED)),
    )
    stays = draw(st.lists(_stays(), max_size=12))
    events = draw(
        st.lists(
            st.builds(
                Event,
                id=st.sampled_from([f"e{n}" for n in range(8)]),
                revision=st.integers(0, 2),
                store=st.sampled_from(["", "store", "elsewhere"]),
                kind=st.sampled_from(KINDS),
                at=(st.integers(-40 * 24 * 60, 20 * 24 * 60) | st.integers(-10, 130)).map(
                    lambda minutes: ARRIVAL + minutes * 60 * S
                ),
            ),
            max_size=12,
        )
    )
    as_of = visit.left_at + draw(st.integers(0, 20 * 24)) * 3600 * S
    before = draw(st.none() | st.integers(0, 30).map(lambda days: ARRIVAL - days * DAY))
    after = draw(st.none() | st.integers(0, 30).map(lambda days: visit.left_at + days * DAY))
    return (visit if draw(st.booleans()) else None), stays, events, as_of, before, after


@st.composite
def _stays(draw: st.DrawFn) -> Stay:
    begin = ARRIVAL + draw(st.integers(-600, 7200)) * S
    return Stay(
        id=draw(st.sampled_from([f"z{n}" for n in range(8)])),
        revision=draw(st.integers(0, 2)),
        in_progress=draw(st.booleans()),
        zone=draw(st.sampled_from(["shoes", "checkout"])),
        zone_kind=draw(st.sampled_from(["shelf", "checkout"])),
        entered_at=begin,
        left_at=begin + draw(st.integers(0, 120)) * S,
    )


def follow(given_inputs: Inputs, stays: Sequence[Stay], events: Sequence[Event]) -> Journey:
    visit, _, _, as_of, before, after = given_inputs
    return journey(visit, stays, events, as_of=as_of, previous_left_at=before, next_entered_at=after)


@given(inputs(), st.data())
def test_order_and_repetition_do_not_matter(given_inputs: Inputs, data: st.DataObject) -> None:
    _, stays, events, *_ = given_inputs
    expected = follow(given_inputs, stays, events)
    again_stays = data.draw(
        st.permutations(stays + data.draw(st.lists(st.sampled_from(stays)) if stays else st.just([])))
    )
    again_events = data.draw(
        st.permutations(events + data.draw(st.lists(st.sampled_from(events)) if events else st.just([])))
    )
    assert follow(given_inputs, again_stays, again_events) == expected


@given(inputs())
@settings(max_examples=300)
def test_times_rise_and_only_reached_stages_have_one(given_inputs: Inputs) -> None:
    found = follow(given_inputs, given_inputs[1], given_inputs[2])
    by_stage = {report.stage: report for report in found.stages}
    assert list(by_stage) == list(Stage)
    for chain in (
        (Stage.DISCOVER, Stage.ARRIVE, Stage.COMPLETE, Stage.REFLECT),
        (Stage.DISCOVER, Stage.ARRIVE, Stage.ENGAGE, Stage.REFLECT),
    ):
        times = [at for stage in chain if (at := by_stage[stage].at) is not None]
        assert times == sorted(times)
    for report in found.stages:
        assert (report.at is not None) == (report.state is State.REACHED)
        assert bool(report.evidence) == (report.state in {State.REACHED, State.UNDER_WAY})
        assert all(evidence.at <= found.as_of for evidence in report.evidence)


@given(inputs())
def test_what_comes_late_gives_the_same_as_what_came_in_time(given_inputs: Inputs) -> None:
    """A superseded revision among the inputs changes nothing: what is known counts, not how it became known."""
    _, stays, events, *_ = given_inputs
    newest: dict[str, Event] = {}
    for event in events:
        if event.id not in newest or event > newest[event.id]:
            newest[event.id] = event
    late = sorted(newest.values(), key=lambda event: (event.revision, event.id))
    assert follow(given_inputs, stays, late) == follow(given_inputs, stays, events)


@given(inputs())
def test_evidence_is_only_ever_something_that_was_put_in(given_inputs: Inputs) -> None:
    visit, stays, events, *_ = given_inputs
    known = {("zone_visit", stay.id) for stay in stays} | {(event.kind, event.id) for event in events}
    if visit is not None:
        known.add(("store_visit", visit.id))
    cited = {
        (evidence.kind, evidence.id)
        for report in follow(given_inputs, stays, events).stages
        for evidence in report.evidence
    }
    assert cited <= known
