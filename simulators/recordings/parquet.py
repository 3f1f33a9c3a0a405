"""Recordings as Parquet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl
from polars.datatypes import DataTypeClass

from core.errors import RecordingError
from simulators.recordings.rows import COLUMNS, ROWS_SCHEMA, UNREADABLE, Rows, TypedRows

MAGIC: Final = b"PAR1"
ROWS_AT_A_TIME: Final = 131_072
"""10 MB of columns; from 2**16 rows on the cost per row does not fall any more."""

_STRINGS: Final = (pl.String, pl.Categorical, pl.Enum)


class ParquetRecording:
    """A recording as Parquet.

    Parameters
    ----------
    path : Path
        The file.
    rows_at_a_time : int
        How many rows are in memory together (one row group of the file comes on top of that).

    Raises
    ------
    RecordingError
        If it is not Parquet, lacks a column or has one of another type.
    """

    def __init__(self, path: Path, *, rows_at_a_time: int = ROWS_AT_A_TIME) -> None:
        self.path = path
        self._rows_at_a_time = rows_at_a_time
        try:
            scan = pl.scan_parquet(path, glob=False)
            schema = scan.collect_schema()
            _check(schema, str(path))
            self._count = int(scan.select(pl.len()).collect().item())
        except UNREADABLE as error:
            raise _unreadable(path, error) from error

    def rows(self) -> Iterator[Rows]:
        """See `Recording.rows`."""
        line = 1
        typed = pl.scan_parquet(self.path, glob=False).select(
            pl.lit(True).alias("readable"),  # a column, not a switch
            # a number beyond int64 becomes null and thereby a reject, not an error
            *(pl.col(name).cast(ROWS_SCHEMA[name], strict=False) for name in COLUMNS),
        )
        try:
            for frame in typed.collect_batches(chunk_size=self._rows_at_a_time, maintain_order=True):
                numbered = frame.select(pl.int_range(line, line + len(frame), dtype=pl.Int64).alias("line"), pl.all())
                line += len(frame)
                yield TypedRows(numbered, (line - 1) / max(self._count, 1))
        except UNREADABLE as error:
            raise _unreadable(self.path, error) from error


def _check(schema: pl.Schema, where: str) -> None:
    missing = [name for name in COLUMNS if name not in schema]
    if missing:
        raise RecordingError(
            f"There is no column {missing[0]!r}.",
            hint=f"A recording has the columns {', '.join(COLUMNS)}.",
            where=where,
        )
    _expect(schema["ts"], schema["ts"].is_integer(), "ts", "int64, nanoseconds since 1970 in UTC", where)
    for name in ("store", "anchor", "device"):
        _expect(schema[name], schema[name] in _STRINGS, name, "a string", where)
    _expect(schema["rssi_dbm"], schema["rssi_dbm"].is_numeric(), "rssi_dbm", "a float, dBm", where)


def _expect(found: pl.DataType | DataTypeClass, right: bool, name: str, expected: str, where: str) -> None:
    if not right:
        raise RecordingError(
            f"The column {name!r} is of type {found}.", hint=f"It has to be {expected}; cast it.", where=where
        )


def _unreadable(path: Path, error: Exception) -> RecordingError:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return RecordingError(f"The Parquet file cannot be read: {first}.", hint="Write it anew.", where=str(path))
