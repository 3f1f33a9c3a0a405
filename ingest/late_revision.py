"""Visits that ingest revises by itself, for signals that came too late for the live engine.

It happens in a thread with a connection of its own, one store at a time; the live engine is not asked and not
touched. A store is due when its late batches have settled; what cannot be revised yet, because somebody is still in
the store, comes again.
"""

import threading
import time
from typing import Final

import structlog

from core.errors import InputError, ModelError, UnavailableError
from core.limits import NS_PER_S
from ingest.redecode import days, ground
from ingest.revising import Outcome, Window, find, write
from storage.connect import Connection, connect, reachable
from storage.log.late import late_stores, open_late
from storage.log.signals import span_of
from storage.revisions import revising

ROWS_MOST: Final = 2_000
"""Late batches of one pass: half an hour of an edge that sends every second; the rest comes with the next."""
GIVEN_UP_S: Final = 3 * 24 * 3600
"""A late batch whose spells are not over three days of data later is let go: no visit is longer than a day, and what
never falls silent is no customer."""
_EVER_NS: Final = 2**62

_log = structlog.get_logger()


class LateRevision:
    """Decides when, starts the work, and counts what came of it.

    Parameters
    ----------
    database_url : str
    settle_s : float or None
        Nothing late has come for so long; None: never revise.
    wait_s : float
        A late batch waits no longer than this, whatever else comes.
    again_s : float
        How long a store rests after a pass.
    """

    def __init__(self, database_url: str, settle_s: float | None, wait_s: float, again_s: float) -> None:
        self.revised = 0
        self._database_url = database_url
        self._settle_s = settle_s
        self._wait_s = wait_s
        self._again_s = again_s
        self._tried_s: dict[int, float] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def begin(self, connection: Connection) -> None:
        """Start with the store that waits longest, unless one is under way."""
        if self._settle_s is None or (self._thread is not None and self._thread.is_alive()):
            return
        now = time.time_ns()
        due = late_stores(
            connection,
            settled_before=now - int(self._settle_s * NS_PER_S),
            waited_before=now - int(self._wait_s * NS_PER_S),
        )
        rested = [store for store in due if self._rested(store)]
        if rested:
            self._tried_s[rested[0]] = time.monotonic()
            name = f"revise store {rested[0]}"
            self._thread = threading.Thread(target=self._work, args=(rested[0],), name=name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End what is under way; nothing of it is written."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _rested(self, store_no: int) -> bool:
        tried_s = self._tried_s.get(store_no)
        return tried_s is None or time.monotonic() - tried_s >= self._again_s

    def _work(self, store_no: int) -> None:
        try:
            with connect(self._database_url, application_name="sojourn revise") as connection, reachable():
                found = revise_late(connection, store_no, self._stop)
        except UnavailableError as error:
            self._tried_s.pop(store_no, None)  # it is tried again
            _log.warning("visits could not be revised", store_no=store_no, why=str(error))
        except (InputError, ModelError) as error:
            _log.warning("visits could not be revised", store_no=store_no, why=str(error))
        else:
            if found is not None and found.changes:
                self.revised += found.changes
                _log.info("visits revised for late signals", store_no=store_no, **found.counts)


def revise_late(connection: Connection, store_no: int, stop: threading.Event) -> Outcome | None:
    """Revise the visits of a store for its open late batches; None if there was nothing to do or it was stopped.

    Raises
    ------
    InputError
        If somebody else revises the store.
    UnavailableError
        If the database is away.
    """
    with revising(connection, store_no):
        on = ground(connection, store_no)
        rows = open_late(connection, store_no, most=ROWS_MOST)
        if on is None or not rows:
            return None
        # those that the plan in use does not reach, and those that waited for too long, are let go
        times = span_of(connection, store_no, [row for row in rows if row > on.after])
        ready = [(first, last) for _, first, last in times if last < on.through_ns]
        old = on.through_ns - GIVEN_UP_S * NS_PER_S
        given_up = {no for no, _, last in times if last < old} | {no for no in rows if no <= on.after}
        wanted = {day for first, last in ready for day in days(first, last + 1)}
        window = Window(-_EVER_NS, _EVER_NS, late_only=True)
        found = find(connection, on, window, sorted(wanted), stopped=stop.is_set)
        if found is not None and found.days_before - wanted:
            found = find(connection, on, window, sorted(wanted | found.days_before), stopped=stop.is_set)
        if found is None:
            return None
        reached = {no for no, _, last in times if last < on.through_ns}
        found.rows = (found.settled_rows & reached) | given_up
        write(connection, store_no, found, "late_signals")
        return found
