"""Tells a cue as soon as a consented customer has arrived: the one place where cues are decided by themselves.

It hears from ingest that a store has changed, looks who is new there, decides by the policy and writes cue, webhook
and notice in one transaction. Several services may do so beside each other; one tells.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from api.profiles.understanding_routes import known_of, understanding_of
from api.service import Service
from core.errors import SojournError, UnavailableError
from storage.connect import Connection
from storage.cues.log import NewCue, arrivals, tell
from storage.cues.trials import policy_for
from storage.live import LiveEvent
from storage.occupancy import STORES_PER_PAGE, stores_page
from storage.profiles.profiles import find_profile
from storage.profiles.visits import whereabouts

LOOK_EVERY_S: Final = 0.5
"""Stores change five times a second; two seconds from arrival to cue leave room for a look each half second."""
AGAIN_S: Final = 1.0

_log = structlog.get_logger()


class Arrivals:
    """Watches all stores for customers who arrive.

    Parameters
    ----------
    service : Service
    listen : callable
        Returns an iterator as `storage.live.listen` does.
    """

    def __init__(self, service: Service, listen: Callable[[], AsyncIterator[LiveEvent | None]]) -> None:
        self._service = service
        self._listen = listen
        self._changed: set[str] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled, over every absence of the database."""
        looking = asyncio.create_task(self._look())
        try:
            while True:
                with suppress(UnavailableError):
                    async for event in self._listen():
                        stores = [event.store] if event is not None else await asyncio.to_thread(self._all_stores)
                        self._changed.update(stores)
                        self._wake.set()
                await asyncio.sleep(AGAIN_S)
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def _look(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            stores, self._changed = self._changed, set()
            for store in sorted(stores):
                try:
                    await asyncio.to_thread(self.tell_arrivals, store)
                except UnavailableError:
                    self._changed.add(store)
            if self._changed:
                self._wake.set()
            await asyncio.sleep(LOOK_EVERY_S)

    def tell_arrivals(self, store: str) -> int:
        """Tell the cues of everybody who has arrived in a store, and return how many were told.

        Raises
        ------
        UnavailableError
            If the database is away, or was restored and knows people who were erased.
        """
        self._service.restored.check()
        with self._service.reader.connection() as connection:
            here = arrivals(connection, store)
        return sum(self._tell(profile) for profile in here)

    def _tell(self, profile: UUID) -> bool:
        try:
            with self._service.reader.connection() as connection:
                cue = self._decide(connection, profile)
            return cue is not None and self._service.writer.write(lambda lent: tell(lent, cue)) is not None
        except UnavailableError:
            raise
        except Exception:  # noqa: BLE001 - one customer's fault silences no other
            _log.exception("a cue cannot be told")
            return False

    def _decide(self, connection: Connection, profile: UUID) -> NewCue | None:
        found, here = find_profile(connection, profile), whereabouts(connection, profile)
        if found is None or here is None:
            return None  # left, or the consent was withdrawn, within the last milliseconds
        _, cue = understanding_of(self._service, connection, found, known_of(connection, found), here=here)
        if cue is None:
            return None
        chosen = policy_for(connection, here.store_no, profile)
        return NewCue(
            visit_id=here.visit_id,
            store=here.store,
            store_no=here.store_no,
            profile_id=profile,
            arrived_at=here.arrived_at,
            cue=cue.cue,
            because=cue.because,
            rule_no=cue.rule_no,
            policy_version=chosen.version,
            trial_no=chosen.trial_no,
            tried=chosen.tried,
            order_event=cue.order.event_id if cue.order is not None else None,
        )

    def _all_stores(self) -> list[str]:
        try:
            with self._service.reader.connection() as connection:
                found, cursor = [], None
                while True:
                    page = stores_page(connection, limit=STORES_PER_PAGE, cursor=cursor)
                    found += [row.id for row in page.stores]
                    cursor = page.next_cursor
                    if cursor is None:
                        return found
        except SojournError:
            return []
