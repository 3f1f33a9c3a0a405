"""Models that are learnt anew while ingest runs, each store once a period of its own data.

Learning happens in a thread with a connection of its own, which only reads; kernels and sorting let go of the GIL, so
that ingest goes on beside it. One store at a time. Ingest itself saves and adopts what comes of it.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from core.dwell.calibration import calibrate
from core.dwell.model import Model
from core.errors import ModelError, UnavailableError
from core.floorplan import StorePlan
from core.limits import NS_PER_S
from core.records import SIGNAL
from ingest.learning import learn
from storage.connect import Connection, connect, reachable
from storage.models import LogSpan, first_arrival, newest_span, refreshable, stored_models
from storage.stores import AdoptedPlan

NIGHT_S: Final = 3 * 3_600
"""Periods begin at three in the morning by the store's clock: nearly every shop is closed, nobody's visit is open,
and the day's backlogs have come."""
ASKED_AT_ONCE: Final = 50
"""Stores whose newest model is looked up in one go, by a query or two each: a chain of thousands takes its turns."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Learnt:
    """A model that is to be kept and taken into use."""

    adopted: AdoptedPlan
    model: Model
    span: LogSpan


class Refresh:
    """Decides when, starts the learning, and hands over what was learnt.

    Parameters
    ----------
    database_url : str
    every_s : int or None
        The period, s of data time by the store's clock; None: never.
    last_s : int
        How much of the log is learnt from, counted back from its newest row.
    """

    def __init__(self, database_url: str, every_s: int | None, last_s: int) -> None:
        self._database_url = database_url
        self._every_s = every_s
        self._last_s = last_s
        self._done: dict[int, int] = {}  # period that was learnt last, by store
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._learnt: Learnt | None = None

    @property
    def on(self) -> bool:
        """Whether models are learnt at all."""
        return self._every_s is not None

    def begin(self, connection: Connection, stores: Iterable[tuple[AdoptedPlan, int]]) -> None:
        """Start learning for the first store whose data has reached another period, unless one is under way.

        Parameters
        ----------
        connection : Connection
        stores : iterable of (AdoptedPlan, int)
            The plan in use, and the store's newest signal in ns; 0 before there is any.
        """
        if self._every_s is None or self._thread is not None:
            return
        asked = 0
        for adopted, newest_ns in stores:
            if newest_ns <= 0:
                continue
            if adopted.store_no not in self._done:
                asked += 1
                if asked > ASKED_AT_ONCE:
                    return
                last_ns = _last_learnt(connection, adopted.store_no)
                self._done[adopted.store_no] = period(last_ns or newest_ns, adopted.plan.timezone, self._every_s)
            now = period(newest_ns, adopted.plan.timezone, self._every_s)
            if now > self._done[adopted.store_no]:
                self._done[adopted.store_no] = now
                if refreshable(connection, adopted.store_no):
                    name = f"learn {adopted.plan.id}"
                    self._thread = threading.Thread(target=self._work, args=(adopted,), name=name, daemon=True)
                    self._thread.start()
                    return

    def take(self) -> Learnt | None:
        """Return what was learnt since, once."""
        if self._thread is None or self._thread.is_alive():
            return None
        self._thread.join()
        self._thread = None
        learnt, self._learnt = self._learnt, None
        return learnt

    def stop(self) -> None:
        """End what is under way; a calibration that has begun is waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self, adopted: AdoptedPlan) -> None:
        plan = adopted.plan
        try:
            with connect(self._database_url, application_name="sojourn learn") as connection, reachable():
                span = newest_span(connection, adopted.store_no, self._last_s * NS_PER_S)
                if span is None:
                    return
                model = learn(connection, adopted.store_no, plan, span, stopped=self._stop.is_set)
        except ModelError as error:
            _log.info("no model was learnt", store=plan.id, why=str(error))
            return
        except UnavailableError as error:
            self._done.pop(adopted.store_no, None)  # it is tried again
            _log.warning("a model could not be learnt", store=plan.id, why=str(error))
            return
        if model is not None:
            self._learnt = Learnt(adopted, model, span)


def period(at_ns: int, timezone: str, every_s: int) -> int:
    """Return the number of the period that an instant lies in, by a clock on the store's wall."""
    wall = datetime.fromtimestamp(at_ns // NS_PER_S, ZoneInfo(timezone)).replace(tzinfo=UTC)
    return int((wall.timestamp() - NIGHT_S) // every_s)


def compile_learning(plan: StorePlan) -> None:
    """Let the calibration's kernels be compiled before a thread of ingest would have to do it."""
    signals = np.zeros(64, SIGNAL)
    signals["ts"] = np.arange(64) * NS_PER_S
    signals["rssi_dbm"] = -60
    calibrate(plan, signals)


def _last_learnt(connection: Connection, store_no: int) -> int | None:
    """Return when the newest row arrived that a model of this store was learnt from; its first row if none was."""
    ends = [model.span.until_ns for model in stored_models(connection, store_no) if model.span is not None]
    return max(ends) if ends else first_arrival(connection, store_no)
