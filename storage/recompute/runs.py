"""Runs of a recomputation and their tasks: a day (UTC) of a store each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.errors import ConfigurationError, InputError
from storage.connect import Connection
from storage.instants import to_datetime, to_ns

_LOCK = 0x7265636F6D70  # "recomp" in ASCII
_COLUMNS = "run_no, from_at, until_at, model, stores, archive"


@dataclass(frozen=True)
class Asked:
    """What somebody asked for: spells that begin within `from_ns` <= t < `until_ns`, of some stores or (empty) all.

    `model` is in-use, latest, or a version; `archive` is where signals are read from, None: the signal log.
    """

    from_ns: int
    until_ns: int
    model: str
    stores: tuple[str, ...]
    archive: str | None


@dataclass(frozen=True)
class Run:
    """A recomputation that is under way."""

    run_no: int
    asked: Asked


@dataclass(frozen=True)
class StoreOfRun:
    """What holds for all days of a store: model (None: those in use then), plan, and the end of what was decided."""

    store_no: int
    model_version: int | None
    after: int
    through_ns: int


@dataclass(frozen=True)
class Task:
    """A day of a store to decode again."""

    store_no: int
    day_ns: int


@dataclass(frozen=True)
class Standing:
    """How far a run is, over all its tasks."""

    tasks: int
    done: int
    spells: int
    left_alone: int
    unchanged: int


def read_model(text: str) -> str:
    """Return what a person wrote for a model, as `Asked` has it.

    Raises
    ------
    ConfigurationError
        If it is neither a word nor a version.
    """
    if text in ("in-use", "latest"):
        return text
    if text.isdecimal() and len(text) <= 9:
        return str(int(text))
    raise ConfigurationError(
        f"{text[:40]!r} is no model.",
        hint="latest, in-use, or a version as `sojourn model list` shows it; `sojourn model load` keeps a file.",
    )


def alone(connection: Connection) -> bool:
    """Become the one who drives recomputations of this database, as long as the connection lives."""
    return connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() == (True,)


def open_run(connection: Connection) -> Run | None:
    """Return the run that is not over, if there is one."""
    row = connection.execute(f"select {_COLUMNS} from recompute_run where state = 'open'").fetchone()  # noqa: S608
    if row is None:
        return None
    return Run(row[0], Asked(to_ns(row[1]), to_ns(row[2]), row[3], tuple(row[4]), row[5]))


def make_run(connection: Connection, asked: Asked, plan: Sequence[tuple[StoreOfRun, Sequence[int]]]) -> Run:
    """Write a run with its stores and the days (ns) of each; to be called in a transaction."""
    row = connection.execute(
        "insert into recompute_run (from_at, until_at, model, stores, archive) values (%s, %s, %s, %s, %s)"
        " returning run_no",
        [to_datetime(asked.from_ns), to_datetime(asked.until_ns), asked.model, list(asked.stores), asked.archive],
    ).fetchone()
    if row is None:  # insert … returning always has one
        raise RuntimeError("The database returned no run.")
    run_no = int(row[0])
    for store, days in plan:
        connection.execute(
            "insert into recompute_store (run_no, store_no, model_version, after_log_no, through_at)"
            " values (%s, %s, %s, %s, %s)",
            [run_no, store.store_no, store.model_version, store.after, to_datetime(store.through_ns)],
        )
        connection.execute(
            "insert into recompute_task (run_no, store_no, day) select %s, %s, unnest(%s::date[])",
            [run_no, store.store_no, [to_datetime(day).date() for day in days]],
        )
    return Run(run_no, asked)


def store_of(connection: Connection, run_no: int, store_no: int) -> StoreOfRun:
    """Return what holds for a store of a run that is open.

    Raises
    ------
    InputError
        If the run is over.
    """
    row = connection.execute(
        "select store_no, model_version, after_log_no, through_at from recompute_store"
        " join recompute_run using (run_no) where run_no = %s and store_no = %s and state = 'open'",
        [run_no, store_no],
    ).fetchone()
    if row is None:
        raise InputError("This recomputation is over.", hint="Begin another one.")
    return StoreOfRun(row[0], row[1], row[2], to_ns(row[3]))


def waiting(connection: Connection, run_no: int) -> list[Task]:
    """Return the tasks that are not done, the longest-standing days first, stores in turn."""
    rows = connection.execute(
        "select store_no, day from recompute_task where run_no = %s and done_at is null order by day, store_no",
        [run_no],
    ).fetchall()
    return [Task(store_no, to_ns(datetime(day.year, day.month, day.day, tzinfo=UTC))) for store_no, day in rows]


def standing(connection: Connection, run_no: int) -> Standing:
    """Return how far a run is."""
    row = connection.execute(
        "select count(*), count(done_at), coalesce(sum(spells), 0)::bigint, coalesce(sum(left_alone), 0)::bigint,"
        " coalesce(sum(unchanged), 0)::bigint from recompute_task where run_no = %s",
        [run_no],
    ).fetchone()
    if row is None:  # an aggregate always has a row
        raise RuntimeError("The database returned no count.")
    return Standing(*row)


def drop_run(connection: Connection, run_no: int) -> None:
    """Give a run up, with what waits for it; nothing of it was visible."""
    connection.execute("delete from recompute_change where run_no = %s", [run_no])
    connection.execute(
        "update recompute_run set state = 'dropped', ended_at = clock_timestamp() where run_no = %s", [run_no]
    )
