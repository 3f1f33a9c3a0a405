"""Where signals that are decoded again come from: the signal log, or an archive of it."""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from core.floorplan import StorePlan
from core.privacy.suppression import Spans
from core.records import SignalArray
from core.wire import decode
from ingest.rows import Columns, Numbering, as_signals, to_signals
from storage.archive.places import Place
from storage.archive.reading import ArchiveBlocks
from storage.connect import Connection
from storage.log.late import late_between
from storage.log.signals import LogTimes, read_rows, rows_between

_ROWS_A_READ: Final = 256


NO_ROW: Final = -1
"""In the place of a log number, of what was not read from the log."""


class Piece(NamedTuple):
    """Signals of a row of the log (or NO_ROW), and whether some of the row's were late for the live engine."""

    log_no: int
    late: bool
    signals: SignalArray


class Heard(Protocol):
    """What was heard of a store within a stretch of time that was named before."""

    def pieces(self, start_ns: int, stop_ns: int, devices: Numbering) -> Iterator[Piece]:
        """Yield the signals of `start_ns` <= t < `stop_ns`; stretches are asked for in rising order."""


class Source(Protocol):
    """Somewhere that signals of a store can be read from."""

    def heard(self, plan: StorePlan, after: int, from_ns: int, until_ns: int) -> Heard:
        """Return what was heard, by rows after a log number, of signals of `from_ns` <= t < `until_ns`."""


class LogSource:
    """The signal log of a store; memory is a catalogue of the rows asked for, 24 bytes each."""

    def __init__(self, connection: Connection, store_no: int) -> None:
        self._connection = connection
        self._store_no = store_no

    def heard(self, plan: StorePlan, after: int, from_ns: int, until_ns: int) -> "_LogHeard":
        """See Source."""
        rows = rows_between(self._connection, self._store_no, after=after, from_ns=from_ns, until_ns=until_ns)
        return _LogHeard(self._connection, self._store_no, plan, rows)


class _LogHeard:
    def __init__(self, connection: Connection, store_no: int, plan: StorePlan, rows: LogTimes) -> None:
        self._connection = connection
        self._store_no = store_no
        self._plan = plan
        self._rows = rows

    def pieces(self, start_ns: int, stop_ns: int, devices: Numbering) -> Iterator[Piece]:
        last = int(self._rows.first_ns.searchsorted(stop_ns, side="left"))
        wanted = self._rows.log_no[:last][self._rows.last_ns[:last] >= start_ns].tolist()
        for place in range(0, len(wanted), _ROWS_A_READ):
            log_nos = wanted[place : place + _ROWS_A_READ]
            late = late_between(self._connection, self._store_no, log_nos)
            for row in read_rows(self._connection, self._store_no, log_nos):
                signals, _ = to_signals([decode(row.batch)], self._plan, devices)
                signals = signals[(signals["ts"] >= start_ns) & (signals["ts"] < stop_ns)]
                yield Piece(row.log_no, row.log_no in late, signals)


class ArchiveSource:
    """A store's archive without people who were erased; memory is an hour of signals, disk two of its days."""

    def __init__(self, place: Place, spans: Spans | None) -> None:
        self._place = place
        self._spans = spans

    def heard(self, plan: StorePlan, after: int, from_ns: int, until_ns: int) -> "_ArchiveHeard":
        """See Source."""
        return _ArchiveHeard(
            ArchiveBlocks(self._place, plan.id, after, from_ns=from_ns, until_ns=until_ns, spans=self._spans), plan
        )


class _ArchiveHeard:
    def __init__(self, archive: ArchiveBlocks, plan: StorePlan) -> None:
        self._archive = archive
        self._plan = plan

    def pieces(self, start_ns: int, stop_ns: int, devices: Numbering) -> Iterator[Piece]:
        for block in self._archive.blocks(start_ns, stop_ns):
            columns = Columns(block.anchors, block.devices, block.ts, block.anchor, block.device, block.rssi_dbm)
            signals = as_signals(columns, self._plan, devices)
            # the plan no longer has an anchor: as of the log
            yield Piece(NO_ROW, late=False, signals=signals[signals["anchor"] >= 0])
