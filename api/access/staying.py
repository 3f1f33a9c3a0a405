"""Whether whoever follows a live stream still may: it ends with the session, key, roles and stores it began with.

The gate asks once, before the first byte, and a stream may be open for days after that.
"""

import time
from typing import Annotated, Final

from anyio import to_thread
from fastapi import Depends, Request

from api.access.finding import find_asking
from api.access.principal import principal_of
from api.problems import ProblemError
from core.errors import UnavailableError
from storage.access.acting import acting_as

LOOK_EVERY_S: Final = 5.0
"""One question by a key of its table; with 200 pages open that are forty a second. Heartbeats come as often."""


class Staying:
    """Asks again what the gate asked when the stream began.

    Parameters
    ----------
    request : Request
        By which the stream was asked for, with its key or cookie.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._principal = principal_of(request)
        self._looked_s = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last look was LOOK_EVERY_S ago."""
        return time.monotonic() - self._looked_s >= LOOK_EVERY_S

    async def may(self) -> bool:
        """Look whether the stream may go on; if not, whoever asks for it anew is told why by the gate.

        While the database is away it may: nothing can be read then that it could tell.
        """
        self._looked_s = time.monotonic()
        try:
            return await to_thread.run_sync(self._look)
        except UnavailableError:
            return True
        except ProblemError:  # the person whom its key works for is shut out
            return False

    def _look(self) -> bool:
        if self._request.app.state.service.restored.found():
            return False
        with acting_as(None):  # sessions and keys are no role's to read
            asking = find_asking(self._request, cookie_only=False, is_use=False)
        return asking.principal == self._principal and not asking.must_set_up


StayingDep = Annotated[Staying, Depends(Staying)]
