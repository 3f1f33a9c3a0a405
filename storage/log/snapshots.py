"""Snapshots of the engines: two generations a store, checked when they are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

import structlog
import zstandard

from storage.connect import Connection

GENERATIONS: Final = 2
"""The newest, and one more for the case that it is torn."""
_LEVEL: Final = 1  # states are mostly floats; higher levels cost time and save little

_log = structlog.get_logger()


@dataclass(frozen=True)
class Snapshot:
    """The state of a store's engine after the place `log_no` of the log.

    `engine` is the version that wrote it; `decoded`, `late` and `repeated` count the signals of the engines before
    it, under earlier plans; `model_version` is the model it decoded with (0: the priors).
    """

    log_no: int
    engine: str
    state: bytes
    decoded: int = 0
    late: int = 0
    repeated: int = 0
    model_version: int = 0


def save_snapshot(connection: Connection, store_no: int, snapshot: Snapshot) -> None:
    """Keep a snapshot and drop all but GENERATIONS; inside the transaction that writes the visits before it."""
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(snapshot.state)
    connection.execute(
        "insert into engine_snapshot (store_no, log_no, engine, decoded, late, repeated, model_version, sha256,"
        " state) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (store_no, log_no) do update set engine = excluded.engine, decoded = excluded.decoded,"
        " late = excluded.late, repeated = excluded.repeated, model_version = excluded.model_version,"
        " sha256 = excluded.sha256, state = excluded.state, taken_at = now()",
        [
            store_no,
            snapshot.log_no,
            snapshot.engine,
            snapshot.decoded,
            snapshot.late,
            snapshot.repeated,
            snapshot.model_version,
            _digest(snapshot, packed),
            packed,
        ],
        binary=True,
    )
    connection.execute(
        "delete from engine_snapshot where store_no = %s and log_no not in"
        " (select log_no from engine_snapshot where store_no = %s order by log_no desc limit %s)",
        [store_no, store_no, GENERATIONS],
    )


def good_snapshots(connection: Connection, store_no: int) -> Iterator[Snapshot]:
    """Yield the snapshots of a store, newest first; one that is torn or flipped is passed over with a warning."""
    generations = connection.execute(
        "select log_no from engine_snapshot where store_no = %s order by log_no desc", [store_no]
    ).fetchall()
    for (log_no,) in generations:
        with connection.cursor(binary=True) as cursor:
            row = cursor.execute(
                "select engine, decoded, late, repeated, model_version, sha256, state from engine_snapshot"
                " where store_no = %s and log_no = %s",
                [store_no, log_no],
            ).fetchone()
        if row is None:
            continue
        engine, decoded, late, repeated, model_version, digest, packed = row
        told = Snapshot(log_no, engine, bytes(packed), decoded, late, repeated, model_version)
        if _digest(told, packed) != bytes(digest):
            _log.warning("a snapshot is damaged, the one before it is used", store_no=store_no, log_no=log_no)
            continue
        yield replace(told, state=zstandard.ZstdDecompressor().decompress(told.state))


def keep_only(connection: Connection, store_no: int, log_nos: Sequence[int]) -> int:
    """Remove all other snapshots of a store; return how many went."""
    return connection.execute(
        "delete from engine_snapshot where store_no = %s and not log_no = any(%s)", [store_no, list(log_nos)]
    ).rowcount


def _digest(snapshot: Snapshot, packed: bytes) -> bytes:
    """Return the checksum of a row: of its place and counts as well, for a state at another place counts twice."""
    told = (snapshot.log_no, snapshot.engine, snapshot.decoded, snapshot.late, snapshot.repeated)
    return sha256(repr((*told, snapshot.model_version)).encode() + packed).digest()
