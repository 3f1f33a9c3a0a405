"""Everything that is known of a customer in one line of time: visits, events, consents."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from api.profiles.journeys import Heard
from api.wording import dwell
from core.journey.rules import ORDERED
from storage.profiles.events import uncancelled
from storage.profiles.understanding import Visited

LINES: Final = 40
"""Two screens; what is older is at the API."""
_CONSENT: Final = {"granted": "consent_granted", "withdrawn": "consent_withdrawn"}


class TimelineLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened; `store` is an id, empty online, `more` what else is known of it.

    `order` is the event of an order online that stands: it has a journey of its own.
    """

    at: datetime
    kind: str
    store: str
    more: str
    source: str
    order: UUID | None = None


def timeline(heard: Heard, visits: list[Visited]) -> list[TimelineLine]:
    """Return the newest LINES things that happened, newest first."""
    online = {one.event_id for one in uncancelled(heard.events) if one.kind == ORDERED and not one.store}
    lines = [
        TimelineLine(
            at=event.occurred_at,
            kind=event.kind,
            store=event.store,
            more=said_of(event.detail),
            source=event.source,
            order=event.event_id if event.event_id in online else None,
        )
        for event in heard.events
    ]
    lines += [
        TimelineLine(
            at=one.entered_at, kind="store_visit", store=one.store, more=dwell(one.dwell_s), source="sojourn"
        )
        for one in visits
    ]
    lines += [
        TimelineLine(
            at=word.occurred_at,
            kind=_CONSENT[word.status],
            store="",
            more=f"wording {word.wording}",
            source=word.source,
        )
        for word in heard.ledger
    ]
    return sorted(lines, key=lambda line: (line.at, line.kind), reverse=True)[:LINES]


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
