"""Erasures and retention are worked off while ingest runs: in a thread with its own connection.

What only the one ingest may do, forgetting people in engines and snapshots, the worker does itself.
"""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from core.errors import SojournError
from storage.connect import connect, reachable
from storage.privacy.erasing import work_all
from storage.privacy.keys import PrivacyFolder
from storage.privacy.retention import retain as take_away

_log = structlog.get_logger()


class PrivacyWork:
    """Works off what is asked for, one thing at a time.

    Parameters
    ----------
    database_url : str
    folder : Path or None
        Of the suppression list and its key.
    policy : mapping
        Days by kind of data; empty: nothing is taken away.
    """

    def __init__(self, database_url: str, folder: Path | None, policy: Mapping[str, int]) -> None:
        self.folder = None if folder is None else PrivacyFolder(folder)
        self._database_url = database_url
        self._policy = policy
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._retain = False

    def begin(self, *, retain: bool = False) -> None:
        """Start, unless it is under way; with `retain` look for what is too old as well, now or the next time."""
        self._retain = self._retain or (retain and bool(self._policy))
        if self.folder is None and not self._retain:
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="privacy", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Wait for the step that is under way; a job goes on at the next start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            with connect(self._database_url, application_name="sojourn privacy") as connection, reachable():
                if self._retain:
                    self._retain = False
                    for kept in take_away(connection, self._policy, datetime.now(UTC), stopped=self._stop.is_set):
                        _log.info("retention", kind=kept.kind, table=kept.table, gone=kept.count, unit=kept.unit)
                if self.folder is not None:
                    work_all(connection, self.folder, lambda: datetime.now(UTC), stopped=self._stop.is_set)
        except SojournError as error:
            _log.warning("erasure or retention stopped; it goes on later", why=str(error))
