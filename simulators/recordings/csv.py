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

from core.errors import RecordingError
from simulators.recordings.rows import COLUMNS, UNREAD, Rows

BLOCK_BYTES: Final = 8 * 2**20
"""About 120,000 rows; the parser runs at full speed from 1 MiB on, and a few blocks fit any memory."""

_BOM: Final = b"\xef\xbb\xbf"
_SOUND_LINE: Final = r'^(?:[^",]*|"(?:[^"]|"")*")(?:,(?:[^",]*|"(?:[^"]|"")*"))*$'
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
        self._first_line = line
        self._schema: dict[str, pl.DataType] = {name: pl.String() for name in [*header, _BEYOND]}
        block = block.replace(b"\r\n", b"\n") if b"\r" in block else block
        blank = _blank(block)
        self._broken = _broken(block)  # line within the block -> what stands there
        self._block = _without(block, self._broken) if self._broken else block
        sound = pl.col(_BEYOND).is_null()
        if self._broken:
            sound &= pl.int_range(self.lines).is_in(list(self._broken)).not_()
        frame = self._read({"ts": pl.Int64(), "rssi_dbm": pl.Float64()}).select(
            pl.int_range(line, line + self.lines, dtype=pl.Int64).alias("line"),
            sound.alias("readable"),
            *COLUMNS,
        )
        self.frame = frame.filter(~blank) if blank is not None else frame

    def written(self, places: NDArray[np.int64]) -> pl.DataFrame:
        """See `Rows.written`; what stands in a line with broken quotes is put into `ts` as a whole."""
        lines = self.frame["line"].gather(places) - self._first_line
        rows = self._read({}).select(COLUMNS)[lines]
        if not self._broken:
            return rows
        whole = [self._broken.get(line) for line in lines]
        told = pl.Series([text if text is None else text.decode(errors="replace") for text in whole], dtype=pl.String)
        return rows.with_columns(pl.coalesce(told, pl.col("ts")).alias("ts"))

    def _read(self, types: dict[str, pl.DataType]) -> pl.DataFrame:
        """Read every line into a row: what the header names, and _BEYOND, which is null in a sound row."""
        return pl.read_csv(
            io.BytesIO(self._block),
            has_header=False,
            schema=self._schema | types,
            extra_columns="ignore",
            missing_columns="insert",
            ignore_errors=True,
            quote_char='"' if b'"' in self._block else None,
        )


def _blank(block: bytes) -> pl.Series | None:
    """Tell which lines of a block are blank; None if there is none."""
    if b"\n\n" not in block and not block.startswith(b"\n"):
        return None
    return pl.Series([not line for line in _lines(block)])


def _broken(block: bytes) -> dict[int, bytes]:
    """Return the lines of a block that are not UTF-8 or whose quotes do not enclose fields (RFC 4180), by place.

    They are looked for here because the parser would read on into the next lines, or read something else depending on
    what stands around them.
    """
    broken: dict[int, bytes] = {}
    try:
        text = block.decode()
    except UnicodeDecodeError:
        for place, line in enumerate(_lines(block)):
            try:
                line.decode()
            except UnicodeDecodeError:
                broken[place] = line
        text = block.decode(errors="replace")
    if '"' in text:
        lines = pl.Series(text.removesuffix("\n").split("\n"))
        ill = lines.str.contains('"', literal=True) & ~lines.str.contains(_SOUND_LINE)
        whole = _lines(block)
        broken |= {place: whole[place] for place in ill.arg_true()}
    return broken


def _without(block: bytes, broken: dict[int, bytes]) -> bytes:
    """Return a block with some of its lines blank."""
    return b"\n".join(b"" if place in broken else line for place, line in enumerate(_lines(block))) + b"\n"


def _lines(block: bytes) -> list[bytes]:
    return block.removesuffix(b"\n").split(b"\n")


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
    return RecordingError(f"The recording cannot be read: {error.strerror}.", hint=UNREAD, where=str(path))
