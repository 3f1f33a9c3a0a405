"""What goes from an archive: days that are older than the policy, and the signals of people who were erased."""

import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import polars as pl

from core.privacy.suppression import Spans
from storage.archive.partitions import ROW_GROUP, Partition, checksum, fetch, partitions, put, read_manifest
from storage.archive.places import Place


def drop_before(place: Place, day: date) -> list[Partition]:
    """Take away the days before one; return them. The manifest goes first: half of a partition is none."""
    gone = [one for one in partitions(place) if one.day < day]
    for one in gone:
        place.remove(one.manifest)
        place.remove(one.part)
    return gone


def erase(
    place: Place,
    spans: Spans,
    version: int | None = None,
    *,
    told: Callable[[Partition, int], None] = lambda _, __: None,
) -> int:
    """Write every partition anew that holds signals of somebody who was erased, without them.

    Interrupted, it is called again: partitions that are done hold nothing of them any more.

    Parameters
    ----------
    place : Place
    spans : callable
        Tells of a pseudonym when it was that of somebody who was erased.
    version : int, optional
        Of the suppression list that `spans` knows: partitions that were gone through with it are left.
    told : callable
        Told of each partition that was written anew, and how many signals went.

    Returns
    -------
    int
        How many signals went.

    Raises
    ------
    InputError
        If a partition is damaged.
    UnavailableError
        If the archive is away.
    """
    return sum(_erase(place, one, spans, version, told) for one in partitions(place))


def _erase(
    place: Place, one: Partition, spans: Spans, version: int | None, told: Callable[[Partition, int], None]
) -> int:
    known = read_manifest(place, one)
    if version is not None and known is not None and known.next is None and known.list_version >= version:
        return 0
    with tempfile.TemporaryDirectory(prefix="sojourn-archive-") as folder:
        held, made = Path(folder, "held"), Path(folder, "made")
        before = fetch(place, one, held)
        manifest = msgspec.structs.replace(before, list_version=max(before.list_version, version or 0))
        scan = pl.scan_parquet(held, glob=False)
        hers = _hers(scan, spans)
        count = 0 if hers is None else int(scan.filter(hers).select(pl.len()).collect().item())
        if hers is None or not count:
            if manifest != known:
                place.write(one.manifest, msgspec.json.encode(manifest))
            return 0
        scan.filter(~hers).sink_parquet(made, compression="zstd", row_group_size=ROW_GROUP)
        kept = msgspec.structs.replace(
            manifest,
            rows=manifest.rows - count,
            sha256=checksum(made),
            bytes=made.stat().st_size,
            archived_at=datetime.now(UTC),
        )
        put(place, one, made, kept, before)
    told(one, count)
    return count


def _hers(scan: pl.LazyFrame, spans: Spans) -> pl.Expr | None:
    """Return which rows are of somebody who was erased; None if nobody here was."""
    found = [
        (pl.col("device") == device) & (pl.col("ts") >= span.from_ns) & (pl.col("ts") < span.until_ns)
        for device in scan.select("device").unique().collect()["device"].to_list()
        for span in spans(bytes.fromhex(device))
    ]
    return pl.any_horizontal(found) if found else None
