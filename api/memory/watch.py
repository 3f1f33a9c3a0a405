"""Looks at customers, and reminds of what is due, while the service runs.

Two services on one database do the same work twice and nothing else: an alert and a reminder are made once.
"""

import asyncio
from functools import partial
from typing import Final

import structlog

from api.memory.foreseeing import look
from api.service import Service
from core.errors import SojournError
from storage.notes.reminders import remind

LOOK_EVERY_S: Final = 60.0
"""Whoever has just written a second bad note sees the task before the customer has left."""

_log = structlog.get_logger()


async def watch(service: Service) -> None:
    """Look again and again, until cancelled; a database that is away is waited for."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            await asyncio.to_thread(service.restored.check)
            told = await asyncio.to_thread(service.writer.write, partial(remind, now=service.now()))
            made = await asyncio.to_thread(look, service)
        except SojournError as error:
            _log.warning("customers were not looked at", error=str(error))
            continue
        if made or told:
            _log.info("looked at customers", alerts=made, reminders=told)
