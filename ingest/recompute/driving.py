"""Drives a recomputation: makes the run or goes on with it, has its tasks done, and shows all of it at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from core.errors import InputError, ModelError, UnavailableError
from ingest.recompute.workers import dask_client, here, on_dask
from ingest.redecode import DAY_NS, LEAD_NS, Ground, days, ground
from ingest.revise_commands import latest_version, listed
from storage.archive.partitions import partitions
from storage.archive.places import Place
from storage.archive.reading import reach
from storage.connect import Connection, in_transaction
from storage.instants import to_datetime
from storage.log.signals import first_row
from storage.privacy.keys import PrivacyFolder
from storage.privacy.suppression import check_key
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
from storage.recompute.switch import changes_waiting, switch
from storage.revisions import Reason
from storage.stores import load_plans

_ROUNDS: Final = 5
"""How often days are decoded once more because visits were revised or people erased meanwhile: ingest rests 15
minutes between two revisions of a store."""

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
    privacy: PrivacyFolder | None = None,
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
        Keep what would change; the same call without it then makes it visible. Where nothing would, nothing is kept.
    privacy : PrivacyFolder, optional
        Has the key of the suppression list, without whose people an archive is read. Workers of a scheduler have
        SOJOURN_PRIVACY set.

    Raises
    ------
    ConfigurationError
        If an archive is to be read, people were erased, and `privacy` is not theirs.
    InputError
        If another run is not over, somebody else is at it, there is no such store, or nothing was heard then.
    ModelError
        If a store has no such model, or it does not fit its plan.
    UnavailableError
        If database, scheduler or workers are away; the same call goes on.
    """
    if not alone(connection):
        raise InputError("Somebody else recomputes this database.", hint="Try again when that is over.")
    if asked.archive is not None:
        check_key(connection, privacy)
    run = _run(connection, asked, afresh=afresh)
    with _each(database_url, workers, scheduler, privacy) as each:
        for _ in range(_ROUNDS):
            _do(connection, run, each, progress)
            if dry_run:
                if not waiting(connection, run.run_no):
                    return _foretold(connection, run)
                continue
            counts = in_transaction(connection, lambda connection: switch(connection, run.run_no, _reason(asked)))
            if counts is not None:
                return _told(connection, run, counts)
    raise UnavailableError(
        "Visits were revised, or people erased, again and again while days were decoded.",
        hint="Run the same command again.",
    )


def _do(connection: Connection, run: Run, each: Each, progress: Callable[[float], None]) -> None:
    before = standing(connection, run.run_no)
    done = before.done
    progress(done / max(before.tasks, 1))
    for _ in each(run, waiting(connection, run.run_no)):
        done += 1
        progress(done / before.tasks)


@contextmanager
def _each(database_url: str, workers: int, scheduler: str | None, privacy: PrivacyFolder | None) -> Iterator[Each]:
    if scheduler is None and workers == 1:
        yield lambda run, tasks: here(database_url, run, tasks, privacy)
        return
    with dask_client(scheduler, workers, database_url, privacy) as client:
        yield lambda run, tasks: on_dask(client, run, tasks)


def _run(connection: Connection, asked: Asked, *, afresh: bool) -> Run:
    """Return the run that is under way, or a new one."""
    known = open_run(connection)
    # one with nothing to do keeps nobody from anything; this version makes none
    given_up = known if known is not None and (afresh or not standing(connection, known.run_no).tasks) else None
    if known is not None and given_up is None:
        if known.asked != asked:
            raise InputError(
                f"Another recomputation is not over: {_words(known.asked)}.",
                hint="Run that command again to go on with it, or yours with --afresh to give it up.",
            )
        return known
    plan = list(_stores(connection, asked))  # first: what cannot be done gives nothing up
    if not any(len(chosen) for _, chosen in plan):
        raise _nothing_heard(connection, asked)

    def begin(connection: Connection) -> Run:
        if given_up is not None:
            drop_run(connection, given_up.run_no)
        return make_run(connection, asked, plan)

    return in_transaction(connection, begin)


def _nothing_heard(connection: Connection, asked: Asked) -> InputError:
    """Return the error that says where there is something to decode again."""
    place = None if asked.archive is None else Place(asked.archive)
    where = "the signal log" if place is None else f"the archive {place.target}"
    if place is not None and not partitions(place):
        return InputError(f"There is no archive at {place.target}.", hint="Is it spelled right?")
    heard: list[int] = []
    for stored in load_plans(connection, list(asked.stores) if asked.stores else None):
        on = ground(connection, stored.store_no)
        first_ns = None if on is None else _first(connection, place, on)
        if on is not None and first_ns is not None:
            heard += [first_ns, on.through_ns]
    said = f"In {where} no signals of these days are decided that could be decoded again."
    if not heard:
        return InputError(said, hint="Has `sojourn ingest` taken these stores in?")
    begin, end = (to_datetime(moment).date() for moment in (min(heard), max(heard)))
    return InputError(said, hint=f"It has those of {begin} to {end}.")


def _stores(connection: Connection, asked: Asked) -> Iterable[tuple[StoreOfRun, Sequence[int]]]:
    """Yield for each store that has visits what it is decoded with, and its days."""
    plans = load_plans(connection, list(asked.stores) if asked.stores else None)
    missing = set(asked.stores) - {stored.plan.id for stored in plans}
    if missing:
        raise InputError(f"The database has no store {min(missing)!r}.", hint="`sojourn floorplan load` brings it.")
    place = None if asked.archive is None else Place(asked.archive)
    for stored in plans:
        try:
            version = _version(connection, asked.model, stored.store_no, asked.archive)
            on = ground(connection, stored.store_no, version)
        except ModelError as error:
            raise ModelError(error.what, hint=error.hint, where=f"store {stored.plan.id}") from error
        first_ns = None if on is None else _first(connection, place, on)
        if on is None or first_ns is None:
            continue  # nothing was decided yet, or nothing is in the archive
        chosen = days(max(asked.from_ns, first_ns - LEAD_NS), min(asked.until_ns, on.through_ns))
        yield StoreOfRun(stored.store_no, version, on.after, on.through_ns), chosen


def _first(connection: Connection, archive: Place | None, on: Ground) -> int | None:
    """Return when the first signal was that can be decoded again; None if there is none."""
    if archive is not None:
        held = reach(archive, on.plan.id, on.after)
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


def _foretold(connection: Connection, run: Run) -> str:
    """Return what a dry run found; where nothing would change, it is over and keeps nobody from another one."""
    found = standing(connection, run.run_no)
    if changes_waiting(connection, run.run_no):
        said = f"{_looked(connection, run)} {found.unchanged:,} visits would stay."
        return f"{said} Without --dry-run the rest is made visible at once."
    in_transaction(connection, lambda connection: drop_run(connection, run.run_no))
    return f"{_looked(connection, run)} Nothing would change; {found.unchanged:,} visits would stay."


def _told(connection: Connection, run: Run, counts: dict[str, int]) -> str:
    changed = listed(counts.items())
    unchanged = standing(connection, run.run_no).unchanged
    said = f"{changed} were revised" if changed else "Nothing changed"
    return f"{_looked(connection, run)} {said}; {unchanged:,} visits stay."


def _looked(connection: Connection, run: Run) -> str:
    """Say how much was decoded again, and what of that was asked for was not."""
    found = standing(connection, run.run_no)
    asked = run.asked
    stores = len(asked.stores) if asked.stores else len(load_plans(connection))
    days_asked = stores * ((asked.until_ns - asked.from_ns) // DAY_NS)
    said = f"{found.tasks:,} days of stores, {found.spells:,} spells of presence looked at."
    if found.tasks < days_asked:
        said += f" Of {days_asked - found.tasks:,} more that were asked for there are no signals, or none decided."
    if found.left_alone:
        said += f" {found.left_alone:,} are not over or reach beyond what can be decoded and stay."
    return said
