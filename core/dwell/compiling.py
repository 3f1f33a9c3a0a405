"""Compiling takes half a minute the first time; whoever is told to stop in the meantime need not finish it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from numba.core.event import Event, Listener, install_listener

_COMPILE: Final = "numba:compile"


class _Stopped(BaseException):
    """Raised from within numba, which would take an Exception for a kernel that cannot be compiled."""


class _Asks(Listener):
    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def on_start(self, event: Event) -> None:  # noqa: ARG002 - numba names it
        if self._stopped():
            raise _Stopped

    def on_end(self, event: Event) -> None:
        pass


@contextmanager
def compiling_until(stopped: Callable[[], bool]) -> Iterator[None]:
    """Leave the block before the next kernel is compiled, once `stopped` says so; what is compiled by then is kept.

    Asked some eighty times on the way, so that a stop waits for one kernel, not for all of them.
    """
    try:
        with install_listener(_COMPILE, _Asks(stopped)):
            yield
    except _Stopped:
        pass
