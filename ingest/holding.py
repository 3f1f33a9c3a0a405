"""The stores that come to this ingest: an engine each, in step with the log, with plans, models and erasures."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog

from core.dwell.alike import WHAT_TO_DO, sounding_alike
from core.errors import FencedError, UnavailableError
from core.floorplan import StorePlan
from ingest.commit import Committed, Directory
from ingest.feed import StoreFeed, restore
from ingest.logged import Logged
from ingest.pacing import Pace
from ingest.settings import Settings
from ingest.source import Source
from ingest.telling import Telling
from ingest.timers import Timers
from storage.connect import Connection, in_transaction, timeline
from storage.log.owners import note_suppression, suppressed_everywhere
from storage.privacy.erasing import adopt_list
from storage.privacy.keys import PrivacyFolder
from storage.privacy.restoring import is_behind, reapply
from storage.privacy.suppression import adopted_version, list_version, load_suppressed
from storage.privacy.withdrawn import withdrawn_devices
from storage.stores import AdoptedPlan, plan_versions
from telemetry.tracing import Tracing

_log = structlog.get_logger()


class Holding:
    """Engines by store, and what they found written to the database.

    Parameters
    ----------
    source : Source
        Says which stores come to this ingest.
    name : str
        Of this ingest, as owner of its stores and at the database.
    settings : Settings
    pace : Pace
    telling : Telling
    tracing : Tracing
    stopped : callable
        Whether ingest is to end; a replay of the log is then cut short.
    ready : callable
        Called with plans before they are taken into use.
    """

    def __init__(
        self,
        source: Source[Any],
        name: str,
        settings: Settings,
        *,
        pace: Pace,
        telling: Telling,
        tracing: Tracing,
        stopped: Callable[[], bool],
        ready: Callable[[Connection, Sequence[StorePlan]], None],
    ) -> None:
        self.feeds: dict[int, StoreFeed] = {}
        self._source = source
        self._name = name
        self._settings = settings
        self._telling = telling
        self._tracing = tracing
        self._stopped = stopped
        self._folder = None if settings.privacy is None else PrivacyFolder(settings.privacy)
        self._suppression = 0  # the version of the list that everything here has taken into use
        self._timeline = ""
        self._timers = Timers()
        self._pace = pace
        self._traced: dict[int, str] = {}  # by store: the span of the newest batch that its visits are not written of
        self._ready = ready
        self.directory = self._new_directory()

    def forget(self) -> None:
        """Begin afresh: somebody else derives what was held here."""
        self.feeds.clear()
        self.directory = self._new_directory()

    def _new_directory(self) -> Directory:
        return Directory(ready=self._ready, owner=self._name if self._source.shared else "")

    def begin(self, connection: Connection, *, leads: bool) -> None:
        """Bring everything to where the log is, after a start or any doubt about what the last commit did."""
        self.directory.adopt(connection, self._held(connection))
        self.directory.adopt_models(connection)  # the feeds find them in the log
        known, self._timeline = self._timeline, timeline(connection)
        if known not in {"", self._timeline}:
            # another server took over, which may lack what was committed last: our memory is not of its log
            _log.warning("the database has moved; engines begin again from their snapshots")
            self.feeds.clear()
        self._bring_up(connection, list(self.directory.plans.values()), leads=leads)

    def take_over(self, connection: Connection, *, leads: bool) -> None:
        """Claim the stores that came to this ingest; from then on nobody else writes for them."""
        new = self.directory.adopt(connection, self._held(connection))
        self.directory.adopt_models(connection)
        self._bring_up(connection, [adopted for adopted in new if adopted.store_no not in self.feeds], leads=leads)
        _log.info("stores taken over", stores=len(new), held=len(self.feeds))

    def hand_over(self, connection: Connection, *, seal: bool) -> bool:
        """Let go of the stores that go to another ingest, if there is time with a snapshot for it to begin from.

        Returns whether any went.
        """
        going = [feed for feed in self.feeds.values() if not self._source.holds(feed.store)]
        for feed in going:
            try:
                if seal:
                    self.seal(connection, feed)
            except (UnavailableError, FencedError) as error:
                seal = False  # the next ingest begins from an earlier snapshot, and derives the same
                _log.warning("stores go without a snapshot; the log has what they need", why=str(error))
            del self.feeds[feed.store_no]
            self.directory.release(feed.store)
        if going:
            _log.info("stores handed over", stores=len(going), held=len(self.feeds))
        return bool(going)

    def push(self, connection: Connection, committed: Committed) -> None:
        """Let engines have what was committed."""
        for (store, _), edge in sorted(committed.edges.items(), key=lambda item: item[1].log_no):
            self._feed(connection, self.directory.plans[store].store_no).expect(edge)
        by_store: dict[int, list[Logged]] = {}
        for logged in committed.logged:
            by_store.setdefault(logged.store_no, []).append(logged)
        for store_no, rows in by_store.items():
            self._feed(connection, store_no).push(rows)
        for change in committed.changes:
            self._feed(connection, change.store_no).hear(change)

    def trace(self, span: str, committed: Committed) -> None:
        """Remember the span under which these stores' next visits are written."""
        if span:
            self._traced.update(dict.fromkeys({logged.store_no for logged in committed.logged}, span))

    def derive(self, connection: Connection, *, busy: bool) -> None:
        """Write what the engines have found, each store at its pace; as often as pages redraw while nothing waits."""
        every_s = self._pace.every_s if busy else self._settings.derive_s
        for store_no, feed in self.feeds.items():
            if feed.dirty and self._timers.due(f"derive {store_no}", every_s):
                self._write(connection, feed)

    def derive_left_s(self) -> float:
        """Seconds until the next store is to be written; infinite where nothing is new."""
        dirty = [store_no for store_no, feed in self.feeds.items() if feed.dirty]
        waits = [self._timers.left_s(f"derive {store_no}", self._settings.derive_s) for store_no in dirty]
        return min(waits, default=float("inf"))

    def snapshots(self, connection: Connection) -> None:
        """Write the snapshots that are due."""
        for store_no, feed in self.feeds.items():
            moved = feed.log_no > feed.snapshot_log_no
            if moved and self._timers.due(f"snapshot {store_no}", self._settings.snapshot_s, first=False):
                self._write(connection, feed, snapshot=True)

    def seal(self, connection: Connection, feed: StoreFeed) -> None:
        """Write what a feed has found, with a snapshot that stands where the log does."""
        if feed.dirty or feed.log_no > feed.snapshot_log_no:
            self._write(connection, feed, snapshot=True)

    def adopt_changes(self, connection: Connection) -> None:
        """Take plans into use that were loaded or changed since, then models that are wanted."""
        in_use = {store: adopted.version for store, adopted in self.directory.plans.items()}
        changed = [store for store, version in plan_versions(connection).items() if in_use.get(store) != version]
        changed = [store for store in changed if self._source.holds(store)]
        if changed:
            for adopted in self.directory.adopt(connection, changed):
                self._feed(connection, adopted.store_no).adopt(adopted)
                _log.info("floor plan taken into use", store=adopted.plan.id, version=adopted.version)
        for model in self.directory.adopt_models(connection):
            feed = self._feed(connection, model.store_no)
            feed.adopt_model(model)
            _log.info("model taken into use", store=feed.store, version=model.version)

    def adopt_erasures(self, connection: Connection, *, leads: bool) -> None:
        """Take into use whom the suppression list names, where it is newer, and whose consent has ended or is new."""
        if list_version(connection) != self._suppression:
            self._suppress(connection, leads=leads)
        before = self.directory.withdrawn
        self.directory.withdrawn = withdrawn_devices(connection)
        if self.directory.withdrawn - before:
            self._forget_kept_out(connection)
        if self._source.shared:
            self._adopt_list(connection, leads=leads)

    def _held(self, connection: Connection) -> list[str] | None:
        """Return the stores that come to this ingest; None: all, whichever there are."""
        if not self._source.shared:
            return None
        return [store for store in plan_versions(connection) if self._source.holds(store)]

    def _bring_up(self, connection: Connection, stores: Iterable[AdoptedPlan], *, leads: bool) -> None:
        """Bring the engines of stores to where the log is, from a snapshot where they are not here yet."""
        replayed = 0
        for adopted in stores:
            if adopted.store_no not in self.feeds:
                for zones in sounding_alike(adopted.plan):
                    _log.warning("zones cannot be told apart", store=adopted.plan.id, zones=zones, hint=WHAT_TO_DO)
                self.feeds[adopted.store_no] = restore(connection, adopted.store_no)
            feed = self.feeds[adopted.store_no]
            replayed += feed.catch_up(connection, stopped=self._stopped)
            feed.forget_written()
        self._suppress(connection, leads=leads)
        if replayed:
            _log.info("batches replayed from the log", batches=replayed)

    def _feed(self, connection: Connection, store_no: int) -> StoreFeed:
        """Return the feed of a store; that of a store which came just now has caught up with the log."""
        if store_no not in self.feeds:
            self.feeds[store_no] = restore(connection, store_no)
            # not to be cut short: what is pushed next would pass over the rest
            self.feeds[store_no].catch_up(connection, stopped=lambda: False)
            if self.directory.kept_out is not None:
                self.feeds[store_no].redact(self.directory.kept_out.now)
        return self.feeds[store_no]

    def _write(self, connection: Connection, feed: StoreFeed, *, snapshot: bool = False) -> None:
        begun_s = time.monotonic()
        parent = self._traced.pop(feed.store_no, "")
        with self._tracing.span("visits", parent=parent, store=feed.store, snapshot=snapshot) as span:
            visits = feed.write(connection, snapshot=snapshot, owned=self.directory.owned, tracing=self._tracing)
            span.set(visits=visits)
        took_s = time.monotonic() - begun_s
        self._telling.wrote(feed.store_no, visits, took_s, snapshot=snapshot)
        self._pace.took(feed.store_no, took_s)

    def _suppress(self, connection: Connection, *, leads: bool) -> None:
        """Take the suppression list into use: here, in the engines, and in what they wrote."""
        folder = self._folder
        if folder is not None and leads and is_behind(connection, folder):
            again = reapply(connection, folder)
            _log.warning("the database is older than its suppression list; it is erased again", **again._asdict())
        self._suppression = list_version(connection)
        self.directory.suppressed = load_suppressed(connection, folder)
        self.directory.withdrawn = withdrawn_devices(connection)
        self._forget_kept_out(connection)
        if self._source.shared:
            note_suppression(connection, self._name, self._suppression)
        self._adopt_list(connection, leads=leads)

    def _forget_kept_out(self, connection: Connection) -> None:
        if self.directory.kept_out is not None:
            for feed in self.feeds.values():
                feed.redact(self.directory.kept_out.now)
                self._write(connection, feed)

    def _adopt_list(self, connection: Connection, *, leads: bool) -> None:
        """Say that no engine knows an erased person any more, once that is true of everybody's engines."""
        folder, version = self._folder, self._suppression
        if folder is None or not version or not leads:
            return
        if self._source.shared:
            done, early = adopted_version(connection) >= version, not suppressed_everywhere(connection, version)
            if done or early:
                return
        in_transaction(connection, lambda connection: adopt_list(connection, folder))
