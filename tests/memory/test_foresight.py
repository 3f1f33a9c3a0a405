"""Rules of foresight: what alerts, what does not at the bound, and how hits are counted."""

import re
from typing import Any

import msgspec
import pytest

from core.journey.feeling import Feeling
from core.journey.habits import DAY_NS
from core.memory.foresight import RULES, Outlook, Scene, Stay, foresee, key_of, still_holds
from core.memory.hits import followed, hit_rate
from core.memory.records import Due, Felt, Happened, Visit

NOW = 2_000 * DAY_NS
MINUTE = DAY_NS // 1440
ENDED = NOW - 2 * DAY_NS
VISIT = Visit(id="v", store="s", entered_at=ENDED - 60 * MINUTE, left_at=ENDED)


def felt(name: str, feeling: Feeling, days_ago: float, tags: tuple[str, ...] = ()) -> Felt:
    return Felt(
        kind="note", id=name, at=NOW - int(days_ago * DAY_NS), feeling=feeling, chosen=True, by_staff=True, tags=tags
    )


def stay(kind: str, seconds: float, *, visit: str = "v") -> Stay:
    end = ENDED - MINUTE
    return Stay(
        id=f"{kind}-{seconds}", visit=visit, zone="Shoe wall", zone_kind=kind,
        entered_at=end - int(seconds * MINUTE / 60), left_at=end,
    )  # fmt: skip


def event(kind: str, at: int, store: str = "s") -> Happened:
    return Happened(id=f"{kind}-{at}", kind=kind, at=at, store=store)


def day(at: int) -> str:
    return f"day {at // DAY_NS}"


def scene(**known: Any) -> Scene:
    empty: dict[str, Any] = dict.fromkeys(("felt", "visits", "events", "dues", "stays"), ())
    return Scene(**empty | {"order_stores": frozenset({"s"}), "outlook": None, "day": day, "as_of": NOW} | known)


def test_nothing_known_nothing_foreseen() -> None:
    assert foresee(scene()) == {}


def test_two_low_moods_within_thirty_days_are_frustration() -> None:
    low = [felt("a", Feeling.NEGATIVE, 30), felt("b", Feeling.NEGATIVE, 3)]
    found = foresee(scene(felt=low))
    assert list(found) == ["mood_low"]
    assert found["mood_low"].because == "The mood was low 2 times within 30 days, the last time on day 1997."
    assert [one.id for one in found["mood_low"].evidence] == ["b", "a"]
    assert foresee(scene(felt=[felt("a", Feeling.NEGATIVE, 30.001), low[1]])) == {}
    assert foresee(scene(felt=[felt("a", Feeling.MIXED, 1), low[1]])) == {}
    assert foresee(scene(felt=[felt("a", Feeling.NEGATIVE, -1), low[1]])) == {}, "what lies ahead is not known yet"


def test_a_promise_is_overdue_a_day_after_it_was_due() -> None:
    due = Due(id="f", note="n", says="Call", operator="Jo", made_at=0, due_at=NOW - DAY_NS - 1, done_at=None)
    found = foresee(scene(dues=[due]))["promise_overdue"]
    assert found.because == "Jo promised something for day 1998. On day 2000 it was not done."
    assert [(one.kind, one.id) for one in found.evidence] == [("follow_up", "f")]
    replace = msgspec.structs.replace
    assert foresee(scene(dues=[replace(due, due_at=NOW - DAY_NS)])) == {}
    assert foresee(scene(dues=[replace(due, done_at=NOW)])) == {}
    two = foresee(scene(dues=[due, replace(due, id="g", due_at=NOW - 9 * DAY_NS)]))["promise_overdue"]
    assert two.because == "Jo promised something for day 1991. On day 2000 it was not done, nor was one more."
    later = replace(due, id="h", due_at=NOW - 8 * DAY_NS)
    three = foresee(scene(dues=[due, later, replace(due, id="g", due_at=NOW - 9 * DAY_NS)]))["promise_overdue"]
    assert three.because.endswith("it was not done, nor were 2 more.")
    assert [one.id for one in two.evidence] == ["f", "g"], "its task ends when all are kept"
    many = [replace(due, id=str(day), due_at=NOW - day * DAY_NS) for day in range(10, 40)]
    cited = [one.id for one in foresee(scene(dues=many))["promise_overdue"].evidence]
    assert cited == [str(day) for day in range(20, 40)], "of very many the oldest"


def test_what_a_rule_found_holds_while_what_it_rests_on_does() -> None:
    low = [felt("a", Feeling.NEGATIVE, 20), felt("b", Feeling.NEGATIVE, 3)]
    cited = foresee(scene(felt=low))["mood_low"].evidence
    later = NOW + 60 * DAY_NS
    assert still_holds("mood_low", NOW, cited, scene(felt=low, as_of=later)), "it was so then"
    assert not still_holds("mood_low", NOW, cited, scene(felt=low[:1], as_of=later))
    good = [felt("a", Feeling.POSITIVE, 20), felt("b", Feeling.POSITIVE, 3)]
    cited = foresee(scene(felt=good))["delight"].evidence
    late = felt("c", Feeling.NEGATIVE, 5)
    assert not still_holds("delight", NOW, cited, scene(felt=[*good, late])), "it came in late"
    assert still_holds("delight", NOW, cited, scene(felt=[*good, felt("c", Feeling.NEGATIVE, -1)], as_of=later))
    due = Due(id="f", note="n", says="Call", operator="Jo", made_at=0, due_at=NOW - 2 * DAY_NS, done_at=None)
    promised = foresee(scene(dues=[due]))["promise_overdue"]
    put_off = msgspec.structs.replace(due, due_at=later)
    assert still_holds("promise_overdue", NOW, promised.evidence, scene(dues=[put_off]))
    assert not still_holds("promise_overdue", NOW, promised.evidence, scene())
    again = foresee(scene(dues=[put_off], as_of=later + 2 * DAY_NS))["promise_overdue"]
    assert key_of(promised) != key_of(again), "of another date"
    stood = foresee(scene(visits=[VISIT], stays=[stay("checkout", 60)]))["queue_left"]
    assert still_holds("queue_left", NOW, stood.evidence, scene()), "visits are not changed by hand"
    assert still_holds("mood_low", NOW, (), scene())


def test_a_long_stay_without_a_purchase_alerts_where_purchases_are_known() -> None:
    known = {"visits": [VISIT], "stays": [stay("shelf", 900)]}
    found = foresee(scene(**known))
    assert list(found) == ["long_stay"]
    assert found["long_stay"].because == "Stayed 15 min at Shoe wall on day 1997 and had bought nothing a day later."
    assert [one.kind for one in found["long_stay"].evidence] == ["zone_visit", "store_visit"]
    assert foresee(scene(**known | {"stays": [stay("shelf", 899)]})) == {}
    assert foresee(scene(**known | {"stays": [stay("service", 900)]})) == {}
    assert foresee(scene(**known | {"stays": [stay("shelf", 900, visit="other")]})) == {}
    assert foresee(scene(**known | {"order_stores": frozenset()})) == {}, "nobody knows what is bought there"
    for bought in (
        event("ordered", ENDED + 5 * MINUTE), event("collected", ENDED - MINUTE), event("ordered", ENDED + DAY_NS, "")
    ):  # fmt: skip
        assert foresee(scene(**known, events=[bought])) == {}, bought
    for other in (event("ordered", ENDED + 6 * MINUTE), event("ordered", ENDED + DAY_NS + 1, "")):
        assert list(foresee(scene(**known, events=[other]))) == ["long_stay"], other
    assert foresee(scene(**known, as_of=ENDED + DAY_NS - 1)) == {}, "orders may still come in"
    assert list(foresee(scene(**known, as_of=ENDED + DAY_NS))) == ["long_stay"]
    assert foresee(scene(**known, as_of=ENDED + 8 * DAY_NS + 1)) == {}


def test_a_queue_that_was_left_alerts_by_staff_or_by_the_checkout() -> None:
    seen = foresee(scene(felt=[felt("a", Feeling.NEUTRAL, 1, ("left_queue",))]))["queue_left"]
    assert seen.because == "Staff saw the customer leave the queue on day 1999."
    assert foresee(scene(felt=[felt("a", Feeling.NEUTRAL, 8.1, ("left_queue",))])) == {}
    stood = foresee(scene(visits=[VISIT], stays=[stay("checkout", 60)]))["queue_left"]
    assert stood.because == "Stood at Shoe wall for 1 min on day 1997 and had bought nothing a day later."
    assert foresee(scene(visits=[VISIT], stays=[stay("checkout", 59)])) == {}
    assert foresee(scene(visits=[VISIT], stays=[stay("checkout", 60)], events=[event("ordered", ENDED)])) == {}


def test_the_newest_queue_that_was_left_is_told_whoever_saw_it() -> None:
    known = {"visits": [VISIT], "stays": [stay("checkout", 60)]}
    before = foresee(scene(felt=[felt("a", Feeling.NEUTRAL, 7, ("left_queue",))], **known))["queue_left"]
    assert [one.kind for one in before.evidence] == ["zone_visit", "store_visit"], "it happened again since"
    after = foresee(scene(felt=[felt("a", Feeling.NEUTRAL, 1.9, ("left_queue",))], **known))["queue_left"]
    assert [one.id for one in after.evidence] == ["a"]


def test_delight_is_recognised_unless_something_went_wrong() -> None:
    good = [felt("a", Feeling.POSITIVE, 20), felt("b", Feeling.POSITIVE, 1)]
    assert list(foresee(scene(felt=good))) == ["delight"]
    assert foresee(scene(felt=good[1:])) == {}
    assert foresee(scene(felt=[*good, felt("c", Feeling.NEGATIVE, 5)])) == {}
    assert foresee(scene(felt=[*good, felt("c", Feeling.MIXED, 5)])) == {}, "loved the shoes, hated the queue"
    assert list(foresee(scene(felt=[*good, felt("c", Feeling.NEGATIVE, 31)]))) == ["delight"]
    unsure = msgspec.structs.replace(felt("c", Feeling.MIXED, 5), chosen=False, unsure=Feeling.NEUTRAL)
    assert list(foresee(scene(felt=[*good, unsure]))) == ["delight"]
    assert foresee(scene(felt=[*good, msgspec.structs.replace(unsure, unsure=Feeling.NEGATIVE)])) == {}


def test_who_is_slipping_away_is_told_by_the_return_model() -> None:
    gone = Outlook(alive=0.49, occasions=3, model="MBG/NBD", customers=240, usual_days=14.2)
    found = foresee(scene(visits=[VISIT], outlook=gone))["slipping"]
    assert found.because == (
        "Came 3 times, usually every 14 days, the last time on day 1998. On day 2000 49% still a customer, by MBG/NBD"
        " of 240 customers."
    )
    assert [one.id for one in found.evidence] == ["v"]
    replace = msgspec.structs.replace
    assert "slipping" in foresee(scene(visits=[VISIT], outlook=replace(gone, alive=0.1)))
    for other in (replace(gone, alive=0.5), replace(gone, occasions=2), replace(gone, alive=0.099)):
        assert "slipping" not in foresee(scene(visits=[VISIT], outlook=other))
    assert foresee(scene(outlook=gone)) == {}, "no visit, no evidence"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_what_followed_is_known_after_thirty_days(rule: str) -> None:
    made_at = NOW - 30 * DAY_NS
    assert followed(rule, made_at + 1, scene()) is None
    silent = True if rule == "slipping" else None
    assert followed(rule, made_at, scene()) is silent, "whoever was not heard of may be content or gone"
    came = scene(visits=[msgspec.structs.replace(VISIT, entered_at=made_at + 1)])
    assert followed(rule, made_at, came) is (rule == "delight")
    before = scene(visits=[msgspec.structs.replace(VISIT, entered_at=made_at)])
    assert followed(rule, made_at, before) is silent
    angry = scene(felt=[felt("a", Feeling.NEGATIVE, 10)])
    assert followed(rule, made_at, angry) is (rule != "delight")
    refund = scene(events=[event("refunded", NOW - DAY_NS)])
    assert followed(rule, made_at, refund) is (rule != "delight")


def test_a_promise_that_was_overdue_and_stayed_so_was_right() -> None:
    made_at = NOW - 30 * DAY_NS
    due = Due(
        id="f", note="n", says="Call", operator="Jo", made_at=0, due_at=made_at - DAY_NS - 1, done_at=None
    )  # fmt: skip
    replace = msgspec.structs.replace
    came = msgspec.structs.replace(VISIT, entered_at=made_at + 1)
    assert followed("promise_overdue", made_at, scene(dues=[due])) is True
    assert followed("promise_overdue", made_at, scene(dues=[replace(due, done_at=NOW + 1)])) is True
    for other in (
        replace(due, done_at=NOW),
        replace(due, due_at=made_at - DAY_NS),
        replace(due, made_at=made_at + 1),
    ):
        assert followed("promise_overdue", made_at, scene(dues=[other])) is None, other
        assert followed("promise_overdue", made_at, scene(dues=[other], visits=[came])) is False
    assert followed("mood_low", made_at, scene(dues=[due])) is None
    put_off = replace(due, due_at=NOW + DAY_NS, promised_at=due.due_at)
    assert followed("promise_overdue", made_at, scene(dues=[put_off])) is True, "to put it off does not keep it"


def test_a_hit_rate_has_the_bounds_of_wilson() -> None:
    found = hit_rate(alerts=12, right=8, wrong=2)
    assert (found.judged, found.share) == (10, 0.8)
    assert found.low == pytest.approx(0.4902, abs=1e-4)  # Newcombe 1998, table: 8 of 10 gives 0.490 to 0.943
    assert found.high == pytest.approx(0.9433, abs=1e-4)
    assert hit_rate(alerts=3, right=0, wrong=0).share is None
    assert hit_rate(alerts=1, right=0, wrong=1).low == 0


def test_no_sentence_of_an_alert_ages() -> None:
    """What is kept for months says nothing that is true of today alone."""
    known = scene(
        felt=[felt("a", Feeling.NEGATIVE, 3, ("left_queue",)), felt("b", Feeling.NEGATIVE, 2)],
        dues=[Due(id="f", note="n", says="Call", operator="Jo", made_at=0, due_at=NOW - 2 * DAY_NS, done_at=None)],
        visits=[VISIT], stays=[stay("shelf", 900)],
        outlook=Outlook(alive=0.4, occasions=3, model="MBG/NBD", customers=240, usual_days=None),
    )  # fmt: skip
    glad = scene(felt=[felt("c", Feeling.POSITIVE, 3), felt("d", Feeling.POSITIVE, 2)])
    told = foresee(known) | foresee(glad)
    assert told.keys() == RULES.keys()
    for rule, found in told.items():
        assert re.search(r"on day|On day", found.because), rule
        assert not re.search(r" ago|today|is not", found.because), rule
