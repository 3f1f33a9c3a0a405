"""A store's model from its own signal log: a bounded part of it, and the same model from the same rows."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.calibration import LEVEL_SIGNALS, calibrate
from core.dwell.devices import DeviceTable
from core.dwell.model import Model
from core.dwell.sample import Sample
from core.dwell.settings import Settings
from core.errors import ModelError
from core.floorplan import StorePlan
from core.wire import decode
from ingest.rows import to_signals
from storage.connect import Connection
from storage.log.signals import read
from storage.models import LogSpan, pieces

SIGNALS_READ: Final = 4_000_000
"""Signals taken from the log at most: an hour of 1,000 a second. A longer span is read in
PIECES, from the beginning of each."""
PIECES: Final = 12
"""One for each hour that a shop is open; of a store with 1,000 signals a second each is five minutes long."""
SIGNALS_USED: Final = 1_000_000
"""Signals decoded for a model at most, of as many whole devices as fit: hundreds of devices."""
_ROWS_A_READ: Final = 256


def signals_least(spots: int) -> int:
    """Return how many signals of certain stays a model needs.

    A level moves half-way from its prior with LEVEL_SIGNALS signals; with fewer than that a spot, even the anchor
    that hears a spot best would still be described by the floor plan and not by what was heard.
    """
    return LEVEL_SIGNALS * spots


def learn(
    connection: Connection,
    store_no: int,
    plan: StorePlan,
    span: LogSpan,
    *,
    progress: Callable[[float], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Model | None:
    """Learn a model from a span of a store's log; None if it was stopped.

    Parameters
    ----------
    connection : Connection
    store_no : int
    plan : StorePlan
        As the engine has it; rows of anchors that it lacks are left out.
    span : LogSpan
        See `storage.models.newest_span`.
    progress : callable
        Told the share that has been read.
    stopped : callable
        Asked between two reads.

    Raises
    ------
    ModelError
        If the span holds too little to learn from.
    UnavailableError
        If the database is away.
    """
    taken = _Taken(plan)
    whole = span.signals <= SIGNALS_READ
    begins = [span.after + 1] if whole else list(pieces(connection, store_no, span, PIECES))
    share = SIGNALS_READ // len(begins)
    for number, begin in enumerate(begins):
        end = begins[number + 1] - 1 if number + 1 < len(begins) else span.through
        at, before = begin - 1, taken.read
        while at < end and taken.read - before < share:
            if stopped():
                return None
            rows = [row for row in read(connection, store_no, after=at, most=_ROWS_A_READ) if row.log_no <= end]
            if not rows:
                break
            for row in rows:
                if row.batch and taken.read - before < share:
                    taken.add(row.batch)
            at = rows[-1].log_no
            progress(min(taken.read / max(min(span.signals, SIGNALS_READ), 1), 1.0))
    model = calibrate(plan, taken.sample.signals(), Settings())
    least = signals_least(len(model.spot_zone))
    if model.signals < least:
        raise ModelError(
            f"{model.signals:,} of {taken.read:,} signals tell of a certain stay; a model of store {plan.id!r} needs"
            f" {least:,}.",
            hint="Wait for more, or take a longer span of the log.",
        )
    return model


class _Taken:
    """What was read: the devices, numbered as they come, and the sample of their signals."""

    def __init__(self, plan: StorePlan) -> None:
        self.sample = Sample(SIGNALS_USED)
        self.read = 0
        self._plan = plan
        self._devices = DeviceTable()

    def device_index(self, pseudonyms: NDArray[np.uint8]) -> NDArray[np.int32]:
        """See `ingest.rows.Numbering`."""
        known = len(self._devices)
        index = self._devices.index(pseudonyms)
        if len(self._devices) > known:
            self.sample.number(self._devices.pseudonyms(np.arange(known, len(self._devices))))
        return index

    def add(self, batch: bytes) -> None:
        signals, _ = to_signals([decode(batch)], self._plan, self)
        self.read += len(signals)
        self.sample.add(signals)
