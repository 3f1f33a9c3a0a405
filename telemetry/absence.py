"""What is away for hours is one line when it goes and one when it is back, not one for each try."""

from typing import Any, Final

import structlog

_log = structlog.get_logger()


class Absence:
    """Logs changes between away and back.

    Parameters
    ----------
    away, back : str
        The events of the two lines.
    """

    def __init__(self, away: str, back: str) -> None:
        self._away: Final = away
        self._back: Final = back
        self._is_away = False

    def lasts(self, **said: Any) -> None:
        """Say that it is away, with why, unless that was said."""
        if not self._is_away:
            _log.warning(self._away, **said)
        self._is_away = True

    def is_over(self) -> None:
        """Say that it is back, if it was away."""
        if self._is_away:
            _log.info(self._back)
        self._is_away = False
