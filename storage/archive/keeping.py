"""What goes from an archive: days that are older than the policy, and the signals of people who were erased."""

import tempfile
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import polars as pl

from storage.archive.partitions import ROW_GROUP, Partition, checksum, fetch, partitions, put
from storage.archive.places import Place


def drop_before(place: Place, day: date) -> list[Partition]:
    """Take away the days before one; return them. The manifest goes first: half of a partition is none."""
    gone = [one for one in partitions(place) if one.day < day]
    for one in gone:
        place.remove(one.manifest)
        place.remove(one.part)
    return gone


def erase(
    place: Place, devices: Collection[bytes], *, told: Callable[[Partition, int], None] = lambda _, __: None
) -> int:
    """Write every partition anew that holds signals of these pseudonyms (16 bytes each), without them.

    Interrupted, it is called again: partitions that are done hold nothing of them any more.

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
    names = [device.hex() for device in devices]
    return sum(_erase(place, one, names, told) for one in partitions(place)) if names else 0


def _erase(place: Place, one: Partition, names: list[str], told: Callable[[Partition, int], None]) -> int:
    with tempfile.TemporaryDirectory(prefix="sojourn-archive-") as folder:
        held, made = Path(folder, "held"), Path(folder, "made")
        manifest = fetch(place, one, held)
        scan = pl.scan_parquet(held, glob=False)
        hers = pl.col("device").is_in(names)
        count = int(scan.filter(hers).select(pl.len()).collect().item())
        if not count:
            return 0
        scan.filter(~hers).sink_parquet(made, compression="zstd", row_group_size=ROW_GROUP)
        kept = msgspec.structs.replace(
            manifest,
            rows=manifest.rows - count,
            sha256=checksum(made),
            bytes=made.stat().st_size,
            archived_at=datetime.now(UTC),
        )
        put(place, one, made, kept, manifest)
    told(one, count)
    return count
