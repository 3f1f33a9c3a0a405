"""Pages of personal messages: what could be said to a customer, and the templates."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from api.memory.message_models import PreviewOut
from api.memory.message_routes import list_messages, list_templates
from api.memory.messaging import previews
from api.memory.pages import address
from api.rendering import render
from api.service import ConnectionDep, ProfileDep, ServiceDep
from api.texts import MAYBE_WORD_PATTERN
from storage.memory.messages import consents_held

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/profiles/{profile}/messages")
def show_messages(found: ProfileDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show every template as this customer would read it, what stands against it, and what was sent."""
    made = previews(service, connection, found, now=service.now())
    purposes = sorted({one.template.purpose for one in made if not one.template.retired})
    held = consents_held(connection, found.profile_id, purposes)
    return render(
        "messages.html",
        here="profiles",
        profile=found,
        previews=[
            PreviewOut.of(one.template.template, one.filled, one.obstacles)
            for one in made
            if not one.template.retired
        ],
        purposes=[(purpose, purpose in held) for purpose in purposes],
        messages=list_messages(found, connection).messages,
        address=address,
    )


@router.get("/message-templates")
def show_templates(
    connection: ConnectionDep, new: Annotated[str, Query(pattern=MAYBE_WORD_PATTERN)] = ""
) -> Response:
    """Show the templates, each to be changed; `new` names one to be added."""
    found = list_templates(connection)
    known = {one.template for one in found.templates}
    return render(
        "message_templates.html",
        here="profiles",
        templates=found.templates,
        fields=found.fields,
        new=new if new and new not in known else None,
    )
