"""One look at something for everybody who asks at the same time."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from anyio import to_thread

T = TypeVar("T")


class OneLook(Generic[T]):
    """Whoever asks while somebody looks waits for the same answer: what hangs holds one thread, not one for each.

    To be used from one event loop.
    """

    def __init__(self) -> None:
        self._looking: asyncio.Task[T] | None = None

    async def at(self, what: Callable[[], T], most_s: float) -> T | None:
        """Return what `what` returns, called in a thread, or None after `most_s`; the look itself goes on then."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(to_thread.run_sync(what))
        done, _ = await asyncio.wait([self._looking], timeout=most_s)
        return self._looking.result() if done else None
