"""Erasure as one job: asked for, gone through place by place in bounded steps, with a receipt of each.

Each step and its count are one transaction, so a job that was killed goes on where it stopped. Only one process works
at a time (an advisory lock). The person is hidden when the job is asked for, and known to the suppression list before
anything goes: what comes late meanwhile is refused.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from core.privacy.suppression import subject_hash
from storage.connect import Connection, in_transaction
from storage.customer_days import keep_customer_days
from storage.log.signals import claim, release
from storage.privacy.keys import PrivacyFolder
from storage.privacy.naming import names_her, naming_rows
from storage.privacy.places import PLACES, Place, Subject
from storage.privacy.snapshots import redact_engines
from storage.privacy.steps import run_place
from storage.privacy.subjects import capture, entries_of, find_subject, load_subject
from storage.privacy.suppression import adopt_version, adopted_version, list_version, load_suppressed, suppress

Source: TypeAlias = Literal["request", "retention", "restored"]
Progress: TypeAlias = Literal["worked", "waits", "idle"]
_LOCK: Final = 0x6572617365  # "erase" in ASCII
_ROUNDS_MOST: Final = 5
"""What a process wrote that began before the job is there by the second round; more is a fault to be seen."""
_PASSING: Final = ("presence", "rollup_change", "app_outbox")
"""Places that may hold nothing of hers any more, while statistics remember it."""


def ask(connection: Connection, profile: UUID, *, asked_by: str, source: Source = "request") -> UUID | None:
    """Ask for the erasure of a person, by any of her profiles; from then on she is found no more.

    To be called in a transaction. None if there is no such profile; a job that is under way already is returned.
    `asked_by` is the colleague or the program; what would name the person is not kept.
    """
    kept = connection.execute(
        "select coalesce(merged_into, profile_id) from profile where profile_id = %s", [profile]
    ).fetchone()
    if kept is None:
        return None
    known = connection.execute(
        "select erasure_id from erasure join erasure_subject using (erasure_id) where state <> 'done'"
        " and kind = 'profile' and value = %s",
        [kept[0]],
    ).fetchone()
    if known is not None:
        found: UUID = known[0]
        return found
    subject = find_subject(connection, kept[0])
    named = source == "request" and subject is not None and names_her(connection, subject, asked_by)
    return begin_job(connection, [("profile", kept[0])], asked_by="" if named else asked_by, source=source)


def _hide(connection: Connection, erasure: UUID, profile: UUID) -> list[UUID]:
    """Let a person be found no more, by none of her profiles, and free her identifiers; return the profiles.

    Without a consent nothing joins her: that place is cleared at once, the others take their time.
    """
    keep_customer_days(connection, [profile])
    rows = connection.execute(
        "update profile set removed_at = coalesce(removed_at, clock_timestamp())"
        " where coalesce(merged_into, profile_id) = %s or profile_id = %s returning profile_id",
        [profile, profile],
    ).fetchall()
    profiles = [row[0] for row in rows]
    connection.execute("set local sojourn.erasing = 'on'")
    words = connection.execute("delete from consent_event where profile_id = any(%s)", [profiles]).rowcount
    connection.execute("set local sojourn.erasing = 'off'")
    connection.execute(
        "insert into erasure_place (erasure_id, place, turn, rows) values (%s, 'consent_event', 0, %s)"
        " on conflict (erasure_id, place) do update set rows = erasure_place.rows + excluded.rows",
        [erasure, words],
    )
    connection.execute(
        "update profile_identifier set ended_at = clock_timestamp() where profile_id = any(%s) and ended_at is null",
        [profiles],
    )
    return sorted(profiles)


def begin_job(connection: Connection, subjects: list[tuple[str, UUID]], *, asked_by: str, source: Source) -> UUID:
    """Write a job about profiles or devices; in a transaction."""
    erasure = uuid4()
    connection.execute(
        "insert into erasure (erasure_id, source, asked_by) values (%s, %s, %s)", [erasure, source, asked_by]
    )
    for kind, value in subjects:
        for one in _hide(connection, erasure, value) if kind == "profile" else [value]:
            connection.execute(
                "insert into erasure_subject (erasure_id, kind, value) values (%s, %s, %s) on conflict do nothing",
                [erasure, kind, one],
            )
    return erasure


def waiting(connection: Connection) -> bool:
    """Return whether any job is not done."""
    return connection.execute("select exists (select from erasure where state <> 'done')").fetchone() == (True,)


def work_all(
    connection: Connection, folder: PrivacyFolder, now: Callable[[], datetime], *, stopped: Callable[[], bool]
) -> Progress:
    """Go on with all jobs until they are done, wait for ingest, or this is to stop.

    Parameters
    ----------
    connection : Connection
        Not in a transaction.
    folder : PrivacyFolder
    now : callable
        The time that receipts say.
    stopped : callable
        Asked between two steps.

    Returns
    -------
    str
        `waits` if ingest has to take the suppression list into use before a job can go on, or somebody else is at it.
    """
    with _alone(connection) as mine:
        if not mine:
            return "waits"
        did: Progress = "worked"
        while did == "worked" and not stopped():
            did = _step(connection, folder, now)
        return did


@contextmanager
def _alone(connection: Connection) -> Iterator[bool]:
    mine = connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() == (True,)
    try:
        yield mine
    finally:
        if mine and not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", [_LOCK])


def _step(connection: Connection, folder: PrivacyFolder, now: Callable[[], datetime]) -> Progress:
    row = connection.execute(
        "select erasure_id, state, version from erasure where state <> 'done' order by asked_at, erasure_id limit 1"
    ).fetchone()
    if row is None:
        return "idle"
    erasure, state, version = row
    if state == "waiting":
        _begin(connection, folder, erasure, now())
        return "worked"
    place = _next_place(connection, erasure)
    if place is None:
        _finish(connection, erasure, now())
        return "worked"
    if place.how == "engine" and not _engines_know(connection, folder, version):
        return "waits"
    in_transaction(connection, lambda connection: _advance(connection, erasure, place, now()))
    return "worked"


def _begin(connection: Connection, folder: PrivacyFolder, erasure: UUID, at: datetime) -> None:
    """Take down whom it is about, and let nothing of her come any more."""
    subject, identifiers = capture(connection, erasure)
    entries = entries_of(folder.key, subject, identifiers, at)
    naming = naming_rows(connection, subject, identifiers)  # afterwards nobody knows her name
    folder.append(entries)  # before the commit: the file never knows less than the database

    def work(connection: Connection) -> None:
        version = suppress(connection, folder, entries)
        for device, begin, end in subject.devices:
            connection.execute(
                "insert into erasure_subject (erasure_id, kind, value, from_at, until_at)"
                " values (%s, 'device', %s, %s, %s) on conflict do nothing",
                [erasure, device, begin, end],
            )
        for profile in subject.profiles:
            connection.execute(
                "insert into erasure_subject (erasure_id, kind, value) values (%s, 'profile', %s)"
                " on conflict do nothing",
                [erasure, profile],
            )
        for profile in subject.profiles:
            _hide(connection, erasure, profile)
        for turn, place in enumerate(PLACES):
            connection.execute(
                "insert into erasure_place (erasure_id, place, turn) values (%s, %s, %s) on conflict do nothing",
                [erasure, place.table, turn],
            )
        named = subject.profiles[0] if subject.profiles else subject.devices[0][0]
        connection.execute(
            "update erasure set state = 'running', subject_hash = %s, version = %s, naming = %s"
            " where erasure_id = %s",
            [subject_hash(folder.key, "profile", named.bytes), version, Jsonb(naming), erasure],
        )

    in_transaction(connection, work)


def _next_place(connection: Connection, erasure: UUID) -> Place | None:
    row = connection.execute(
        "select place from erasure_place where erasure_id = %s and finished_at is null order by turn limit 1",
        [erasure],
    ).fetchone()
    return None if row is None else next(place for place in PLACES if place.table == row[0])


def _advance(connection: Connection, erasure: UUID, place: Place, at: datetime) -> None:
    subject = load_subject(connection, erasure)
    row = connection.execute(
        "select cursor, rows from erasure_place where erasure_id = %s and place = %s for update",
        [erasure, place.table],
    ).fetchone()
    cursor = None if row is None else row[0]
    done = run_place(connection, place, subject, cursor)
    connection.execute(
        "update erasure_place set rows = rows + %(rows)s, cursor = %(cursor)s::jsonb,"
        " begun_at = coalesce(begun_at, %(at)s), finished_at = case when %(verified)s::text is null then null"
        " else %(at)s end, verified = %(verified)s where erasure_id = %(erasure)s and place = %(place)s",
        {
            "rows": done.rows,
            "cursor": done.cursor,
            "at": at,
            "verified": done.verified,
            "erasure": erasure,
            "place": place.table,
        },
    )


def _engines_know(connection: Connection, folder: PrivacyFolder, version: int) -> bool:
    """Whether engines, snapshots and presence have taken the list into use; where no ingest runs, do it here."""
    if adopted_version(connection) >= version:
        return True
    if not claim(connection, quietly=True):
        return False  # ingest runs and will
    try:
        in_transaction(connection, lambda connection: adopt_list(connection, folder))
    finally:
        if not connection.closed:
            release(connection)
    return True


def adopt_list(connection: Connection, folder: PrivacyFolder) -> int:
    """Take erased people out of snapshots and presence, and note that this is done; return the version.

    To be called in a transaction by whoever is the one ingest.
    """
    version = list_version(connection)
    suppressed = load_suppressed(connection, folder)
    if suppressed is not None:
        redact_engines(connection, suppressed)
    adopt_version(connection, version)
    return version


def _finish(connection: Connection, erasure: UUID, at: datetime) -> None:
    """Count every place once more; what came meanwhile goes in another round, else whom it was about is forgotten."""

    def work(connection: Connection) -> None:
        # a recomputation that writes what it read before waits, and sees then that this is done
        connection.execute("lock table erasure in share row exclusive mode")
        subject = load_subject(connection, erasure)
        left = [place.table for place in PLACES if _count(connection, place, subject)]
        rounds = connection.execute(
            "select coalesce(max((cursor ->> 'round')::int), 0) from erasure_place where erasure_id = %s", [erasure]
        ).fetchone()
        number = 0 if rounds is None else int(rounds[0])
        if left and number < _ROUNDS_MOST:
            connection.execute(
                "update erasure_place set finished_at = null, verified = null,"
                " cursor = jsonb_build_object('round', %s::int) where erasure_id = %s and place = any(%s)",
                [number + 1, erasure, left],
            )
            return
        if left:
            connection.execute(
                "update erasure_place set verified = 'something is left: look for who writes it'"
                " where erasure_id = %s and place = any(%s)",
                [erasure, left],
            )
        connection.execute("delete from erasure_subject where erasure_id = %s", [erasure])
        connection.execute("update erasure set state = 'done', finished_at = %s where erasure_id = %s", [at, erasure])

    _overwrite(connection, erasure)  # before it is done: a job that is killed here does it again
    in_transaction(connection, work)


def _overwrite(connection: Connection, erasure: UUID) -> None:
    """Let the places of the rows that went be overwritten, now and not whenever the server comes to it.

    The planner's statistics hold values of rows, a name too, and it would count them anew only once a tenth of the
    table had changed.
    """
    rows = connection.execute("select place from erasure_place where erasure_id = %s and rows > 0", [erasure])
    for place in sorted({*(row[0] for row in rows.fetchall()), *_PASSING}):
        connection.execute(sql.SQL("vacuum (skip_locked) {}").format(sql.Identifier(place)))
        # not skipped where the server is at it: that may have read her
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier(place)))


def _count(connection: Connection, place: Place, subject: Subject) -> int:
    row = connection.execute(place.count, subject.parameters()).fetchone()
    return 0 if row is None else int(row[0])
