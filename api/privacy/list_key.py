"""Whether the API holds the key of the suppression list: said at start, not by the first refusal."""

import asyncio
from typing import Final

import structlog

from api.service import Service
from core.errors import ConfigurationError, UnavailableError

_AGAIN_S: Final = 2.0
"""The database may come, or be migrated, after the API has started."""
_log = structlog.get_logger()


async def tell_wrong_key(service: Service) -> None:
    """Log an error if people were erased and the key of their list is another or none; then end.

    The API goes on: what reads nobody's list works, and whatever writes customers answers 503 with the same words.
    """
    while True:
        try:
            await asyncio.to_thread(_check, service)
        except UnavailableError:
            await asyncio.sleep(_AGAIN_S)
            continue
        except ConfigurationError as error:
            _log.error("customers cannot be written", what=error.what, hint=error.hint)
        return


def _check(service: Service) -> None:
    with service.reader.connection() as connection:
        service.guard.check(connection)
