"""A store of two edges of which one brings its backlog an hour late; straight into the log, without a broker."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from core.wire import Batch, decode, encode
from ingest.feed import StoreFeed, restore
from storage.connect import Connection, in_transaction
from storage.log.signals import LogEntry, append
from storage.stores import edge_numbers

S = 1_000_000_000
BEGIN = 1_772_445_600 * S  # 2026-03-02 10:00 UTC
PAUSE_S = 1200
SHOPPER, OTHER, CLERK = (bytes([n]) * 16 for n in (1, 2, 3))
HERE, THERE = ("a0", "a1"), ("a2", "a3")
"""Anchors of the edge that is heard at once, and of the one that is late."""


@dataclass(frozen=True)
class Heard:
    """A stay of a device before an anchor, in seconds after BEGIN; anchors of the same edge hear it weakly."""

    device: bytes
    anchor: str
    from_s: int
    until_s: int


def in_pieces(heard: list[Heard], piece_s: int = 10) -> list[Heard]:
    """Stays as an edge tells them while they last: ten seconds at a time, in order."""
    pieces = [
        Heard(stay.device, stay.anchor, at, min(at + piece_s, stay.until_s))
        for stay in heard
        for at in range(stay.from_s, stay.until_s, piece_s)
    ]
    return sorted(pieces, key=lambda piece: piece.until_s)


def batches(boot: bytes, heard: list[Heard], anchors: tuple[str, ...]) -> list[bytes]:
    """One batch a stay: an advert a second, at every anchor of one edge."""
    made = []
    for number, stay in enumerate(heard):
        seconds = np.arange(stay.from_s, stay.until_s)
        ts = np.repeat(BEGIN + seconds * S, len(anchors))
        anchor = np.tile(np.arange(len(anchors), dtype=np.uint16), len(seconds))
        near = np.array([name == stay.anchor for name in anchors])[anchor]
        made.append(
            encode(
                Batch(
                    boot=boot,
                    sequence=1 + number,
                    anchors=anchors,
                    devices=np.frombuffer(stay.device, np.uint8).reshape(1, 16),
                    ts=ts,
                    anchor=anchor,
                    device=np.zeros(len(ts), np.uint16),
                    rssi_dbm=np.where(near, -50, -82).astype(np.int16),
                )
            )
        )
    return made


class LateStore:
    """Appends batches and lets the store's engine take them in, as ingest does."""

    def __init__(self, connection: Connection, store_no: int) -> None:
        self.connection = connection
        self.store_no = store_no
        self.feed: StoreFeed = restore(connection, store_no)
        self.now_s = 0

    def bring(self, edge: str, payloads: list[bytes], *, arrived_s: int | None = None) -> None:
        """Append batches of an edge, each received when its last signal was heard or at `arrived_s`."""
        for payload in payloads:
            batch = decode(payload)
            at_ns = int(batch.ts.max()) if arrived_s is None else BEGIN + arrived_s * S
            entry = LogEntry(
                self.store_no, 0, batch.boot, batch.sequence, at_ns, len(batch), int(batch.ts.min()),
                int(batch.ts.max()), sha256(payload).digest(), payload,
            )  # fmt: skip
            in_transaction(self.connection, lambda connection, entry=entry: self._append(connection, edge, entry))  # type: ignore[misc]
        self.feed.catch_up(self.connection, stopped=lambda: False)
        self.feed.write(self.connection, snapshot=True)

    def _append(self, connection: Connection, edge: str, entry: LogEntry) -> None:
        number = edge_numbers(connection, [(self.store_no, edge)])[self.store_no, edge].edge_no
        append(connection, [LogEntry(**{**entry.__dict__, "edge_no": number})])

    def hour(self) -> None:
        """Let an edge tell of an hour: the shopper before a0 twice, and a clerk who stays; who else is not heard."""
        told = [
            Heard(SHOPPER, "a0", 0, 120),
            Heard(SHOPPER, "a0", 240, 360),
            Heard(OTHER, "a1", 100, 400),
        ]
        told.append(Heard(CLERK, "a1", 0, 3600 + PAUSE_S))
        self.bring("e1", batches(bytes(16), in_pieces(told), HERE))
        self.now_s = 3600 + PAUSE_S

    def backlog(self) -> None:
        """Let the other edge tell, too late, where the shopper was meanwhile."""
        made = batches(b"\1" * 16, [Heard(SHOPPER, "a2", 120, 240)], THERE)
        self.bring("e2", made, arrived_s=self.now_s)
