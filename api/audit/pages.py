"""The page of the privacy desk: who looked at whom, and what was unusual."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response
from pydantic import BeforeValidator

from api.audit.wording import said
from api.rendering import render
from api.service import ConnectionDep, ServiceDep
from core.audit.hints import HINTS, LOOKED_AT_DAYS
from core.audit.words import KINDS, PURPOSES, KindWord
from storage.audit.entries import AuditFilter, entries_page
from storage.audit.hints import unusual
from storage.audit.sealing import heads
from storage.notes.notes import OPERATOR_CHARACTERS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_ROWS: Final = 50
_HEADS: Final = 7
_UNSET = BeforeValidator(lambda given: None if given == "" else given)
"""A form sends what was left empty as an empty word."""


@router.get("/audit")
def show_audit(
    connection: ConnectionDep,
    service: ServiceDep,
    *,
    actor: Annotated[str | None, Query(max_length=OPERATOR_CHARACTERS), _UNSET] = None,
    profile: Annotated[UUID | None, _UNSET] = None,
    day: Annotated[date | None, _UNSET] = None,
    kind: Annotated[KindWord | None, _UNSET] = None,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Show entries by their filters; without any also what was unusual and the heads of the last days."""
    wanted = AuditFilter(actor=actor, profile_id=profile, day=day, kind=kind)
    filters = {"actor": actor, "profile": profile, "day": day, "kind": kind}
    whole = not any(filters.values()) and cursor is None
    found = unusual(connection, service.now()) if whole else []
    return render(
        "audit.html",
        here="audit",
        page=entries_page(connection, wanted, limit=_ROWS, cursor=cursor),
        filters=filters,
        query={name: value for name, value in filters.items() if value is not None},
        kinds=KINDS,
        purposes=PURPOSES,
        whole=whole,
        hints=[(hint, [row for row in found if row.hint == hint.hint]) for hint in HINTS],
        looked_at_days=LOOKED_AT_DAYS,
        heads=heads(connection, days=_HEADS) if whole else [],
        said=said,
    )
