"""The page of a customer's emotional memory."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from api.memory.alert_models import AlertEvidenceOut
from api.memory.models import MemoryEvidenceOut
from api.memory.routes import read_memory
from api.rendering import render
from api.service import ConnectionDep, ProfileDep, ServiceDep
from core.journey.rules import Stage

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

CITED: Final = 4
"""Links behind a sentence before "and so many more": what fits in a line."""


@router.get("/profiles/{profile}/memory")
def show_memory(found: ProfileDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show the summary with its evidence, feelings by stage and month, topics, preferences and promises."""
    return render(
        "memory.html",
        here="profiles",
        profile=found,
        memory=read_memory(found, connection, service),
        stage_label={stage.value: stage.label for stage in Stage},
        cited=CITED,
        address=address,
    )


def address(evidence: MemoryEvidenceOut | AlertEvidenceOut, profile: object) -> str:
    """Return the page on which evidence can be read."""
    match evidence.kind:
        case "note":
            return f"/notes/{evidence.id}"
        case "follow_up":
            return f"/follow-ups/{evidence.id}"
        case "store_visit":
            return f"/profiles/{profile}?visit={evidence.id}"
        case "zone_visit":
            return f"/profiles/{profile}#visit"
    return f"/profiles/{profile}#timeline"
