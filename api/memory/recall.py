"""From rows of storage to the memory of a customer."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from api.lexicons import topic_finder
from api.wording import sure
from core.journey.feeling import Feeling
from core.journey.rules import Stage
from core.memory.records import Clause, Due, Felt, Happened, Visit
from core.memory.remembering import WITHOUT_FEELING, Mean, Memory, journey_feelings, remember
from storage.connect import Connection
from storage.instants import to_ns
from storage.memory.sources import DueRow, NotedRow, dues_remembered, notes_remembered
from storage.profiles.events import CustomerEvent, customer_events, uncancelled
from storage.profiles.understanding import Visited, visits_of
from storage.profiles.visits import Whereabouts, whereabouts

_FELT: Final = {"complained": Feeling.NEGATIVE}
"""Events that say how somebody feels by being there at all; scores of surveys have no scale that is known here."""


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a customer, as the memory and the rules of alerts take it."""

    felt: list[Felt]
    visits: list[Visit]
    events: list[Happened]
    dues: list[Due]


def recalled(connection: Connection, profile: UUID) -> Recalled:
    """Return what is known of a customer whose consent holds."""
    return _recalled(
        connection,
        profile,
        customer_events(connection, profile),
        visits_of(connection, profile),
        whereabouts(connection, profile),
        dues=[_due(row) for row in dues_remembered(connection, profile, not_of=WITHOUT_FEELING)],
    )


def _recalled(
    connection: Connection,
    profile: UUID,
    events: list[CustomerEvent],
    ended: list[Visited],
    here: Whereabouts | None,
    *,
    dues: list[Due],
) -> Recalled:
    events = uncancelled(events)
    visits = [
        Visit(id=str(row.visit_id), store=row.store, entered_at=to_ns(row.entered_at), left_at=to_ns(row.left_at))
        for row in ended
    ]
    if here is not None:
        visits.append(
            Visit(
                id=str(here.visit_id),
                store=here.store,
                entered_at=to_ns(here.arrived_at),
                left_at=to_ns(here.last_signal_at),
            )
        )
    felt = [_noted(row) for row in notes_remembered(connection, profile)]
    felt += [_happened_felt(event) for event in events if event.kind in _FELT]
    return Recalled(
        felt=felt,
        visits=visits,
        events=[
            Happened(id=str(row.event_id), kind=row.kind, at=to_ns(row.occurred_at), store=row.store)
            for row in events
        ],
        dues=dues,
    )


def felt_by(
    connection: Connection,
    profile: UUID,
    *,
    events: list[CustomerEvent],
    ended: list[Visited],
    here: Whereabouts | None,
) -> Recalled:
    """Return what was felt, from events, `ended` visits and whereabouts that were read already; without dues."""
    return _recalled(connection, profile, events, ended, here, dues=[])


def feelings_around(known: Recalled, visit: UUID | None, now: datetime) -> dict[Stage, Mean]:
    """Return what was felt at each stage of the journey around a visit, or without one."""
    name = str(visit) if visit is not None else None
    return journey_feelings(known.felt, known.visits, known.events, name, as_of=to_ns(now))


def memory_of(known: Recalled, now: datetime) -> Memory:
    """Return the memory of a customer as it is now."""
    return remember(known.felt, known.visits, known.events, known.dues, topic_finder(), as_of=to_ns(now))


def _noted(row: NotedRow) -> Felt:
    text = f"{row.subject}\n{row.detail}" if row.detail else row.subject
    read = row.chosen or row.purpose not in WITHOUT_FEELING
    told = row.chosen or sure(row.feeling_read)
    return Felt(
        kind="note",
        id=str(row.note_id),
        at=to_ns(row.noted_at),
        feeling=(Feeling(row.feeling) if told else Feeling.MIXED) if read else Feeling.NEUTRAL,
        unsure=Feeling(row.feeling) if read and not told else None,
        chosen=row.chosen,
        by_staff=row.source == "staff",
        clauses=tuple(
            Clause(text=text[clause["begin"] : clause["end"]], feeling=Feeling(clause["feeling"]))
            for clause in row.feeling_read["clauses"]
            if row.purpose not in WITHOUT_FEELING
        ),
        tags=row.tags,
        zone_kind=row.zone_kind,
        operator=row.operator,
    )


def _happened_felt(event: CustomerEvent) -> Felt:
    return Felt(
        kind=event.kind,
        id=str(event.event_id),
        at=to_ns(event.occurred_at),
        feeling=_FELT[event.kind],
        chosen=False,
        by_staff=False,
    )


def _due(row: DueRow) -> Due:
    return Due(
        id=str(row.follow_up_id),
        note=str(row.note_id),
        says=row.instructions,
        operator=row.promised_by,
        made_at=to_ns(row.made_at),
        due_at=to_ns(row.due_at),
        promised_at=to_ns(row.promised_at),
        done_at=to_ns(row.done_at) if row.done_at is not None else None,
    )
