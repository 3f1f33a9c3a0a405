"""What is done from time to time, once for a whole database, by whichever ingest looks after it."""

from datetime import UTC, datetime

import structlog

from ingest.counting import Counting
from ingest.late_revision import LateRevision
from ingest.privacy import PrivacyWork
from ingest.settings import Settings
from ingest.timers import Timers
from storage.alerts.looking import watches
from storage.connect import Connection
from storage.log.chunks import make_chunks
from storage.log.dead_letters import prune
from storage.privacy.erasing import waiting as erasures_wait
from storage.rollups.keeping import waiting

_log = structlog.get_logger()


class Housekeeping:
    """Late signals revised, dead letters pruned, chunks made ahead, visits counted, erasures and retention.

    What takes long has a thread and a connection of its own.
    """

    def __init__(self, database_url: str, settings: Settings) -> None:
        self._settings = settings
        self._timers = Timers()
        self._revision = LateRevision(
            database_url, settings.revise_settle_s, settings.revise_wait_s, settings.revise_again_s
        )
        self._counting = Counting(database_url, settings.rollup_days)
        self._privacy = PrivacyWork(database_url, settings.privacy, settings.retain)

    @property
    def revised(self) -> int:
        """Visits that were revised for late signals since the start."""
        return self._revision.revised

    def keep(self, connection: Connection) -> None:
        """Do what is due."""
        due, settings = self._timers.due, self._settings
        if due("revise", settings.status_s):
            self._revision.begin(connection)
        if due("prune", settings.prune_s):
            prune(connection)
        if due("chunks", settings.chunks_s, first=False):
            make_room(connection)
        if due("rollup", settings.rollup_s) and waiting(connection):
            self._counting.begin()
        if due("privacy", settings.privacy_s) and erasures_wait(connection):
            self._privacy.begin()
        if due("retain", settings.retain_s):
            self._privacy.begin(retain=True)
        if due("alerts", settings.alert_s) and watches(connection):
            self._counting.begin()

    def stop(self) -> None:
        """Wait for what is under way."""
        self._revision.stop()
        self._counting.stop()
        self._privacy.stop()


def make_room(connection: Connection) -> None:
    """Make the chunks that the next hours need."""
    made = make_chunks(connection, datetime.now(UTC))
    if made:
        _log.info("chunks made ahead of their time", tables=made)
