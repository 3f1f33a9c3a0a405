"""An erasure that kills itself with SIGKILL: `python -m tests.privacy.killed_eraser PLACE DATABASE_URL FOLDER`.

The places are seams of the job, patched here, so the product knows nothing of them.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from storage.connect import connect
from storage.privacy import batches, erasing
from storage.privacy.keys import PrivacyFolder

PLACES: Final[dict[str, tuple[Any, str, str]]] = {
    "listed": (erasing, "suppress", "before"),
    "log": (batches, "_redact_row", "after"),
    "forgotten": (erasing, "_overwrite", "before"),
}
"""Name to (owner, function, when): the list on disk knows her and the database does not; a batch is rewritten and not
committed; every place is done but the sweeping up."""


def arm(place: str) -> None:
    """Let the first call at `place` be the last thing this process does."""
    owner, name, when = PLACES[place]
    original: Callable[..., Any] = getattr(owner, name)

    def deadly(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, deadly)


if __name__ == "__main__":
    arm(sys.argv[1])
    with connect(sys.argv[2], application_name="killed eraser") as connection:
        erasing.work_all(
            connection, PrivacyFolder(Path(sys.argv[3])), lambda: datetime.now(UTC), stopped=lambda: False
        )
