"""What takes in customers, withdrawals and events, whoever brought them: a request, or a signed webhook."""

from collections.abc import Callable
from datetime import datetime
from json import loads
from typing import Any, Final, TypeAlias
from uuid import UUID

from fastapi.responses import Response

from api.inputs.models import EventsIn, IdentifiedOut, InputWord, ProfileIn, RowErrorOut, TakenOut, WithdrawalIn
from api.inputs.rows import AHEAD, read_rows, standing
from api.problems import conflict, profile_unknown
from core.errors import InputError
from core.resolution import identifier
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.identity.consents import ConsentWord, withdraw_everywhere
from storage.identity.links import GivenProfile, find_person, identify
from storage.inputs.inputs import ERRORS_SHOWN, UNKNOWN_PROFILE, save_events
from storage.privacy.suppression import Guard
from storage.profiles.profiles import PURPOSE

Work: TypeAlias = Callable[[Connection], tuple[int, Any]]
"""Takes something in and returns status and answer, all in one transaction."""


_OUTWEIGHED: Final = "The customer granted it again later, and that stands; send the withdrawal with its own time."


def taking_profile(given: ProfileIn, guard: Guard, now: datetime) -> Work:
    """Return the work that takes in a customer; raises InputError at once if a value is not possible."""
    profile = GivenProfile(
        source=given.source,
        display_name=given.display_name,
        loyalty_tier=given.loyalty_tier,
        identifiers=[identifier(one.kind, one.value) for one in given.identifiers],
        devices=[_pseudonym(device) for device in given.devices],
        consent=ConsentWord(
            purpose=PURPOSE,
            status="granted",
            source=given.consent.source,
            wording=given.consent.wording,
            occurred_at=_consented_at(given, now),
            expires_at=_expires_at(given, now),
            source_key=given.consent.key,
        ),
    )

    def work(connection: Connection) -> tuple[int, Any]:
        found = identify(connection, profile, guard)
        if found.profile_id is None:
            faults = [{"where": one.where, "what": one.what} for one in found.conflicts]
            return 409, {"faults": faults}
        return 201 if found.made else 200, IdentifiedOut.of(found, found.profile_id).model_dump(mode="json")

    return work


def answer_or_conflict(answer: Response) -> Response:
    """Return an answer, or raise the problem of a 409; it is committed, as the case for a person is part of it."""
    if answer.status_code == 409:
        raise conflict(
            "What was sent contradicts what stands here.",
            hint="See faults; nothing of a profile was written.",
            faults=loads(bytes(answer.body))["faults"],
        )
    return answer


def taking_withdrawal(given: WithdrawalIn) -> Work:
    """Return the work that takes in a withdrawal; raises InputError at once if a value is not possible.

    One that a later grant outweighs, of this profile or of another one of the person, is kept and answered with 409,
    so that nobody takes it for done.
    """
    who = identifier(given.identifier.kind, given.identifier.value, held=True)
    word = ConsentWord(
        purpose=PURPOSE,
        status="withdrawn",
        source=given.source,
        wording=given.wording,
        occurred_at=_with_offset(given.occurred_at, "occurred_at"),
        source_key=given.key,
    )

    def work(connection: Connection) -> tuple[int, Any]:
        profile = find_person(connection, who)
        if profile is None:
            raise profile_unknown()
        withdraw_everywhere(connection, profile, word)
        with in_own_right(connection):  # a grant of a profile that may not be seen here stands as well
            outweighed = find_person(connection, who) is not None
        if outweighed:
            return 409, {"faults": [{"where": "occurred_at", "what": _OUTWEIGHED}]}
        return 200, {"done": True}

    return work


def taking_events(given_input: InputWord, given: EventsIn, now: datetime) -> Work:
    """Return the work that takes in events."""
    read = read_rows(given_input, enumerate(given.events, 1), now)

    def work(connection: Connection) -> tuple[int, Any]:
        taken = save_events(connection, given.source, read.events)
        if read.events and not read.malformed_count and all_unknown(taken.errors, len(read.events)):
            raise profile_unknown()
        errors = sorted([*read.malformed, *taken.errors])[:ERRORS_SHOWN]
        return 200, TakenOut(
            taken_count=taken.taken,
            unchanged_count=taken.unchanged,
            refused_count=taken.refused + read.malformed_count,
            errors=[RowErrorOut.of(error) for error in errors],
        ).model_dump(mode="json")

    return work


def all_unknown(errors: Any, events: int) -> bool:
    """Say whether each of so many events was refused because nobody who consented is meant."""
    return len(errors) == min(events, ERRORS_SHOWN) and all(error.what == UNKNOWN_PROFILE for error in errors)


def _consented_at(given: ProfileIn, now: datetime) -> datetime:
    at = _with_offset(given.consent.occurred_at, "consent.occurred_at")
    if at > now + AHEAD:
        raise InputError(
            "A consent cannot be given in the future.", hint="Is the clock right?", where="consent.occurred_at"
        )
    return at


def _expires_at(given: ProfileIn, now: datetime) -> datetime | None:
    if given.consent.expires_at is None:
        return None
    return standing(_with_offset(given.consent.expires_at, "consent.expires_at"), now, "consent.expires_at")


def _with_offset(at: datetime, where: str) -> datetime:
    if at.tzinfo is None:
        raise InputError("The time has no offset.", hint="End it with Z or +01:00.", where=where)
    return at


def _pseudonym(text: str) -> bytes:
    try:
        return UUID(hex=text).bytes
    except ValueError as error:
        raise InputError("A device is a pseudonym of 32 hexadecimal digits.", where="devices") from error
