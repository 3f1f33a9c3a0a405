"""One machine with everything on it: servers, ingest, API; made for a measurement and gone after it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import urlopen
from uuid import UUID

import psutil

from benchmarks.asking import api_key
from benchmarks.ingest.air import StoreAir, plan_text, store_id
from benchmarks.ingest.checking import COMMIT_TIMES
from benchmarks.ingest.edges import encrypted_door, trusting
from core.floorplan import load
from ingest.kafka.topic import Kafka, create_topic
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.process import HOST
from servers.provide import provide
from servers.tansu import Tansu
from simulators.demo.pages import ask
from simulators.demo.processes import Processes
from storage.connect import Connection, connect
from storage.log.ingest_status import load_status
from storage.migrate import migrate
from storage.profiles.profiles import create_profile
from storage.stores import save_plan

_READY_S: Final = 900.0
"""The first start compiles the kernels: half a minute on free cores, several minutes beside other work."""
MEMBERS: Final = 20
"""Profiles of the first store whose journeys are asked for."""
PARTITIONS: Final = 16
"""Of Kafka's topic, all with the one ingest that is measured."""
_STOP_S: Final = 30.0


@dataclass(frozen=True)
class Servers:
    """A database with its tables and a broker; `mqtt_url` is the door that edges and ingest take.

    With `kafka` the bridge and `ingest --source kafka` stand between the two.
    """

    database: Postgres
    broker: Mosquitto
    database_url: str
    mqtt_url: str
    certificate: str = ""
    kafka: Tansu | None = None


@dataclass
class Machine:
    """What runs."""

    folder: Path
    servers: Servers
    processes: Processes
    connection: Connection
    api_port: int
    profiles: list[UUID]
    key: str

    @property
    def groups(self) -> dict[str, int]:
        """Return the processes whose CPU is the product's, each with what it starts."""
        servers = self.servers
        found = {"broker": servers.broker.pid, "worker": self.pid_of("ingest"), "database": servers.database.pid}
        if servers.kafka is not None:
            found |= {"bridge": self.pid_of("bridge"), "Kafka": servers.kafka.pid}
        return found

    def pid_of(self, command: str) -> int:
        """Return the process of `sojourn command`."""
        ours = psutil.Process().children(recursive=True)
        return next(child.pid for child in ours if _runs(child, command))

    def start_ingest(self) -> None:
        """Start ingest and wait until it has database and broker."""
        self.processes.start("ingest", *([] if self.servers.kafka is None else ["--source", "kafka"]))
        self.await_condition(self._taking, "ingest does not reach the broker")

    def start_bridge(self) -> None:
        """Start the bridge and wait until the broker keeps messages for it."""
        port = _free_port()
        self.processes.start("bridge", "--metrics", f"{HOST}:{port}")
        self.await_condition(lambda: _stands(port), "the bridge does not stand")

    def stop_ingest(self) -> None:
        """Stop it in order."""
        self.processes.stop("ingest", _STOP_S)

    def await_condition(self, there: Callable[[], bool], otherwise: str, within_s: float = _READY_S) -> None:
        """Wait for something.

        Raises
        ------
        TimeoutError
            With `otherwise`.
        """
        pause = threading.Event()
        for _ in range(int(within_s / 0.1)):
            if there():
                return
            self.processes.check()
            pause.wait(0.1)
        raise TimeoutError(otherwise)

    def _taking(self) -> bool:
        status = load_status(self.connection)
        return status is not None and status.broker_connected


def _runs(process: psutil.Process, command: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    return "sojourn" in words and command in words and "setpriv" not in words[0]


@contextmanager
def machine(
    folder: Path, *, stores: int, edges: int, devices: int, tls: bool, kafka: bool = False
) -> Iterator[Machine]:
    """Start servers, ingest and API on a database with so many stores; everything is ended in any case."""
    installed = provide()
    door, certificate, port = "", "", 0
    if tls:
        port = _free_port()
        door, file = encrypted_door(folder / "certificate", port)
        certificate = str(file)
    with (
        Postgres(installed, folder / "database", settings=COMMIT_TIMES) as database,
        Mosquitto(installed, folder / "broker", more=door) as broker,
        Tansu(folder / "kafka.log") if kafka else nullcontext() as between,
    ):
        if between is not None:
            create_topic(Kafka(servers=between.servers), partitions=PARTITIONS, replicas=1)
        url = database.dsn()
        migrate(url)
        mqtt_url = broker.url
        if tls:
            who, at, _ = urlsplit(broker.url).netloc.rpartition("@")
            mqtt_url = f"mqtts://{who}{at}{HOST}:{port}"
        servers = Servers(database, broker, url, mqtt_url, certificate, between)
        with on_servers(folder, servers, stores=stores, edges=edges, devices=devices) as running:
            yield running


@contextmanager
def on_servers(folder: Path, servers: Servers, *, stores: int, edges: int, devices: int) -> Iterator[Machine]:
    """Start ingest and API on servers that are there."""
    with connect(servers.database_url) as connection:
        save_plan(connection, load(plan_text(stores)))
        profiles = _members(connection, devices=devices, edges=edges)
        environment = {
            "SOJOURN_DATABASE_URL": servers.database_url,
            "SOJOURN_MQTT_URL": servers.mqtt_url,
            **trusting(servers.certificate),
            **({} if servers.kafka is None else {"SOJOURN_KAFKA": servers.kafka.servers}),
        }
        with Processes(folder, environment) as processes:
            running = Machine(
                folder, servers, processes, connection, _free_port(), profiles, api_key(servers.database_url)
            )
            if servers.kafka is not None:
                running.start_bridge()
            running.start_ingest()
            processes.start("api", "--port", str(running.api_port))
            running.await_condition(
                lambda: ask(running.api_port, f"/v1/stores/{store_id(0)}", running.key)[0] == 200,
                "the API does not answer",
            )
            yield running


def _members(connection: Connection, *, devices: int, edges: int) -> list[UUID]:
    """Let the first devices of the first store belong to people who consented yesterday."""
    pseudonyms = StoreAir(0, devices=devices, edges=edges).pseudonyms[:MEMBERS]
    granted_at = datetime.now(UTC) - timedelta(days=1)
    return [
        create_profile(
            connection, display_name=f"Member {number}", devices=[pseudonym.tobytes()], granted_at=granted_at
        )
        for number, pseudonym in enumerate(pseudonyms)
    ]


def _stands(port: int) -> bool:
    """Whether the bridge says that it has both sides."""
    try:
        with urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as answer:
            return b"sojourn_bridge_standing 1.0" in answer.read()
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
