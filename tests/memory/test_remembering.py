"""The memory of a customer: every figure from its evidence, faded by age, and nothing without evidence."""

from dataclasses import dataclass, field

import msgspec
import pytest

from api.lexicons import feeling_reader, topic_finder
from core.journey.feeling import Feeling
from core.journey.habits import DAY_NS
from core.journey.rules import Stage
from core.memory.fading import age, weight
from core.memory.records import Clause, Due, Felt, Happened, Visit
from core.memory.remembering import Memory, journey_feelings, remember
from core.memory.telling import tell

NOW = 2_000 * DAY_NS
MINUTE = DAY_NS // 1440


def said(
    name: str,
    text: str,
    *,
    days_ago: float = 1.0,
    chosen: Feeling | None = None,
    by_staff: bool = True,
    tags: tuple[str, ...] = (),
    zone_kind: str | None = None,
    at: int | None = None,
) -> Felt:
    """A note as the API reads it."""
    reading = feeling_reader().read(text)
    return Felt(
        kind="note",
        id=name,
        at=at if at is not None else NOW - int(days_ago * DAY_NS),
        feeling=chosen if chosen is not None else reading.feeling,
        chosen=chosen is not None,
        by_staff=by_staff,
        clauses=tuple(Clause(text=text[one.begin : one.end], feeling=one.feeling) for one in reading.clauses),
        tags=tags,
        zone_kind=zone_kind,
        operator="Ines",
    )


@dataclass
class Known:
    """What one customer's memory is made of."""

    felt: list[Felt]
    visits: list[Visit] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)

    def memory(self, as_of: int = NOW) -> Memory:
        return remember(self.felt, self.visits, self.events, self.dues, topic_finder(), as_of=as_of)


def test_a_feeling_counts_half_after_its_half_life() -> None:
    assert weight(NOW, as_of=NOW, half_life_days=180) == 1
    assert weight(NOW - 180 * DAY_NS, as_of=NOW, half_life_days=180) == 0.5
    assert weight(NOW + DAY_NS, as_of=NOW, half_life_days=180) == 1, "a clock that is ahead lends no weight"
    loved, hated = said("a", "She loved the coat", days_ago=360), said("b", "She hated the queue", days_ago=0)
    now = Known([loved, hated]).memory().now
    assert now.value == pytest.approx((0.25 - 1) / 1.25)
    assert (now.n, now.positive, now.negative) == (2, 1, 1)
    assert [one.id for one in now.evidence] == ["b", "a"], "newest first"
    assert Known([said("a", "She loved the coat", days_ago=-0.001)]).memory().now.n == 0, "not known yet"
    assert Known([said("a", "She loved the coat", days_ago=721)]).memory().now.value is None
    assert Known([said("a", "She loved the coat", days_ago=719)]).memory().now.value == 1


def test_a_note_belongs_to_the_stage_that_its_moment_says() -> None:
    visit = Visit(id="v", store="s", entered_at=NOW - 20 * DAY_NS, left_at=NOW - 20 * DAY_NS + 60 * MINUTE)
    known = Known([], visits=[visit])

    def stage(at: int, zone_kind: str | None = None) -> Stage:
        known.felt = [said("n", "Fine", at=at, zone_kind=zone_kind)]
        (found,) = [one.stage for one in known.memory().stages if one.mean.n]
        return found

    inside = visit.entered_at + 10 * MINUTE
    assert stage(inside, "shelf") is Stage.ENGAGE
    assert stage(inside) is Stage.ENGAGE
    assert stage(inside, "entrance") is Stage.ARRIVE
    assert stage(inside, "checkout") is Stage.COMPLETE
    assert stage(visit.left_at + 6 * MINUTE) is Stage.REFLECT
    assert stage(visit.left_at + 14 * DAY_NS) is Stage.REFLECT
    assert stage(visit.left_at + 14 * DAY_NS + 1) is Stage.DISCOVER
    assert stage(visit.entered_at - 6 * MINUTE) is Stage.DISCOVER
    known.events = [Happened(id="e", kind="appointment_booked", at=visit.entered_at - DAY_NS)]
    assert stage(visit.entered_at - 6 * MINUTE) is Stage.PLAN_ENROLL
    complaint = Felt(kind="complained", id="c", at=inside, feeling=Feeling.NEGATIVE, chosen=False, by_staff=False)
    known.felt = [complaint]
    assert [one.stage for one in known.memory().stages if one.mean.n] == [Stage.REFLECT]


def test_a_journey_has_the_feelings_between_the_visits_around_it() -> None:
    first = Visit(id="a", store="s", entered_at=NOW - 40 * DAY_NS, left_at=NOW - 40 * DAY_NS + 60 * MINUTE)
    second = Visit(id="b", store="s", entered_at=NOW - 5 * DAY_NS, left_at=NOW - 5 * DAY_NS + 60 * MINUTE)
    felt = [
        said("early", "Fine", at=first.entered_at - DAY_NS), said("in", "Fine", at=first.entered_at + MINUTE),
        said("after", "Fine", at=first.left_at + DAY_NS), said("before", "Fine", at=second.entered_at - DAY_NS),
        said("late", "Fine", at=second.left_at + DAY_NS),
    ]  # fmt: skip

    def told(visit: str | None) -> dict[str, list[str]]:
        found = journey_feelings(felt, [first, second], [], visit, as_of=NOW)
        return {stage.value: [one.id for one in mean.evidence] for stage, mean in found.items()}

    assert told("a") == {"discover": ["early"], "engage": ["in"], "reflect": ["after"]}
    assert told("b") == {"discover": ["before"], "reflect": ["late"]}
    assert told(None) == {"reflect": ["late"], "discover": ["before"]}


def test_topics_take_the_feeling_of_their_clause() -> None:
    memory = Known([said("a", "Loved the shoes but hated the queue"), said("b", "Terrible queue again")]).memory()
    assert [(one.topic, one.n) for one in memory.delights] == [("product", 1)]
    (waiting,) = memory.frustrations
    assert (waiting.topic, waiting.n, {one.id for one in waiting.evidence}) == ("waiting", 2, {"a", "b"})


def test_the_choice_of_staff_wins_over_what_clauses_seem_to_say() -> None:
    text = "What a great queue"  # irony, which the model does not understand
    assert [one.topic for one in Known([said("a", text)]).memory().delights] == ["waiting"]
    memory = Known([said("a", text, chosen=Feeling.NEGATIVE)]).memory()
    assert memory.delights == ()
    memory = Known([said("a", "Stood in the queue", chosen=Feeling.NEGATIVE, tags=("size_missing",))]).memory()
    assert {one.topic for one in memory.frustrations} == {"waiting", "availability"}
    memory = Known([said("a", "Happy. Her size is 38.", chosen=Feeling.POSITIVE)]).memory()
    assert memory.delights == (), "a preference is no feeling"


def test_a_clause_that_contradicts_what_the_whole_note_feels_delights_nobody() -> None:
    text = "He did not find the assistant helpful and will not be back."
    clause = Clause(text=text, feeling=Feeling.POSITIVE)  # by its words; the sentence is meant otherwise
    note = said("a", text)
    for whole, delights in ((Feeling.NEGATIVE, 0), (Feeling.MIXED, 1), (Feeling.POSITIVE, 1)):
        memory = Known([msgspec.structs.replace(note, feeling=whole, clauses=(clause,))]).memory()
        assert (len(memory.delights), len(memory.frustrations)) == (delights, 0), whole


def test_preferences_are_quoted_once_and_the_newest_first() -> None:
    memory = Known(
        [
            said("a", "Prefers to be called in the evening.", days_ago=30),
            said("b", "prefers to be called in the evening", days_ago=3),
            said("c", "Her size is 38, and the store was busy", days_ago=5),
            said("d", "Prefers red", days_ago=365 * 4 + 1),
        ]
    ).memory()
    assert [(one.text, one.evidence.id) for one in memory.preferences] == [
        ("prefers to be called in the evening", "b"),
        ("Her size is 38, and the store was busy", "c"),
    ]


def test_promises_are_follow_ups_with_their_state_and_words_that_nobody_dated() -> None:
    def due(name: str, due_in: int, done_in: int | None = None, promised_in: int | None = None) -> Due:
        return Due(
            id=name, note=f"n-{name}", says=f"Call {name}", operator="Jo", made_at=NOW - 9 * DAY_NS,
            due_at=NOW + due_in * DAY_NS, done_at=NOW + done_in * DAY_NS if done_in is not None else None,
            promised_at=NOW + promised_in * DAY_NS if promised_in is not None else None,
        )  # fmt: skip

    memory = Known(
        [
            said("n-late", "We promised to call her"),  # has a follow-up: not twice
            said("w", "Told her we will send the catalogue"),
            said("x", "We will see", by_staff=False),
        ],
        dues=[due("kept", -3, -4), due("late", -2), due("open", 2), due("slow", -4, -3), due("put off", -1, -1, -5)],
    ).memory()
    assert [(one.state, one.evidence.id) for one in memory.promises] == [
        ("overdue", "late"), ("open", "open"), ("undated", "w"), ("kept_late", "slow"), ("kept_late", "put off"),
        ("kept", "kept"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "We will not order it for her.", "She promised to pay the invoice on Friday.",
        "He asked if we will open on Sunday, and I said no.", "I'll never understand this sign, she said.",
        "The parcel will send itself back, he joked.", "Will you call her?",
    ],
)  # fmt: skip
def test_what_nobody_promised_is_no_promise(text: str) -> None:
    assert Known([said("a", text)]).memory().promises == ()


@pytest.mark.parametrize(
    "text",
    [
        "She no longer prefers leather", "He never likes to be called", "Her sister prefers size 40",
        "Nobody prefers the old till", "It is a favourite of many", "She collects stamps",
    ],
)  # fmt: skip
def test_what_is_denied_or_somebody_elses_is_no_preference(text: str) -> None:
    assert Known([said("a", text)]).memory().preferences == ()


@pytest.mark.parametrize(
    "text",
    [
        "I used to prefer wide shoes but not now.",
        "She used to prefer wide shoes",
        "Please call me a fool if I ever come back.",
    ],
)
def test_what_was_once_or_is_mocked_is_no_preference(text: str) -> None:
    assert Known([said("a", text)]).memory().preferences == ()


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("I prefer wide shoes.", True),
        ("My size is 38 and I prefer linen.", True),
        ("Please call after six.", True),
        ("I'd prefer you never write to me again.", False),
        ("I prefer not to be called.", False),
        ("I prefer to be left alone.", False),
        ("I prefer other shops", False),
        ("I would rather wait until it is cheaper than in your shop.", False),
        ("I prefer wool, if it is not too warm.", False),
        ("My favourite thing is complaining about the awful shop.", False),
        ("I prefer linen. The queue was terrible.", False),
    ],
)
def test_only_a_plain_wish_is_quoted_to_whoever_wrote_it(text: str, quoted: bool) -> None:
    memory = Known([said("a", text, by_staff=False)]).memory()
    assert memory.preferences, "staff read all of it"
    assert [one.quotable for one in memory.preferences] == [quoted]


def test_a_topic_counts_what_has_not_faded() -> None:
    known = [said(str(days), "Lovely shoes, she was delighted", days_ago=days) for days in (10, 719, 721, 900)]
    (topic,) = Known(known).memory().delights
    assert (topic.n, [one.id for one in topic.evidence]) == (2, ["10", "719"])


@pytest.mark.parametrize(
    "text", ["We'll miss her, she is moving to Graz.", "We will see what she says.", "I'll be honest, it was slow."]
)
def test_what_staff_say_of_themselves_is_no_promise(text: str) -> None:
    assert Known([said("a", text)]).memory().promises == ()


def test_a_mixed_feeling_is_divided() -> None:
    (standing, *_) = tell(Known([said("a", "Loved the shoes but hated the queue")]).memory())
    assert standing.text.startswith("The feeling is divided, by 1 statement (1 mixed)")


def test_every_sentence_cites_evidence_that_exists_and_nothing_is_said_without() -> None:
    assert tell(Known([]).memory()) == ()
    visit = Visit(id="v", store="s", entered_at=NOW - 2 * DAY_NS, left_at=NOW - 2 * DAY_NS + 60 * MINUTE)
    known = Known(
        [
            said("a", "Loved the new coat. Prefers wool.", at=visit.entered_at + MINUTE, zone_kind="shelf"),
            said("b", "Hated the queue", at=visit.left_at, zone_kind="checkout"),
            said("c", "Wrote that the refund was terrible", days_ago=0.5, by_staff=False),
        ],
        visits=[visit],
        dues=[Due(id="f", note="a", says="Call", operator="Jo", made_at=NOW - DAY_NS, due_at=NOW - 1, done_at=None)],
    )
    told = tell(known.memory())
    texts = [one.text for one in told]
    assert texts[0] == "The feeling is bad, by 3 statements (1 positive, 2 negative), the newest less than a day ago."
    assert "Best at Engage (1 statement), worst at Complete (1)." in texts
    assert "Delighted by the products (1 statement, the newest 1 day ago)." in texts
    assert "Frustrated by the wait (1 statement, the newest 1 day ago)." in texts
    assert "Preference: “Prefers wool” (1 day ago)." in texts
    assert "Promised by Jo: “Call”, overdue: it was due less than a day ago." in texts
    ids = {"a", "b", "c", "f"}
    assert all(one.evidence and {cited.id for cited in one.evidence} <= ids for one in told)
    faded = tell(Known([said("a", "She loved the coat", days_ago=800)]).memory())
    assert [one.text for one in faded] == [
        "What is known of feelings has faded: the newest of 1 is from 2 years ago."
    ]


def test_however_many_said_it_what_has_faded_is_told_no_more() -> None:
    known = [said(str(number), "Loved the shoes", days_ago=721) for number in range(60)]
    memory = Known(known).memory()
    assert (memory.now.value, memory.now.n, memory.delights) == (None, 60, ())
    again = Known([*known, said("new", "Loved the shoes", days_ago=719)]).memory()
    assert (again.now.value, [one.n for one in again.delights]) == (1, [1])


def test_a_promise_that_was_put_off_is_not_told_as_not_due_yet() -> None:
    due = Due(
        id="f", note="n", says="Call", operator="Jo", made_at=NOW - 900 * DAY_NS, due_at=NOW + DAY_NS, done_at=None,
        promised_at=NOW - 3 * DAY_NS,
    )  # fmt: skip
    (told,) = tell(Known([], dues=[due]).memory())
    assert told.text == "Promised by Jo: “Call”, put off: it was due 3 days ago."
    sooner = msgspec.structs.replace(due, promised_at=NOW + 3 * DAY_NS)
    (told,) = tell(Known([], dues=[sooner]).memory())
    assert told.text.endswith("not due yet.")
    for days, count in ((720, 1), (721, 0)):
        done = msgspec.structs.replace(due, done_at=NOW - days * DAY_NS)
        assert len(Known([], dues=[done]).memory().promises) == count


def test_months_are_told_as_they_were() -> None:
    memory = Known([said("a", "Loved it", days_ago=700), said("b", "Hated it", days_ago=1)]).memory()
    assert [(one.mean.value, one.mean.n) for one in memory.months] == [(1, 1), (-1, 1)]
    assert all(len(one.month) == 7 for one in memory.months)
    assert memory.months[0].month < memory.months[1].month
    assert [age(NOW - days * DAY_NS, NOW) for days in (0, 1, 59, 61, 800)] == [
        "less than a day ago", "1 day ago", "59 days ago", "2 months ago", "2 years ago",
    ]  # fmt: skip
