"""A small chain as processes that may be killed: edges, mosquitto, the bridge, Kafka, members of the group."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psycopg

from ingest.kafka.topic import DEFAULT_TOPIC, Kafka, create_topic, partition_of
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.provide import Installed
from servers.tansu import Tansu
from storage.connect import connect
from storage.migrate import migrate
from storage.stores import save_plan
from tests.chaos.edge_process import Spec
from tests.chaos.house import _LEASH, DATA_BEGAN_S, ROOT, Edge, await_that
from tests.chaos.journal import Journal, read_journal
from tests.chaos.kafka.cluster import Cluster
from tests.ingest import world
from tests.ingest.world import S

PARTITIONS: Final = 3
STORES: Final = ("chaos-0", "chaos-1", "chaos-3")
"""One in each partition, so that each of three members has one."""


class Process:
    """One process at a time of `tests.chaos.kafka.member_process`."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_LEASH, sys.executable, "-m", "tests.chaos.kafka.member_process"],
                cwd=ROOT,
                env=os.environ | self._environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def end(self, number: signal.Signals) -> int | None:
        """Send a signal and wait for the end; SIGTERM leaves in order."""
        if self._process is None:
            return None
        self.send(number)
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._process = None

    def said(self, words: str) -> int:
        return self.log.read_text(errors="replace").count(words) if self.log.exists() else 0

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:]) if self.log.exists() else ""


class Chain:
    """Three stores with an edge each, and up to three members; nothing runs yet but the servers."""

    def __init__(
        self, database: Postgres, broker: Mosquitto, kafka: Tansu | Cluster, folder: Path, seed: int
    ) -> None:
        if {partition_of(store, PARTITIONS) for store in STORES} != set(range(PARTITIONS)):
            raise AssertionError("each store is to have a partition of its own")
        self.kafka, self.folder = kafka, folder
        self.url, self.quiet_url = database.dsn("chaos"), database.dsn("quiet")
        for name, url in (("chaos", self.url), ("quiet", self.quiet_url)):
            with psycopg.connect(database.dsn(), autocommit=True) as connection:
                connection.execute(f"create database {name} template template0")
            migrate(url)
            with connect(url) as ours:
                for store in STORES:
                    save_plan(ours, world.floor_plan(store))
        self.create_topic()
        environment = {
            "SOJOURN_DATABASE_URL": self.url,
            "SOJOURN_MQTT_URL": broker.url,
            "CHAOS_KAFKA": kafka.servers,
            "CHAOS_LEDGER": str(folder / "ledger"),
        }
        self.bridge = Process("bridge", folder, {**environment, "CHAOS_ROLE": "bridge"})
        self.members = [Process(f"member-{no}", folder, environment) for no in range(3)]
        now_ns = time.time_ns()
        self.edges = {
            store: Edge(
                Spec(
                    store=store,
                    edge=f"edge-{store}",
                    anchors=(0, 1, 2, 3),
                    broker=broker.url,
                    credentials="",
                    folder=str(folder),
                    seed=seed + number,
                    began_ns=now_ns,
                    data_began_ns=(now_ns // S - DATA_BEGAN_S) * S,
                )
            )
            for number, store in enumerate(STORES)
        }

    def create_topic(self) -> None:
        create_topic(Kafka(servers=self.kafka.servers), partitions=PARTITIONS, replicas=1)

    def journal(self) -> Journal:
        return read_journal(self.folder)

    def owners(self) -> dict[str, tuple[str, int]]:
        """Owner and epoch of each store."""
        with connect(self.url) as connection:
            rows = connection.execute("select id, owner, epoch from store_owner join store using (store_no)")
            return {store: (owner, epoch) for store, owner, epoch in rows.fetchall()}

    def log_of(self, store: str) -> int:
        with connect(self.url) as connection:
            row = connection.execute(
                "select count(*) from signal_log join store using (store_no) where id = %s", [store]
            ).fetchone()
            return 0 if row is None else int(row[0])

    def await_flow(self, said: str, batches: int = 2) -> None:
        """Wait until every store's log has grown: whatever was done before, all of them have an owner that works."""
        before = {store: self.log_of(store) for store in STORES}
        await_that(lambda: all(self.log_of(store) >= before[store] + batches for store in STORES), said, 90)

    def close(self) -> None:
        for process in (self.bridge, *self.members):
            process.send(signal.SIGCONT) if process.running else None
            process.end(signal.SIGKILL)
        for edge in self.edges.values():
            edge.kill()


@contextmanager
def chain(installed: Installed, folder: Path, seed: int, *, on_tansu: bool) -> Iterator[Chain]:
    """Give a chain on servers of its own, Kafka being Tansu or librdkafka's cluster; all is stopped at the end."""
    with ExitStack() as stack:
        database = stack.enter_context(Postgres(installed, folder / "database", sync_initdb=False))
        broker = stack.enter_context(Mosquitto(installed, folder / "broker"))
        log = folder / "kafka.log"
        kafka: Tansu | Cluster = Tansu(log) if on_tansu else Cluster(log, topic=DEFAULT_TOPIC, partitions=PARTITIONS)
        stack.enter_context(kafka)
        (folder / "edges").mkdir(parents=True, exist_ok=True)
        made = Chain(database, broker, kafka, folder / "edges", seed)
        stack.callback(made.close)
        yield made
