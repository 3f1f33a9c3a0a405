"""What converters make of recordings from elsewhere: a recording, its floor plan and its truth, in our contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import polars as pl

from core.errors import RecordingError
from core.floorplan import FloorPlan
from core.limits import NS_PER_S, NS_PER_US
from core.records import ClosedBy, Role, VisitKind
from simulators.recordings.rows import UNREADABLE, UNWRITTEN, must_be_file
from simulators.recordings.visits import VISITS_SCHEMA, write_visits, write_whole

RECORDING_SCHEMA: Final = pl.Schema(
    {"ts": pl.Int64, "store": pl.String, "anchor": pl.String, "device": pl.String, "rssi_dbm": pl.Float64}
)


class Converted(NamedTuple):
    """A recording from elsewhere."""

    signals: pl.DataFrame
    """RECORDING_SCHEMA, in order of arrival, impossible values kept as recorded."""
    plan: FloorPlan
    truth: pl.DataFrame
    """Columns and types of VISITS, bounds equal to the times themselves."""


class Files(NamedTuple):
    """Where a converted recording lies."""

    recording: Path
    plan: Path
    truth: Path


def write_converted(converted: Converted, folder: Path) -> Files:
    """Write a converted recording into a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(
            f"The folder cannot be made: {error.strerror}.", hint=UNWRITTEN, where=str(folder)
        ) from error
    files = Files(folder / "recording.parquet", folder / "plan.json", folder / "truth.csv")
    write_whole(converted.signals, files.recording)
    files.plan.write_bytes(msgspec.json.format(msgspec.json.encode(converted.plan), indent=2) + b"\n")
    write_visits(converted.truth, files.truth)
    return files


@contextmanager
def understood(where: Path) -> Iterator[None]:
    """Turn what fails where a table's values are not of the form that its names promise into a RecordingError."""
    try:
        yield
    except (*UNREADABLE, ArithmeticError, LookupError, TypeError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordingError(
            f"The tables cannot be converted: {first}.",
            hint="A column holds something else than its name says; is this the data set as it was published?",
            where=str(where),
        ) from error


def read_table(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """Read a table of a data set, CSV or Parquet; RecordingError unless it has all these columns."""
    must_be_file(path, "Give the folder into which the data set was unpacked.")
    try:
        table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    except UNREADABLE as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordingError(
            f"The table cannot be read: {first}.",
            hint=f"Expected is a table with the columns {', '.join(columns)}, from the data set's own folder.",
            where=str(path),
        ) from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise RecordingError(
            f"There is no column {missing[0]!r}.", hint=f"Expected are {', '.join(columns)}.", where=str(path)
        )
    return table.select(columns)


def ns(seconds: pl.Expr) -> pl.Expr:
    """Return seconds as whole microseconds in ns."""
    return (seconds * (NS_PER_S // NS_PER_US)).round().cast(pl.Int64) * NS_PER_US


def truth_frame(stays: pl.DataFrame, store: str) -> pl.DataFrame:
    """Return what is known as VISITS: the given zone visits, and one store visit a device around its own.

    Parameters
    ----------
    stays : DataFrame
        `device`, `zone`, `entered_at`, `left_at` (ns).
    store : str
        The store of all of them.
    """
    around = stays.group_by("device").agg(
        pl.lit("").alias("zone"), pl.col("entered_at").min(), pl.col("left_at").max()
    )
    kinds = [(VisitKind.ZONE, stays), (VisitKind.STORE, around.select(stays.columns))]
    visits = pl.concat([table.with_columns(pl.lit(kind.word).alias("kind")) for kind, table in kinds])
    return visits.with_columns(
        pl.lit(store).alias("store"),
        *(pl.col("entered_at").alias(name) for name in ("entered_earliest", "entered_latest")),
        *(pl.col("left_at").alias(name) for name in ("left_earliest", "left_latest")),
        # by numpy, which rounds .3 s to .3; polars multiplies by the reciprocal
        pl.Series("dwell_s", (visits["left_at"] - visits["entered_at"]).to_numpy() / NS_PER_S),
        pl.lit(1.0).alias("confidence"),
        pl.lit(0, pl.Int64).alias("signals"),
        pl.lit(ClosedBy.MOVED_ON.word).alias("closed_by"),
        pl.lit(Role.VISITOR.word).alias("role"),
    ).select(VISITS_SCHEMA.names())
