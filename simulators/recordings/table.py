"""A CSV of one's own: other column names, another unit of time, no column for the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from core.dwell.settings import Settings
from core.errors import ConfigurationError, RecordingError
from core.limits import NS_PER_US, STORES_PER_PLAN
from simulators.recordings.converted import RECORDING_SCHEMA
from simulators.recordings.parquet import ROWS_AT_A_TIME
from simulators.recordings.rows import COLUMNS, UNREADABLE, must_be_file
from simulators.recordings.visits import check_ending
from simulators.replay.files import keep_apart

TimeUnit: TypeAlias = Literal["ns", "us", "ms", "s", "iso"]

_US_IN: Final = {"us": 1, "ms": 1_000, "s": 1_000_000}
_OFFSET: Final = r":\d{2}(\.\d+)?[+-]\d{2}:?\d{2}$"
_NAMED: Final = 12
"""Columns that a sentence names: a table of one's own has fewer, noise any number."""


def columns_from(words: Sequence[str]) -> dict[str, str]:
    """Read a mapping of columns from words of the form NAME=SOURCE; ConfigurationError where one is not."""
    columns: dict[str, str] = {}
    for word in words:
        name, sign, source = word.partition("=")
        if not sign or not source:
            raise ConfigurationError(
                f"{word!r} does not name a column.", hint="Write the recording's name first: ts=when."
            )
        columns[name] = source
    return columns


class Rewritten(NamedTuple):
    """How many rows were written, and of how many of them the time or the level could not be read, or is late."""

    rows: int
    timeless: int
    levelless: int
    late: int
    """So far behind an earlier row of their store that a replay leaves them out."""


def convert_table(
    source: Path,
    out: Path,
    columns: Mapping[str, str],
    *,
    store: str | None = None,
    unit: TimeUnit = "ns",
    separator: str = ",",
    ordered: bool = True,
) -> Rewritten:
    """Rewrite a CSV as a recording; of any size, in bounded memory unless it has to be sorted.

    Values that cannot be read are left empty, so that the replay counts them as rejects.

    Parameters
    ----------
    source : Path
        CSV with a header.
    out : Path
        RECORDING, CSV or Parquet by its ending.
    columns : mapping of str to str
        What a column of the recording (`ts`, `store`, `anchor`, `device`, `rssi_dbm`) is called in the source; what
        is not named is called the same there.
    store : str, optional
        The store of all rows, where the source has no column for it.
    unit : {"ns", "us", "ms", "s", "iso"}
        How `ts` is written; "iso" is ISO 8601, UTC where it has no offset.
    separator : str
        What stands between the fields.
    ordered : bool
        Whether the rows are in order of arrival; otherwise they are sorted by time.

    Returns
    -------
    Rewritten

    Raises
    ------
    ConfigurationError
        If `columns` names something that a recording does not have.
    RecordingError
        If the source cannot be read at all or lacks a column, or not one time is of this unit.
    """
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise ConfigurationError(
            f"A recording has no column {unknown[0]!r}.", hint=f"Its columns are {', '.join(COLUMNS)}."
        )
    check_ending(out)
    keep_apart([out], [source])
    must_be_file(source, "Give the path of a CSV.")
    wanted = {name: columns.get(name, name) for name in COLUMNS if name != "store" or store is None}
    begun = out.with_name(f".{out.name}.part")
    try:
        scan = pl.scan_csv(source, separator=separator, infer_schema=False, truncate_ragged_lines=True, glob=False)
        _check(scan.collect_schema().names(), wanted, str(source))
        rows = scan.select(
            _time(pl.col(wanted["ts"]), unit).alias("ts"),
            (_one_line(pl.col(wanted["store"])) if store is None else pl.lit(store)).alias("store"),
            _one_line(pl.col(wanted["anchor"])).alias("anchor"),
            _one_line(pl.col(wanted["device"])).alias("device"),
            pl.col(wanted["rssi_dbm"]).str.strip_chars().cast(pl.Float64, strict=False).alias("rssi_dbm"),
        ).cast(RECORDING_SCHEMA)
        rows = rows if ordered else rows.sort("ts", maintain_order=True, nulls_last=True)
        if out.suffix.lower() == ".csv":
            rows.sink_csv(begun)
        else:
            rows.sink_parquet(begun)
        rewritten = _count(begun, out.suffix.lower())
        if rewritten.rows and rewritten.timeless == rewritten.rows:
            begun.unlink()
            raise RecordingError(
                f"Of {rewritten.rows:,} rows not one time can be read as {unit}.",
                hint="--unit says how times are written (ns, us, ms, s, iso), --column ts=… where they stand.",
                where=str(source),
            )
        begun.replace(out)
    except UNREADABLE as error:
        begun.unlink(missing_ok=True)
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordingError(
            f"The table cannot be converted: {first}.",
            hint="Expected is a CSV in UTF-8 with a header; --separator says what stands between fields.",
            where=str(source),
        ) from error
    return rewritten


def _count(made: Path, ending: str) -> Rewritten:
    csv = ending == ".csv"
    scan = pl.scan_csv(made, schema_overrides=dict(RECORDING_SCHEMA)) if csv else pl.scan_parquet(made)
    newest: dict[str, int] = {}
    rows = timeless = levelless = late = 0
    for part in scan.collect_batches(chunk_size=ROWS_AT_A_TIME, maintain_order=True):
        rows += len(part)
        timeless += part["ts"].null_count()
        levelless += part["rssi_dbm"].null_count()
        late += _late(part.drop_nulls("ts"), newest)
    return Rewritten(rows, timeless, levelless, late)


def _late(part: pl.DataFrame, newest: dict[str, int]) -> int:
    """Count rows far behind the newest of their store; `newest` goes along from part to part."""
    late = 0
    for (store,), rows in part.group_by("store", maintain_order=True):
        known = newest.get(str(store), int(rows["ts"][0]))
        reached = np.maximum(np.maximum.accumulate(rows["ts"].to_numpy()), known)
        late += int(np.count_nonzero(reached - rows["ts"].to_numpy() > Settings().lateness_ns))
        if str(store) in newest or len(newest) < STORES_PER_PLAN:
            newest[str(store)] = int(reached[-1])
    return late


def _one_line(text: pl.Expr) -> pl.Expr:
    """Put blanks for line breaks within a name: a recording has one row a line."""
    return text.str.replace_all(r"[\r\n]+", " ")


def _time(text: pl.Expr, unit: TimeUnit) -> pl.Expr:
    trimmed = text.str.strip_chars()
    if unit == "ns":
        return trimmed.cast(pl.Int64, strict=False)
    if unit == "iso":
        # polars takes the form of the first row for all of them: an offset is one row's own matter
        named = trimmed.str.replace(r"[zZ]$", "+00:00")
        whole = pl.when(named.str.contains(_OFFSET)).then(named).otherwise(named + "+00:00")
        own = whole.str.replace(r"[ t]", "T").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)
        parsed = pl.coalesce(own, trimmed.str.to_datetime(time_unit="us", time_zone="UTC", strict=False))
        return _possible(parsed.dt.epoch("us")) * NS_PER_US
    us = trimmed.cast(pl.Float64, strict=False) * _US_IN[unit]  # a double holds the microseconds of any date
    return _possible(us.round()).cast(pl.Int64, strict=False) * NS_PER_US


def _possible(us: pl.Expr) -> pl.Expr:
    """Leave out what no 64 bits of nanoseconds hold: a time in another unit, as a rule."""
    return pl.when(us.abs() < np.iinfo(np.int64).max // NS_PER_US).then(us)


def _check(names: list[str], wanted: Mapping[str, str], where: str) -> None:
    for name, called in wanted.items():
        if called not in names:
            raise RecordingError(
                f"There is no column {called!r} for {name!r}.",
                hint=f"The columns are {_named(names)}; say which one is meant: --column {name}=…",
                where=where,
            )


def _named(names: list[str]) -> str:
    """Return what a header holds as people can read it: it may be anything."""
    readable = ["".join(letter if letter.isprintable() else "?" for letter in name[:40]) for name in names]
    return ", ".join(readable[:_NAMED]) + (" …" if len(names) > _NAMED else "")
