"""What librdkafka says of itself, as lines of our log: without identifiers, and each thing now and then.

Handed to its clients as `logger`. Its lines would otherwise go to stderr as they are, some twenty a second while a
broker is away.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

import structlog

EVERY_S: Final = 60.0
"""How often one kind of line is told. What is away is said by ingest or bridge itself, at once; these lines say why
librdkafka thinks so, and the next of their kind says the same."""

_log = structlog.get_logger()


class LibraryLog:
    """Tells a line of each kind once a minute, and then how many were like it; shared by the clients of a process.

    Parameters
    ----------
    now_s : callable
        A clock that only goes forward.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._told_s: dict[tuple[str, str], float] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def log(self, level: int, _form: str, facility: str, client: str, text: str) -> None:
        """Take in a line as confluent-kafka gives it: `level` as in `logging`, `_form` is "%s [%s] %s"."""
        # "rdkafka#producer-1": the number grows with every connection
        self.tell(level, facility, client.partition("#")[2].partition("-")[0], text)

    def tell(self, level: int, what: str, client: str, text: str) -> None:
        """Tell a line of the kind (`what`, `client`), unless one was told within EVERY_S; debug lines always."""
        kind, now_s = (what, client), self._now_s()
        if level > logging.DEBUG and now_s < self._told_s.get(kind, -EVERY_S) + EVERY_S:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._told_s[kind] = now_s
        left_out = self._left_out.pop(kind, 0)
        more = {"more_like_it": left_out} if left_out else {}
        _log.log(level, "librdkafka says", kind=what, client=client, text=text, **more)
