"""Chains what waits, each second, and publishes the heads in the log."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from api.service import Service
from core.errors import SojournError
from storage.audit.sealing import SEALED_AT_ONCE, Head, heads, seal
from telemetry.identifiers import Checksum

SEAL_EVERY_S: Final = 1.0
"""Until then whoever owns the database could change an entry unnoticed: a second is short, and free."""
PUBLISH_EVERY: Final = timedelta(hours=1)
"""A log that is kept elsewhere shows what was cut off at the end, but for the last hour."""

_log = structlog.get_logger()


async def keep_sealing(service: Service) -> None:
    """Seal until cancelled; a database that is away is waited for. Services side by side take turns."""
    told: list[Head] = []
    due = datetime.min.replace(tzinfo=UTC)
    while True:
        await asyncio.sleep(SEAL_EVERY_S)
        try:
            while await asyncio.to_thread(service.writer.write, seal) == SEALED_AT_ONCE:
                pass
            if service.now() >= due:
                told = await asyncio.to_thread(_publish, service, told)
                due = service.now() + PUBLISH_EVERY
        except SojournError:
            continue  # the reader says once that the database is away


def _publish(service: Service, told: list[Head]) -> list[Head]:
    with service.reader.connection() as connection:
        found = heads(connection, days=2)
    for head in reversed(found):
        if head not in told:
            _log.info(
                "head of the audit log", day=str(head.day), link_no=head.link_no, hash=Checksum(head.hash.hex())
            )
    return found
