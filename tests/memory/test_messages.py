"""Personal messages: nothing is filled in, and what stands against sending one stands to the minute."""

from typing import Any

import msgspec
import pytest

from core.errors import InputError
from core.journey.feeling import Feeling
from core.journey.habits import DAY_NS
from core.memory.messages import Field, Template, check_template, fields_of, fill, obstacles
from core.memory.records import Due, Felt
from tests.memory.test_remembering import NOW, Known, said

TEMPLATE = Template(
    template="thanks", purpose="personal_messages", subject="Dear {first_name}", body="You liked {delight|our shop}.",
    quiet_days=14, cap_count=2, cap_days=30,
)  # fmt: skip


def against(template: Template = TEMPLATE, **known: Any) -> list[str]:
    asked: dict[str, Any] = {"consented": True, "felt": [], "sent_at": [], "as_of": NOW}
    filled = fill(template, {"first_name": Field(value="Amara")})
    return [one.word for one in obstacles(template, filled, **asked | known)]


def low(days_ago: float, feeling: Feeling = Feeling.NEGATIVE) -> Felt:
    return Felt(kind="note", id="n", at=NOW - int(days_ago * DAY_NS), feeling=feeling, chosen=False, by_staff=True)


def test_fields_are_what_the_memory_knows_with_its_evidence() -> None:
    due = Due(id="f", note="a", says="Call her", operator="Jo", made_at=NOW - DAY_NS, due_at=NOW + 1, done_at=None)
    known = [said("a", "Loved the shoes. Prefers wool."), said("b", "Hated the queue")]
    known.append(said("c", "I prefer linen.", by_staff=False))
    memory = Known(known, dues=[due]).memory()
    found = fields_of(memory, name="Amara Okafor", last_store="Marktplatz")
    assert {name: field.value for name, field in found.items()} == {
        "name": "Amara Okafor", "first_name": "Amara", "last_store": "Marktplatz", "delight": "the products",
        "frustration": "the wait", "preference": "I prefer linen", "promise": "what we promised you",
    }  # fmt: skip
    assert [one.id for one in found["delight"].evidence] == ["a"]
    assert [one.id for one in found["promise"].evidence] == ["f"]
    colleagues = Known([said("a", "She prefers that nobody calls.")]).memory()
    assert "preference" not in fields_of(colleagues, name="Jo", last_store=None), "staff wrote that for staff"
    assert set(fields_of(Known([]).memory(), name="Jo", last_store=None)) == {"name", "first_name"}


def test_a_message_is_no_longer_than_a_template_may_be() -> None:
    def found(**texts: str) -> list[str]:
        template = msgspec.structs.replace(TEMPLATE, **texts)
        filled = fill(template, {"first_name": Field(value="Amara"), "preference": Field(value="x" * 60)})
        asked: dict[str, Any] = {"consented": True, "felt": [], "sent_at": [], "as_of": NOW}
        return [one.says for one in obstacles(template, filled, **asked)]

    assert found(subject="{preference}{preference}") == []
    assert found(subject="{preference}{preference}.") == ["Its subject would have 121 characters; 120 are the most."]
    assert found(body="{preference}" * 66 + "x" * 40) == []
    assert found(body="{preference}" * 66 + "x" * 41) == ["Its text would have 4001 characters; 4000 are the most."]


def test_what_is_not_known_is_never_filled_in() -> None:
    filled = fill(TEMPLATE, {"first_name": Field(value="Amara {delight}")})
    assert (filled.subject, filled.body, filled.missing) == ("Dear Amara {delight}", "You liked our shop.", ())
    bare = Template(**{name: getattr(TEMPLATE, name) for name in TEMPLATE.__struct_fields__} | {"body": "{delight}"})
    assert against(bare) == ["missing"]


@pytest.mark.parametrize(
    ("subject", "body", "says"),
    [
        ("", "x", "1 to 120 characters"),
        ("x" * 121, "x", "1 to 120 characters"),
        ("x", "x" * 4001, "1 to 4000 characters"),
        ("x", "{birthday}", "{birthday}"),
        ("x", "{", "no field in its braces"),
        ("x", "{delight|{name}}", "no field in its braces"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(subject: str, body: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_template(subject, body)


def test_a_bad_experience_keeps_quiet_for_its_days() -> None:
    assert against() == []
    assert against(felt=[low(13.99)]) == ["bad_experience"]
    assert against(felt=[low(14)]) == []
    assert against(felt=[low(1, Feeling.MIXED)]) == ["bad_experience"]
    assert against(felt=[low(1, Feeling.NEUTRAL)]) == []
    unsure = msgspec.structs.replace(low(1, Feeling.MIXED), unsure=Feeling.POSITIVE)
    assert against(felt=[unsure]) == []
    assert against(felt=[msgspec.structs.replace(unsure, unsure=Feeling.NEGATIVE)]) == ["bad_experience"]
    sorry = Template(**{name: getattr(TEMPLATE, name) for name in TEMPLATE.__struct_fields__} | {"quiet_days": 0})
    assert against(sorry, felt=[low(0)]) == []


def test_the_cap_counts_what_was_sent_within_its_days() -> None:
    assert against(sent_at=[NOW - 29 * DAY_NS]) == []
    assert against(sent_at=[NOW - 29 * DAY_NS, NOW]) == ["frequency"]
    assert against(sent_at=[NOW - 30 * DAY_NS, NOW]) == []


def test_every_obstacle_is_told_at_once() -> None:
    gone = Template(**{name: getattr(TEMPLATE, name) for name in TEMPLATE.__struct_fields__} | {"retired": True})
    found = against(gone, consented=False, felt=[low(1)], sent_at=[NOW, NOW])
    assert found == ["retired", "consent", "bad_experience", "frequency"]
