"""The ingest process: from the broker into the signal log, and from there through the engines into visits.

One thread does it all; paho's thread only fills a bounded queue. While the database is away ingest lets go of the
broker, which then keeps the messages (and behind it each edge its outbox), so nothing piles up here.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential_jitter
from tenacity.nap import sleep_using_event

from core.dwell.alike import WHAT_TO_DO, sounding_alike
from core.dwell.engine import compile_kernels
from core.errors import ConfigurationError, FencedError, UnavailableError
from ingest.commit import BOOTS_TOLD, Committed, Directory, EdgeKey, commit
from ingest.counting import Counting
from ingest.cursors import Parked, bounded, parked_count
from ingest.feed import StoreFeed, restore
from ingest.late_revision import LateRevision
from ingest.logged import Logged
from ingest.messages import Arrival, read
from ingest.meters import Meters, StoreState
from ingest.pacing import Pace
from ingest.privacy import PrivacyWork
from ingest.refresh import Refresh, compile_learning
from ingest.settings import Settings
from ingest.source import Source
from ingest.subscriber import Subscriber
from ingest.topics import committed_topic
from servers.kernel_cache import seal_compiled
from storage.alerts.looking import has_rules
from storage.connect import Connection, address_digest, connect, in_transaction, reachable, timeline
from storage.edition import read_edition
from storage.log.chunks import make_chunks
from storage.log.dead_letters import prune
from storage.log.ingest_status import IngestStatus, save_status
from storage.log.late import late_open
from storage.log.owners import check_owned, lead, note_suppression, suppressed_everywhere
from storage.log.signals import CursorKey, claim
from storage.migrate import pending
from storage.models import save_model, want_model
from storage.privacy.erasing import adopt_list
from storage.privacy.erasing import waiting as erasures_wait
from storage.privacy.restoring import is_behind, reapply
from storage.privacy.suppression import adopted_version, list_version, load_suppressed
from storage.privacy.withdrawn import withdrawn_devices
from storage.rollups.keeping import waiting
from storage.stores import AdoptedPlan, load_plans, plan_versions
from telemetry.exposition import exposed, make_registry
from telemetry.tracing import OFF, Tracing

_IDLE_S: Final = 0.5
"""How long ingest may sleep without messages before it looks whether it shall stop."""

_log = structlog.get_logger()


def run(
    database_url: str,
    mqtt_url: str,
    *,
    stop: threading.Event,
    settings: Settings | None = None,
    credentials: Path | None = None,
    metrics: str = "",
    tracing: Tracing = OFF,
    source: Source[Any] | None = None,
) -> None:
    """Take in batches until `stop` is set; servers that are away are waited for.

    Parameters
    ----------
    database_url, mqtt_url : str
        See `storage.connect.connect` and `ingest.subscriber.Subscriber`.
    stop : threading.Event
        When set, ingest finishes the commit it is in, writes snapshots and returns.
    settings : Settings, optional
    credentials : Path, optional
        Folder with the certificate of ingest at the broker; see `edge.broker.Broker.from_url`.
    metrics : str
        Address that counts are served on, such as 127.0.0.1:9464; empty: nowhere.
    tracing : Tracing
        Is told what became of each batch.
    source : Source, optional
        Where batches come from in the place of the MQTT broker.

    Raises
    ------
    ConfigurationError
        If a URL or the credentials cannot be used, or the database lacks migrations.
    UnavailableError
        If `metrics` cannot be listened on.
    """
    meters = Meters(make_registry("ingest"))
    with exposed(meters.registry, metrics):
        chosen = settings if settings is not None else Settings()
        _Worker(
            database_url, mqtt_url, stop, chosen, credentials, source=source, meters=meters, tracing=tracing
        ).run()


class _Worker:
    """What one ingest process knows; everything here can be derived from the database again."""

    def __init__(
        self,
        database_url: str,
        mqtt_url: str,
        stop: threading.Event,
        settings: Settings,
        credentials: Path | None = None,
        *,
        source: Source[Any] | None = None,
        meters: Meters | None = None,
        tracing: Tracing = OFF,
    ) -> None:
        self._database_url = database_url
        self._meters = meters if meters is not None else Meters()
        self._tracing = tracing
        self._traced: dict[int, str] = {}  # by store: the span of the newest batch that its visits are not written of
        self._snapshot_at_s: dict[int, float] = {}
        self._stop = stop
        self._settings = settings
        client_id = settings.client_id
        if client_id is None:
            client_id = f"sojourn-ingest-{address_digest(database_url)}"
        self._source: Source[Any] = (
            source if source is not None else Subscriber(mqtt_url, client_id, settings, credentials)
        )
        self._name = f"sojourn ingest {uuid4().hex[:8]}"  # tells our own connections from another ingest's
        self._directory = self._new_directory()
        self._leads = False  # does what is done once a database
        self._feeds: dict[int, StoreFeed] = {}
        self._parked: Parked[CursorKey, Arrival] = {}
        self._told_away: dict[str, str] = {}
        self._started_at = time.time_ns()
        self._committed_at: int | None = None
        self._batches = self._signals = self._repeated = self._dead_letters = 0
        self._failures = 0
        self._timeline = ""
        self._timers = _Timers()
        self._pace = Pace(settings)
        self._refresh = Refresh(database_url, settings.calibrate_every_s, settings.calibrate_last_s)
        self._revision = LateRevision(
            database_url, settings.revise_settle_s, settings.revise_wait_s, settings.revise_again_s
        )
        self._counting = Counting(database_url, settings.rollup_days)
        self._privacy = PrivacyWork(database_url, settings.privacy, settings.retain)
        self._suppression = 0  # the version of the list that everything here has taken into use

    def run(self) -> None:
        """Work in sessions: each lasts as long as its connection to the database."""
        try:
            while not self._stop.is_set():
                begun_s = time.monotonic()
                try:
                    connection = self._connect_database()
                    if connection is None:
                        return
                    with connection, reachable():
                        self._session(connection)
                except FencedError as error:
                    self._forget(error)
                except UnavailableError as error:
                    self._let_go(error)
                    # one that lets us in and then refuses (a full disk) is not asked again at once
                    self._stop.wait(self._backoff_s(lasted_s=time.monotonic() - begun_s))
        finally:
            self._source.drop()
            self._refresh.stop()
            self._revision.stop()
            self._counting.stop()
            self._privacy.stop()

    def _let_go(self, error: UnavailableError) -> None:
        """Leave it to the broker to send again what is not known to be committed."""
        self._source.drop()
        self._meters.away()
        self._say_away("database", error)

    def _forget(self, error: FencedError) -> None:
        """Begin afresh: somebody took this ingest for dead, and what it still had is for that one to derive."""
        _log.warning("ingest has lost its stores and begins afresh; nothing is lost", why=str(error))
        self._feeds.clear()
        self._directory = self._new_directory()
        self._source.drop()

    def _new_directory(self) -> Directory:
        return Directory(owner=self._name if self._source.shared else "")

    def _session(self, connection: Connection) -> None:
        if not self._prepare(connection):
            return
        while not self._stop.is_set():
            if not self._source.connected:
                self._connect_broker(connection)
            self._turn(connection, wait_s=self._wait_s())
        self._source.drop()
        for feed in self._feeds.values():
            self._seal(connection, feed)
        self._write_status(connection)

    def _turn(self, connection: Connection, *, wait_s: float) -> None:
        """Take in what has come, at most one commit's worth, and do what else is due."""
        messages = self._source.take(wait_s=wait_s, gather_s=self._pace.gather_s)
        if self._source.gained():
            self._take_over(connection)
            return  # where it was cut short, what is pushed next would pass over the rest
        if messages:
            self._take_in(connection, messages)
        self._derive(connection, busy=bool(messages))
        self._tend(connection)

    def _prepare(self, connection: Connection) -> bool:
        """Bring everything here to where the log is; False when ingest is to stop.

        After a start, and after any doubt about what the last commit did.
        """
        lacking = pending(connection)
        if lacking:
            raise ConfigurationError(f"The database lacks the migration {lacking[0]}.", hint="Run `sojourn migrate`.")
        edition, version = read_edition(connection)
        if not self._claim(connection):
            return False
        self._write_status(connection)
        self._say_back("database")
        _log.info("ingest has the database", timescaledb=version, edition=edition.value, name=self._name)
        if (
            not self._feeds
        ):  # a fresh process: it takes half a minute the very first time, and nobody waits for it yet
            self._compile(connection)
        self._directory.adopt(connection, self._held(connection))
        self._directory.adopt_models(connection)  # the feeds find them in the log
        self._make_chunks(connection)
        known, self._timeline = self._timeline, timeline(connection)
        if known not in {"", self._timeline}:
            # another server took over, which may lack what was committed last: our memory is not of its log
            _log.warning("the database has moved; engines begin again from their snapshots")
            self._feeds.clear()
        self._bring_up(connection, list(self._directory.plans.values()))
        return not self._stop.is_set()

    def _compile(self, connection: Connection) -> None:
        sizes = {len(stored.plan.zones): stored.plan for stored in load_plans(connection)}
        for plan in sizes.values():
            compile_kernels(plan)
            if self._refresh.on:
                compile_learning(plan)
        seal_compiled()

    def _held(self, connection: Connection) -> list[str] | None:
        """Return the stores that come to this ingest; None: all, whichever there are."""
        if not self._source.shared:
            return None
        return [store for store in plan_versions(connection) if self._source.holds(store)]

    def _take_over(self, connection: Connection) -> None:
        """Claim the stores that came to this ingest; from then on nobody else writes for them."""
        new = self._directory.adopt(connection, self._held(connection))
        self._directory.adopt_models(connection)
        self._bring_up(connection, [adopted for adopted in new if adopted.store_no not in self._feeds])
        _log.info("stores taken over", stores=len(new), held=len(self._feeds))

    def _bring_up(self, connection: Connection, stores: Iterable[AdoptedPlan]) -> None:
        """Bring the engines of stores to where the log is, from a snapshot where they are not here yet."""
        replayed = 0
        for adopted in stores:
            if adopted.store_no not in self._feeds:
                for zones in sounding_alike(adopted.plan):
                    _log.warning("zones cannot be told apart", store=adopted.plan.id, zones=zones, hint=WHAT_TO_DO)
                self._feeds[adopted.store_no] = restore(connection, adopted.store_no)
            feed = self._feeds[adopted.store_no]
            replayed += feed.catch_up(connection, stopped=self._stop.is_set)
            feed.forget_written()
        self._suppress(connection)
        if replayed:
            _log.info("batches replayed from the log", batches=replayed)

    def _hand_over(self, connection: Connection, *, seal: bool) -> None:
        """Let go of the stores that go to another ingest, if there is time with a snapshot for it to begin from."""
        going = [feed for feed in self._feeds.values() if not self._source.holds(feed.store)]
        for feed in going:
            try:
                if seal:
                    self._seal(connection, feed)
            except (UnavailableError, FencedError) as error:
                seal = False  # the next ingest begins from an earlier snapshot, and derives the same
                _log.warning("stores go without a snapshot; the log has what they need", why=str(error))
            del self._feeds[feed.store_no]
            self._directory.release(feed.store)
        if going:
            self._parked = {}  # their edges send again to whoever has them next
            _log.info("stores handed over", stores=len(going), held=len(self._feeds))

    def _take_in(self, connection: Connection, messages: list[Any]) -> None:
        """Commit what these messages say, then acknowledge them, then let the engines have it."""
        with self._tracing.span("batch receive", messages=len(messages)) as span:
            with self._tracing.span("decode"):
                readings = [reading for reading in map(read, messages) if reading is not None]
            begun_s = time.monotonic()
            with self._tracing.span("commit"):
                committed = commit(connection, self._directory, readings, self._parked)
            took_s = time.monotonic() - begun_s
            self._meters.committed(committed, took_s)
            self._pace.committed(took_s)
            self._source.acknowledge(messages)
            self._keep_parked(committed.parked)
            for edge, cursors in committed.cursors.items():
                self._tell(edge, cursors)
            self._count(committed)
            span.set(batches=len(committed.logged), dead_letters=committed.dead_letters)
            with self._tracing.span("feed engines"):
                self._feed_engines(connection, committed)
            here = self._tracing.here()
            if here:
                self._traced.update(dict.fromkeys({logged.store_no for logged in committed.logged}, here))

    def _feed_engines(self, connection: Connection, committed: Committed) -> None:
        for (store, _), edge in sorted(committed.edges.items(), key=lambda item: item[1].log_no):
            self._feed(connection, self._directory.plans[store].store_no).expect(edge)
        by_store: dict[int, list[Logged]] = {}
        for logged in committed.logged:
            by_store.setdefault(logged.store_no, []).append(logged)
        for store_no, rows in by_store.items():
            self._feed(connection, store_no).push(rows)
        for change in committed.changes:
            self._feed(connection, change.store_no).hear(change)

    def _feed(self, connection: Connection, store_no: int) -> StoreFeed:
        """Return the feed of a store; that of a store which came just now has caught up with the log."""
        if store_no not in self._feeds:
            self._feeds[store_no] = restore(connection, store_no)
            # not to be cut short: what is pushed next would pass over the rest
            self._feeds[store_no].catch_up(connection, stopped=lambda: False)
            if self._directory.kept_out is not None:
                self._feeds[store_no].redact(self._directory.kept_out.now)
        return self._feeds[store_no]

    def _derive(self, connection: Connection, *, busy: bool = False) -> None:
        """Write what the engines have found, each store at its pace; as often as pages redraw while nothing waits."""
        every_s = self._pace.every_s if busy else self._settings.derive_s
        for store_no, feed in self._feeds.items():
            if feed.dirty and self._timers.due(f"derive {store_no}", every_s):
                self._write(connection, feed)

    def _write(self, connection: Connection, feed: StoreFeed, *, snapshot: bool = False) -> None:
        begun_s = time.monotonic()
        parent = self._traced.pop(feed.store_no, "")
        with self._tracing.span("visits", parent=parent, store=feed.store, snapshot=snapshot) as span:
            visits = feed.write(connection, snapshot=snapshot, owned=self._directory.owned, tracing=self._tracing)
            span.set(visits=visits)
        took_s = time.monotonic() - begun_s
        self._meters.wrote(visits, took_s)
        self._pace.took(feed.store_no, took_s)
        if snapshot:
            self._snapshot_at_s[feed.store_no] = time.monotonic()

    def _seal(self, connection: Connection, feed: StoreFeed) -> None:
        """Write what a feed has found, with a snapshot that stands where the log does."""
        if feed.dirty or feed.log_no > feed.snapshot_log_no:
            self._write(connection, feed, snapshot=True)

    def _tend(self, connection: Connection) -> None:
        """Do what is to be done from time to time."""
        if self._timers.due("status", self._settings.status_s):
            self._write_status(connection)
            if list_version(connection) != self._suppression:
                self._suppress(connection)
            self._keep_out_withdrawn(connection)
            if self._source.shared:
                self._adopt_list(connection)
            self._adopt_changes(connection)
            self._calibrate(connection)
            self._leads = self._leads or lead(connection)
        if self._leads:
            self._keep_house(connection)
        for store_no, feed in self._feeds.items():
            moved = feed.log_no > feed.snapshot_log_no
            if moved and self._timers.due(f"snapshot {store_no}", self._settings.snapshot_s, first=False):
                self._write(connection, feed, snapshot=True)

    def _keep_house(self, connection: Connection) -> None:
        """Do what is due once for the whole database."""
        if self._timers.due("revise", self._settings.status_s):
            self._revision.begin(connection)
        if self._timers.due("prune", self._settings.prune_s):
            prune(connection)
        if self._timers.due("chunks", self._settings.chunks_s, first=False):
            self._make_chunks(connection)
        if self._timers.due("rollup", self._settings.rollup_s) and waiting(connection):
            self._counting.begin()
        if self._timers.due("privacy", self._settings.privacy_s) and erasures_wait(connection):
            self._privacy.begin()
        if self._timers.due("retain", self._settings.retain_s):
            self._privacy.begin(retain=True)
        if self._timers.due("alerts", self._settings.alert_s) and has_rules(connection):
            self._counting.begin()

    def _suppress(self, connection: Connection) -> None:
        """Take the suppression list into use: here, in the engines, and in what they wrote."""
        folder = self._privacy.folder
        if folder is not None and self._leads and is_behind(connection, folder):
            jobs = reapply(connection, folder)
            _log.warning("the database is older than its suppression list; it is erased again", people=jobs)
        self._suppression = list_version(connection)
        self._directory.suppressed = load_suppressed(connection, folder)
        self._directory.withdrawn = withdrawn_devices(connection)
        self._forget_kept_out(connection)
        if self._source.shared:
            note_suppression(connection, self._name, self._suppression)
        self._adopt_list(connection)

    def _keep_out_withdrawn(self, connection: Connection) -> None:
        """Take into use whose consent has ended since, or holds again."""
        before = self._directory.withdrawn
        self._directory.withdrawn = withdrawn_devices(connection)
        if self._directory.withdrawn - before:
            self._forget_kept_out(connection)

    def _forget_kept_out(self, connection: Connection) -> None:
        if self._directory.kept_out is not None:
            for feed in self._feeds.values():
                feed.redact(self._directory.kept_out.now)
                self._write(connection, feed)

    def _adopt_list(self, connection: Connection) -> None:
        """Say that no engine knows an erased person any more, once that is true of everybody's engines."""
        folder, version = self._privacy.folder, self._suppression
        if folder is None or not version or not self._leads:
            return
        if self._source.shared:
            done, early = adopted_version(connection) >= version, not suppressed_everywhere(connection, version)
            if done or early:
                return
        in_transaction(connection, lambda connection: adopt_list(connection, folder))

    def _make_chunks(self, connection: Connection) -> None:
        made = make_chunks(connection, datetime.now(UTC))
        if made:
            _log.info("chunks made ahead of their time", tables=made)

    def _adopt_changes(self, connection: Connection) -> None:
        """Take plans into use that were loaded or changed since, then models that are wanted."""
        in_use = {store: adopted.version for store, adopted in self._directory.plans.items()}
        changed = [store for store, version in plan_versions(connection).items() if in_use.get(store) != version]
        changed = [store for store in changed if self._source.holds(store)]
        if changed:
            for adopted in self._directory.adopt(connection, changed):
                self._feed(connection, adopted.store_no).adopt(adopted)
                _log.info("floor plan taken into use", store=adopted.plan.id, version=adopted.version)
        for model in self._directory.adopt_models(connection):
            feed = self._feed(connection, model.store_no)
            feed.adopt_model(model)
            _log.info("model taken into use", store=feed.store, version=model.version)

    def _calibrate(self, connection: Connection) -> None:
        """Keep what was learnt in the meantime and adopt it; start with the next store that is due."""
        learnt = self._refresh.take()
        if learnt is not None and self._directory.plans.get(learnt.adopted.plan.id) == learnt.adopted:
            store_no = learnt.adopted.store_no

            def work(connection: Connection) -> None:
                check_owned(connection, self._directory.owned, [store_no])
                version = save_model(connection, store_no, learnt.model, span=learnt.span)
                want_model(connection, store_no, version)

            in_transaction(connection, work)
            self._adopt_changes(connection)
        fed = [(plan, self._feeds.get(plan.store_no)) for plan in self._directory.plans.values()]
        self._refresh.begin(connection, [(plan, feed.newest_ns) for plan, feed in fed if feed is not None])

    def _keep_parked(self, parked: Parked[CursorKey, Arrival]) -> None:
        oldest = time.time_ns() - int(self._settings.parked_s * 1e9)
        kept, dropped = bounded(parked, most_bytes=self._settings.parked_bytes, not_before=oldest)
        if kept and not self._parked:
            _log.warning("batches wait for earlier ones of their edge", batches=parked_count(kept))
        if dropped:
            _log.warning("batches that waited for earlier ones were let go; their edges send again", batches=dropped)
        self._parked = kept

    def _tell(self, edge: EdgeKey, cursors: Mapping[bytes, int]) -> None:
        """Publish which batches of an edge are in the database."""
        told = list(cursors.items())
        for start in range(0, max(len(told), 1), BOOTS_TOLD):
            boots = {boot.hex(): sequence for boot, sequence in told[start : start + BOOTS_TOLD]}
            self._source.publish(committed_topic(*edge), msgspec.json.encode({"boots": boots}))

    def _count(self, committed: Committed) -> None:
        self._batches += len(committed.logged)
        self._signals += sum(0 if logged.batch is None else len(logged.batch) for logged in committed.logged)
        self._repeated += committed.repeated
        self._dead_letters += committed.dead_letters
        if committed.logged:
            self._committed_at = time.time_ns()

    def _write_status(self, connection: Connection) -> None:
        newest_ns = max((feed.newest_ns for feed in self._feeds.values()), default=0)
        open_batches = late_open(connection)
        self._meters.state(
            broker=self._source.connected,
            queued=self._source.queued,
            parked=parked_count(self._parked),
            dropped=self._source.dropped_by_broker,
            late_open=open_batches,
        )
        self._meters.stores(self._store_states())
        if not self._leads:  # the table has one row
            return
        save_status(
            connection,
            IngestStatus(
                started_at=self._started_at,
                changed_at=time.time_ns(),
                broker_connected=self._source.connected,
                queued=self._source.queued,
                parked=parked_count(self._parked),
                batches=self._batches,
                signals=self._signals,
                repeated=self._repeated,
                dead_letters=self._dead_letters,
                newest_signal_at=newest_ns if newest_ns > 0 else None,
                committed_at=self._committed_at,
                late_open=open_batches,
                visits_revised=self._revision.revised,
                broker_dropped=self._source.dropped_by_broker,
            ),
        )

    def _store_states(self) -> list[StoreState]:
        now_s = time.monotonic()
        states = []
        for store_no, feed in self._feeds.items():
            progress = feed.progress
            anchors, away = feed.anchors
            since_s = self._snapshot_at_s.setdefault(store_no, now_s)
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

    def _wait_s(self) -> float:
        dirty = [store_no for store_no, feed in self._feeds.items() if feed.dirty]
        waits = [self._timers.left_s(f"derive {store_no}", self._settings.derive_s) for store_no in dirty]
        return min([_IDLE_S, *waits])

    def _connect_database(self) -> Connection | None:
        """Wait for the database; None when ingest is to stop."""
        connection: Connection | None = self._retrying(
            lambda state: self._say_away("database", state.outcome.exception() if state.outcome else None)
        )(connect, self._database_url, application_name=self._name)
        return connection

    def _connect_broker(self, connection: Connection) -> None:
        """Wait for the broker, telling all the while that ingest is alive."""

        def meanwhile(state: RetryCallState) -> None:
            self._say_away("broker", state.outcome.exception() if state.outcome else None)
            self._write_status(connection)
            self._derive(connection)

        # The broker sends again what it still has, the edges what it has not. Kept, it would do no harm (what is in
        # the log by now counts as repeated), but take room for nothing.
        self._parked = {}
        self._retrying(meanwhile)(self._source.connect, lambda seal: self._hand_over(connection, seal=seal))
        if self._source.connected:
            self._say_back("broker")
            self._write_status(connection)

    def _claim(self, connection: Connection) -> bool:
        """Wait until no other ingest writes to these stores; standing by like this is allowed."""
        shared = self._source.shared
        while not claim(connection, shared=shared):
            self._say_away("place of the one ingest", UnavailableError("Another ingest writes to this database."))
            if self._stop.wait(1.0):
                return False
        self._leads = not shared or lead(connection)
        self._say_back("place of the one ingest")
        return True

    def _backoff_s(self, *, lasted_s: float) -> float:
        most_s = self._settings.retry_most_s
        self._failures = 0 if lasted_s > most_s else self._failures + 1
        return min(self._settings.retry_first_s * 2.0 ** min(self._failures, 10), most_s)

    def _retrying(self, before_sleep: Callable[[RetryCallState], None]) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(UnavailableError),
            wait=wait_exponential_jitter(multiplier=self._settings.retry_first_s, max=self._settings.retry_most_s),
            stop=stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            before_sleep=before_sleep,
            retry_error_callback=lambda _: None,
        )

    def _say_away(self, server: str, error: BaseException | None) -> None:
        """Say once that a server is away, until it was back."""
        if server not in self._told_away:
            self._told_away[server] = str(error)
            _log.warning(f"waiting for the {server}; nothing is lost", why=str(error))

    def _say_back(self, server: str) -> None:
        if self._told_away.pop(server, None) is not None:
            _log.info(f"the {server} is back")


class _Timers:
    """When things were done last, on this process's own clock."""

    def __init__(self) -> None:
        self._done_s: dict[str, float] = {}

    def due(self, what: str, every_s: float, *, first: bool = True) -> bool:
        """Whether it is time again; then it counts as done. `first`: the very first time is at once."""
        if self.left_s(what, every_s) > 0:
            return False
        begun = what in self._done_s
        self._done_s[what] = time.monotonic()
        return begun or first

    def left_s(self, what: str, every_s: float) -> float:
        """Seconds until it is due."""
        done_s = self._done_s.get(what)
        return 0.0 if done_s is None else max(done_s + every_s - time.monotonic(), 0.0)
