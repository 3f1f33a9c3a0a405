"""Nobody is served from a database that was restored from before an erasure: it knows people who are to be forgotten.

The list of who was erased stands in the privacy folder too, and knows more than such a database. Ingest erases them
again when it starts, `sojourn suppress reapply` at once; until then the API answers nothing of what is stored, tells
no cue and makes no alert, and no webhook is sent.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from core.errors import UnavailableError
from storage.privacy.keys import PrivacyFolder
from storage.privacy.restoring import is_behind
from storage.reading import Reader

LOOKED_EVERY_S: Final = 10.0
"""A database is put in another's place in seconds to minutes; a list of thousands is read in milliseconds."""
_UNDER_WAY: Final = timedelta(minutes=1)
"""An erasure writes the list of the folder first, and that of the database within a second."""
HINT: Final = "Run `sojourn suppress reapply`, or start ingest: who was erased since the backup is erased again."
SAYS: Final = "The database is older than its suppression list: it was restored, and knows people who were erased."


class Restored:
    """Looks whether the list of the folder knows more than the database.

    Parameters
    ----------
    folder : PrivacyFolder or None
        Without one nothing can be known.
    reader : Reader
    now : callable
        The time, with its zone.
    """

    def __init__(
        self, folder: PrivacyFolder | None, reader: Reader, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._folder, self._reader, self._now = folder, reader, now
        self._fine_until_s = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the database is to be asked; else nobody needs a thread for it."""
        return self._folder is not None and time.monotonic() >= self._fine_until_s

    def found(self) -> bool:
        """Return whether it does; what was well is looked at again after LOOKED_EVERY_S."""
        if self._folder is None or not self.is_due:
            return False
        with self._reader.connection() as connection:
            behind = is_behind(connection, self._folder, made_before=self._now() - _UNDER_WAY)
        if not behind:
            self._fine_until_s = time.monotonic() + LOOKED_EVERY_S
        return behind

    def check(self) -> None:
        """Raise UnavailableError if it does."""
        if self.found():
            raise UnavailableError(SAYS, hint=HINT)
