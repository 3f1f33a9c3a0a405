"""What a log says of a fault: its kind and where it happened.

Never its message, which may repeat a row of the database, and never local variables, which hold whole customers.
"""

import sys
import traceback
from collections.abc import MutableMapping
from pathlib import PurePath
from typing import Any, Final

_FRAMES: Final = 8
"""From the route to the statement; the frames of frameworks before them say nothing."""


def place_of(error: BaseException) -> str:
    """Return the innermost frames of an error as `room/file.py:12 function`, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " > ".join(f"{'/'.join(PurePath(one.filename).parts[-2:])}:{one.lineno} {one.name}" for one in frames)


def without_contents(_logger: object, _method: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put an exception's kind and place where it itself stood; a processor of structlog."""
    info = said.pop("exc_info", None)
    if isinstance(info, tuple):
        error = info[1]
    else:
        error = info if isinstance(info, BaseException) else sys.exc_info()[1] if info else None
    if error is not None:
        said.setdefault("error", type(error).__name__)
        said["where"] = place_of(error)
    return said
