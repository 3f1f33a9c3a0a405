"""Drives a recomputation: makes the run or goes on with it, has its tasks done, and shows all of it at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from core.errors import InputError, UnavailableError
from ingest.recompute.workers import dask_client, here, on_dask
from ingest.redecode import DAY_NS, LEAD_NS, Ground, days, ground
from ingest.revise_commands import latest_version, listed
from storage.archive.places import Place
from storage.archive.reading import reach
from storage.connect import Connection, in_transaction
from storage.instants import to_datetime
from storage.log.signals import first_row
from storage.recompute.runs import (
    Asked,
    Run,
    StoreOfRun,
    Task,
    alone,
    drop_run,
    make_run,
    open_run,
    standing,
    waiting,
)
from storage.recompute.switch import switch
from storage.revisions import Reason
from storage.stores import load_plans

_ROUNDS: Final = 5
"""How often days are decoded once more because somebody revised visits meanwhile: ingest rests 15 minutes between two
revisions of a store."""

Each: TypeAlias = Callable[[Run, Sequence[Task]], Iterator[Task]]
"""Does tasks and yields those that are done."""


def recompute(
    connection: Connection,
    database_url: str,
    asked: Asked,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    afresh: bool = False,
    dry_run: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> str:
    """Decode days of stores again and make what changes visible at once; return what a person reads.

    A run that was cut off goes on with what it has not done.

    Parameters
    ----------
    connection : Connection
        Not in a transaction; it holds the lock that keeps others from recomputing the same database.
    database_url : str
        Of the same database, for tasks.
    asked : Asked
    workers : int
        Processes on this machine; with 1 and no scheduler, this one.
    scheduler : str, optional
        Of Dask, tcp://host:port; its workers have SOJOURN_DATABASE_URL set.
    afresh : bool
        Give up a run that is not over, and begin anew.
    dry_run : bool
        Keep what would change; the same call without it then makes it visible.

    Raises
    ------
    InputError
        If another run is not over, somebody else is at it, or there is no such store.
    ModelError
        If a store has no such model, or it does not fit its plan.
    UnavailableError
        If database, scheduler or workers are away; the same call goes on.
    """
    if not alone(connection):
        raise InputError("Somebody else recomputes this database.", hint="Try again when that is over.")
    run = _run(connection, asked, afresh=afresh)
    with _each(database_url, workers, scheduler) as each:
        for _ in range(_ROUNDS):
            _do(connection, run, each, progress)
            counts = (
                None
                if dry_run
                else in_transaction(connection, lambda connection: switch(connection, run.run_no, _reason(asked)))
            )
            if dry_run or counts is not None:
                return _told(connection, run, counts)
    raise UnavailableError(
        "Visits were revised again and again while they were decoded.", hint="Run the same command again."
    )


def _do(connection: Connection, run: Run, each: Each, progress: Callable[[float], None]) -> None:
    before = standing(connection, run.run_no)
    done = before.done
    progress(done / max(before.tasks, 1))
    for _ in each(run, waiting(connection, run.run_no)):
        done += 1
        progress(done / before.tasks)


@contextmanager
def _each(database_url: str, workers: int, scheduler: str | None) -> Iterator[Each]:
    if scheduler is None and workers == 1:
        yield lambda run, tasks: here(database_url, run, tasks)
        return
    with dask_client(scheduler, workers, database_url) as client:
        yield lambda run, tasks: on_dask(client, run, tasks)


def _run(connection: Connection, asked: Asked, *, afresh: bool) -> Run:
    """Return the run that is under way, or a new one."""
    known = open_run(connection)
    if known is not None and afresh:
        given_up = known.run_no
        in_transaction(connection, lambda connection: drop_run(connection, given_up))
        known = None
    if known is None:
        plan = list(_stores(connection, asked))
        return in_transaction(connection, lambda connection: make_run(connection, asked, plan))
    if known.asked != asked:
        raise InputError(
            f"Another recomputation is not over: {_words(known.asked)}.",
            hint="Run that command again to go on with it, or yours with --afresh to give it up.",
        )
    return known


def _stores(connection: Connection, asked: Asked) -> Iterable[tuple[StoreOfRun, Sequence[int]]]:
    """Yield for each store that has visits what it is decoded with, and its days."""
    plans = load_plans(connection, list(asked.stores) if asked.stores else None)
    missing = set(asked.stores) - {stored.plan.id for stored in plans}
    if missing:
        raise InputError(f"The database has no store {min(missing)!r}.", hint="`sojourn floorplan load` brings it.")
    for stored in plans:
        version = _version(connection, asked.model, stored.store_no, asked.archive)
        on = ground(connection, stored.store_no, version)
        first_ns = None if on is None else _first(connection, asked.archive, on)
        if on is None or first_ns is None:
            continue  # nothing was decided yet, or nothing is in the archive
        chosen = days(max(asked.from_ns, first_ns - LEAD_NS), min(asked.until_ns, on.through_ns))
        yield StoreOfRun(stored.store_no, version, on.after, on.through_ns), chosen


def _first(connection: Connection, archive: str | None, on: Ground) -> int | None:
    """Return when the first signal was that can be decoded again; None if there is none."""
    if archive is not None:
        held = reach(Place(archive), on.plan.id, on.after)
        return None if held is None else held.first_ns
    row = first_row(connection, on.store_no, after=on.after)
    return None if row is None else row[1]


def _version(connection: Connection, model: str, store_no: int, archive: str | None) -> int | None:
    if model == "in-use":
        if archive is not None:
            raise InputError(
                "Where models were taken into use is known by the signal log alone.", hint="Name one model: latest."
            )
        return None
    return latest_version(connection, store_no) if model == "latest" else int(model)


def _reason(asked: Asked) -> Reason:
    return "by_hand" if asked.model == "in-use" else "new_model"


def _words(asked: Asked) -> str:
    last = to_datetime(asked.until_ns - DAY_NS).date()
    said = f"--from {to_datetime(asked.from_ns).date()} --to {last} --model {asked.model}"
    stores = "".join(f" --store {store}" for store in asked.stores)
    return said + stores + ("" if asked.archive is None else f" --archive {asked.archive}")


def _told(connection: Connection, run: Run, counts: dict[str, int] | None) -> str:
    found = standing(connection, run.run_no)
    said = f"{found.tasks:,} days of stores, {found.spells:,} spells of presence looked at."
    if found.left_alone:
        said += f" {found.left_alone:,} are not over or reach beyond what can be decoded and stay."
    if counts is None:
        return f"{said} {found.unchanged:,} visits would stay. Without --dry-run the rest is made visible at once."
    changed = listed(counts.items())
    return f"{said} {f'{changed} were revised' if changed else 'Nothing changed'}; {found.unchanged:,} visits stay."
