"""Personal messages: templates with fields of the memory, and whether one may be sent to a customer now.

A field stands in braces, `{delight}`, with what is said instead where nothing is known: `{delight|our shop}`. Without
that a message whose field is not known cannot be sent: nothing is filled in.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from core.errors import InputError
from core.journey.habits import DAY_NS
from core.journey.records import Evidence
from core.memory.fading import age
from core.memory.records import Felt, Visit, disappointed
from core.memory.remembering import Memory, evidence_of

SUBJECT_CHARACTERS: Final = 120
"""What mail programs show of a subject, twice."""
BODY_CHARACTERS: Final = 4_000
"""A page; who gets more reads none of it."""
FIELDS: Final = {
    "name": "The customer's name",
    "first_name": "Its first word",
    "last_store": "Store of the newest visit",
    "delight": "What delighted most",
    "frustration": "What frustrated most",
    "preference": "The newest plain wish that she wrote herself, in her words",
    "promise": "Says “what we promised you”, if a promise with a date is open",
}
"""What a template may name. What staff wrote for colleagues (notes, instructions) never goes to the customer."""
_PROMISED: Final = "what we promised you"
_FIELD: Final = re.compile(r"\{([a-z_]*)(?:\|([^{}]*))?\}")
_PENDING: Final = frozenset({"overdue", "open"})


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be filled, and its bounds.

    `purpose` is the consent that it needs. After a bad experience nothing is sent for `quiet_days` (0: it is sent
    even then, as an apology is), and no message at all once a customer got `cap_count` within `cap_days`.
    """

    template: str
    purpose: str
    subject: str
    body: str
    quiet_days: int
    cap_count: int
    cap_days: int
    retired: bool = False


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What a field says for a customer, and on what evidence; names have none."""

    value: str
    evidence: tuple[Evidence, ...] = ()


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the customer would read it; `used` are its fields, `missing` those without a value."""

    subject: str
    body: str
    used: dict[str, Field]
    missing: tuple[str, ...]


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """Why a message may not be sent now: a word, a sentence, and the evidence."""

    word: str
    says: str
    evidence: tuple[Evidence, ...] = ()


def check_template(subject: str, body: str) -> None:
    """Raise InputError if a template is too long, empty, or names a field that there is not."""
    for name, text, most in (("subject", subject, SUBJECT_CHARACTERS), ("body", body, BODY_CHARACTERS)):
        if not 1 <= len(text) <= most:
            raise InputError(f"The {name} has 1 to {most} characters, this one {len(text)}.", where=name)
        unknown = sorted({match.group(1) for match in _FIELD.finditer(text)} - FIELDS.keys())
        if unknown or "{" in _FIELD.sub("", text) or "}" in _FIELD.sub("", text):
            raise InputError(
                f"The {name} names no field in its braces" + (f": {{{unknown[0]}}}." if unknown else "."),
                hint=f"Fields are {', '.join(FIELDS)}, as {{delight}} or {{delight|what is said instead}}.",
                where=name,
            )


def fields_of(memory: Memory, *, name: str, last_store: str | None) -> dict[str, Field]:
    """Return what is known of each field; those of which nothing is known are not there."""
    found = {"name": Field(value=name), "first_name": Field(value=name.split(maxsplit=1)[0])}
    if last_store is not None:
        found["last_store"] = Field(value=last_store)
    for field, topics in (("delight", memory.delights), ("frustration", memory.frustrations)):
        if topics:
            found[field] = Field(value=topics[0].label, evidence=topics[0].evidence)
    quote = next((quote for quote in memory.preferences if quote.quotable), None)
    if quote is not None:
        found["preference"] = Field(value=quote.text, evidence=(quote.evidence,))
    pending = [promise for promise in memory.promises if promise.state in _PENDING]
    if pending:
        newest = max(pending, key=lambda promise: (promise.evidence.at, promise.evidence.id))
        found["promise"] = Field(value=_PROMISED, evidence=(newest.evidence,))
    return found


def fill(template: Template, fields: Mapping[str, Field]) -> Filled:
    """Return a template with the fields of a customer in it."""
    used: dict[str, Field] = {}
    missing: dict[str, None] = {}

    def value(match: re.Match[str]) -> str:
        name, instead = match.group(1), match.group(2)
        if name in fields:
            # what stands in a field is one line, as the subject of a mail has to be: customers write any characters
            used[name] = msgspec.structs.replace(fields[name], value=" ".join(fields[name].value.split()))
            return used[name].value
        if instead is None:
            missing[name] = None
        return instead if instead is not None else match.group()

    return Filled(
        subject=" ".join(_FIELD.sub(value, template.subject).split()),
        body=_FIELD.sub(value, template.body),
        used=used,
        missing=tuple(missing),
    )


def obstacles(
    template: Template,
    filled: Filled,
    *,
    consented: bool,
    felt: Sequence[Felt],
    sent_at: Sequence[int],
    as_of: int,
) -> tuple[Obstacle, ...]:
    """Return why a message may not be sent now; empty if it may.

    Parameters
    ----------
    template : Template
    filled : Filled
        The template, for this customer.
    consented : bool
        Whether the consent for the template's purpose holds.
    felt : sequence of Felt
        Of this customer; negative and mixed ones are bad experiences: she would read “we were glad” as not having
        been heard.
    sent_at : sequence of int
        When she got messages, of any template.
    as_of : int
    """
    found = []
    if template.retired:
        found.append(Obstacle(word="retired", says="The template is not in use any more."))
    if not consented:
        found.append(Obstacle(word="consent", says=f"There is no consent for {template.purpose} that holds."))
    for name, text, most in (("subject", filled.subject, SUBJECT_CHARACTERS), ("text", filled.body, BODY_CHARACTERS)):
        if len(text) > most:
            found.append(
                Obstacle(word="too_long", says=f"Its {name} would have {len(text)} characters; {most} are the most.")
            )
    if filled.missing:
        unknown = ", ".join(FIELDS[name][0].lower() + FIELDS[name][1:] for name in filled.missing)
        found.append(Obstacle(word="missing", says=f"Not known of this customer: {unknown}."))
    since = as_of - template.quiet_days * DAY_NS
    bad = [one for one in felt if disappointed(one) and since < one.at <= as_of]
    if template.quiet_days and bad:
        newest = max(bad, key=lambda one: (one.unsure is None, one.at, one.id))
        ago, quiet = age(newest.at, as_of), f"quiet for {template.quiet_days} days"
        says = f"A bad experience {ago}: {quiet}."
        if newest.unsure is not None:
            says = f"Whether a note {ago} is of a bad experience is not sure: choose its feeling; else {quiet}."
        found.append(Obstacle(word="bad_experience", says=says, evidence=(evidence_of(newest),)))
    lately = sum(as_of - template.cap_days * DAY_NS < at <= as_of for at in sent_at)
    if lately >= template.cap_count:
        found.append(
            Obstacle(
                word="frequency",
                says=f"Got {lately} within {template.cap_days} days; {template.cap_count} are the most.",
            )
        )
    return tuple(found)


def newest_visit(visits: Sequence[Visit]) -> Visit | None:
    """Return the visit that ended last."""
    return max(visits, key=lambda visit: (visit.left_at, visit.id), default=None)
