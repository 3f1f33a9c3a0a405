"""An ingest that kills itself with SIGKILL: `python -m tests.ingest.killed_worker PLACE TIMES CLIENT_ID`.

The places are seams of the worker, patched here, so the product knows nothing of them.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import ingest.commit
import ingest.feed
import ingest.worker
from ingest.feed import StoreFeed
from ingest.settings import Settings
from ingest.subscriber import Subscriber

PLACES: Final[dict[str, tuple[Any, str, str]]] = {
    "before_commit": (ingest.worker, "commit", "before"),
    "in_commit": (ingest.commit, "advance_cursors", "before"),
    "after_commit": (ingest.worker, "commit", "after"),
    "between_acknowledgements": (Subscriber, "acknowledge", "halfway"),
    "before_telling": (Subscriber, "publish", "before"),
    "before_engine": (StoreFeed, "push", "before"),
    "in_derive": (ingest.feed, "save_progress", "before"),
    "after_derive": (StoreFeed, "write", "after"),
    "in_snapshot": (ingest.feed, "save_snapshot", "after"),
}
"""Name to (owner, function, when)."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str, times: int) -> None:
    """Let the `times`-th call at `place` be the last thing this process does."""
    owner, name, when = PLACES[place]
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < times:
            return original(*args, **kwargs)
        if when == "before":
            _die()
        if when == "halfway":
            subscriber, messages = args
            original(subscriber, messages[: (len(messages) + 1) // 2])
            _die()
        original(*args, **kwargs)
        return _die()

    setattr(owner, name, deadly)


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    ingest.worker.run(
        os.environ["SOJOURN_DATABASE_URL"],
        os.environ["SOJOURN_MQTT_URL"],
        stop=threading.Event(),
        settings=Settings(
            client_id=sys.argv[3],
            session_expiry_s=120,
            commit_messages=8,
            derive_s=0.05,
            status_s=0.2,
            snapshot_s=0.3,
            calibrate_every_s=None,
        ),
    )
