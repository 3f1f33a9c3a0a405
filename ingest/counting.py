"""Counts are brought up to date, alerts and the fleet looked after: in a thread with its own connection.

So no signal ever waits for a count. The work itself is done by the database; what takes long (a day that is counted
as a whole, after a floor plan changed) takes long there.
"""

import threading
from datetime import UTC, datetime

import structlog

from core.errors import UnavailableError
from storage.alerts.looking import look
from storage.connect import connect, reachable
from storage.fleet.alarms import look_at_fleets
from storage.rollups.keeping import refresh

_log = structlog.get_logger()


class Counting:
    """Counts days that are due, at most `most_days` in one go.

    Parameters
    ----------
    database_url : str
    most_days : int
    """

    def __init__(self, database_url: str, most_days: int) -> None:
        self._database_url = database_url
        self._most_days = most_days
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start counting, unless it is under way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="count", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Wait for what is under way: at most a day's counts."""
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            with connect(self._database_url, application_name="sojourn count") as connection, reachable():
                refresh(connection, most_days=self._most_days)
                now = datetime.now(UTC)
                look(connection, now)
                look_at_fleets(connection, now)
        except UnavailableError as error:
            _log.warning("visits could not be counted; it is tried again", why=str(error))
