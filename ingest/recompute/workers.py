"""Who does the tasks of a recomputation: this process, or workers of Dask.

A worker finds the database by its own SOJOURN_DATABASE_URL and the key of the suppression list by its own
SOJOURN_PRIVACY, so that no password and no key goes through a scheduler. A task
answers with nothing but its own name: what it found is in the database before anybody is told.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.errors import ConfigurationError, UnavailableError
from ingest.recompute.task import work
from storage.connect import connect, reachable
from storage.privacy.keys import PrivacyFolder
from storage.recompute.runs import Run, Task

if TYPE_CHECKING:
    from distributed import Client

DATABASE_VARIABLE: Final = "SOJOURN_DATABASE_URL"
PRIVACY_VARIABLE: Final = "SOJOURN_PRIVACY"
_NAME: Final = "sojourn recompute"
_RETRIES: Final = 5
"""How often a task that failed, because its worker lost the database, is tried again; one whose worker was killed is
given to another by Dask itself."""
_UNWATCHED: Final = {"distributed.worker.profile.enabled": False}
"""Dask would stop each worker a hundred times a second to see where it is; nobody looks at that here."""
_SCHEDULER_S: Final = 10
"""A scheduler that is there answers within a tenth of this."""


def here(database_url: str, run: Run, tasks: Sequence[Task], privacy: PrivacyFolder | None) -> Iterator[Task]:
    """Do tasks one after the other in this process; yield each that is done."""
    with connect(database_url, application_name=_NAME) as connection, reachable():
        for task in tasks:
            work(connection, run, task, privacy)
            yield task


def on_dask(client: "Client", run: Run, tasks: Sequence[Task]) -> Iterator[Task]:
    """Let workers of Dask do tasks; yield each that is done, in any order.

    Raises
    ------
    UnavailableError
        If the scheduler went away, or every worker that took a task died of it.
    """
    from distributed import CancelledError, KilledWorker, as_completed  # noqa: PLC0415 - an extra: only who asks for it

    futures = client.map(work_remotely, tasks, run=run, pure=False, retries=_RETRIES, key="sojourn")
    try:
        for future in as_completed(futures, loop=client.loop):
            done: Task = future.result()
            yield done
            future.release()
    except KilledWorker as error:
        raise UnavailableError(
            "A day could not be decoded: each worker that took it died.",
            hint="Give workers more memory, and run the same command again: it goes on where it was.",
        ) from error
    except (CancelledError, OSError) as error:
        raise UnavailableError(
            "Dask's scheduler went away.", hint="Start it, and run the same command again: it goes on where it was."
        ) from error


def work_remotely(task: Task, run: Run) -> Task:
    """Do a task on a worker of Dask."""
    database_url = os.environ.get(DATABASE_VARIABLE)
    if database_url is None:
        raise ConfigurationError(f"A worker has no {DATABASE_VARIABLE}.", hint="Start each worker with it.")
    privacy = os.environ.get(PRIVACY_VARIABLE)
    with connect(database_url, application_name=_NAME) as connection, reachable():
        work(connection, run, task, PrivacyFolder(Path(privacy)) if privacy else None)
    return task


@contextmanager
def dask_client(
    scheduler: str | None, workers: int, database_url: str, privacy: PrivacyFolder | None
) -> Iterator["Client"]:
    """Lend a client of a scheduler, or of `workers` processes on this machine that end with it.

    Raises
    ------
    ConfigurationError
        If Dask is not installed.
    UnavailableError
        If the scheduler does not answer.
    """
    try:
        from dask import config  # noqa: PLC0415 - an extra: only who asks for it
        from distributed import Client, LocalCluster  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "Dask is not installed.", hint="Install sojourn[dask], or go without --scheduler and with --workers 1."
        ) from error
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_SCHEDULER_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UnavailableError(
                f"No scheduler of Dask answers at {scheduler}.", hint="It looks like tcp://host:8786."
            ) from error
        with client:
            yield client
        return
    environment = {DATABASE_VARIABLE: database_url}
    if privacy is not None:
        environment[PRIVACY_VARIABLE] = str(privacy.folder.absolute())
    with (
        config.set(_UNWATCHED),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # one day at a time: memory is a day's, and numba's kernels hold a core each
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            env=environment,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client
