"""Retention: what is older than the policy says goes, by chunks where there are some, in bounded steps elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, LiteralString, TypeAlias

import msgspec

from core.privacy.retention import KINDS, cutoff_s
from storage.audit.erasing import forget_before
from storage.connect import Connection, in_transaction
from storage.privacy.erasing import ask
from storage.rollups.keeping import freeze_until, refresh

Unit: TypeAlias = Literal["rows", "chunks", "people"]
MOST_ROWS: Final = 5_000
"""Rows that go in one transaction: a fraction of a second."""
_DAYS: Final = 60
"""Days that are counted before their visits go: a run finds few, the first one after years finds many."""
BY: Final = "retention"

_OPEN_TASK: Final[LiteralString] = (
    "exists (select from follow_up task where task.alert_id = alert.alert_id and task.done_at is null)"
)
_CHUNKS: Final[dict[str, tuple[LiteralString, ...]]] = {
    "signals": ("signal_log",),
    "visits": ("zone_visit", "store_visit"),
}
_ROWS: Final[dict[str, tuple[tuple[LiteralString, LiteralString, LiteralString], ...]]] = {
    # what edges say to have dropped (signal_gap) stays, as coverage and counts do: without it they would say of a day
    # of which much was lost that it was heard as a whole
    "signals": (("late_batch", "store_no, log_no", "received_at < %(before)s"),),
    "visits": (("visit_revision", "visit_id, revision", "revised_at < %(before)s"),),
    "notes": (
        (
            "follow_up",
            "follow_up_id",
            "done_at is not null and note_id in (select note_id from note where noted_at < %(before)s)",
        ),
        # a task that is open keeps its note
        (
            "note",
            "note_id",
            "noted_at < %(before)s and not exists (select from follow_up task where task.note_id = note.note_id)",
        ),
    ),
    "events": (("customer_event", "event_id, revision", "occurred_at < %(before)s"),),
    "messages": (("message", "message_id", "made_at < %(before)s"),),
    "alerts": (
        (
            "alert",
            "alert_id",
            f"made_at < %(before)s and not {_OPEN_TASK}",
        ),
    ),
    "cues": (("cue_log", "cue_no", "told_at < %(before)s"),),
    "dead_letters": (("dead_letter", "dead_letter_no", "received_at < %(before)s"),),
    "receipts": (
        ("erasure", "erasure_id", "state = 'done' and finished_at < %(before)s"),
        ("retention_run", "run_no", "finished_at < %(before)s"),
    ),
}
"""By kind: table, what names a row, which rows are too old. What hangs on a row goes with it."""
_WITHDRAWN: Final[LiteralString] = (
    "select profile_id from profile where merged_into is null and not consent_holds(profile_id, 'in_store_journey')"
    " and coalesce((select max(greatest(least(coalesce(expires_at, recorded_at), now()), recorded_at))"
    "   from consent_event word where word.profile_id = profile.profile_id and purpose = 'in_store_journey'"
    # a withdrawal that is only said again puts nothing off
    "    and not (status = 'withdrawn' and coalesce((select earlier.status from consent_event earlier"
    "      where earlier.profile_id = word.profile_id and earlier.purpose = word.purpose"
    "        and earlier.consent_no < word.consent_no"
    "      order by earlier.consent_no desc limit 1) = 'withdrawn', false))),"
    "   removed_at, created_at) < %(before)s"
    " and not exists (select from erasure_subject one where one.value = profile.profile_id)"
)
"""Nobody may see them any more: withdrawn, expired, or taken back with their import."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What retention found of a kind that is older than `before`: rows, chunks or people."""

    kind: str
    table: str
    before: datetime
    count: int
    unit: Unit


def retain(
    connection: Connection,
    policy: Mapping[str, int],
    now: datetime,
    *,
    dry_run: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> list[Kept]:
    """Take away what is older than the policy says; return what that was, or would be.

    Parameters
    ----------
    connection : Connection
        Not in a transaction.
    policy : mapping
        Days by kind (`core.privacy.retention.read_policy`).
    now : datetime
        With its time zone.
    dry_run : bool
        Only count.
    stopped : callable
        Asked between two steps.
    """
    found: list[Kept] = []
    for kind in KINDS:
        if stopped():
            break
        before = datetime.fromtimestamp(cutoff_s(policy, kind, now.timestamp()), UTC)
        found += [kept for kept in _kind(connection, kind, before, dry_run=dry_run) if kept.count]
    return found


def _kind(connection: Connection, kind: str, before: datetime, *, dry_run: bool) -> Iterator[Kept]:
    if kind == "withdrawn":
        yield _people(connection, before, dry_run=dry_run)
    for table in _CHUNKS.get(kind, ()):
        until = min(before, _not_decoded(connection)) if table == "signal_log" else before
        if table != "signal_log" and not dry_run and not _let_counts_stand(connection, until):
            continue  # the next run finds them counted
        count = _chunks(connection, table, until, dry_run=dry_run)
        yield _noted(connection, Kept(kind=kind, table=table, before=until, count=count, unit="chunks"), dry_run)
    if kind == "audit" and not dry_run:
        count = in_transaction(connection, lambda lent: forget_before(lent, before))
        yield Kept(kind=kind, table="audit_entry", before=before, count=count, unit="rows")  # noted with its deletion
    for table, keys, old in _ROWS.get(kind, ()):
        count = _rows(connection, table, keys, old, before, dry_run=dry_run)
        yield _noted(connection, Kept(kind=kind, table=table, before=before, count=count, unit="rows"), dry_run)


def _noted(connection: Connection, kept: Kept, dry_run: bool) -> Kept:
    if kept.count and not dry_run:
        connection.execute(
            "insert into retention_run (kind, before_at, rows, unit) values (%s, %s, %s, %s)",
            [kept.kind, kept.before, kept.count, kept.unit],
        )
    return kept


def _chunks(connection: Connection, table: LiteralString, before: datetime, *, dry_run: bool) -> int:
    which: LiteralString = "show_chunks" if dry_run else "drop_chunks"
    # a chunk goes as a whole, once all of it is older: up to a day of signals and a week of visits later
    return len(
        connection.execute(f"select {which}(%s::regclass, older_than => %s::timestamptz)", [table, before]).fetchall()
    )


def _not_decoded(connection: Connection) -> datetime:
    """Return since when the log holds what no snapshot covers: whatever the policy says, that is still needed."""
    row = connection.execute(
        "select min(log.received_at) from store cross join lateral (select received_at from signal_log"
        " where store_no = store.store_no and log_no > coalesce((select min(log_no) from engine_snapshot"
        "   where store_no = store.store_no), -1) order by log_no limit 1) log"
    ).fetchone()
    return datetime.max.replace(tzinfo=UTC) if row is None or row[0] is None else row[0]


def _let_counts_stand(connection: Connection, before: datetime) -> bool:
    """Keep the counts of days whose visits go: nothing counts them anew, whatever changes about the store.

    What few people did goes with their visits.

    False if a day is still to be counted.
    """
    refresh(connection, most_days=_DAYS)
    behind = connection.execute(
        "select exists (select from rollup_stale join store using (store_no)"
        "   where day <= (%(before)s at time zone timezone)::date)"
        " or exists (select from rollup_change where entered_at < %(before)s)",
        {"before": before},
    ).fetchone()
    if behind != (False,):
        return False
    in_transaction(connection, lambda lent: freeze_until(lent, before))
    return True


def _rows(
    connection: Connection,
    table: LiteralString,
    keys: LiteralString,
    old: LiteralString,
    before: datetime,
    *,
    dry_run: bool,
) -> int:
    if dry_run:
        row = connection.execute(f"select count(*) from {table} where {old}", {"before": before}).fetchone()
        return 0 if row is None else int(row[0])
    statement: LiteralString = (
        f"delete from {table} where ({keys}) in (select {keys} from {table} where {old} limit %(most)s)"
    )
    total, rows = 0, MOST_ROWS
    while rows == MOST_ROWS:
        rows = connection.execute(statement, {"before": before, "most": MOST_ROWS}).rowcount
        total += rows
    return total


def _people(connection: Connection, before: datetime, *, dry_run: bool) -> Kept:
    profiles = [row[0] for row in connection.execute(_WITHDRAWN, {"before": before}).fetchall()]
    if not dry_run:
        for profile in profiles:
            in_transaction(
                connection,
                lambda connection, profile=profile: ask(connection, profile, asked_by=BY, source="retention"),  # type: ignore[misc]
            )
    kept = Kept(kind="withdrawn", table="profile", before=before, count=len(profiles), unit="people")
    return _noted(connection, kept, dry_run)
