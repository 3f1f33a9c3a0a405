"""What several commands stand on while they run: a database that is up to date, a wish to stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

from core.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from storage.connect import Connection
    from telemetry.tracing import Tracing


@contextmanager
def database(database_url: str) -> Iterator["Connection"]:
    """Lend a connection to a database that has every migration."""
    from storage.connect import connect, reachable
    from storage.migrate import pending

    with connect(database_url) as connection, reachable():
        lacking = pending(connection)
        if lacking:
            raise UnavailableError(f"The database lacks the migration {lacking[0]}.", hint="Run `sojourn migrate`.")
        yield connection


@contextmanager
def traces(url: str, service: str) -> Iterator["Tracing"]:
    """Lend what makes traces and sends them to a collector; without a URL it makes none."""
    from telemetry.tracing import OFF

    if not url:
        yield OFF
        return
    try:
        from telemetry.otel import to_collector
    except ImportError as error:
        raise ConfigurationError(
            "Traces need OpenTelemetry, which is not installed.",
            hint="Install the extra: `pip install -r requirements/otel.lock`, or sojourn[otel].",
        ) from error
    tracing = to_collector(url, service)
    try:
        yield tracing
    finally:
        tracing.close()


def stop_on_signals() -> threading.Event:
    """Set what is returned when the process is told to end, or its terminal is closed (but for nohup)."""
    stop = threading.Event()
    # a handler runs in the middle of whatever the main thread does: where that is the event's own wait or set, its
    # lock is taken, and to set it there would wait for ever. A SimpleQueue takes no such lock.
    asked: SimpleQueue[int] = SimpleQueue()

    def wait() -> None:
        asked.get()
        stop.set()

    threading.Thread(target=wait, name="stop on signals", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _frame: asked.put(number))
    return stop
