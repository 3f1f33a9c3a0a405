"""One bounded step of an erasure in one place."""

from typing import Any, Final, NamedTuple

import msgspec

from storage.audit.acting import Acting
from storage.audit.erasing import pseudonymise
from storage.connect import Connection
from storage.privacy.batches import LogPlace, redact_app_outbox, redact_log
from storage.privacy.places import Place, Subject
from storage.privacy.subjects import DeviceSpans
from storage.revisions import wait_for_revisions
from storage.rollups.keeping import freeze

MOST_ROWS: Final = 2_000
"""Rows that go in one transaction: a fraction of a second, and no page waits for longer."""
_ERASER: Final = Acting(actor="erasure", actor_kind="program", route="erasure", purpose="data_subject")
_READ: Final = "every batch was read, those that held her and those that came meanwhile again: none holds her devices"
_DAYS: Final = 10
"""Days that are counted for good in one transaction: some seconds in a large store."""


class Round(NamedTuple):
    """What a step did: rows, how far a pass has come (JSON), and how it was verified once the place is done."""

    rows: int
    cursor: str | None = None
    verified: str | None = None


def run_place(  # noqa: PLR0911 - one for each kind of place
    connection: Connection, place: Place, subject: Subject, cursor: dict[str, Any] | None
) -> Round:
    """Do the next step in a place; to be called in a transaction.

    `cursor` is what the step before returned; its `round` counts how often the place was begun anew.
    """
    before = cursor if cursor is not None else {}
    match place.how:
        case "engine":
            # whoever is the one ingest has done it, see storage.privacy.erasing._engines_know
            return _done(before, 0, "every engine, snapshot and row of presence was looked through for her devices")
        case "batches":
            return _log(connection, subject, before)
        case "outbox":
            rows = redact_app_outbox(connection, DeviceSpans(subject))
            return _done(before, rows, "every waiting batch was read")
        case "freeze":
            days = freeze(connection, _names(subject), most_days=_DAYS)
            if days >= _DAYS:
                return Round(days, _cursor(before))
            return _done(before, days, "the counts of her days stand and are of nobody; today is counted anew")
        case "pseudonym":
            return _done(before, _pseudonymise(connection, subject), "counted again: no entry names her")
        case "visits":
            for (store_no,) in connection.execute("select store_no from store order by store_no").fetchall():
                wait_for_revisions(connection, store_no)  # one that has read her signals before writes first
            freeze(connection, _names(subject))  # today is counted anew once they are gone
    return _delete(connection, place, subject, before)


def _pseudonymise(connection: Connection, subject: Subject) -> int:
    """Put the job's keyed hash in the place of her profiles in the audit log."""
    row = connection.execute(
        "select subject_hash from erasure join erasure_subject using (erasure_id)"
        " where state = 'running' and kind = 'profile' and value = any(%s) limit 1",
        [list(subject.profiles)],
    ).fetchone()
    if row is None:
        return 0
    return sum(pseudonymise(connection, _ERASER, profile, bytes(row[0])) for profile in subject.profiles)


def _delete(connection: Connection, place: Place, subject: Subject, before: dict[str, Any]) -> Round:
    connection.execute("set local sojourn.erasing = 'on'")
    rows = connection.execute(place.delete, subject.parameters() | {"most": MOST_ROWS}).rowcount
    if rows:
        return Round(rows, _cursor(before))
    return _done(before, 0, "counted again: none left")


def _log(connection: Connection, subject: Subject, before: dict[str, Any]) -> Round:
    place = LogPlace(**{name: before[name] for name in LogPlace._fields if name in before})
    if not place.began_us:
        place = place._replace(began_us=_now_us(connection))
    step = redact_log(connection, DeviceSpans(subject), place)
    if step.after is not None:
        return Round(step.signals, _cursor(before, **step.after._asdict()))
    if not place.since_us or place.found + step.signals:  # what came meanwhile is read, until nothing is found
        return Round(step.signals, _cursor(before, **place.again()._asdict()))
    return _done(before, 0, _READ)


def _now_us(connection: Connection) -> int:
    row = connection.execute("select (extract(epoch from clock_timestamp()) * 1000000)::bigint").fetchone()
    return 0 if row is None else int(row[0])


def _done(before: dict[str, Any], rows: int, verified: str) -> Round:
    return Round(rows, _cursor(before), verified)


def _cursor(before: dict[str, Any], **place: int) -> str:
    return msgspec.json.encode({"round": before.get("round", 0), **place}).decode()


def _names(subject: Subject) -> list[bytes]:
    return [device.bytes for device, _, _ in subject.devices]
