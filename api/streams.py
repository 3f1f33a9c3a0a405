"""Tables as CSV or Parquet in pieces: memory does not grow with the file."""

from collections.abc import Iterable, Iterator, Mapping
from contextvars import copy_context
from tempfile import TemporaryFile
from typing import Any, Final

import polars as pl
from polars.io.plugins import register_io_source

ROWS_AT_ONCE: Final = 5_000
"""Rows that are made into text or a row group together: a megabyte or two."""
_PIECE_BYTES: Final = 64 * 1024


def csv_pieces(frames: Iterable[pl.DataFrame]) -> Iterator[bytes]:
    """Yield frames of one schema as CSV; the head stands once."""
    for number, frame in enumerate(frames):
        yield frame.write_csv(include_header=number == 0).encode()


def parquet_pieces(frames: Iterable[pl.DataFrame], schema: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield frames as Parquet; its footer names every row group, so it is written to a temporary file first."""
    found = iter(frames)
    asked = copy_context()  # polars reads in a thread of its own, and frames may be asked in somebody's role

    def source(
        with_columns: list[str] | None,  # noqa: ARG001 - everything is written
        predicate: pl.Expr | None,  # noqa: ARG001
        n_rows: int | None,  # noqa: ARG001
        batch_size: int | None,  # noqa: ARG001
    ) -> Iterator[pl.DataFrame]:
        while (frame := asked.run(next, found, None)) is not None:
            yield frame

    with TemporaryFile() as file:
        register_io_source(source, schema=dict(schema)).sink_parquet(file)
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece
