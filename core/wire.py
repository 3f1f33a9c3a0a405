"""Batches on the wire: one MessagePack map, columns as little-endian binaries, optionally one zstd frame.

docs/wire.md is the specification for other languages. A JSON form of the same map is accepted for people who
start by hand. Reading is bounded in every dimension and vectorised: no Python per signal.
"""

from typing import Any, Final

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from core.errors import WireError
from core.limits import (
    ANCHORS_PER_STORE,
    BATCH_BYTES,
    BATCH_SIGNALS,
    BATCH_SPAN_US,
    BATCH_UNPACKED_BYTES,
    ID_CHARACTERS,
    NS_PER_US,
    PSEUDONYM_BYTES,
)

VERSION: Final = 1
BOOT_BYTES: Final = 16
SEQUENCE_MAX: Final = 2**63 - 1
"""PostgreSQL's bigint."""
_RSSI_HELD: Final = 32_767  # a level out of any range must still arrive, to be refused row by row
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
_ZSTD_LEVEL: Final = 1  # level 3 saved 4% more bytes for twice the time
_COMPRESS_FROM: Final = 512  # a smaller map does not shrink by more than the frame costs


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Signals that an edge dropped because its outbox was full, in place of the batches that held them.

    The batch that carries it stands for every sequence from `first` to its own, so the contiguous cursor goes on.
    `signals` were in them, between `from_ns` and `until_ns` (whole microseconds).
    """

    first: int
    signals: int
    from_ns: int
    until_ns: int


class Batch(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What an edge agent sends in one MQTT message.

    Rows are parallel columns of length n = len(ts): `ts` int64 ns (whole microseconds), `anchor` uint16 into
    `anchors`, `device` uint16 into the rows of `devices` (uint8, shape (k, PSEUDONYM_BYTES)), `rssi_dbm` int16.
    Identity is (edge, boot, sequence): `boot` is drawn anew at each start of the agent, `sequence` counts from 1.
    Store and edge stand in the topic. With a `gap` there are no rows.
    """

    boot: bytes
    sequence: int
    anchors: tuple[str, ...]
    devices: NDArray[np.uint8]
    ts: NDArray[np.int64]
    anchor: NDArray[np.uint16]
    device: NDArray[np.uint16]
    rssi_dbm: NDArray[np.int16]
    gap: Gap | None = None

    def __len__(self) -> int:
        return len(self.ts)


class _Dropped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gap inside the map: first sequence, signals, base..until in microseconds since 1970."""

    first: int
    n: int
    base: int
    until: int


class _Packed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The map itself; one letter a column keeps small batches small."""

    v: int
    boot: bytes
    seq: int
    base: int
    anchors: list[str]
    devices: bytes
    t: bytes
    a: bytes
    d: bytes
    r: bytes
    gap: _Dropped | None = None


class _Spelled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON form: the same map with lists, `boot` and `devices` as hex."""

    v: int
    boot: str
    seq: int
    base: int
    anchors: list[str]
    devices: list[str]
    t: list[int]
    a: list[int]
    d: list[int]
    r: list[int]
    gap: _Dropped | None = None


class _Named(msgspec.Struct, frozen=True):
    """Only what names a batch; everything else is passed over."""

    v: int
    boot: bytes
    seq: int


class _NamedSpelled(msgspec.Struct, frozen=True):
    """The same of the JSON form."""

    v: int
    boot: str
    seq: int


def encode(batch: Batch, *, compress: bool = True) -> bytes:
    """Return a batch as bytes, the same bytes for the same batch.

    Parameters
    ----------
    batch : Batch
        At most BATCH_SIGNALS rows spanning at most BATCH_SPAN_US; `ts` is floored to microseconds.
    compress : bool
        Wrap maps above a few hundred bytes in a zstd frame.

    Raises
    ------
    WireError
        If the batch would not be readable at the other end.
    """
    ts_us = batch.ts // NS_PER_US
    base = int(ts_us.min()) if len(ts_us) else 0
    offset = ts_us - base
    if len(offset) and int(offset.max()) > BATCH_SPAN_US:
        raise WireError(
            "span", "The signals of a batch lie more than 71 minutes apart.", hint="Send smaller batches."
        )
    _check_identity(batch.boot, batch.sequence)
    _check_shape(batch)
    packed = msgspec.msgpack.encode(
        _Packed(
            VERSION,
            batch.boot,
            batch.sequence,
            base,
            list(batch.anchors),
            np.ascontiguousarray(batch.devices).tobytes(),
            offset.astype("<u4").tobytes(),
            batch.anchor.astype("<u2").tobytes(),
            batch.device.astype("<u2").tobytes(),
            batch.rssi_dbm.clip(-128, 127).astype("i1").tobytes(),  # 127 is no level
            _pack_gap(batch.gap),
        )
    )
    if compress and len(packed) >= _COMPRESS_FROM:
        packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(packed)
    if len(packed) > BATCH_BYTES:
        raise WireError("size", f"A batch has at most {BATCH_BYTES} bytes, this one {len(packed)}.")
    return packed


def decode(payload: bytes) -> Batch:
    """Read a batch in any of its forms (MessagePack, zstd of it, JSON).

    Values inside the columns are not judged here except that every index has its entry: whether an anchor is
    known or a time plausible is ingest's to say, row by row.

    Raises
    ------
    WireError
        With `reason` one of size, zstd, encoding, version, identity, columns, ids.
    """
    if len(payload) > BATCH_BYTES:
        raise WireError("size", f"A batch has at most {BATCH_BYTES} bytes, this one {len(payload)}.")
    if payload[:4] == _ZSTD_MAGIC:
        payload = _decompress(payload)
    try:
        if payload[:1] == b"{":
            batch = _from_spelled(msgspec.json.decode(payload, type=_Spelled))
        else:
            batch = _from_packed(msgspec.msgpack.decode(payload, type=_Packed))
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("encoding", f"The batch is not a map of the expected form: {error}.") from error
    _check_identity(batch.boot, batch.sequence)
    _check_shape(batch)
    return batch


def identity(payload: bytes) -> tuple[bytes, int] | None:
    """Return (boot, sequence) of a batch that `decode` refuses, or None where they cannot be told.

    A batch of this version that names itself but holds unreadable signals can so be refused once, in its place;
    otherwise its edge would send it for ever and everything after it would wait. One of another version is left
    unnamed: a newer program will read it.
    """
    try:
        unpacked = _decompress(payload) if payload[:4] == _ZSTD_MAGIC else payload
        if unpacked[:1] == b"{":
            spelled = msgspec.json.decode(unpacked, type=_NamedSpelled)
            version, boot, sequence = spelled.v, bytes.fromhex(spelled.boot), spelled.seq
        else:
            named = msgspec.msgpack.decode(unpacked, type=_Named)
            version, boot, sequence = named.v, named.boot, named.seq
        _check_version(version)
        _check_identity(boot, sequence)
    except (msgspec.DecodeError, ValueError, RecursionError, WireError):
        return None
    return boot, sequence


def _decompress(payload: bytes) -> bytes:
    try:
        unpacked_bytes = zstandard.frame_content_size(payload)
        if unpacked_bytes > BATCH_UNPACKED_BYTES:
            raise WireError(
                "size", f"A batch unpacks to at most {BATCH_UNPACKED_BYTES} bytes, this one {unpacked_bytes}."
            )
        # without a stated size the bound itself is the buffer, so a bomb ends as an error, not as memory
        unpacked: bytes = zstandard.ZstdDecompressor().decompress(payload, max_output_size=BATCH_UNPACKED_BYTES)
    except zstandard.ZstdError as error:
        raise WireError("zstd", f"The zstd frame cannot be read: {error}.") from error
    return unpacked


def _from_packed(packed: _Packed) -> Batch:
    _check_version(packed.v)
    rows = len(packed.r)
    if len(packed.t) != 4 * rows or len(packed.a) != 2 * rows or len(packed.d) != 2 * rows:
        raise WireError("columns", "The columns t, a, d and r do not have the same number of rows.")
    if len(packed.devices) % PSEUDONYM_BYTES:
        raise WireError("columns", f"The column devices is not a multiple of {PSEUDONYM_BYTES} bytes.")
    return Batch(
        boot=packed.boot,
        sequence=packed.seq,
        anchors=tuple(packed.anchors),
        devices=np.frombuffer(packed.devices, np.uint8).reshape(-1, PSEUDONYM_BYTES),
        ts=_times(packed.base, np.frombuffer(packed.t, "<u4")),
        anchor=np.frombuffer(packed.a, "<u2"),
        device=np.frombuffer(packed.d, "<u2"),
        rssi_dbm=np.frombuffer(packed.r, "i1").astype(np.int16),
        gap=_read_gap(packed.gap),
    )


def _from_spelled(spelled: _Spelled) -> Batch:
    _check_version(spelled.v)
    try:
        boot = bytes.fromhex(spelled.boot)
        devices = b"".join(map(bytes.fromhex, spelled.devices))
    except ValueError as error:
        raise WireError("encoding", f"boot and devices are hexadecimal: {error}.") from error
    if any(len(device) != 2 * PSEUDONYM_BYTES for device in spelled.devices):
        raise WireError("columns", f"A device is a pseudonym of {2 * PSEUDONYM_BYTES} hexadecimal digits.")
    try:
        return Batch(
            boot=boot,
            sequence=spelled.seq,
            anchors=tuple(spelled.anchors),
            devices=np.frombuffer(devices, np.uint8).reshape(-1, PSEUDONYM_BYTES),
            ts=_times(spelled.base, np.array(spelled.t, "<u4")),
            anchor=np.array(spelled.a, "<u2"),
            device=np.array(spelled.d, "<u2"),
            rssi_dbm=np.clip(np.array(spelled.r, np.int64), -_RSSI_HELD, _RSSI_HELD).astype(np.int16),
            gap=_read_gap(spelled.gap),
        )
    except (OverflowError, ValueError) as error:
        raise WireError("columns", f"A column holds a number outside its range: {error}.") from error


def _pack_gap(gap: Gap | None) -> _Dropped | None:
    if gap is None:
        return None
    return _Dropped(gap.first, gap.signals, gap.from_ns // NS_PER_US, gap.until_ns // NS_PER_US)


def _read_gap(dropped: _Dropped | None) -> Gap | None:
    if dropped is None:
        return None
    _check_time(dropped.base)
    _check_time(dropped.until)
    return Gap(
        first=dropped.first,
        signals=dropped.n,
        from_ns=dropped.base * NS_PER_US,
        until_ns=dropped.until * NS_PER_US,
    )


def _check_time(at_us: int) -> None:
    if not 0 <= at_us <= 2**62 // NS_PER_US:  # the year 2116; keeps base + offset inside int64 ns
        raise WireError("columns", f"The time {at_us} is not in microseconds since 1970.")


def _times(base_us: int, offset_us: NDArray[Any]) -> NDArray[np.int64]:
    _check_time(base_us)
    return (offset_us.astype(np.int64) + base_us) * NS_PER_US


def _check_version(version: int) -> None:
    if version != VERSION:
        raise WireError("version", f"This is wire version {version}; version {VERSION} is spoken here.")


def _check_identity(boot: bytes, sequence: int) -> None:
    if len(boot) != BOOT_BYTES:
        raise WireError("identity", f"A boot id has {BOOT_BYTES} bytes, this one {len(boot)}.")
    if not 1 <= sequence <= SEQUENCE_MAX:
        raise WireError("identity", f"A sequence counts from 1, this one is {sequence}.")


def _check_shape(batch: Batch) -> None:
    rows = len(batch.ts)
    if not len(batch.anchor) == len(batch.device) == len(batch.rssi_dbm) == rows:
        raise WireError("columns", "The columns do not have the same number of rows.")
    if batch.gap is not None:
        _check_gap(batch.gap, batch.sequence, rows)
    elif not 1 <= rows <= BATCH_SIGNALS:
        raise WireError("columns", f"A batch has 1 to {BATCH_SIGNALS} signals, this one {rows}.")
    if len(batch.anchors) > ANCHORS_PER_STORE or len(batch.devices) > BATCH_SIGNALS:
        raise WireError("columns", "A batch names more anchors or devices than a store can have.")
    beyond = rows > 0 and (
        int(batch.anchor.max()) >= len(batch.anchors) or int(batch.device.max()) >= len(batch.devices)
    )
    if beyond:
        raise WireError("columns", "A row points at an anchor or device that the batch does not list.")
    if any(not 1 <= len(anchor) <= ID_CHARACTERS for anchor in batch.anchors):
        raise WireError("ids", f"An anchor id has 1 to {ID_CHARACTERS} characters.")


def _check_gap(gap: Gap, sequence: int, rows: int) -> None:
    if rows:
        raise WireError("columns", f"A batch with a gap has no signals, this one {rows}.")
    if not 1 <= gap.first <= sequence or not 0 <= gap.signals <= SEQUENCE_MAX or gap.until_ns < gap.from_ns:
        raise WireError("columns", "The gap does not say first sequence, signals and times in order.")
