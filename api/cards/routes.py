"""A card as JSON, tickets for a frame, and the page that stands in the frame."""

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from api.audit.recording import acting_of, look_as
from api.cards.card import CardOut, card_of
from api.forms import FormDep
from api.headers import CONTENT_SECURITY_POLICY
from api.inputs.idempotent import OnceDep
from api.operators import operator_of
from api.problems import described, profile_unknown
from api.rendering import render
from api.service import ConnectionDep, ProfileDep, Service, ServiceDep
from storage.connect import Connection
from storage.profiles.cards import make_ticket, spend_ticket
from storage.profiles.profiles import find_profile

router = APIRouter(prefix="/v1", tags=["cards"])
frame = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_NOBODY: Final = "frame-ancestors 'none'"


class TicketOut(BaseModel):
    """Where the card may be seen, and until when; make a new one each time a page is loaded."""

    path: str = Field(
        description="For the src of an iframe, on this server. The ticket stands behind the #, which browsers send to"
        " nobody, and opens the card once",
        examples=["/card#q4Rk…"],
    )
    expires_at: datetime
    frame_ancestors: list[str] = Field(
        description="Origins whose pages may show it, as the operator has set", examples=[["https://crm.example"]]
    )


@router.get("/profiles/{profile}/card", responses=described(404, 422, 503), summary="The card of a profile")
def read_card(found: ProfileDep, connection: ConnectionDep, service: ServiceDep) -> CardOut:
    """Return a customer in one look: where she is, the journey, the cue, when she is expected."""
    return card_of(service, connection, found)


@router.post(
    "/profiles/{profile}/card-tickets",
    status_code=201,
    responses={201: {"model": TicketOut}, **described(400, 404, 409, 422, 503)},
    summary="A ticket to the card in a frame",
)
def make_card_ticket(found: ProfileDep, once: OnceDep, service: ServiceDep, request: Request) -> Response:
    """Make a path that shows the card once within five minutes, in frames of the origins that the operator allows.

    It counts as opening the profile: towards the day's budget now, and once the card is shown in the audit, as a look
    of whoever made it.
    """
    by, made_as = operator_of(request), acting_of(request)

    def work(connection: Connection) -> tuple[int, Any]:
        if find_profile(connection, found.profile_id) is None:
            raise profile_unknown()
        by_name = by if by is not None else "another system"
        ticket, ends = make_ticket(connection, found.profile_id, by=by_name, made_as=made_as)
        made = TicketOut(path=f"/card#{ticket}", expires_at=ends, frame_ancestors=list(service.settings.card_origins))
        return 201, made.model_dump(mode="json")

    return once.answer(b"", work, secret=True)


@frame.get("/card")
def open_card(service: ServiceDep) -> Response:
    """Show the page that posts the ticket of its fragment: the rest of a URL is in logs, history and referrers."""
    return _framed(render("card_opening.html"), service)


@frame.post("/card")
def show_card(request: Request, form: FormDep, service: ServiceDep) -> Response:
    """Show a card in a frame; a ticket that is unknown, used or over, and no consent, answer the same."""
    ticket = form.get("ticket")
    spent = service.writer.write(lambda connection: spend_ticket(connection, ticket))
    if spent is not None:
        look_as(request, spent[1])
    with service.reader.connection() as connection:
        found = find_profile(connection, spent[0]) if spent is not None else None
        if found is None:
            response = render("card_over.html")
            response.status_code = profile_unknown().status
        else:
            response = render("card.html", card=card_of(service, connection, found), now=service.now())
    return _framed(response, service)


def _framed(response: Response, service: Service) -> Response:
    response.headers["Content-Security-Policy"] = framed_policy(service.settings.card_origins)
    return response


def framed_policy(origins: tuple[str, ...]) -> str:
    """Return the policy of a page that these origins may show in a frame."""
    return (
        CONTENT_SECURITY_POLICY.replace(_NOBODY, f"frame-ancestors {' '.join(origins)}")
        if origins
        else (CONTENT_SECURITY_POLICY)
    )
