"""The audit log for programs of the privacy desk."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query

from api.audit.models import AuditPageOut, HeadOut, HeadsOut, HintOut, HintsOut, UnusualOut
from api.problems import described
from api.service import ConnectionDep, ServiceDep
from core.audit.hints import HINTS
from core.audit.words import KindWord
from storage.audit.entries import ENTRIES_PER_PAGE, AuditFilter, entries_page
from storage.audit.hints import unusual
from storage.audit.sealing import heads
from storage.notes.notes import OPERATOR_CHARACTERS

router = APIRouter(prefix="/v1", tags=["audit"])
HEADS_SHOWN: Final = 400
"""A year of days and a little."""


@router.get("/audit", responses=described(422, 503), summary="Who looked at whom")
def list_audit_entries(
    connection: ConnectionDep,
    *,
    actor: Annotated[
        str | None, Query(max_length=OPERATOR_CHARACTERS, description="Of this person, key or program")
    ] = None,
    profile: Annotated[UUID | None, Query(description="About this customer")] = None,
    day: Annotated[date | None, Query(description="On this day in UTC")] = None,
    kind: Annotated[KindWord | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=ENTRIES_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> AuditPageOut:
    """List reads, changes, exports and logins, the newest first, each with who, what for and whom it was about."""
    wanted = AuditFilter(actor=actor or None, profile_id=profile, day=day, kind=kind)
    return AuditPageOut.of(entries_page(connection, wanted, limit=limit, cursor=cursor))


@router.get("/audit/hints", responses=described(503), summary="What was unusual")
def list_audit_hints(connection: ConnectionDep, service: ServiceDep) -> HintsOut:
    """List what was unusual in the last seven days, each kind with its formula and the reason of its threshold."""
    return HintsOut(
        found=[UnusualOut.of(row) for row in unusual(connection, service.now())],
        hints=[HintOut.of(hint) for hint in HINTS],
    )


@router.get("/audit/heads", responses=described(503), summary="Heads of the audit chain")
def list_audit_heads(connection: ConnectionDep) -> HeadsOut:
    """List the last hash of each day; kept elsewhere, they show whether anything before was changed or cut off."""
    return HeadsOut(heads=[HeadOut.of(head) for head in heads(connection, days=HEADS_SHOWN)])
