"""The consent and identity desk: the ledger, links that can be taken back, and cases that a person decides."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from api.identity.models import (
    BlockedDevicesOut,
    BlockedOut,
    CaseOut,
    CasesOut,
    DecisionIn,
    DoneOut,
    LedgerOut,
    LedgerRowOut,
    LinkChangeIn,
    LinkOut,
    LinksOut,
)
from api.inputs.idempotent import OnceDep
from api.problems import ProblemError, conflict, described, profile_unknown, unknown
from api.service import ConnectionDep, ProfileDep
from storage.connect import Connection
from storage.identity.consents import full_ledger
from storage.identity.desk import (
    BlockReason,
    DeskConflictError,
    block_device,
    blocked_devices,
    cases_page,
    change_link,
    decide_case,
    lift_block,
    profile_links,
    undo_case,
)
from storage.profiles.profiles import find_profile

router = APIRouter(prefix="/v1", tags=["identity"])
_BLOCKS: dict[str, BlockReason] = {"block_kiosk": "kiosk", "block_staff": "staff", "block_shared": "shared"}


@router.get("/profiles/{profile}/consents", responses=described(404, 422, 503), summary="The ledger of consents")
def read_ledger(found: ProfileDep, connection: ConnectionDep) -> LedgerOut:
    """Return every word that the customer said, newest first; nothing in it is ever changed."""
    words = [LedgerRowOut.of(row) for row in full_ledger(connection, found.profile_id)]
    return LedgerOut(profile_id=found.profile_id, words=words)


@router.get("/profiles/{profile}/links", responses=described(404, 422, 503), summary="Links of devices")
def list_links(found: ProfileDep, connection: ConnectionDep) -> LinksOut:
    """Return when devices were linked to this customer; the devices themselves are not shown."""
    links = [LinkOut.of(row) for row in profile_links(connection, found.profile_id)]
    return LinksOut(profile_id=found.profile_id, links=links)


@router.post(
    "/profiles/{profile}/links/{link_no}",
    responses={200: {"model": DoneOut}, **described(400, 404, 409, 422, 503)},
    summary="End, undo or restore a link, or block its device",
)
def change(profile: UUID, link_no: int, given: LinkChangeIn, once: OnceDep) -> Response:
    """Change a link; visits join or leave the profile with it at once, and every change can be taken back."""

    def work(connection: Connection) -> tuple[int, Any]:
        change_one_link(connection, profile, link_no, given)
        return 200, {"done": True}

    return once.answer(given.model_dump_json().encode(), work)


@router.get("/identity/cases", responses=described(503), summary="Profiles that may be one person")
def list_cases(connection: ConnectionDep) -> CasesOut:
    """List what a person has to decide; cases with a profile whose consent does not hold are not shown."""
    return CasesOut(cases=[CaseOut.of(row) for row in cases_page(connection)])


@router.post(
    "/identity/cases/{case_no}",
    responses={200: {"model": DoneOut}, **described(400, 404, 409, 422, 503)},
    summary="Decide a case",
)
def decide(case_no: int, given: DecisionIn, once: OnceDep) -> Response:
    """Say that the profiles are one person, or that they are not; see `undo`."""

    def work(connection: Connection) -> tuple[int, Any]:
        decide_one_case(connection, case_no, given)
        return 200, {"done": True}

    return once.answer(given.model_dump_json().encode(), work)


@router.post(
    "/identity/cases/{case_no}/undo",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Take a decision back",
)
def undo(case_no: int, once: OnceDep) -> Response:
    """Let merged profiles be apart again, each with what belonged to it."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not undo_case(connection, case_no):
            raise case_unknown(case_no)
        return 200, {"done": True}

    return once.answer(b"", work)


@router.get("/identity/blocked-devices", responses=described(503), summary="Devices that are nobody in particular")
def list_blocked(connection: ConnectionDep) -> BlockedDevicesOut:
    """List kiosks, devices of staff and shared ones: whatever links they have, they are joined to no profile."""
    return BlockedDevicesOut(devices=[BlockedOut.of(row) for row in blocked_devices(connection)])


@router.post(
    "/identity/blocked-devices/{block_no}/lift",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Lift a block",
)
def lift(block_no: int, once: OnceDep) -> Response:
    """Let the links of a blocked device be followed again."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not lift_block(connection, block_no):
            raise unknown(
                "block",
                detail=f"No device is blocked under {block_no}.",
                hint="GET /v1/identity/blocked-devices lists them.",
            )
        return 200, {"done": True}

    return once.answer(b"", work)


def change_one_link(connection: Connection, profile: UUID, link_no: int, given: LinkChangeIn) -> None:
    """Change a link or block its device; raises the problem if there is no such profile or link."""
    if find_profile(connection, profile) is None:
        raise profile_unknown()
    try:
        if given.change in _BLOCKS:
            done = block_device(connection, profile, link_no, _BLOCKS[given.change])
        else:
            done = change_link(connection, profile, link_no, given.change, because=given.because)  # type: ignore[arg-type]  # the blocks are gone
    except DeskConflictError as error:
        raise conflict(error.what, hint=error.hint) from error
    if not done:
        raise unknown(
            "link",
            detail=f"This profile has no link {link_no} that can be changed so.",
            hint="GET /v1/profiles/{id}/links lists its links.",
        )


def decide_one_case(connection: Connection, case_no: int, given: DecisionIn) -> None:
    """Decide a case; raises the problem if there is none, or it contradicts what stands there."""
    try:
        done = decide_case(connection, case_no, keep=given.keep, by=given.by)
    except DeskConflictError as error:
        raise conflict(error.what, hint=error.hint) from error
    if not done:
        raise case_unknown(case_no)


def case_unknown(case_no: int) -> ProblemError:
    """Return the problem of a case that is not there, or not to be seen."""
    return unknown(
        "case",
        detail=f"There is no case {case_no} to decide.",
        hint="GET /v1/identity/cases lists them.",
    )
