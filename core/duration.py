"""Lengths of time as people write them: 90s, 15m, 24h, 7d."""

import re
from typing import Final

from core.errors import ConfigurationError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_s(text: str, *, name: str) -> int:
    """Return a length of time in seconds.

    Parameters
    ----------
    text : str
        A whole number above 0 and s, m, h or d.
    name : str
        What is being set, for the error.

    Raises
    ------
    ConfigurationError
        If it is written otherwise.
    """
    found = re.fullmatch(r"([1-9]\d{0,8})([smhd])", text.strip())
    if found is None:
        raise ConfigurationError(
            f"{name} is {text.strip()[:32]!r}, which is no length of time.", hint="Write it like 90s, 15m, 24h or 7d."
        )
    return int(found[1]) * _SECONDS[found[2]]
