"""Exports as CSV or JSON, made while they are sent: no length is too long, and no connection is held meanwhile."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.journey_map.log import COLUMNS as JOURNEY_COLUMNS
from api.journey_map.log import JOURNEYED_AT_ONCE, log_rows
from api.problems import described
from api.service import ConnectionDep, Service, ServiceDep
from api.spreadsheets import csv_text
from storage.connect import Connection
from storage.profiles.exports import COLUMNS, PROFILES_AT_ONCE, ExportWord, export_rows, next_profiles

router = APIRouter(prefix="/v1", tags=["exports"])
ReadPart: TypeAlias = Callable[[Connection, list[UUID]], list[tuple[Any, ...]]]
"""Reads the rows of some profiles."""
_MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@router.get(
    "/exports/{what}",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A CSV file with a header, or with format=json an array of objects with the same names",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            },
        },
        **described(404, 422, 503),
    },
    summary="Export what is known of customers",
)
def export(
    what: ExportWord | Literal["journeys"],
    connection: ConnectionDep,
    service: ServiceDep,
    kind: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv",
) -> StreamingResponse:
    """Send profiles, visits, events, consents, cues or journeys of every customer whose consent holds.

    Journeys are a log for process mining: case, activity, time. A consent that is withdrawn meanwhile counts from the
    next part on. A JSON array without its end, or a connection that breaks off, was not the whole.
    """
    at_once = JOURNEYED_AT_ONCE if what == "journeys" else PROFILES_AT_ONCE
    first = next_profiles(connection, None, limit=at_once)  # while there can still be a proper answer
    if what == "journeys":
        columns: tuple[str, ...] = JOURNEY_COLUMNS
        parts = _parts(service, partial(log_rows, service), first, at_once)
    else:
        columns, parts = COLUMNS[what], _parts(service, partial(_rows, what), first, at_once)
    body = _as_csv(columns, parts) if kind == "csv" else _as_json(columns, parts)
    headers = {"Content-Disposition": f'attachment; filename="{what}.{kind}"'}
    return StreamingResponse(body, media_type=_MEDIA[kind], headers=headers)


def _rows(what: ExportWord, connection: Connection, profiles: list[UUID]) -> list[tuple[Any, ...]]:
    return export_rows(connection, what, profiles)


def _parts(service: Service, read: ReadPart, profiles: list[UUID], at_once: int) -> Iterator[list[tuple[Any, ...]]]:
    while profiles:
        with service.analytics.connection() as connection:
            rows = read(connection, profiles)
            profiles = next_profiles(connection, profiles[-1], limit=at_once)
        yield rows


def _as_csv(columns: tuple[str, ...], parts: Iterator[list[tuple[Any, ...]]]) -> Iterator[str]:
    yield csv_text([columns])
    for rows in parts:
        yield csv_text(rows)


def _as_json(columns: tuple[str, ...], parts: Iterator[list[tuple[Any, ...]]]) -> Iterator[bytes]:
    before = b"[\n"
    for rows in parts:
        for row in rows:
            yield before + msgspec.json.encode(dict(zip(columns, row, strict=True)))
            before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"
