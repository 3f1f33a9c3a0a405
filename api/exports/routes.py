"""Exports as CSV or JSON, made while they are sent: no length is too long, and no connection is held meanwhile."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.problems import described
from api.service import ConnectionDep, Service, ServiceDep
from api.spreadsheets import csv_text
from storage.exports import COLUMNS, ExportWord, export_rows, next_profiles

router = APIRouter(prefix="/v1", tags=["exports"])
_MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@router.get(
    "/exports/{what}",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A CSV file with a header, or with format=json an array of objects with the same names",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
        **described(404, 422, 503),
    },
    summary="Export what is known of customers",
)
def export(
    what: ExportWord,
    connection: ConnectionDep,
    service: ServiceDep,
    kind: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv",
) -> StreamingResponse:
    """Send profiles, visits, events, consents or cues of every customer whose consent holds, customer by customer.

    A consent that is withdrawn meanwhile counts from the next part on. A JSON array without its end, or a connection
    that breaks off, was not the whole.
    """
    first = next_profiles(connection, None)  # while there can still be a proper answer
    parts = _parts(service, what, first)
    body = _as_csv(what, parts) if kind == "csv" else _as_json(what, parts)
    headers = {"Content-Disposition": f'attachment; filename="{what}.{kind}"'}
    return StreamingResponse(body, media_type=_MEDIA[kind], headers=headers)


def _parts(service: Service, what: ExportWord, profiles: list[UUID]) -> Iterator[list[tuple[Any, ...]]]:
    while profiles:
        with service.reader.connection() as connection:
            rows = export_rows(connection, what, profiles)
            profiles = next_profiles(connection, profiles[-1])
        yield rows


def _as_csv(what: ExportWord, parts: Iterator[list[tuple[Any, ...]]]) -> Iterator[str]:
    yield csv_text([COLUMNS[what]])
    for rows in parts:
        yield csv_text(rows)


def _as_json(what: ExportWord, parts: Iterator[list[tuple[Any, ...]]]) -> Iterator[bytes]:
    before = b"[\n"
    for rows in parts:
        for row in rows:
            yield before + msgspec.json.encode(dict(zip(COLUMNS[what], row, strict=True)))
            before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"
