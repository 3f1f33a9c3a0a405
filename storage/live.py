"""The word from ingest to whoever shows live state: something of a store has changed, read it again."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec
import structlog

from storage.connect import Connection
from storage.listening import notices

CHANNEL: Final = "sojourn_live"
SAMPLED_SIGNALS: Final = 32
"""Enough for percentiles of the delay over a minute; a notification holds at most 8,000 bytes."""

_log = structlog.get_logger()


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed.

    `as_of_us` is the time of the newest signal that the store's state reflects, `sampled_signal_at_us` those of up
    to SAMPLED_SIGNALS signals that it did not reflect before (µs since 1970), `visits` the count of new visits;
    `decided_at_us` is when, by its own clock, ingest decided the first of what is new, 0 where nothing was.
    `trace` is the traceparent of the span that told it, empty where nobody traces.
    """

    store: str
    as_of_us: int
    sampled_signal_at_us: tuple[int, ...] = ()
    visits: int = 0
    decided_at_us: int = 0
    trace: str = ""


def notify(connection: Connection, event: LiveEvent) -> None:
    """Tell listeners; inside a transaction they hear it when it is committed."""
    connection.execute("select pg_notify(%s, %s)", [CHANNEL, msgspec.json.encode(event).decode()])


async def listen(database_url: str, *, application_name: str) -> AsyncGenerator[LiveEvent | None, None]:
    """Yield None as soon as every event from then on will be heard, then the events.

    Raises
    ------
    UnavailableError
        If the database is away or goes away; events in between are lost, so read the state after the None.
    """
    async with aclosing(notices(database_url, CHANNEL, application_name=application_name)) as heard:
        async for payload in heard:
            if payload is None:
                yield None
                continue
            try:
                event = msgspec.json.decode(payload, type=LiveEvent)
            except msgspec.DecodeError as error:  # anybody who may connect may notify
                _log.warning("a live event cannot be read", error=str(error))
                continue
            yield event
