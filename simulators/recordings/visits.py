"""VISITS: what a replay found, and what a truth says; CSV or Parquet by its ending."""

import os
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from core.errors import RecordingError
from core.floorplan import StorePlan
from core.limits import NS_PER_S
from core.records import NO_ZONE, ClosedBy, Role, VisitArray, VisitKind
from simulators.recordings.rows import UNREADABLE, UNWRITTEN, must_be_file
from simulators.recordings.signals import Devices
from simulators.recordings.times import TIME_BEFORE_NS

VISITS_SCHEMA: Final = pl.Schema(
    {
        "kind": pl.String,
        "store": pl.String,
        "device": pl.String,
        "zone": pl.String,
        "entered_at": pl.Int64,
        "left_at": pl.Int64,
        "entered_earliest": pl.Int64,
        "entered_latest": pl.Int64,
        "left_earliest": pl.Int64,
        "left_latest": pl.Int64,
        "dwell_s": pl.Float64,
        "confidence": pl.Float64,
        "signals": pl.Int64,
        "closed_by": pl.String,
        "role": pl.String,
    }
)
"""Columns in their order; `kind` is zone or store, `zone` empty on a store visit, times ns since 1970 in UTC."""

TRUTH_COLUMNS: Final = ("kind", "store", "device", "zone", "entered_at", "left_at")
"""What a truth has to have."""

_TIMES: Final = (
    "entered_at", "left_at", "entered_earliest", "entered_latest", "left_earliest", "left_latest"
)  # fmt: skip
_ORDER: Final = ("store", "entered_at", "device", "kind", "zone", "left_at")
_CONFIDENCE_DIGITS: Final = 6  # float32 carries seven, and .9 shall not be written as .8999999761581421
_ENDINGS: Final = (".csv", ".parquet")


def visits_frame(store: StorePlan, devices: Devices, visits: VisitArray) -> pl.DataFrame:
    """Return visits of one store as rows of VISITS_SCHEMA; of a visit that was corrected only the newest revision."""
    zones = pl.Series([*(zone.id for zone in store.zones), ""], dtype=pl.String)
    zone = np.where(visits["zone"] == NO_ZONE, len(store.zones), visits["zone"]).astype(np.int64)
    kinds = pl.Series([kind.word for kind in VisitKind])
    words = pl.Series([closed_by.word for closed_by in ClosedBy])
    roles = pl.Series([role.word for role in Role])
    frame = pl.DataFrame(
        {
            "kind": kinds.gather(visits["kind"].astype(np.int64)),
            "store": pl.Series([store.id], dtype=pl.String).gather(np.zeros(len(visits), np.int64)),
            "device": devices.names(visits["device"]),
            "zone": zones.gather(zone),
            **{name: np.ascontiguousarray(visits[name]) for name in _TIMES},
            "dwell_s": (visits["left_at"] - visits["entered_at"]) / NS_PER_S,
            "confidence": visits["confidence"].astype(np.float64).round(_CONFIDENCE_DIGITS),
            "signals": visits["signals"].astype(np.int64),
            "closed_by": words.gather(visits["closed_by"].astype(np.int64)),
            "role": roles.gather(visits["role"].astype(np.int64)),
            "revision": np.ascontiguousarray(visits["revision"]),
        }
    )
    newest = frame.sort("revision").unique(["kind", "device", "zone", "entered_at"], keep="last")
    return newest.select(pl.col(name).cast(kind) for name, kind in VISITS_SCHEMA.items())


def check_ending(path: Path) -> None:
    """Raise RecordingError where a path ends neither in .csv nor in .parquet: files are read and written by it."""
    if path.suffix.lower() not in _ENDINGS:
        raise RecordingError(
            f"The ending {path.suffix!r} is that of neither CSV nor Parquet.",
            hint="End it with .csv or .parquet.",
            where=str(path),
        )


def write_visits(visits: pl.DataFrame, path: Path) -> None:
    """Write VISITS in their fixed order: store, entered_at, device, kind, zone, left_at.

    The file is there as a whole or not at all.
    """
    write_whole(visits.select(VISITS_SCHEMA.names()).sort(_ORDER), path)


def write_whole(frame: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet by its ending, as a whole or not at all."""
    check_ending(path)
    begun = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.suffix.lower() == ".csv":
            frame.write_csv(begun)
        else:
            frame.write_parquet(begun, compression="zstd")
        begun.replace(path)
    except UNREADABLE as error:
        begun.unlink(missing_ok=True)
        raise RecordingError(f"The file cannot be written: {error}.", hint=UNWRITTEN, where=str(path)) from error


def read_visits(path: Path) -> pl.DataFrame:
    """Read VISITS or a truth.

    Returns
    -------
    DataFrame
        TRUTH_COLUMNS and whatever else of VISITS_SCHEMA the file has, with the types of VISITS_SCHEMA.

    Raises
    ------
    RecordingError
        If the file cannot be read, lacks a column, or holds a visit that cannot be.
    """
    check_ending(path)
    must_be_file(path)
    try:
        scan = pl.scan_parquet(path) if path.suffix.lower() == ".parquet" else _scan_csv(path)
        names = scan.collect_schema().names()
        missing = [name for name in TRUTH_COLUMNS if name not in names]
        if missing:
            raise RecordingError(
                f"There is no column {missing[0]!r}.",
                hint=f"Visits have at least the columns {', '.join(TRUTH_COLUMNS)}.",
                where=str(path),
            )
        typed = [pl.col(name).cast(kind) for name, kind in VISITS_SCHEMA.items() if name in names]
        frame = scan.select(typed).with_columns(pl.col("zone").fill_null("")).collect()
    except UNREADABLE as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordingError(
            f"The visits cannot be read: {first}.",
            hint="They are CSV or Parquet as `sojourn replay` writes them; docs/replay.md names their columns.",
            where=str(path),
        ) from error
    _check(frame, str(path))
    return frame


def _scan_csv(path: Path) -> pl.LazyFrame:
    return pl.scan_csv(path, infer_schema=False)


def _check(frame: pl.DataFrame, where: str) -> None:
    empty = [name for name in TRUTH_COLUMNS if frame[name].null_count()]
    if empty:
        raise RecordingError(f"The column {empty[0]!r} has a gap.", hint="Fill it in.", where=where)
    words = [kind.word for kind in VisitKind]
    strange = frame.filter(pl.col("kind").is_in(words).not_())
    if len(strange):
        raise RecordingError(
            f"{strange['kind'][0]!r} is no kind of visit.", hint=f"Write {' or '.join(words)}.", where=where
        )
    times = [name for name in _TIMES if name in frame.columns]
    impossible = frame.filter(
        pl.any_horizontal((pl.col(name) < 0) | (pl.col(name) >= TIME_BEFORE_NS) for name in times)
    )
    if len(impossible):
        first = impossible.row(0, named=True)
        name = next(name for name in times if first[name] is not None and not 0 <= first[name] < TIME_BEFORE_NS)
        raise RecordingError(
            f"The visit of {first['device']!r} has an impossible {name}: {first[name]}.",
            hint="Times are nanoseconds since 1970, up to the year 2116.",
            where=where,
        )
    backwards = frame.filter(pl.col("left_at") < pl.col("entered_at"))
    if len(backwards):
        raise RecordingError(
            f"The visit of {backwards['device'][0]!r} that was entered at {backwards['entered_at'][0]} ends before.",
            hint="left_at is never earlier than entered_at.",
            where=where,
        )
