"""Who is in a store now, for counts that speak of visits in progress too."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.records import Role
from storage.connect import Connection


@dataclass(frozen=True)
class There:
    """A visitor whose visit to the store is in progress, `until` the newest signal of anybody there."""

    device: UUID
    arrived_at: datetime
    until: datetime


def who_is_there(connection: Connection, store_no: int) -> list[There]:
    """Return the visitors in a store now; nobody on a server that only follows, where presence is not copied to."""
    if connection.execute("select pg_is_in_recovery()").fetchone() == (True,):
        return []
    rows = connection.execute(
        "select device, arrived_at, last_signal_at from presence where store_no = %s and role = %s",
        [store_no, int(Role.VISITOR)],
    ).fetchall()
    # all of them are there now: who was heard a minute ago has not left in that minute
    until = max((row[2] for row in rows), default=None)
    return [There(device, arrived_at, until) for device, arrived_at, _ in rows if until is not None]
