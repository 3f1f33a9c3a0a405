"""Rows of a recording, a bounded number at a time, still as they were written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PanicException, PolarsError

from core.errors import RecordingError

UNREADABLE: Final = (PolarsError, PanicException, OSError)
"""What a file that cannot be read ends in: damaged Parquet can make polars give up in the middle (a Rust panic, which
is no `Exception`), and that is an answer about the file as any other."""

UNREAD: Final = "Is the path right, and may this user read it?"
UNWRITTEN: Final = "Is the folder there, has its disk room, and may this user write it?"
"""What to do where a file is refused."""

COLUMNS: Final = ("ts", "store", "anchor", "device", "rssi_dbm")
"""What a recording has to have; further columns are left alone."""

ROWS_SCHEMA: Final = pl.Schema(
    {
        "line": pl.Int64,
        "readable": pl.Boolean,
        "ts": pl.Int64,
        "store": pl.String,
        "anchor": pl.String,
        "device": pl.String,
        "rssi_dbm": pl.Float64,
    }
)


class Rows(Protocol):
    """Some consecutive rows."""

    @property
    def frame(self) -> pl.DataFrame:
        """The rows by ROWS_SCHEMA.

        `line` counts from 1, the header of a CSV being line 1; `readable` is false where the row has too many fields,
        broken quotes or bytes that are not UTF-8; a value that cannot be read is null.
        """

    @property
    def share(self) -> float:
        """How much of the recording has been read with these rows, 0..1."""

    def written(self, places: NDArray[np.int64]) -> pl.DataFrame:
        """Return some of the rows as they were written.

        Parameters
        ----------
        places : ndarray of int64
            Places in `frame`, ascending.

        Returns
        -------
        DataFrame
            COLUMNS, all strings; null where a row has no such field.
        """


class Recording(Protocol):
    """A file of signals that can be read as often as one likes."""

    @property
    def path(self) -> Path:
        """Where it lies."""

    def rows(self) -> Iterator[Rows]:
        """Read it from its beginning, in order.

        Raises
        ------
        RecordingError
            If it turns out not to be readable further.
        """


class TypedRows(NamedTuple):
    """Rows that came with types, so that what was written is what is there."""

    frame: pl.DataFrame
    share: float

    def written(self, places: NDArray[np.int64]) -> pl.DataFrame:
        """See `Rows.written`."""
        return self.frame[places].select(pl.col(COLUMNS).cast(pl.String))


def must_be_file(path: Path, hint: str = "Give the path of a CSV or Parquet file.") -> None:
    """Raise RecordingError where there is no such file."""
    if not path.exists():
        raise RecordingError("There is no such file.", hint=hint, where=str(path))
    if not path.is_file():
        raise RecordingError("This is not a file.", hint=hint, where=str(path))
