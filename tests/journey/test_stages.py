"""What each rule says, by example."""

import pytest
from msgspec.structs import replace

from core.errors import InputError
from core.journey.records import Event, Journey, StageReport, State, Stay, StoreVisit
from core.journey.rules import Stage
from core.journey.stages import journey

S = 1_000_000_000
DAY = 86_400 * S
NOON = 1_763_812_800 * S  # 2025-11-22 12:00 UTC

RUNNING = StoreVisit(id="v", store="marktplatz", entered_at=NOON, left_at=NOON + 600 * S)
ENDED = StoreVisit(id="v", store="marktplatz", entered_at=NOON, left_at=NOON + 600 * S, closed_by="silence")


def stay(begin_s: float, end_s: float, *, name: str = "z1", kind: str = "department", running: bool = False) -> Stay:
    return Stay(
        id=name,
        zone="shoes",
        zone_kind=kind,
        entered_at=NOON + int(begin_s * S),
        left_at=NOON + int(end_s * S),
        in_progress=running,
    )


def event(kind: str, at: int, name: str = "e1", store: str = "") -> Event:
    return Event(id=name, kind=kind, at=at, store=store)


def of(found: Journey, stage: Stage) -> StageReport:
    return found.stages[list(Stage).index(stage)]


def test_nobody_has_come_yet() -> None:
    found = journey(None, [], [event("consent_granted", NOON - DAY)], as_of=NOON)
    assert [report.state for report in found.stages] == [
        State.NOT_YET,
        State.REACHED,
        State.NOT_YET,
        State.NOT_YET,
        State.NOT_YET,
        State.NOT_YET,
    ]
    assert found.visit is None


def test_all_six_stages_of_a_visit_with_evidence_for_each() -> None:
    found = journey(
        ENDED,
        [stay(10, 55)],
        [
            event("product_viewed", NOON - DAY, "view"),
            event("consent_granted", NOON - 3 * DAY, "consent"),
            event("reviewed", NOON + DAY, "review"),
        ],
        as_of=NOON + 2 * DAY,
    )
    assert {report.state for report in found.stages} == {State.REACHED}
    assert [report.evidence[0].id for report in found.stages] == ["view", "consent", "v", "z1", "v", "review"]
    assert [report.at for report in found.stages] == [
        NOON - DAY,
        NOON - 3 * DAY,
        NOON,
        NOON + 40 * S,
        NOON + 600 * S,
        NOON + DAY,
    ]
    assert all(report.rule.startswith(report.stage.value) and report.rule_version >= 1 for report in found.stages)


@pytest.mark.parametrize(
    ("dwell_ns", "state"), [(30 * S - 1, State.SKIPPED), (30 * S, State.REACHED), (30 * S + 1, State.REACHED)]
)
def test_engage_at_the_threshold(dwell_ns: int, state: State) -> None:
    short = Stay(id="z", zone="shoes", zone_kind="shelf", entered_at=NOON, left_at=NOON + dwell_ns)
    assert of(journey(ENDED, [short], [], as_of=NOON + DAY), Stage.ENGAGE).state is state


def test_two_short_stays_do_not_add_up_to_an_engagement() -> None:
    stays = [stay(0, 20, name="a"), stay(20, 40, name="b")]
    assert of(journey(ENDED, stays, [], as_of=NOON + DAY), Stage.ENGAGE).state is State.SKIPPED


def test_engage_is_under_way_while_a_stay_is_still_short() -> None:
    report = of(journey(RUNNING, [stay(590, 600, running=True)], [], as_of=NOON + 600 * S), Stage.ENGAGE)
    assert report.state is State.UNDER_WAY
    assert report.at is None
    assert report.evidence[0].id == "z1"


def test_a_skipped_stage_is_reported_and_not_filled_in() -> None:
    found = journey(ENDED, [], [], as_of=NOON + 30 * DAY)
    skipped = [report.stage for report in found.stages if report.state is State.SKIPPED]
    assert skipped == [Stage.DISCOVER, Stage.PLAN_ENROLL, Stage.ENGAGE, Stage.REFLECT]
    assert all(report.at is None and not report.evidence for report in found.stages if report.stage in skipped)


def test_at_the_checkout_the_visit_is_being_completed() -> None:
    paying = stay(560, 600, kind="checkout", running=True)
    assert of(journey(RUNNING, [paying], [], as_of=NOON + 600 * S), Stage.COMPLETE).state is State.UNDER_WAY
    looking = stay(560, 600, running=True)
    assert of(journey(RUNNING, [looking], [], as_of=NOON + 600 * S), Stage.COMPLETE).state is State.NOT_YET


@pytest.mark.parametrize("closed_by", ["anchor_down", "end_of_recording"])
def test_a_dead_gateway_is_not_a_completed_visit(closed_by: str) -> None:
    lost = StoreVisit(id="v", store="m", entered_at=NOON, left_at=NOON + S, closed_by=closed_by)
    report = of(journey(lost, [], [], as_of=NOON + DAY), Stage.COMPLETE)
    assert (report.state, report.because) == (State.SKIPPED, "end_not_seen")


def test_a_withdrawn_consent_is_no_evidence_and_the_next_one_is() -> None:
    events = [event("consent_granted", NOON - 3 * DAY, "old"), event("consent_withdrawn", NOON - 2 * DAY, "no")]
    assert of(journey(RUNNING, [], events, as_of=NOON + 600 * S), Stage.PLAN_ENROLL).state is State.NOT_YET
    events.append(event("consent_granted", NOON - DAY, "new"))
    report = of(journey(RUNNING, [], events, as_of=NOON + 600 * S), Stage.PLAN_ENROLL)
    assert [evidence.id for evidence in report.evidence] == ["new"]


def test_enrolling_during_the_visit_counts_and_after_it_does_not() -> None:
    during, after = event("enrolled", NOON + 300 * S), event("enrolled", NOON + 601 * S)
    assert of(journey(ENDED, [], [during], as_of=NOON + DAY), Stage.PLAN_ENROLL).state is State.REACHED
    assert of(journey(ENDED, [], [after], as_of=NOON + DAY), Stage.PLAN_ENROLL).state is State.SKIPPED


def test_discover_is_cut_at_the_visit_before_and_at_thirty_days() -> None:
    seen = event("searched", NOON - 10 * DAY)
    assert of(journey(ENDED, [], [seen], as_of=NOON + DAY), Stage.DISCOVER).state is State.REACHED
    cut = journey(ENDED, [], [seen], as_of=NOON + DAY, previous_left_at=NOON - 9 * DAY)
    assert of(cut, Stage.DISCOVER).state is State.SKIPPED
    early = event("searched", NOON - 30 * DAY - 1)
    assert of(journey(ENDED, [], [early], as_of=NOON + DAY), Stage.DISCOVER).state is State.SKIPPED


def test_reflect_waits_fourteen_days_or_for_the_next_visit() -> None:
    end = ENDED.left_at + 14 * DAY
    assert of(journey(ENDED, [], [], as_of=end), Stage.REFLECT).state is State.NOT_YET
    assert of(journey(ENDED, [], [], as_of=end + 1), Stage.REFLECT).state is State.SKIPPED
    again = journey(ENDED, [], [], as_of=NOON + 3 * DAY, next_entered_at=NOON + 2 * DAY)
    assert of(again, Stage.REFLECT).state is State.SKIPPED


def test_the_decided_stay_counts_before_the_provisional_one() -> None:
    provisional, decided = stay(0, 40, running=True), stay(0, 20)
    for order in ([provisional, decided], [decided, provisional]):
        assert of(journey(RUNNING, order, [], as_of=NOON + 600 * S), Stage.ENGAGE).state is State.NOT_YET


def test_a_visit_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InputError, match="ends before it begins"):
        journey(RUNNING, [stay(20, 10)], [], as_of=NOON + 600 * S)


MIN = 60 * S


@pytest.mark.parametrize(
    ("at", "because"),
    [
        (NOON - 5 * MIN - 1, "left_empty_handed"),
        (NOON - 5 * MIN, "bought"),
        (NOON + 300 * S, "bought"),
        (ENDED.left_at + 5 * MIN, "bought"),
        (ENDED.left_at + 5 * MIN + 1, "left_empty_handed"),
    ],
)
def test_an_order_completes_the_visit_within_five_minutes_of_it(at: int, because: str) -> None:
    order = event("ordered", at, "order", store="marktplatz")
    report = of(journey(ENDED, [], [order], as_of=NOON + DAY), Stage.COMPLETE)
    assert (report.state, report.because) == (State.REACHED, because)
    assert report.at is not None
    assert ENDED.entered_at <= report.at <= ENDED.left_at
    assert report.evidence[0].id == ("order" if because == "bought" else "v")


def test_an_order_online_or_elsewhere_does_not_complete_a_visit() -> None:
    orders = [event("ordered", NOON + S, "web"), event("ordered", NOON + S, "quay", store="quay")]
    assert of(journey(ENDED, [], orders, as_of=NOON + DAY), Stage.COMPLETE).because == "left_empty_handed"


def test_an_order_between_two_visits_belongs_to_the_earlier_one_only() -> None:
    order = event("ordered", ENDED.left_at + 2 * MIN, "order", store="marktplatz")
    again = StoreVisit(
        id="w",
        store="marktplatz",
        entered_at=ENDED.left_at + 4 * MIN,
        left_at=ENDED.left_at + 9 * MIN,
        closed_by="silence",
    )

    def of_both(order: Event) -> list[str]:
        first = journey(ENDED, [], [order], as_of=NOON + DAY, next_entered_at=again.entered_at)
        second = journey(again, [], [order], as_of=NOON + DAY, previous_left_at=ENDED.left_at)
        return [of(found, Stage.COMPLETE).because for found in (first, second)]

    assert of_both(order) == ["bought", "left_empty_handed"]
    within_the_next = event("ordered", again.entered_at, "order", store="marktplatz")
    assert of_both(within_the_next) == ["left_empty_handed", "bought"], "though no five minutes after the first"


def test_an_order_is_seen_even_where_the_end_of_the_visit_was_not() -> None:
    lost = StoreVisit(id="v", store="marktplatz", entered_at=NOON, left_at=NOON + MIN, closed_by="anchor_down")
    order = event("ordered", NOON + S, store="marktplatz")
    assert of(journey(lost, [], [order], as_of=NOON + DAY), Stage.COMPLETE).because == "bought"


def test_what_was_collected_and_returned_completes_too() -> None:
    for kind in ("collected", "returned"):
        done = event(kind, NOON + S, store="marktplatz")
        assert of(journey(RUNNING, [], [done], as_of=NOON + 600 * S), Stage.COMPLETE).because == kind
        bought = event("ordered", NOON + 9 * S, "order", store="marktplatz")
        both = of(journey(RUNNING, [], [done, bought], as_of=NOON + 600 * S), Stage.COMPLETE)
        assert (both.because, both.at, len(both.evidence)) == ("bought", NOON + S, 2)
        bought = replace(bought, paid_back=True)
        both = of(journey(RUNNING, [], [done, bought], as_of=NOON + 600 * S), Stage.COMPLETE)
        assert (both.because, len(both.evidence)) == (done.kind, 2), "what was paid back since is no purchase"
    alone = of(journey(ENDED, [], [bought], as_of=NOON + DAY), Stage.COMPLETE)
    assert (alone.state, alone.because, alone.evidence[0].id) == (State.REACHED, "paid_back", "order")


def test_a_wish_plans_the_next_visit_and_an_enrolment_all_that_follow() -> None:
    wish, enrolment = event("wished", NOON - 10 * DAY), event("enrolled", NOON - 400 * DAY)
    for found, previous, state in (
        (wish, None, State.REACHED), (wish, NOON - 9 * DAY, State.SKIPPED), (enrolment, NOON - DAY, State.REACHED),
    ):  # fmt: skip
        shown = journey(ENDED, [], [found], as_of=NOON + DAY, previous_left_at=previous)
        assert of(shown, Stage.PLAN_ENROLL).state is state


def test_a_scan_or_a_note_is_an_engagement_without_a_long_stay() -> None:
    for kind in ("scanned", "noted"):
        report = of(journey(ENDED, [stay(0, 9)], [event(kind, NOON + 5 * S)], as_of=NOON + DAY), Stage.ENGAGE)
        assert (report.state, report.at) == (State.REACHED, NOON + 5 * S)
    elsewhere = event("scanned", NOON + 5 * S, store="quay")
    assert of(journey(ENDED, [], [elsewhere], as_of=NOON + DAY), Stage.ENGAGE).state is State.SKIPPED


def test_who_never_enters_a_store_has_a_journey_too() -> None:
    events = [
        event("searched", NOON - 40 * DAY, "old"), event("product_viewed", NOON - DAY, "view"),
        event("ordered", NOON, "order"), event("reviewed", NOON + 3 * DAY, "review"),
    ]  # fmt: skip
    found = journey(None, [], events, as_of=NOON + 20 * DAY)
    assert {report.stage: report.state for report in found.stages} == {
        Stage.DISCOVER: State.REACHED, Stage.PLAN_ENROLL: State.NOT_YET, Stage.ARRIVE: State.NOT_YET,
        Stage.ENGAGE: State.NOT_YET, Stage.COMPLETE: State.REACHED, Stage.REFLECT: State.REACHED,
    }  # fmt: skip
    assert [evidence.id for evidence in of(found, Stage.DISCOVER).evidence] == ["view"]
    assert of(found, Stage.COMPLETE).because == "ordered_online"


def test_each_order_online_has_a_journey_of_its_own_between_its_neighbours() -> None:
    events = [
        event("product_viewed", NOON - 2 * DAY, "first view"), event("ordered", NOON - DAY, "first"),
        event("reviewed", NOON - DAY + S, "first review"), event("product_viewed", NOON - S, "view"),
        event("ordered", NOON, "second"), event("wished", NOON + S), event("reviewed", NOON + 2 * DAY, "late review"),
    ]  # fmt: skip
    for order, seen, said in (("first", "first view", "first review"), ("second", "view", "late review")):
        found = journey(None, [], events, as_of=NOON + 20 * DAY, order=order)
        assert found.order == of(found, Stage.COMPLETE).evidence[0].id == order
        assert [one.id for one in of(found, Stage.DISCOVER).evidence] == [seen]
        assert [one.id for one in of(found, Stage.REFLECT).evidence] == [said]
        assert of(found, Stage.PLAN_ENROLL).state is State.NOT_YET, "a wish after the order plans the next"
    cut = journey(None, [], events, as_of=NOON + 20 * DAY, next_entered_at=NOON + DAY)
    assert (cut.order, of(cut, Stage.REFLECT).state) == ("second", State.SKIPPED)


@pytest.mark.parametrize(
    ("before_ns", "store", "state"),
    [
        (10 * MIN, "marktplatz", State.SKIPPED), (10 * MIN, "", State.SKIPPED), (10 * MIN, "quay", State.REACHED),
        (10 * MIN + 1, "marktplatz", State.REACHED),
    ],
)  # fmt: skip
def test_who_enters_within_ten_minutes_did_not_pass_by(before_ns: int, store: str, state: State) -> None:
    passed = event("passed_by", NOON - before_ns, store=store)
    assert of(journey(ENDED, [], [passed], as_of=NOON + DAY), Stage.DISCOVER).state is state
    left = journey(ENDED, [], [passed], as_of=NOON + DAY, previous_left_at=NOON - before_ns - MIN)
    assert of(left, Stage.DISCOVER).state is (State.REACHED if store == "quay" else State.SKIPPED)


def test_of_an_event_that_was_corrected_the_newest_revision_counts() -> None:
    wrong = Event(id="o", kind="ordered", at=NOON + S, store="quay")
    right = Event(id="o", revision=1, kind="ordered", at=NOON + S, store="marktplatz")
    for order in ([wrong, right], [right, wrong]):
        assert of(journey(ENDED, [], order, as_of=NOON + DAY), Stage.COMPLETE).because == "bought"


def test_what_came_after_the_time_that_is_asked_for_was_not_known_then() -> None:
    """A journey as it was known at a time is how late evidence is told from early: nothing later may be in it."""
    events = [event("reviewed", NOON + 3 * DAY, "review")]
    for as_of, state in ((NOON + 3 * DAY - 1, State.NOT_YET), (NOON + 3 * DAY, State.REACHED)):
        found = journey(ENDED, [stay(10, 55)], events, as_of=as_of)
        assert of(found, Stage.REFLECT).state is state
