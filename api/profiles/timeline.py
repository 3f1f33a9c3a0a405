"""Everything that is known of a customer in one line of time, as people read it."""

from collections.abc import Set
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, Field

from api.wording import ALERT_CAME_OF, CUE, CUE_OUTCOME, dwell
from core.journey.rules import ORDERED
from storage.profiles.timeline import TimelinePage, TimelineRow

LINES: Final = 40
"""Two screens; older ones are one click away."""
_PAGES: Final = {"noted": "/notes/{}", "alerted": "/alerts/{}", "message_made": "/profiles/{profile}/messages"}
"""Where more of it stands."""


class TimelineLineOut(BaseModel):
    """One thing that happened."""

    at: datetime
    kind: str = Field(
        description="`store_visit`, a kind of an input, `consent_granted`, `consent_withdrawn`, `noted`, `cue_told`,"
        " `alerted` or `message_made`",
        examples=["ordered"],
    )
    id: str = Field(description="Which of its kind: a visit, an event, a note, …")
    store: str = Field(description="Empty where it was in none", examples=["marktplatz"])
    source: str = Field(description="The system or the person that told of it", examples=["till"])
    detail: dict[str, Any] = Field(description="What else is known of it", examples=[{"total": 59.9}])
    says: str = Field(description="The same, as the page says it", examples=["59.90 EUR, R-1042"])

    @classmethod
    def of(cls, row: TimelineRow) -> Self:
        """Return the answer for a line."""
        detail = {name: value for name, value in row.detail.items() if value is not None}
        return cls(
            at=row.at, kind=row.kind, id=row.id, store=row.store, source=row.source, detail=detail, says=says(row)
        )


class TimelineOut(BaseModel):
    """A page of the timeline, newest first."""

    profile_id: UUID
    lines: list[TimelineLineOut]
    next_cursor: str | None = Field(description="For what is older; null: this is all")

    @classmethod
    def of(cls, profile: UUID, page: TimelinePage) -> Self:
        """Return the answer for a page."""
        lines = [TimelineLineOut.of(row) for row in page.lines]
        return cls(profile_id=profile, lines=lines, next_cursor=page.next_cursor)


class ShownLine(TimelineLineOut):
    """A line on the page: `order` has a journey of its own, `path` leads to more of it."""

    order: str | None = None
    path: str | None = None


def shown_lines(page: TimelinePage, standing: Set[str]) -> list[ShownLine]:
    """Return the lines of a page; `standing` are the events of orders that were not cancelled."""
    return [
        ShownLine(
            **TimelineLineOut.of(row).model_dump(),
            order=row.id if row.kind == ORDERED and not row.store and row.id in standing else None,
            path=_PAGES[row.kind].format(row.id, profile=row.profile_id) if row.kind in _PAGES else None,
        )
        for row in page.lines
    ]


def says(row: TimelineRow) -> str:
    """Return what is known beside kind, time and store, as people read it."""
    detail = row.detail
    match row.kind:
        case "store_visit":
            return dwell(detail["dwell_s"])
        case "consent_granted" | "consent_withdrawn":
            return f"wording {detail['wording']}" if detail["wording"] else ""
        case "noted" | "message_made":
            return str(detail["subject"])
        case "cue_told":
            came = CUE_OUTCOME.get(detail["outcome"], "Nobody has said what came of it")
            by = f" ({detail['by']})" if detail["by"] else ""
            return f"{CUE.get(detail['cue'], detail['cue'])}. {detail['because']} {came}{by}."
        case "alerted":
            return f"{detail['because']} {ALERT_CAME_OF[detail['right']]}".strip()
    return said_of(detail)


def said_of(detail: dict[str, Any]) -> str:
    """Return what is known of an event beside its kind, time and store, as people read it."""
    said = []
    if "total" in detail:
        said.append(f"{detail['total']:.2f} {detail.get('currency', '')}".strip())
    said += [str(detail[name]) for name in ("order_id", "product", "query", "tier", "service") if name in detail]
    if "starts_at" in detail:
        said.append(f"for {detail['starts_at']}")
    if "score" in detail:
        said.append(f"score {detail['score']:g}")
    return ", ".join(said)
