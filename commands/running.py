"""What several commands stand on while they run: a database that is up to date, a wish to stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import ConfigurationError

if TYPE_CHECKING:
    from storage.connect import Connection


@contextmanager
def database(database_url: str) -> Iterator["Connection"]:
    """Lend a connection to a database that has every migration."""
    from storage.connect import connect, reachable
    from storage.migrate import pending

    with connect(database_url) as connection, reachable():
        lacking = pending(connection)
        if lacking:
            raise ConfigurationError(f"The database lacks the migration {lacking[0]}.", hint="Run `sojourn migrate`.")
        yield connection


def stop_on_signals() -> threading.Event:
    """Set what is returned when the process is told to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
