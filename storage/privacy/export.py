"""Access export: everything that is kept of a person, machine readable, read in small parts."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from storage.connect import Connection
from storage.privacy.batches import LogPlace, signals_of
from storage.privacy.places import PLACES, Place, Subject
from storage.privacy.subjects import DeviceSpans, find_subject

_ROWS_A_READ: Final = 1_000
SIGNALS: Final = "signal_log"


def subject_of(connection: Connection, profile: UUID) -> Subject | None:
    """Return a person by any of her profiles, consented or not; None if there is none."""
    return find_subject(connection, profile)


def place_rows(connection: Connection, place: Place, subject: Subject) -> Iterator[list[dict[str, Any]]]:
    """Yield what a place holds of a person, some rows at a time, as objects with the names of the columns."""
    if place.table == SIGNALS:
        yield from _signals(connection, subject)
        return
    with connection.transaction(), connection.cursor(name="sojourn_access") as cursor:
        cursor.execute(place.read, subject.parameters() | {"left_out": list(place.left_out)})
        while rows := cursor.fetchmany(_ROWS_A_READ):
            yield [row[0] for row in rows]


def exported_places() -> tuple[Place, ...]:
    """Return the places that an export reads: all that hold rows of hers."""
    return tuple(
        place for place in PLACES if place.how in ("delete", "visits", "pseudonym") or place.table == SIGNALS
    )


def _signals(connection: Connection, subject: Subject) -> Iterator[list[dict[str, Any]]]:
    spans = DeviceSpans(subject)
    after: LogPlace | None = LogPlace()
    while after is not None and subject.devices:
        rows, after = signals_of(connection, spans, after)
        if rows:
            yield rows
