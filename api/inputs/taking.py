"""What takes in customers, withdrawals and events, whoever brought them: a request, or a signed webhook."""

from collections.abc import Callable, Sequence
from datetime import datetime
from json import loads
from typing import Any, Final, TypeAlias
from uuid import UUID

from fastapi.responses import Response

from api.inputs.models import (
    EventsIn,
    HeardOut,
    IdentifiedOut,
    InputWord,
    ProfileIn,
    RowErrorOut,
    TakenOut,
    WithdrawalIn,
)
from api.inputs.rows import AHEAD, offset_said, read_rows, standing
from api.inputs.withdrawal_rows import listed_withdrawals, withdrawal_of
from api.problems import conflict, profile_unknown
from core.errors import InputError
from core.resolution import identifier
from storage.connect import Connection
from storage.identity.at_stores import take_in
from storage.identity.consents import ConsentWord
from storage.identity.links import GivenProfile
from storage.identity.withdrawals import NO_COUNTRY, OUTWEIGHED, Became, said_fully, save_withdrawals, withdraw_by
from storage.inputs.inputs import ERRORS_SHOWN, UNKNOWN_PROFILE, Outcome, RowError, save_events
from storage.privacy.suppression import Guard
from storage.profiles.profiles import PURPOSE

_ERASED: Final = "Somebody with this was erased after this consent was given."

Work: TypeAlias = Callable[[Connection], tuple[int, Any]]
"""Takes something in and returns status and answer, all in one transaction."""


def taking_profile(given: ProfileIn, guard: Guard, now: datetime, *, for_desk: bool = False) -> Work:
    """Return the work that takes in a customer; raises InputError at once if a value is not possible.

    That somebody was erased, and not that she withdrew, is told to the privacy desk alone.
    """
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
        found = take_in(connection, profile, guard)
        if found.told == "nothing":
            return 202, HeardOut().model_dump(mode="json")
        if found.profile_id is None:
            faults = [{"where": one.where, "what": one.what} for one in found.conflicts]
            if for_desk:
                faults += [{"where": one, "what": _ERASED} for one in found.erased_by]
            return 409, {"faults": faults}
        return 201 if found.made and found.told == "all" else 200, IdentifiedOut.of(
            found, found.profile_id
        ).model_dump(mode="json")

    return work


def answer_or_conflict(answer: Response) -> Response:
    """Return an answer, or raise the problem of a 404 or 409; a case or word that it leaves is committed."""
    if answer.status_code == 404:
        raise profile_unknown(loads(bytes(answer.body))["hint"])
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
    so that nobody takes it for done; one that finds no consent with 404, whether anything of it is kept or not.
    """
    said = withdrawal_of(given)

    def work(connection: Connection) -> tuple[int, Any]:
        became = withdraw_by(connection, said.who, said.word)
        if became is Became.UNTOLD:
            return 202, HeardOut().model_dump(mode="json")
        if became is Became.UNKNOWN:
            return 404, {"hint": "" if said_fully(said.who) else NO_COUNTRY}
        if became is Became.OUTWEIGHED:
            return 409, {"faults": [{"where": "occurred_at", "what": OUTWEIGHED}]}
        return 200, {"done": True}

    return work


def taking_withdrawals(rows: list[Any]) -> Work:
    """Return the work that takes in a list of withdrawals; what is wrong with one stops no other."""
    read, malformed = listed_withdrawals(rows)

    def work(connection: Connection) -> tuple[int, Any]:
        taken = save_withdrawals(connection, read)
        if read and not malformed and all_unknown(taken.errors, len(read)):
            return 404, {"hint": ""}
        return 200, _taken(taken, malformed, len(malformed))

    return work


def taking_events(given_input: InputWord, given: EventsIn, now: datetime) -> Work:
    """Return the work that takes in events."""
    read = read_rows(given_input, enumerate(given.events, 1), now)

    def work(connection: Connection) -> tuple[int, Any]:
        taken = save_events(connection, given.source, read.events)
        if read.events and not read.malformed_count and all_unknown(taken.errors, len(read.events)):
            raise profile_unknown()
        return 200, _taken(taken, read.malformed, read.malformed_count)

    return work


def _taken(taken: Outcome, malformed: Sequence[RowError], malformed_count: int) -> Any:
    errors = sorted([*malformed, *taken.errors])[:ERRORS_SHOWN]
    return TakenOut(
        taken_count=taken.taken,
        unchanged_count=taken.unchanged,
        refused_count=taken.refused + malformed_count,
        errors=[RowErrorOut.of(error) for error in errors],
    ).model_dump(mode="json")


def all_unknown(errors: Any, events: int) -> bool:
    """Say whether each of so many events was refused because nobody who consented is meant."""
    return len(errors) == min(events, ERRORS_SHOWN) and all(
        error.what.startswith(UNKNOWN_PROFILE) for error in errors
    )


def _consented_at(given: ProfileIn, now: datetime) -> datetime:
    at = offset_said(given.consent.occurred_at, "consent.occurred_at")
    if at > now + AHEAD:
        raise InputError(
            "A consent cannot be given in the future.", hint="Is the clock right?", where="consent.occurred_at"
        )
    return at


def _expires_at(given: ProfileIn, now: datetime) -> datetime | None:
    if given.consent.expires_at is None:
        return None
    return standing(offset_said(given.consent.expires_at, "consent.expires_at"), now, "consent.expires_at")


def _pseudonym(text: str) -> bytes:
    try:
        return UUID(hex=text).bytes
    except ValueError as error:
        raise InputError("A device is a pseudonym of 32 hexadecimal digits.", where="devices") from error
