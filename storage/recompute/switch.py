"""Changes of a recomputation: kept where nobody looks as tasks end, and made visible in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from psycopg import sql

from core.errors import InputError
from storage.connect import Connection
from storage.copy import Field, Fields, copy_columns
from storage.instants import to_datetime
from storage.privacy.suppression import list_version
from storage.recompute.runs import Task
from storage.revisions import (
    CHANGES,
    REVISION_FIELDS,
    Changes,
    Reason,
    change_columns,
    wait_for_revisions,
    write_staged,
)
from storage.visits import create_stage

_STAGE = "recompute_stage"
_STAGED: Fields = {"run_no": Field.INT4, **REVISION_FIELDS}
_REVISIONS = "select count(*) from visit_revision where store_no = %s"


@dataclass(frozen=True)
class Found:
    """What a task found: spells looked at, those left alone, visits that stay, and the changes."""

    spells: int
    left_alone: int
    unchanged: int
    parts: Sequence[Changes]
    revisions: int
    """As `revisions` counted them before visits were compared."""
    erasures: tuple[int, int]
    """As `erasures_so_far` told before signals were read."""
    took_s: float


def revisions(connection: Connection, store_no: int) -> int:
    """Return how many changes of visits of a store there are; another count says that somebody revised meanwhile."""
    row = connection.execute(_REVISIONS, [store_no]).fetchone()
    return 0 if row is None else int(row[0])


def erasures_so_far(connection: Connection) -> tuple[int, int]:
    """Return what changes when an erasure begins and when it ends: the version of the list, and how many are done."""
    row = connection.execute("select count(*) from erasure where state = 'done'").fetchone()
    return list_version(connection), 0 if row is None else int(row[0])


def is_waiting(connection: Connection, run_no: int, task: Task) -> bool:
    """Return whether a task is not done yet."""
    row = connection.execute(
        "select done_at is null from recompute_task where run_no = %s and store_no = %s and day = %s",
        [run_no, task.store_no, to_datetime(task.day_ns).date()],
    ).fetchone()
    return row == (True,)


def changes_waiting(connection: Connection, run_no: int) -> bool:
    """Return whether a run would change anything."""
    row = connection.execute("select exists (select from recompute_change where run_no = %s)", [run_no]).fetchone()
    return row == (True,)


def keep_task(connection: Connection, run_no: int, task: Task, found: Found) -> bool:
    """Write what a task found and that it is done; False where that was written before, or the run is over.

    To be called in a transaction. Two workers with the same task write one answer: the row of the task is locked.
    False also where an erasure began or ended since the signals were read: what is written before it ends is swept by
    it, and nothing of her may be written after. So none begins or ends while this is written.
    """
    connection.execute("lock table erasure in share mode")
    if erasures_so_far(connection) != found.erasures:
        return False
    day = to_datetime(task.day_ns).date()
    claimed = connection.execute(
        "select 1 from recompute_task join recompute_run using (run_no) where run_no = %s and store_no = %s"
        " and day = %s and done_at is null and state = 'open'"
        " for update of recompute_task for share of recompute_run",
        [run_no, task.store_no, day],
    ).fetchone()
    if claimed is None:
        return False
    for part in found.parts:
        columns = change_columns(task.store_no, part)
        columns["run_no"] = np.full(len(part), run_no, np.int32)
        create_stage(connection, _STAGE, _STAGED)
        copy_columns(connection, _STAGE, _STAGED, columns)
        connection.execute(
            sql.SQL("insert into recompute_change (day, {names}) select %s, {names} from {stage}").format(
                names=sql.SQL(", ").join(map(sql.Identifier, _STAGED)), stage=sql.Identifier(_STAGE)
            ),
            [day],
        )
        connection.execute(sql.SQL("delete from {}").format(sql.Identifier(_STAGE)))
    connection.execute(
        "update recompute_task set done_at = clock_timestamp(), revisions = %s, spells = %s, left_alone = %s,"
        " unchanged = %s, took_s = %s where run_no = %s and store_no = %s and day = %s",
        [
            found.revisions,
            found.spells,
            found.left_alone,
            found.unchanged,
            found.took_s,
            run_no,
            task.store_no,
            day,
        ],
    )
    return True


def switch(connection: Connection, run_no: int, reason: Reason) -> dict[str, int] | None:
    """Make every change of a run visible and end it; to be called in a transaction, which is all or nothing.

    Returns
    -------
    dict or None
        How many visits changed in which way. None where tasks have to be done again, because somebody revised visits
        after they were compared: nothing was changed then but those tasks, which are not done any more.
    """
    stores = [
        row[0]
        for row in connection.execute(
            "select store_no from recompute_store where run_no = %s order by store_no", [run_no]
        ).fetchall()
    ]
    for store_no in stores:
        wait_for_revisions(connection, store_no)
    if _stale(connection, run_no, stores):
        return None
    counts: dict[str, int] = dict.fromkeys(CHANGES, 0)
    for store_no in stores:
        _move(connection, run_no, store_no, reason, counts)
    connection.execute("delete from recompute_change where run_no = %s", [run_no])
    connection.execute(
        "update recompute_run set state = 'done', ended_at = clock_timestamp() where run_no = %s", [run_no]
    )
    return counts


def _stale(connection: Connection, run_no: int, stores: Sequence[int]) -> bool:
    """Undo the tasks of stores that were revised meanwhile; return whether any task is not done."""
    for store_no in stores:
        again = connection.execute(
            "update recompute_task set done_at = null where run_no = %s and store_no = %s and done_at is not null"
            " and revisions is distinct from %s returning day",
            [run_no, store_no, revisions(connection, store_no)],
        ).fetchall()
        connection.execute(
            "delete from recompute_change where run_no = %s and store_no = %s and day = any(%s)",
            [run_no, store_no, [row[0] for row in again]],
        )
    row = connection.execute(
        "select exists (select from recompute_task where run_no = %s and done_at is null)", [run_no]
    ).fetchone()
    return row == (True,)


def _move(connection: Connection, run_no: int, store_no: int, reason: Reason, counts: dict[str, int]) -> None:
    told = connection.execute(
        "select change, count(*) from recompute_change where run_no = %s and store_no = %s group by change",
        [run_no, store_no],
    ).fetchall()
    if not told:
        return
    wanted = 0
    for change, count in told:
        counts[CHANGES[change]] += count
        wanted += count
    written = write_staged(
        connection,
        reason,
        sql.SQL("select {} from recompute_change where run_no = {} and store_no = {}").format(
            sql.SQL(", ").join(map(sql.Identifier, REVISION_FIELDS)), sql.Literal(run_no), sql.Literal(store_no)
        ),
    )
    if written != wanted:
        raise InputError(
            "A visit changed while it was being decoded again.", hint="Run the same command again with --afresh."
        )
