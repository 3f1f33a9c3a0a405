"""A store in a database, and an ingest in a thread of the test."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import urlsplit

import pytest

from ingest.settings import Settings
from ingest.worker import run
from storage.connect import connect
from storage.log.ingest_status import load_status
from storage.stores import adopt_plans, save_plan
from telemetry.tracing import OFF, Tracing
from tests.ingest import world
from tests.ingest.edge_double import EdgeDouble

QUICK = Settings(
    derive_s=0.05,
    status_s=0.2,
    retry_first_s=0.05,
    retry_most_s=0.5,
    session_expiry_s=120,
    calibrate_every_s=None,
)


def client_id(database_url: str) -> str:
    """The name of a session that no other test's ingest has, but each one of this test."""
    return f"ingest-{urlsplit(database_url).path.strip('/')}-{sha256(database_url.encode()).hexdigest()[:8]}"


@pytest.fixture(scope="session", autouse=True)
def warm_kernels() -> None:
    """Compile the engine once and keep it in numba's cache; a worker that is killed while it compiles never does."""
    world.warm_kernels()


@dataclass(frozen=True)
class Store:
    """A store whose plan is in the database at `url`."""

    url: str
    id: str
    no: int


def add_store(url: str) -> Store:
    """Write the plan of a store with a name of its own."""
    name = world.name()
    with connect(url) as connection:
        save_plan(connection, world.floor_plan(name))
        (adopted,) = adopt_plans(connection, [name])
    return Store(url, name, adopted.store_no)


@pytest.fixture
def store(database_url: str) -> Store:
    return add_store(database_url)


@contextmanager
def ingesting(
    database_url: str,
    mqtt_url: str,
    settings: Settings = QUICK,
    *,
    subscribed: bool = True,
    tracing: Tracing = OFF,
) -> Iterator[threading.Event]:
    """Run an ingest until the block ends; what it raises is raised there.

    With `subscribed` the block begins when the broker keeps messages for it.
    """
    settings = replace(settings, client_id=client_id(database_url))
    stop = threading.Event()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            run(database_url, mqtt_url, stop=stop, settings=settings, tracing=tracing)
        except BaseException as error:  # noqa: BLE001 - handed on to the test
            raised.append(error)
            stop.set()

    thread = threading.Thread(target=work, name="ingest of a test")
    begun = time.time_ns()
    thread.start()
    try:
        if subscribed:
            await_subscription(database_url, begun, stop)
        yield stop
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive(), "ingest does not end"
    if raised:
        raise raised[0]


def await_subscription(database_url: str, begun: int, stop: threading.Event) -> None:
    """Wait until an ingest that was started after `begun` (ns) says that it has the broker."""
    with connect(database_url) as connection:
        while not stop.wait(0.02):
            status = load_status(connection)
            if status is not None and status.broker_connected and status.started_at >= begun // 1_000 * 1_000:
                return


@pytest.fixture
def edge(mqtt_url: str, store: Store) -> Iterator[EdgeDouble]:
    double = EdgeDouble(mqtt_url, store.id)
    yield double
    double.close()
