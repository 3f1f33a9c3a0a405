"""The ingest process: from the broker into the signal log, and from there through the engines into visits.

One thread does it all; paho's thread only fills a bounded queue. While the database is away ingest lets go of the
broker, which then keeps the messages (and behind it each edge its outbox), so nothing piles up here.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential_jitter
from tenacity.nap import sleep_using_event

from core.dwell.compiling import compiling_until
from core.dwell.engine import compile_kernels
from core.errors import FencedError, UnavailableError
from core.floorplan import StorePlan
from ingest.commit import BOOTS_TOLD, EdgeKey, commit
from ingest.cursors import Parked, bounded, parked_count
from ingest.holding import Holding
from ingest.housekeeping import Housekeeping, make_room
from ingest.messages import Arrival, read
from ingest.meters import Meters
from ingest.pacing import Pace
from ingest.refresh import Refresh, compile_learning
from ingest.settings import Settings
from ingest.source import Source
from ingest.subscriber import Subscriber
from ingest.telling import Standing, Telling
from ingest.timers import Timers
from ingest.topics import committed_topic
from servers.kernel_cache import seal_compiled
from storage.connect import Connection, address_digest, connect, in_transaction, reachable
from storage.edition import read_edition
from storage.log.owners import check_owned, lead
from storage.log.signals import CursorKey, claim
from storage.migrate import pending
from storage.models import save_model, want_model
from storage.stores import load_plans
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
        If a URL or the credentials cannot be used.
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
        self._tracing = tracing
        self._stop = stop
        self._settings = settings
        client_id = settings.client_id
        if client_id is None:
            client_id = f"sojourn-ingest-{address_digest(database_url)}"
        self._source: Source[Any] = (
            source if source is not None else Subscriber(mqtt_url, client_id, settings, credentials)
        )
        self._name = f"sojourn ingest {uuid4().hex[:8]}"  # tells our own connections from another ingest's
        self._telling = Telling(meters if meters is not None else Meters())
        self._pace = Pace(settings)
        self._holding = Holding(
            self._source,
            self._name,
            settings,
            pace=self._pace,
            telling=self._telling,
            tracing=tracing,
            stopped=self._stopped,
            ready=self._compile,
        )
        self._house = Housekeeping(database_url, settings)
        self._refresh = Refresh(database_url, settings.calibrate_every_s, settings.calibrate_last_s)
        self._tell_alive: Callable[[], None] = lambda: None
        self._starting = True  # has not asked for messages yet, in this session, or compiles
        self._compiled: set[int] = set()  # for plans of how many zones
        self._leads = False  # does what is done once a database
        self._parked: Parked[CursorKey, Arrival] = {}
        self._failures = 0
        self._timers = Timers()

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
            self._house.stop()

    def _let_go(self, error: UnavailableError) -> None:
        """Leave it to the broker to send again what is not known to be committed."""
        self._source.drop()
        self._telling.lost_database(error)

    def _forget(self, error: FencedError) -> None:
        """Begin afresh: somebody took this ingest for dead, and what it still had is for that one to derive."""
        _log.warning("ingest has lost its stores and begins afresh; nothing is lost", why=str(error))
        self._holding.forget()
        self._source.drop()

    def _session(self, connection: Connection) -> None:
        self._tell_alive = lambda: self._write_status(connection)
        self._starting = True
        if not self._prepare(connection):
            return
        self._starting = False
        while not self._stop.is_set():
            if not self._source.connected:
                self._connect_broker(connection)
            self._turn(connection, wait_s=min(_IDLE_S, self._holding.derive_left_s()))
        self._source.drop()
        for feed in self._holding.feeds.values():
            self._holding.seal(connection, feed)
        self._write_status(connection)

    def _turn(self, connection: Connection, *, wait_s: float) -> None:
        """Take in what has come, at most one commit's worth, and do what else is due."""
        messages = self._source.take(wait_s=wait_s, gather_s=self._pace.gather_s)
        if self._source.gained():
            self._holding.take_over(connection, leads=self._leads)
            return  # where it was cut short, what is pushed next would pass over the rest
        if messages:
            self._take_in(connection, messages)
        self._holding.derive(connection, busy=bool(messages))
        self._tend(connection)

    def _prepare(self, connection: Connection) -> bool:
        """Bring everything here to where the log is; False when ingest is to stop.

        After a start, and after any doubt about what the last commit did.
        """
        lacking = pending(connection)
        if lacking:
            raise UnavailableError(f"The database lacks the migration {lacking[0]}.", hint="Run `sojourn migrate`.")
        edition, version = read_edition(connection)
        if not self._claim(connection):
            return False
        self._write_status(connection)
        self._telling.back("database")
        _log.info("ingest has the database", timescaledb=version, edition=edition.value, name=self._name)
        if not self._holding.feeds:
            # a fresh process: it takes half a minute the very first time, and nobody waits for it yet
            self._compile(connection, [stored.plan for stored in load_plans(connection)])
            if self._stop.is_set():
                return False
        make_room(connection)
        self._holding.begin(connection, leads=self._leads)
        return not self._stop.is_set()

    def _compile(self, connection: Connection, plans: Iterable[StorePlan]) -> None:
        """Let kernels be compiled or loaded by a thread of their own, telling all the while that ingest is alive.

        Those of the plans that are there at the start, and of each that comes later before it is taken into use.
        """
        sizes = {len(plan.zones): plan for plan in plans if len(plan.zones) not in self._compiled}
        if not sizes:
            return
        before, self._starting = self._starting, True
        begun_s, every_s = time.monotonic(), self._settings.status_s
        with ThreadPoolExecutor(1, "compile kernels") as pool:
            compiled = pool.submit(self._compile_all, list(sizes.values()))
            while not wait([compiled], every_s).done:
                if time.monotonic() - begun_s < 2 * every_s:  # once; those that are loaded are there before
                    _log.info(
                        "compiling kernels, once for this version; the broker keeps what comes", plans=len(sizes)
                    )
                self._write_status(connection)
            compiled.result()
        if (took_s := time.monotonic() - begun_s) > every_s:
            _log.info("kernels are compiled", took_s=round(took_s, 1))
        self._compiled |= sizes.keys()
        self._starting = before

    def _compile_all(self, plans: Iterable[StorePlan]) -> None:
        with compiling_until(self._stop.is_set):
            for plan in plans:
                compile_kernels(plan)
                if self._refresh.on:
                    compile_learning(plan)
        seal_compiled()

    def _stopped(self) -> bool:
        """Whether ingest is to end; asked again and again while the log is replayed, which may take minutes."""
        if self._timers.due("status", self._settings.status_s):
            self._tell_alive()
        return self._stop.is_set()

    def _hand_over(self, connection: Connection, *, seal: bool) -> None:
        if self._holding.hand_over(connection, seal=seal):
            self._parked = {}  # their edges send again to whoever has them next

    def _take_in(self, connection: Connection, messages: list[Any]) -> None:
        """Commit what these messages say, then acknowledge them, then let the engines have it."""
        with self._tracing.span("batch receive", messages=len(messages)) as span:
            with self._tracing.span("decode"):
                readings = [reading for reading in map(read, messages) if reading is not None]
            begun_s = time.monotonic()
            with self._tracing.span("commit"):
                committed = commit(connection, self._holding.directory, readings, self._parked)
            took_s = time.monotonic() - begun_s
            self._telling.committed(committed, took_s)
            self._pace.committed(took_s)
            self._source.acknowledge(messages)
            self._keep_parked(committed.parked)
            for edge, cursors in committed.cursors.items():
                self._tell(edge, cursors)
            span.set(batches=len(committed.logged), dead_letters=committed.dead_letters)
            with self._tracing.span("feed engines"):
                self._holding.push(connection, committed)
            self._holding.trace(self._tracing.here(), committed)

    def _tend(self, connection: Connection) -> None:
        """Do what is to be done from time to time."""
        if self._timers.due("status", self._settings.status_s):
            self._write_status(connection)
            self._holding.adopt_erasures(connection, leads=self._leads)
            self._holding.adopt_changes(connection)
            self._calibrate(connection)
            self._leads = self._leads or lead(connection)
        if self._leads:
            self._house.keep(connection)
        self._holding.snapshots(connection)

    def _calibrate(self, connection: Connection) -> None:
        """Keep what was learnt in the meantime and adopt it; start with the next store that is due."""
        learnt, directory, feeds = self._refresh.take(), self._holding.directory, self._holding.feeds
        if learnt is not None and directory.plans.get(learnt.adopted.plan.id) == learnt.adopted:
            store_no = learnt.adopted.store_no

            def work(connection: Connection) -> None:
                check_owned(connection, directory.owned, [store_no])
                version = save_model(connection, store_no, learnt.model, span=learnt.span)
                want_model(connection, store_no, version)

            in_transaction(connection, work)
            self._holding.adopt_changes(connection)
        fed = [(plan, feeds.get(plan.store_no)) for plan in directory.plans.values()]
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

    def _write_status(self, connection: Connection) -> None:
        now = Standing(
            broker=self._source.connected,
            queued=self._source.queued,
            parked=parked_count(self._parked),
            dropped=self._source.dropped_by_broker,
            revised=self._house.revised,
            starting=self._starting,
        )
        self._telling.status(connection, now, self._holding.feeds.values(), for_pages=self._leads)

    def _connect_database(self) -> Connection | None:
        """Wait for the database; None when ingest is to stop."""
        connection: Connection | None = self._retrying(
            lambda state: self._telling.away("database", state.outcome.exception() if state.outcome else None)
        )(connect, self._database_url, application_name=self._name)
        return connection

    def _connect_broker(self, connection: Connection) -> None:
        """Wait for the broker, telling all the while that ingest is alive."""

        def meanwhile(state: RetryCallState) -> None:
            self._telling.away("broker", state.outcome.exception() if state.outcome else None)
            self._write_status(connection)
            self._holding.derive(connection, busy=False)

        # The broker sends again what it still has, the edges what it has not. Kept, it would do no harm (what is in
        # the log by now counts as repeated), but take room for nothing.
        self._parked = {}
        self._retrying(meanwhile)(self._source.connect, lambda seal: self._hand_over(connection, seal=seal))
        if self._source.connected:
            self._telling.back("broker")
            self._write_status(connection)

    def _claim(self, connection: Connection) -> bool:
        """Wait until no other ingest writes to these stores; standing by like this is allowed."""
        shared = self._source.shared
        while not claim(connection, shared=shared):
            standing_by = UnavailableError("Another ingest writes to this database.")
            self._telling.away("place of the one ingest", standing_by)
            if self._stop.wait(1.0):
                return False
        self._leads = not shared or lead(connection)
        self._telling.back("place of the one ingest")
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
