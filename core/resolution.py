"""Whose record is meant: identifiers that came together, to at most one profile.

The rules follow Segment's identity resolution: some values identify nobody (blocked), a profile has at most so many
identifiers of a kind (limits), and where identifiers contradict each other those of lower priority give way. Unlike
there nothing ever merges by itself: two profiles that seem to be one person are handed to a person.
"""

from collections.abc import Iterable, Mapping, Set
from re import IGNORECASE
from re import compile as compile_pattern
from typing import Final
from unicodedata import normalize

import msgspec

from core.errors import InputError

VALUE_CHARACTERS: Final = 254
"""The longest e-mail address that can be delivered to (RFC 5321)."""
IDENTIFIERS_TOGETHER: Final = 20
"""More than any system knows of one person at once; keeps questions small."""


class IdentifierKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of identifier: `most` a profile may have at a time, and why."""

    kind: str
    most: int
    because: str


KINDS: Final = {
    kind.kind: kind
    for kind in (
        IdentifierKind(kind="customer_id", most=1, because="The number in the customer system is the person."),
        IdentifierKind(kind="loyalty_number", most=3, because="A lost card is replaced once or twice."),
        IdentifierKind(kind="email", most=5, because="Work, home and old ones; more is a shared mailbox."),
        IdentifierKind(kind="phone", most=5, because="As for e-mail."),
        IdentifierKind(kind="app_user", most=5, because="Phone, tablet and their successors."),
        IdentifierKind(kind="anonymous_id", most=20, because="Browsers forget theirs every few weeks."),
    )
}
"""In their order of priority, the strongest first."""
_PRIORITY: Final = {kind: place for place, kind in enumerate(KINDS)}
_BLOCKED: Final = compile_pattern(
    r"[0\-\s]*|-1|null|nil|none|undefined|nan|n/?a|anonymous|unknown|guest|test[-_ ]?\d*|dummy|customer|user"
    r"|true|false|\[object object\]"
    r"|.*@example\.(com|org|net)|.*@test\.\w+|((no|do-?not)[-_.]?reply|no-?e?-?mail|none|test|unknown|guest)@.*",
    IGNORECASE,
)
"""What systems write where they know nobody: whoever carries it is everybody."""
_HURRIED: Final = compile_pattern(r"\+?(\d)\1{5,}|\+?0?123456(7(8(90?)?)?)?")
"""Six times the same digit, or six in a row, as people in a hurry type: rarer as somebody's than as nobody's."""
_COUNTED: Final = frozenset({"customer_id", "loyalty_number"})
"""Given by a system that counts: each of its numbers is somebody's, 222222 too."""
_EMAIL: Final = compile_pattern(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = compile_pattern(r"\+?[0-9]{6,15}")


class Identifier(msgspec.Struct, frozen=True, order=True):
    """A value of a kind, normalised; see `identifier`."""

    kind: str
    value: str


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """An identifier that was passed over: `blocked`, `limit` or `other_profile`."""

    identifier: Identifier
    because: str


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """Whose identifiers they are.

    `profile` is None for somebody new. `add` are identifiers that the profile does not hold yet. `rivals`, sorted,
    are profiles that hold some of them as well: a person has to say whether they are one; empty without doubt.
    """

    profile: str | None
    add: tuple[Identifier, ...]
    dropped: tuple[Dropped, ...]
    rivals: tuple[str, ...]


def identifier(kind: str, value: str, *, held: bool = False) -> Identifier:
    """Return an identifier as it is compared: trimmed, in composed Unicode, e-mail in lower case, phone by E.164.

    A phone without a country code stays as its digits: which country is meant is not known here. `held` asks for one
    that may have been taken in before values like it were blocked: whoever withdraws by it is heard.

    Raises
    ------
    InputError
        If there is no such kind, or the value cannot be one of it, or it identifies nobody.
    """
    if kind not in KINDS:
        raise InputError(
            "There is no such kind of identifier.",
            hint=f"Kinds are {', '.join(KINDS)}.",
            where="identifier",
        )
    clean = normalize("NFC", value).strip()
    if not 1 <= len(clean) <= VALUE_CHARACTERS or not clean.isprintable():
        raise InputError(f"A {kind} has 1 to {VALUE_CHARACTERS} printable characters.", where=kind)
    if kind == "email":
        clean = clean.lower()
    if kind == "phone":
        clean = _telephone("".join(sign for sign in clean if sign not in " -./()"))
    pattern = {"email": _EMAIL, "phone": _PHONE}.get(kind)
    if pattern is not None and not pattern.fullmatch(clean):
        raise InputError(f"This is no {kind}.", where=kind)
    if not held and (_BLOCKED.fullmatch(clean) or (kind not in _COUNTED and _HURRIED.fullmatch(clean))):
        raise InputError("This value identifies nobody, so it is blocked.", hint="Leave the field empty.", where=kind)
    return Identifier(kind, clean)


def spellings(one: Identifier) -> tuple[Identifier, ...]:
    """Return an identifier with what may have been written for it elsewhere: a digest is of one spelling.

    As phones were before they were compared by E.164, and with plain letters and digits for those of full or half
    width and the like (Unicode's NFKC), as they come out of another keyboard.
    """
    plain = normalize("NFKC", one.value)
    plain = plain.lower() if one.kind == "email" else plain
    found = [one.value, plain]
    if one.kind == "phone" and one.value.startswith("+"):
        found.append(f"00{one.value[1:]}")
    return tuple(Identifier(one.kind, value) for value in dict.fromkeys(found))


def _telephone(digits: str) -> str:
    """Return a number by E.164 where its country is said, by + or 00; as it is where it is not, or is no number."""
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if not digits.startswith("+"):
        return digits
    import phonenumbers  # noqa: PLC0415 - its tables take 50 ms to load

    try:
        found = phonenumbers.parse(digits, None)
    except phonenumbers.NumberParseException:
        return digits
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def resolve(
    presented: Iterable[Identifier],
    holders: Mapping[Identifier, str],
    held: Mapping[str, Mapping[str, int]],
    unconsented: Set[str] = frozenset(),
) -> Resolution:
    """Return whose identifiers these are.

    A profile without consent is rival to nobody: what it holds goes to whom it comes with now, as if nobody held it.
    Only where the strongest identifier points to it, it is still the one that is meant.

    Parameters
    ----------
    presented : iterable of Identifier
        Those that came together; order and repetition don't matter.
    holders : mapping of Identifier to profile
        Who holds them now; those that nobody holds are not in it.
    held : mapping of profile to a mapping of kind to count
        How many of each kind the profiles of `holders` have.
    unconsented : set of profiles, optional
        Those of `holders` whose consent does not hold.
    """
    ranked = sorted(set(presented), key=lambda one: (_PRIORITY[one.kind], one.value))
    profile = next((holders[one] for one in ranked if one in holders), None)
    if profile is not None and profile in unconsented and not _contradicts(ranked, holders, held[profile], profile):
        unconsented = unconsented - {profile}
    holders = {one: holder for one, holder in holders.items() if holder not in unconsented}
    profile = next((holders[one] for one in ranked if one in holders), None)
    dropped: list[Dropped] = []
    if profile is not None and _contradicts(ranked, holders, held[profile], profile):
        # a stronger identifier that is new and has no room on that profile means somebody else
        weaker = [one for one in ranked if holders.get(one) is not None]
        dropped += [Dropped(identifier=one, because="limit") for one in weaker]
        ranked = [one for one in ranked if one not in holders]
        return Resolution(profile=None, add=_within_limits(ranked, {}, dropped), dropped=tuple(dropped), rivals=())
    rivals = sorted({holders[one] for one in ranked if one in holders})
    dropped += [
        Dropped(identifier=one, because="other_profile") for one in ranked if holders.get(one, profile) != profile
    ]
    new = [one for one in ranked if one not in holders]
    return Resolution(
        profile=profile,
        add=_within_limits(new, held[profile] if profile is not None else {}, dropped),
        dropped=tuple(dropped),
        rivals=tuple(rivals) if len(rivals) > 1 else (),
    )


def _contradicts(
    ranked: list[Identifier], holders: Mapping[Identifier, str], held: Mapping[str, int], profile: str
) -> bool:
    """Say whether an identifier stronger than all that point to the profile finds no room there."""
    strongest = min(_PRIORITY[one.kind] for one in ranked if holders.get(one) == profile)
    return any(
        one not in holders and _PRIORITY[one.kind] < strongest and held.get(one.kind, 0) >= KINDS[one.kind].most
        for one in ranked
    )


def _within_limits(new: list[Identifier], held: Mapping[str, int], dropped: list[Dropped]) -> tuple[Identifier, ...]:
    count = dict(held)
    kept = []
    for one in new:
        if count.get(one.kind, 0) >= KINDS[one.kind].most:
            dropped.append(Dropped(identifier=one, because="limit"))
            continue
        count[one.kind] = count.get(one.kind, 0) + 1
        kept.append(one)
    return tuple(kept)
