"""Recordings as CSV: one row a line, comma separated, with a header, UTF-8.

Lines are cut here rather than by the parser, so that one broken quote costs one row and every reject knows its line.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from core.errors import RecordingError
from simulators.recordings_rows import COLUMNS, Rows

BLOCK_BYTES: Final = 8 * 2**20
"""About 120,000 rows; the parser runs at full speed from 1 MiB on, and a few blocks fit any memory."""

_BOM: Final = b"\xef\xbb\xbf"
_BEYOND: Final = "\x00beyond"  # what stands after the last column of the header; no column can be called that


class CsvRecording:
    """A recording as CSV.

    Parameters
    ----------
    path : Path
        The file.
    block_bytes : int
        How much of it is in memory at a time; no line may be longer.

    Raises
    ------
    RecordingError
        If there is no header or it lacks a column.
    """

    def __init__(self, path: Path, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.path = path
        self._block_bytes = block_bytes
        try:
            self._bytes = path.stat().st_size
            with path.open("rb") as file:
                header = file.readline(block_bytes)
        except OSError as error:
            raise _unreadable(path, error) from error
        self._header_bytes = len(header)
        self._header = _read_header(header, str(path))

    def rows(self) -> Iterator[Rows]:
        """See `Recording.rows`."""
        line = 2
        begin = self._header_bytes
        try:
            with self.path.open("rb") as file:
                file.seek(begin)
                for block in self._blocks(file):
                    begin += len(block)
                    rows = CsvRows(self._header, block, line, begin / self._bytes)
                    line += rows.lines
                    yield rows
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _blocks(self, file: io.BufferedReader) -> Iterator[bytes]:
        """Cut what is left of a file into pieces of whole lines."""
        begun = b""
        while piece := file.read(self._block_bytes):
            end = piece.rfind(b"\n") + 1
            if not end and len(begun) + len(piece) > self._block_bytes:
                raise RecordingError(
                    f"There is a line of more than {self._block_bytes} bytes.",
                    hint="A recording has one row a line, ended by a line feed.",
                    where=str(self.path),
                )
            if end:
                yield begun + piece[:end]
                begun = b""
            begun += piece[end:]
        if begun:
            yield begun


class CsvRows:
    """The rows of one block; see `Rows`."""

    def __init__(self, header: list[str], block: bytes, line: int, share: float) -> None:
        self.share = share
        self.lines = block.count(b"\n") + (not block.endswith(b"\n"))
        self._header = header
        self._block = block.replace(b"\r\n", b"\n") if b"\r" in block else block
        typed = self._read(ts=pl.Int64(), rssi_dbm=pl.Float64())
        texts = [name for name in COLUMNS if name in ("store", "anchor", "device")]
        self.frame = typed.select(
            pl.int_range(line, line + self.lines, dtype=pl.Int64).alias("line"),
            pl.col(_BEYOND).is_null().alias("readable"),
            "ts",
            *texts,
            "rssi_dbm",
        )
        if b"\n\n" in self._block or self._block.startswith(b"\n"):
            self.frame = self.frame.filter(self._filled())
        self._first_line = line

    def written(self, places: NDArray[np.int64]) -> pl.DataFrame:
        """See `Rows.written`."""
        if not len(places):
            return pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String))
        lines = self.frame["line"].gather(places).to_numpy() - self._first_line
        return self._read(ts=pl.String(), rssi_dbm=pl.String()).select(COLUMNS)[lines]

    def _filled(self) -> pl.Series:
        """Tell which lines are not blank."""
        return pl.Series([bool(line.strip()) for line in self._split()])

    def _split(self) -> list[bytes]:
        lines = self._block.split(b"\n")
        return lines[: self.lines]

    def _read(self, *, ts: pl.DataType, rssi_dbm: pl.DataType) -> pl.DataFrame:
        """Read every line into a row: what the header names, and _BEYOND, which is null in a sound row."""
        schema = {name: pl.String() for name in [*self._header, _BEYOND]} | {"ts": ts, "rssi_dbm": rssi_dbm}
        wanted = pl.col([*COLUMNS, _BEYOND])
        if self._is_plain():
            try:
                frame = pl.read_csv(
                    io.BytesIO(self._block),
                    has_header=False,
                    schema=schema,
                    extra_columns="ignore",
                    missing_columns="insert",
                    ignore_errors=True,
                    quote_char='"' if b'"' in self._block else None,
                )
            except PolarsError:
                pass  # the lines below find out which one it was
            else:
                if len(frame) == self.lines:
                    return frame.select(wanted)
        return self._read_singly().select(wanted).with_columns(pl.col("ts").cast(ts, strict=False), _number(rssi_dbm))

    def _is_plain(self) -> bool:
        """Whether every line ends outside of quotes and is UTF-8, so that the parser sees the same lines."""
        if not self._block.isascii():
            try:
                self._block.decode()
            except UnicodeDecodeError:
                return False
        return b'"' not in self._block or not any(line.count(b'"') % 2 for line in self._split())

    def _read_singly(self) -> pl.DataFrame:
        """Read each line for itself; slower, but a broken one costs only itself."""
        width = len(self._header)
        columns: list[list[str | None]] = [[] for _ in range(width + 1)]
        for line in self._split():
            fields: list[str] = []
            broken = False
            try:
                fields = next(csv.reader([line.decode()], strict=True), [])
            except (csv.Error, UnicodeDecodeError):
                broken = True
                fields = [line.decode(errors="replace")]
            beyond = "".join(fields[width:])
            for place, column in enumerate(columns[:-1]):
                column.append(fields[place] if place < len(fields) and fields[place] else None)
            columns[-1].append(_BEYOND if broken else beyond or None)
        names = [*self._header, _BEYOND]
        return pl.DataFrame(dict(zip(names, columns, strict=True)), schema=dict.fromkeys(names, pl.String))


def _number(rssi_dbm: pl.DataType) -> pl.Expr:
    return pl.col("rssi_dbm").cast(rssi_dbm, strict=False)


def _read_header(line: bytes, where: str) -> list[str]:
    try:
        text = line.removeprefix(_BOM).decode()
        names = [name.strip() for name in next(csv.reader([text], strict=True), [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(
            "The first line is neither the header of a CSV nor the beginning of Parquet.",
            hint=f"Write {', '.join(COLUMNS)} into it, in UTF-8.",
            where=where,
        ) from error
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise RecordingError(
            f"There is no column {missing[0]!r} in the header.",
            hint=f"A recording has the columns {', '.join(COLUMNS)}, separated by commas.",
            where=where,
        )
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise RecordingError(f"The column {twice[0]!r} stands in the header twice.", hint="Rename one.", where=where)
    # the others are only passed over, but the parser wants every name once
    return [name if name in COLUMNS else f"\x00{place}" for place, name in enumerate(names)]


def _unreadable(path: Path, error: OSError) -> RecordingError:
    return RecordingError(f"The recording cannot be read: {error.strerror}.", where=str(path))
