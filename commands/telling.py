"""What the log says of faults: structlog's own rendering would print local variables, and with them customers."""

import sys
from collections.abc import MutableMapping
from typing import Any

from core.faults import place_of


def without_contents(_logger: Any, _method: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
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
