"""Signals of an archive by their time, as decoding again reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.privacy.suppression import Spans
from storage.archive.partitions import DAY_NS, SCHEMA, Partition, fetch, hers, partitions, read_manifest
from storage.archive.places import Place
from storage.archive.workspace import Workspace

BLOCK_NS: Final = 3_600_000_000_000
"""Read at a time: an hour of a store with 1,000 signals a second is 80 MB."""
_COLUMNS: Final = ("ts", "anchor", "device", "rssi_dbm")


@dataclass(frozen=True)
class Block:
    """Signals in order of time; `anchor` and `device` are places in the two tables of their names.

    `devices` is uint8 of shape (k, 16).
    """

    ts: NDArray[np.int64]
    anchor: NDArray[np.int32]
    device: NDArray[np.int32]
    rssi_dbm: NDArray[np.int16]
    anchors: list[str]
    devices: NDArray[np.uint8]


@dataclass(frozen=True)
class Reach:
    """What an archive holds of a store: from `first_ns` on, and whether nothing came before.

    `before_ns` is the newest signal of partitions that hold rows up to a log number, None where none does.
    """

    first_ns: int
    whole_before: bool
    before_ns: int | None


def reach(place: Place, store: str, after: int) -> Reach | None:
    """Return how far an archive reaches for a store; None if it holds nothing of it."""
    told = [(one, read_manifest(place, one)) for one in partitions(place, store)]
    held = [(one, manifest) for one, manifest in told if manifest is not None]
    if not held:
        return None
    older = [manifest.last_ns for _, manifest in held if manifest.first_log_no <= after]
    return Reach(held[0][0].begin_ns, held[0][1].whole_before, max(older, default=None))


class ArchiveBlocks:
    """Blocks of a store's archive; partitions are copied here as they are needed, and gone with this object.

    Parameters
    ----------
    place : Place
    store : str
        Its id.
    after : int
        Rows of the log up to this number are left out.
    from_ns, until_ns : int
        What will be asked for at most.
    spans : callable or None
        Tells who was erased: their signals are left out. An archive may not have been gone through since.
    """

    def __init__(
        self, place: Place, store: str, after: int, *, from_ns: int, until_ns: int, spans: Spans | None
    ) -> None:
        self._place = place
        self._after = after
        self._spans = spans
        self._workspace = Workspace()  # gone with this object: a worker that does many days does not keep their files
        self._parts = {
            one.begin_ns: one
            for one in partitions(place, store)
            if one.begin_ns < until_ns and one.begin_ns + DAY_NS > from_ns
        }
        self._held: tuple[int, Block] | None = None
        self._day: tuple[int, Path] | None = None

    def blocks(self, start_ns: int, stop_ns: int) -> Iterator[Block]:
        """Yield the signals of `start_ns` <= t < `stop_ns`, in order of time."""
        for begin in range(start_ns // BLOCK_NS * BLOCK_NS, stop_ns, BLOCK_NS):
            block = self._block(begin)
            low, high = np.searchsorted(block.ts, [start_ns, stop_ns])
            if low < high:
                yield Block(
                    block.ts[low:high],
                    block.anchor[low:high],
                    block.device[low:high],
                    block.rssi_dbm[low:high],
                    block.anchors,
                    block.devices,
                )

    def _block(self, begin: int) -> Block:
        if self._held is None or self._held[0] != begin:
            self._held = (begin, self._read(begin))
        return self._held[1]

    def _read(self, begin: int) -> Block:
        path = self._path(begin // DAY_NS * DAY_NS)
        if path is None:
            return _block(pl.DataFrame(schema={name: SCHEMA[name] for name in _COLUMNS}))
        wanted = pl.col("ts").is_between(begin, begin + BLOCK_NS, closed="left") & (pl.col("log_no") > self._after)
        scan = pl.scan_parquet(path, glob=False).filter(wanted).select(_COLUMNS)
        frame = scan.collect()
        erased = None if self._spans is None else hers(frame["device"].unique(), self._spans)
        return _block((frame if erased is None else frame.filter(~erased)).sort("ts", maintain_order=True))

    def _path(self, day_ns: int) -> Path | None:
        """Return a copy of a day's file; that of the day before is gone then."""
        one: Partition | None = self._parts.get(day_ns)
        if one is None:
            return None
        if self._day is None or self._day[0] != day_ns:
            if self._day is not None:
                self._day[1].unlink(missing_ok=True)
            path = self._workspace.folder / str(day_ns)
            fetch(self._place, one, path)
            self._day = (day_ns, path)
        return self._day[1]


def _block(frame: pl.DataFrame) -> Block:
    anchors, anchor_at = _numbered(frame["anchor"])
    devices, device_at = _numbered(frame["device"])
    return Block(
        frame["ts"].to_numpy(),
        anchor_at,
        device_at,
        frame["rssi_dbm"].to_numpy(),
        anchors,
        np.frombuffer(b"".join(bytes.fromhex(name) for name in devices), np.uint8).reshape(-1, 16),
    )


def _numbered(names: pl.Series) -> tuple[list[str], NDArray[np.int32]]:
    """Return the names there are, and which one each is."""
    ranks = names.rank("dense").cast(pl.Int32).to_numpy() - 1
    return names.unique().sort().to_list(), ranks.astype(np.int32)
