"""Installations of apps, and what they tell."""

from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime

from api.app_presence.models import (
    InstallationIn,
    InstallationOut,
    InstallationsOut,
    IssuedOut,
    PresenceIn,
    PresenceOut,
)
from api.app_presence.taking import known, take
from api.identity.models import DoneOut
from api.inputs.idempotent import OnceDep
from api.problems import ProblemError, described, profile_unknown
from api.service import ConnectionDep, ServiceDep
from storage.app.installations import installations_page, issue, revoke
from storage.connect import Connection

router = APIRouter(prefix="/v1/app", tags=["app"])
TOKEN_BYTES: Final = 32
_BEARER: Final = "Bearer "


@router.post(
    "/installations",
    status_code=201,
    response_model=IssuedOut,
    responses=described(404, 422, 503),
    summary="Issue a token to an installation",
)
def issue_installation(given: InstallationIn, service: ServiceDep) -> Response:
    """Make an installation of a customer who consented; its token is told here and never again.

    Only the token's SHA-256 is kept, so this takes no Idempotency-Key: what is lost is revoked and issued anew. The
    installation's device is linked to the profile from now on.
    """
    token = f"sjn_{token_urlsafe(TOKEN_BYTES)}"
    made = service.writer.write(
        lambda connection: issue(connection, given.profile_id, sha256(token.encode()).digest())
    )
    if made is None:
        raise profile_unknown()
    answer = IssuedOut(installation_id=made.installation_id, token=token)
    return JSONResponse(answer.model_dump(mode="json"), 201, headers={"Cache-Control": "no-store"})


@router.get("/installations", responses=described(422, 503), summary="List of installations")
def list_installations(
    connection: ConnectionDep,
    profile_id: Annotated[UUID | None, Query(description="Of this customer alone")] = None,
) -> InstallationsOut:
    """List the newest installations of customers whose consent holds."""
    return InstallationsOut(
        installations=[InstallationOut.of(row) for row in installations_page(connection, profile_id)]
    )


@router.post(
    "/installations/{installation}/revoke",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Revoke an installation",
)
def revoke_installation(installation: UUID, once: OnceDep) -> Response:
    """Take nothing more from it; its device's link ends now, visits until now stay."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not revoke(connection, installation):
            raise ProblemError(
                404,
                "installation-unknown",
                "Unknown installation",
                detail="There is no such installation.",
                hint="GET /v1/app/installations lists them.",
            )
        return 200, {"done": True}

    return once.answer(b"", work)


@router.post(
    "/presence",
    responses={200: {"model": PresenceOut}, **described(400, 401, 403, 404, 422, 503)},
    summary="Tell of presence",
)
def tell_presence(  # noqa: PLR0917 - FastAPI hands each in
    request: Request,
    given: PresenceIn,
    once: OnceDep,
    service: ServiceDep,
    authorization: Annotated[str, Header(description="`Bearer` and the installation's token")] = "",
    sent_at: Annotated[
        AwareDatetime | None, Header(description="The phone's time at this attempt; anew when it is sent again")
    ] = None,
) -> Response:
    """Take in what an installation was told by its system: geofences, ranging, heartbeats, screens.

    All of it or nothing. Signals go into the signal log as those of every edge do. The phone's clock only says how
    old an event was when it was sent; the rest is the server's.
    """
    received_at: datetime = service.now()
    token = authorization.removeprefix(_BEARER) if authorization.startswith(_BEARER) else ""
    key = request.headers.get("Idempotency-Key", "")
    # before an answer that was given earlier is told again: not to somebody else, not after consent is gone
    service.writer.write(lambda connection: known(connection, token))
    body = sha256(token.encode()).digest() + given.model_dump_json().encode()

    def work(connection: Connection) -> tuple[int, Any]:
        taken = take(
            connection,
            token=token,
            key=key,
            given=given,
            find_plan=service.plans.get,
            sent_at=sent_at,
            received_at=received_at,
        )
        return 200, taken.model_dump(mode="json")

    return once.answer(body, work)
