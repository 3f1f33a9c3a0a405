"""What ingest tells of itself: counts to a Prometheus, its row for the pages, and whom it waits for to the log."""

import time
from collections.abc import Collection
from dataclasses import dataclass

import structlog

from core.errors import UnavailableError
from ingest.commit import Committed
from ingest.feed import StoreFeed
from ingest.meters import Meters, StoreState
from storage.connect import Connection
from storage.log.ingest_status import IngestStatus, save_status
from storage.log.late import late_open

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How ingest stands towards its servers just now; `revised` visits since its start.

    `starting`: it is not to have a broker yet.
    """

    broker: bool
    queued: int
    parked: int
    dropped: int | None
    revised: int
    starting: bool


class Telling:
    """Counts since the start of this ingest, and who has been told of what."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._started_at = time.time_ns()
        self._committed_at: int | None = None
        self._batches = self._signals = self._repeated = self._dead_letters = 0
        self._snapshot_at_s: dict[int, float] = {}
        self._away: dict[str, str] = {}

    def committed(self, what: Committed, took_s: float) -> None:
        """Count what one transaction took in."""
        self._meters.committed(what, took_s)
        self._batches += len(what.logged)
        self._signals += sum(0 if logged.batch is None else len(logged.batch) for logged in what.logged)
        self._repeated += what.repeated
        self._dead_letters += what.dead_letters
        if what.logged:
            self._committed_at = time.time_ns()

    def wrote(self, store_no: int, visits: int, took_s: float, *, snapshot: bool) -> None:
        """Count what one transaction of a store wrote."""
        self._meters.wrote(visits, took_s)
        if snapshot:
            self._snapshot_at_s[store_no] = time.monotonic()

    def status(self, connection: Connection, now: Standing, feeds: Collection[StoreFeed], *, for_pages: bool) -> None:
        """Tell how ingest fares. `for_pages`: in the table as well, which has one row for all ingests."""
        open_batches = late_open(connection)
        self._meters.state(
            broker=now.broker,
            queued=now.queued,
            parked=now.parked,
            dropped=now.dropped,
            late_open=open_batches,
            starting=now.starting,
        )
        self._meters.stores(self._states(feeds))
        if not for_pages:
            return
        newest_ns = max((feed.newest_ns for feed in feeds), default=0)
        save_status(
            connection,
            IngestStatus(
                started_at=self._started_at,
                changed_at=time.time_ns(),
                broker_connected=now.broker,
                queued=now.queued,
                parked=now.parked,
                batches=self._batches,
                signals=self._signals,
                repeated=self._repeated,
                dead_letters=self._dead_letters,
                newest_signal_at=newest_ns if newest_ns > 0 else None,
                committed_at=self._committed_at,
                late_open=open_batches,
                visits_revised=now.revised,
                broker_dropped=now.dropped,
                starting=now.starting,
            ),
        )

    def away(self, server: str, error: BaseException | None) -> None:
        """Say once that a server is away, until it was back."""
        if server not in self._away:
            self._away[server] = str(error)
            _log.warning(f"waiting for the {server}; nothing is lost", why=str(error))

    def back(self, server: str) -> None:
        """Say that it is there again, if it was away."""
        if self._away.pop(server, None) is not None:
            _log.info(f"the {server} is back")

    def lost_database(self, error: UnavailableError) -> None:
        """Say so, and that the broker was let go of."""
        self._meters.away()
        self.away("database", error)

    def _states(self, feeds: Collection[StoreFeed]) -> list[StoreState]:
        now_s = time.monotonic()
        states = []
        for feed in feeds:
            progress = feed.progress
            anchors, away = feed.anchors
            since_s = self._snapshot_at_s.setdefault(feed.store_no, now_s)
            states.append(
                StoreState(
                    store=feed.store,
                    newest_at=feed.newest_ns,
                    decided_through=progress.decided_through,
                    late=progress.late,
                    anchors=anchors,
                    anchors_away=away,
                    snapshot_age_s=now_s - since_s if feed.log_no > feed.snapshot_log_no else 0.0,
                )
            )
        return states
