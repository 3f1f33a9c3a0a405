"""Pages of the privacy desk."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.forms import FormDep
from api.privacy.models import DataMapOut, ErasureOut
from api.privacy.routes import ask_for, check_folder, found_receipt, whoever_asks
from api.problems import ProblemError
from api.rendering import render
from api.service import ConnectionDep, ServiceDep
from storage.privacy.receipts import newest_receipts, retention_runs

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_SEE_OTHER: Final = 303


@router.get("/privacy")
def show_desk(connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show erasures, what retention took away, and the data map."""
    return render(
        "privacy.html",
        here="privacy",
        erasures=newest_receipts(connection),
        retention=retention_runs(connection),
        data_map=DataMapOut.whole(),
        can_erase=service.guard.can_erase,
        now=service.now(),
    )


@router.post("/privacy/erasures")
def ask_erasure(form: FormDep, service: ServiceDep, request: Request) -> Response:
    """Ask for an erasure as the form says."""
    try:
        profile = UUID(form.text("profile_id", most=40))
    except ValueError as error:
        raise ProblemError(
            422,
            "value",
            "A value cannot be used",
            detail="This is not the id of a profile.",
            hint="Go back and copy it.",
        ) from error
    asked_by = whoever_asks(request)
    check_folder(service)
    erasure = service.writer.write(lambda connection: ask_for(connection, profile, asked_by))
    return RedirectResponse(f"/privacy/erasures/{erasure}", _SEE_OTHER)


@router.get("/privacy/erasures/{erasure}")
def show_receipt(erasure: UUID, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show the receipt of an erasure."""
    return render(
        "erasure.html",
        here="privacy",
        erasure=ErasureOut.of(found_receipt(connection, erasure)),
        now=service.now(),
    )
