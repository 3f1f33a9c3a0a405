"""Journeys as a log for process mining: a case for each journey, a row for each activity with its time."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from api.journey_map.building import journeys_of, plans_of
from api.service import Service
from core.journey.records import Journey
from core.journey.segments import LONGEST_DAYS
from storage.connect import Connection
from storage.instants import to_datetime
from storage.journey_map.people import JourneyPerson, read_people

COLUMNS: Final = ("case", "activity", "time", "kind", "stage", "store", "profile_id", "evidence_id")
"""`case`, `activity`, `time` are what such programs ask for (XES: case:concept:name, concept:name, time:timestamp);
`kind` is `stage` for a stage that was reached and `evidence` for what it rests on: keep one of the two."""

JOURNEYED_AT_ONCE: Final = 25
"""A busy customer's year is ten thousand events, of which none is left out."""


def log_rows(service: Service, connection: Connection, profiles: list[UUID]) -> list[tuple[Any, ...]]:
    """Return the rows of some profiles' journeys of the last LONGEST_DAYS, in the order of cases and times."""
    now = service.now()
    begin = now - timedelta(days=LONGEST_DAYS)
    people = read_people(connection, profiles, begin=begin, end=now)
    plans = plans_of(service, connection, people)
    return [
        row
        for person in people
        for found in journeys_of(person, plans, begin=begin, end=now, now=now)
        for row in sorted(_rows(person, found), key=lambda row: (row[2], row[3], row[1]))
    ]


def _rows(person: JourneyPerson, found: Journey) -> Iterator[tuple[Any, ...]]:
    case = found.visit if found.visit is not None else f"online {found.order}"
    seen = set()
    for report in found.stages:
        stage = report.stage.value
        if report.at is not None:
            yield case, stage, to_datetime(report.at), "stage", stage, found.store, person.profile_id, None
        for one in report.evidence:
            if (one.kind, one.id) in seen:
                continue  # evidence of two stages happened once
            seen.add((one.kind, one.id))
            activity = f"{one.kind} {one.zone}" if one.zone is not None else one.kind
            yield case, activity, to_datetime(one.at), "evidence", stage, found.store, person.profile_id, one.id
