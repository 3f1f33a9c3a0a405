"""Erasure, access export and the data map, for the privacy desk."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from api.access.principal import principal_of
from api.inputs.idempotent import OnceDep
from api.privacy.exporting import zip_of
from api.privacy.models import DataMapOut, ErasureIn, ErasureOut, ErasuresOut
from api.problems import ProblemError, described, unknown
from api.service import ConnectionDep, Service, ServiceDep
from core.errors import UnavailableError
from storage.audit.seen import saw
from storage.connect import Connection
from storage.privacy.erasing import ask
from storage.privacy.export import subject_of
from storage.privacy.receipts import find_receipt, newest_receipts

router = APIRouter(prefix="/v1", tags=["privacy"])


@router.post(
    "/erasures",
    status_code=202,
    responses={202: {"model": ErasureOut}, **described(400, 404, 422, 503)},
    summary="Erase a person",
)
def ask_erasure(given: ErasureIn, once: OnceDep, service: ServiceDep, request: Request) -> Response:
    """Hide a person at once and begin a job that erases her everywhere; its receipt is at `/v1/erasures/{erasure}`.

    It runs in the background and goes on after any crash. Asking again for somebody whose job is under way answers
    that job. The receipt says which account or key asked, and nothing of who wished it: that is mostly she herself.
    """
    asked_by = whoever_asks(request)
    check_folder(service)

    def work(connection: Connection) -> tuple[int, Any]:
        erasure = ask_for(connection, given.profile_id, asked_by)
        return 202, ErasureOut.of(found_receipt(connection, erasure)).model_dump(mode="json")

    return once.answer(given.model_dump_json().encode(), work)


@router.get("/erasures", responses=described(503), summary="Erasures, newest first")
def list_erasures(connection: ConnectionDep) -> ErasuresOut:
    """List receipts without their places."""
    return ErasuresOut(erasures=[ErasureOut.of(row) for row in newest_receipts(connection)])


@router.get("/erasures/{erasure}", responses=described(404, 422, 503), summary="The receipt of an erasure")
def read_erasure(erasure: UUID, connection: ConnectionDep) -> ErasureOut:
    """Return one row a place: what, how many, when, and how it was verified that nothing is left."""
    return ErasureOut.of(found_receipt(connection, erasure))


@router.get(
    "/profiles/{profile}/access-export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A ZIP file: a JSON array for each place, and manifest.json",
            "content": {"application/zip": {}},
        },
        **described(404, 422, 503),
    },
    summary="Everything that is kept of a person",
)
def export_access(profile: UUID, connection: ConnectionDep, service: ServiceDep) -> StreamingResponse:
    """Send all that is held of a person, with or without a consent: the right of access does not end with it."""
    subject = subject_of(connection, profile)
    if subject is None:
        raise nobody()
    for one in subject.profiles:
        saw(one)
    headers = {"Content-Disposition": 'attachment; filename="access-export.zip"'}
    return StreamingResponse(
        zip_of(service.reader, subject, service.now()), media_type="application/zip", headers=headers
    )


@router.get("/data-map", summary="What is kept of whom")
def read_data_map() -> DataMapOut:
    """Return every table: what it holds of people, why and how long, or that nobody is in it."""
    return DataMapOut.whole()


def whoever_asks(request: Request) -> str:
    """Return the name of the account or key that asks, for a receipt."""
    principal = principal_of(request)
    return principal.name if principal is not None else ""


def check_folder(service: Service) -> None:
    """Raise UnavailableError if nobody can be erased here."""
    if not service.guard.can_erase:
        raise UnavailableError(
            "Nobody can be erased here: there is no privacy folder.", hint="Start the API with SOJOURN_PRIVACY."
        )


def ask_for(connection: Connection, profile: UUID, asked_by: str) -> UUID:
    """Ask for an erasure; raises the problem if there is no such profile."""
    erasure = ask(connection, profile, asked_by=asked_by)
    if erasure is None:
        raise nobody()
    return erasure


def found_receipt(connection: Connection, erasure: UUID) -> Any:
    """Return a receipt, or raise its problem."""
    found = find_receipt(connection, erasure)
    if found is None:
        raise unknown("erasure", detail="There is no such erasure.", hint="GET /v1/erasures lists the newest ones.")
    return found


def nobody() -> ProblemError:
    """Return the problem of a profile that is not there at all."""
    return unknown("profile", detail="There is no such profile.", hint="Was it erased? GET /v1/erasures tells.")
