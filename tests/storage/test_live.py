import asyncio
from contextlib import aclosing

import msgspec
import pytest

from core.errors import UnavailableError
from servers.process import free_port
from storage.connect import connect, in_transaction
from storage.live import SAMPLED_SIGNALS, LiveEvent, listen, notify

pytestmark = pytest.mark.servers
LARGEST = LiveEvent(store="s" * 64, as_of_us=2**62, sampled_signal_at_us=(2**62,) * SAMPLED_SIGNALS, visits=10**9)


def test_the_largest_event_fits_into_a_notification() -> None:
    assert len(msgspec.json.encode(LARGEST)) < 8_000


def test_listeners_are_told_when_they_begin_to_hear_and_hear_what_was_committed(database_url: str) -> None:
    async def hear() -> list[LiveEvent | None]:
        async with aclosing(listen(database_url, application_name="listener")) as events:
            heard = [await anext(events)]
            with connect(database_url) as connection:
                connection.execute("select pg_notify('sojourn_live', 'nonsense')")
                in_transaction(connection, lambda c: notify(c, LARGEST))
            return [*heard, await asyncio.wait_for(anext(events), 10)]

    assert asyncio.run(hear()) == [None, LARGEST]


def test_a_database_that_is_away_is_said() -> None:
    async def hear() -> None:
        await anext(listen(f"postgresql://postgres@127.0.0.1:{free_port()}/x", application_name="listener"))

    with pytest.raises(UnavailableError):
        asyncio.run(hear())
