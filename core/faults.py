"""What may be said of a fault in a log: its kind and where it happened.

Never its message, which may repeat a row of the database, and never local variables, which hold whole customers.
"""

import traceback
from pathlib import PurePath
from typing import Final

_FRAMES: Final = 8
"""From the route to the statement; the frames of frameworks before them say nothing."""


def place_of(error: BaseException) -> str:
    """Return the innermost frames of an error as `room/file.py:12 function`, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " > ".join(f"{'/'.join(PurePath(one.filename).parts[-2:])}:{one.lineno} {one.name}" for one in frames)
