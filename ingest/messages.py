"""What a message says: a batch, an edge's status, or nothing that can be read. Pure."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Final, Protocol, TypeAlias

import msgspec

from core.errors import WireError
from core.limits import BATCH_SIGNALS, NS_PER_US
from core.wire import Batch, Gap, decode, identity
from ingest import topics
from storage.log.dead_letters import DeadLetter

_STATUS_BYTES: Final = 262_144
"""A status lists at most 1,024 anchors of 64 characters, twice, with a time of 16 digits each: 165 kB."""


class Received(Protocol):
    """A message as the broker gave it; `received_at` is ns."""

    @property
    def topic(self) -> str: ...  # noqa: D102

    @property
    def payload(self) -> bytes: ...  # noqa: D102

    @property
    def received_at(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Arrival:
    """One batch of one edge, standing for the sequences `first` to `last` of its boot.

    `batch` is None where only its name could be read; `fault` says why.
    """

    store: str
    edge: str
    boot: bytes
    first: int
    last: int
    batch: Batch | None
    payload: bytes
    sha256: bytes
    received_at: int
    fault: WireError | None = None

    @property
    def held_bytes(self) -> int:
        """What it takes while it is parked."""
        columns = 0 if self.batch is None else 14 * len(self.batch) + self.batch.devices.nbytes
        return len(self.payload) + columns

    def dead_letter(self, reason: str, signals: int, detail: dict[str, Any]) -> DeadLetter:
        """Return a dead letter that names this batch."""
        return DeadLetter(
            received_at=self.received_at,
            store=self.store,
            edge=self.edge,
            reason=reason,
            message_bytes=len(self.payload),
            sha256=self.sha256,
            signals=signals,
            boot=self.boot,
            sequence=self.last,
            detail=detail,
        )


_Time: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**62 // NS_PER_US)]
"""µs since 1970, up to 2116: it stays inside int64 ns."""


_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""What an outbox may hold or have lost: the largest whole number that JSON readers agree about, inside bigint."""


GAP_BATCHES_MOST: Final = 2**53 // BATCH_SIGNALS
"""So many batches hold no more signals than `_Count`: at a thousand batches a second four years without a network."""


_AnchorName: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*\Z")]
"""PostgreSQL stores no NUL. A name that lost it on its way there could be that of another anchor: the live engine
would hear nothing, and whoever replays the log that this other one is down. So such a status is refused."""


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """When each anchor that has a heartbeat gave its last sign of life (µs), and how often it does."""

    v: int
    every_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    at_us: dict[_AnchorName, _Time]


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an edge says about itself; fields that are not listed are passed over, `alive` is of newer edges."""

    state: str
    boot: str | None = None
    at_us: _Time | None = None
    anchors: tuple[_AnchorName, ...] = ()
    backlog: _Count | None = None
    dropped: _Count | None = None
    alive: Alive | None = None
    battery_percent: dict[_AnchorName, Annotated[int, msgspec.Meta(ge=0, le=100)]] = {}
    """By anchor, where its edge knows."""
    certificate_until_us: _Time | None = None
    """When the certificate ends that it is let in by, where it has one."""


@dataclass(frozen=True)
class Said:
    """An edge's status and when it came (ns)."""

    store: str
    edge: str
    status: Status
    received_at: int


Reading: TypeAlias = Arrival | Said | DeadLetter | None


def read(message: Received) -> Reading:
    """Return what a message says; None where there is nothing to do (an empty status clears a retained one)."""
    topic = topics.parse(message.topic)
    if topic is None or not topic.usable:
        return _dead(message, "", "", "topic", "The topic does not name a store and an edge.")
    if topic.kind == topics.STATUS:
        return _read_status(message, topic)
    try:
        batch = decode(message.payload)
    except WireError as error:
        named = identity(message.payload)
        if named is None:
            return _dead(message, topic.store, topic.edge, error.reason, str(error))
        boot, sequence = named
        return _arrival(message, topic, (boot, sequence, sequence), fault=error)
    if batch.gap is None:
        return _arrival(message, topic, (batch.boot, batch.sequence, batch.sequence), batch=batch)
    fault = _gap_fault(batch.gap, batch.sequence)
    stands_for = (batch.boot, batch.gap.first, batch.sequence)
    return _arrival(message, topic, stands_for, batch=batch if fault is None else None, fault=fault)


def _gap_fault(gap: Gap, last: int) -> WireError | None:
    """Say what a gap claims that no outbox can have held in its sequences.

    The edge does not judge that: what it cannot tell it would try to tell for ever, and nothing would follow.
    """
    batches = last - gap.first + 1
    if batches > GAP_BATCHES_MOST:
        return WireError("gap", f"A gap stands for at most {GAP_BATCHES_MOST} batches, this one for {batches}.")
    if gap.signals > batches * BATCH_SIGNALS:
        return WireError(
            "gap", f"{batches} batches hold at most {batches * BATCH_SIGNALS} signals, this gap says {gap.signals}."
        )
    return None


def _arrival(
    message: Received,
    topic: topics.Topic,
    named: tuple[bytes, int, int],
    *,
    batch: Batch | None = None,
    fault: WireError | None = None,
) -> Arrival:
    boot, first, last = named
    return Arrival(
        store=topic.store,
        edge=topic.edge,
        boot=boot,
        first=first,
        last=last,
        batch=batch,
        payload=message.payload,
        sha256=sha256(message.payload).digest(),
        received_at=message.received_at,
        fault=fault,
    )


def _read_status(message: Received, topic: topics.Topic) -> Said | DeadLetter | None:
    if not message.payload:
        return None
    try:
        if len(message.payload) > _STATUS_BYTES:
            raise msgspec.ValidationError(f"a status has at most {_STATUS_BYTES} bytes")
        status = msgspec.json.decode(message.payload, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _dead(message, topic.store, topic.edge, "status", f"The status cannot be read: {error}.")
    return Said(topic.store, topic.edge, status, message.received_at)


def _dead(message: Received, store: str, edge: str, reason: str, what: str) -> DeadLetter:
    return DeadLetter(
        received_at=message.received_at,
        store=store,
        edge=edge,
        reason=reason,
        message_bytes=len(message.payload),
        sha256=sha256(message.payload).digest(),
        detail={"what": what},
    )
