"""The word from ingest to whoever shows live state: something of a store has changed, read it again."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from storage.connect import Connection, connect_async, reachable

CHANNEL: Final = "sojourn_live"
SAMPLED_SIGNALS: Final = 32
"""Enough for percentiles of the delay over a minute; a notification holds at most 8,000 bytes."""


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed.

    `as_of_us` is the time of the newest signal that the store's state reflects, `sampled_signal_at_us` those of up
    to SAMPLED_SIGNALS signals that it did not reflect before (µs since 1970), `visits` the count of new visits.
    """

    store: str
    as_of_us: int
    sampled_signal_at_us: tuple[int, ...] = ()
    visits: int = 0


def notify(connection: Connection, event: LiveEvent) -> None:
    """Tell listeners; inside a transaction they hear it when it is committed."""
    connection.execute("select pg_notify(%s, %s)", [CHANNEL, msgspec.json.encode(event).decode()])


async def listen(database_url: str, *, application_name: str) -> AsyncIterator[LiveEvent]:
    """Yield events from now on.

    Raises
    ------
    UnavailableError
        If the database is away or goes away; events in between are lost, so read the state after a new start.
    """
    connection = await connect_async(database_url, application_name=application_name)
    async with connection:
        with reachable():
            await connection.execute(f"listen {CHANNEL}")
            async for note in connection.notifies():
                yield msgspec.json.decode(note.payload, type=LiveEvent)
