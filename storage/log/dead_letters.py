"""What could not be accepted: reason and identity, never the message itself, which may hold an address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from core.limits import ID_CHARACTERS
from core.privacy.masking import masked, masked_deeply
from storage.connect import Connection
from storage.instants import to_datetime
from storage.storable import cleaned, storable

KEPT: Final = 100_000
"""About 50 MB; whoever floods the table loses its own oldest rows, not the disk."""
_DETAIL_BYTES: Final = 2_048
"""A sentence and a few rows."""


@dataclass(frozen=True)
class DeadLetter:
    """One fault of one message.

    `store` and `edge` are as the topic says, `signals` counts the rows refused (0 where the message could not be
    read), `detail` says what was wrong; `message_bytes` and `sha256` are of the message as it arrived.
    """

    received_at: int
    store: str
    edge: str
    reason: str
    message_bytes: int
    sha256: bytes
    signals: int = 0
    boot: bytes | None = None
    sequence: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


def save_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Keep them; the same message with the same fault is one row that counts how often it came.

    What looks like somebody's address is cut down, also where it stands for an anchor, an edge or a field.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into dead_letter"
            " (received_at, store, edge, boot, sequence, reason, signals, detail, bytes, sha256)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (sha256, reason, store, edge) do update"
            " set times = dead_letter.times + 1, received_at = excluded.received_at",
            [
                (
                    to_datetime(letter.received_at),
                    storable(masked(letter.store[:ID_CHARACTERS])),
                    storable(masked(letter.edge[:ID_CHARACTERS])),
                    None if letter.boot is None else UUID(bytes=letter.boot),
                    letter.sequence,
                    letter.reason,
                    letter.signals,
                    Jsonb(_bounded(masked_deeply(letter.detail))),
                    letter.message_bytes,
                    letter.sha256,
                )
                for letter in letters
            ],
        )


def prune(connection: Connection, *, keep: int = KEPT) -> int:
    """Remove all but the `keep` newest rows and return how many went."""
    return connection.execute(
        "delete from dead_letter where dead_letter_no <="
        " (select dead_letter_no from dead_letter order by dead_letter_no desc offset %s limit 1)",
        [keep],
    ).rowcount


def _bounded(detail: Mapping[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {}
    size = 2
    for name, value in detail.items():
        size += len(msgspec.json.encode({storable(name): cleaned(value)}))
        if size > _DETAIL_BYTES:
            kept["cut"] = True
            break
        kept[storable(name)] = cleaned(value)
    return kept
