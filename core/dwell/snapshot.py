"""An engine's state as bytes: a versioned MessagePack map behind a checksum."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import SnapshotError
from core.identity import nobody
from core.limits import PSEUDONYM_BYTES

VERSION: Final = 15
"""Counts up with what is kept and with what becomes of it: another version's snapshot is not gone on from, the log is
replayed. 9: who stood before an anchor that is back is waited for from then on. 10: who had left before an anchor
went down has left, however signals were cut. 11: anchors that are deserted, and what an
outage does to bounds and gaps; bounds that agree. 13: an app's word of
leaving counts only before the timeout; who falls silent beside an anchor that is down. 14: since when
the last zone may have been left."""
_MAGIC: Final = b"SJNSNAP"
_SUM_BYTES: Final = 32
_HEAD_BYTES: Final = len(_MAGIC) + 1 + _SUM_BYTES


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that an engine remembers; arrays as raw little-endian bytes."""

    fingerprint: bytes  # of plan, model and settings
    devices: bytes
    devices_free: bytes
    devices_named: bytes
    device_state: bytes
    device_bytes: int
    nodes: bytes
    free: bytes
    cursor: bytes
    silence: bytes
    watch: bytes
    present: bytes
    open_stays: bytes
    residents: bytes
    pending: bytes
    newest: list[tuple[int, int]]
    expected: list[int]
    stopped: list[int]
    hold_until_us: int
    arrived_us: int
    heard_us: int
    spoke: list[tuple[int, int]]
    watermark_us: int
    newest_us: int
    frontier_us: int
    swept_us: int
    hour: int
    forgotten: int
    decoded: int
    late: int
    repeated: int
    heartbeats: list[tuple[int, int, int]]
    covered_us: int | None
    hours: list[tuple[int, int, int, int]]


def pack(state: State) -> bytes:
    """Return a state as bytes: magic, version, BLAKE2b-256 of the rest, the map."""
    body = msgspec.msgpack.encode(state)
    return _MAGIC + bytes([VERSION]) + _digest(body) + body


def redacted(data: bytes, erased: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]) -> bytes | None:
    """Return a snapshot with nobody in the place of devices that are erased; None if it holds none of them.

    What `DeviceTable.redact` does to a running engine, so that both go on alike.

    Raises
    ------
    SnapshotError
        If it cannot be read.
    """
    state = unpack(data)
    rows = np.frombuffer(state.devices, np.uint8).reshape(-1, PSEUDONYM_BYTES).copy()
    index = np.flatnonzero(erased(rows))
    if not len(index):
        return None
    rows[index] = nobody(index)
    return pack(msgspec.structs.replace(state, devices=rows.tobytes()))


def unpack(data: bytes) -> State:
    """Read what `pack` wrote.

    Raises
    ------
    SnapshotError
        If it is no snapshot, of another version, cut short or changed in any byte.
    """
    hint = "Start from an older snapshot, or empty, and replay the signal log."
    if len(data) < _HEAD_BYTES or data[: len(_MAGIC)] != _MAGIC:
        raise SnapshotError("These bytes are not an engine snapshot.", hint=hint)
    if data[len(_MAGIC)] != VERSION:
        raise SnapshotError(f"The snapshot is of version {data[len(_MAGIC)]}, not {VERSION}.", hint=hint)
    body = data[_HEAD_BYTES:]
    if _digest(body) != data[len(_MAGIC) + 1 : _HEAD_BYTES]:
        raise SnapshotError("The snapshot is torn or changed: its checksum is another.", hint=hint)
    try:
        return msgspec.msgpack.decode(body, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SnapshotError(f"The snapshot cannot be read: {error}.", hint=hint) from error


def array(data: bytes, dtype: Any) -> NDArray[Any]:
    """Return bytes as a writable array of their own."""
    return np.frombuffer(data, dtype).copy()


def _digest(body: bytes) -> bytes:
    return blake2b(bytes([VERSION]) + body, digest_size=_SUM_BYTES, person=b"sojourn-snapshot").digest()
