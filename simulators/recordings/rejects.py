"""Rows that are no signals: why, how many, and written down for the person whose recording it is."""

import csv
from collections import Counter
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import polars as pl

from core.errors import RecordingError
from core.limits import RSSI_MAX_DBM, RSSI_MIN_DBM
from core.records import APP_ENTER, APP_EXIT
from simulators.recordings.rows import COLUMNS, UNWRITTEN


class Reason(StrEnum):
    """Why a row is no signal; the words stand in files and on the screen."""

    UNREADABLE_ROW = "unreadable_row"
    UNKNOWN_STORE = "unknown_store"
    UNKNOWN_ANCHOR = "unknown_anchor"
    EMPTY_DEVICE = "empty_device"
    MISSING_RSSI = "missing_rssi"
    IMPOSSIBLE_RSSI = "impossible_rssi"
    IMPOSSIBLE_TIME = "impossible_time"


EXPLAINED: Final = {
    Reason.UNREADABLE_ROW: "too many fields, broken quotes, not UTF-8, or a time that is not a whole number",
    Reason.UNKNOWN_STORE: "the floor plan has no such store",
    Reason.UNKNOWN_ANCHOR: "the store's floor plan has no such anchor",
    Reason.EMPTY_DEVICE: "nobody can be seen in it",
    Reason.MISSING_RSSI: "no number",
    Reason.IMPOSSIBLE_RSSI: f"outside {RSSI_MIN_DBM}..{RSSI_MAX_DBM} dBm, nor an app's {APP_ENTER} or {APP_EXIT}",
    Reason.IMPOSSIBLE_TIME: "before 1970, after 2116, or more than a week off what stands around it",
}
"""For people, one line each."""

REJECTS_SCHEMA: Final = pl.Schema({"line": pl.Int64, "reason": pl.String, **dict.fromkeys(COLUMNS, pl.String)})
"""Columns of the file of rejects; the values stand there as they were written."""


class Rejects:
    """Counts rejects and writes them as CSV if there is a file to write to.

    Parameters
    ----------
    path : Path or None
        Where to; an existing file is replaced.

    Raises
    ------
    RecordingError
        If the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.counts: Counter[Reason] = Counter()
        self._path = path
        self._file = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise RecordingError(
                    f"The rejects cannot be written: {error.strerror}.", hint=UNWRITTEN, where=str(path)
                ) from error
            csv.writer(self._file, lineterminator="\n").writerow(REJECTS_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, rejects: pl.DataFrame) -> None:
        """Take in some rejects (REJECTS_SCHEMA)."""
        if rejects.is_empty():
            return
        for reason, count in rejects["reason"].value_counts().iter_rows():
            self.counts[Reason(reason)] += count
        if self._file is not None:
            self._file.write(rejects.sort("line").write_csv(include_header=False))
