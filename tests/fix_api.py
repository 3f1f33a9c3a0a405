"""The API on a real database.

`store`    a migrated database with the stores `marktplatz` and `quay`, and a connection to write with
`client`   asks the application, which runs in a thread of this process
`site`     the URL of the same
`served`   the API as a process of its own, on `store`'s database
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from core.floorplan import StorePlan
from storage.connect import Connection
from tests.api.seeding import PLAN, SMALL_PLAN, add_customers, add_stores, database_now, floor_plan, writer
from tests.api.serving import Served, answering


@dataclass(frozen=True)
class SeededStore:
    """What tests write to."""

    database_url: str
    connection: Connection
    plan: StorePlan
    store_no: int
    now: datetime


@pytest.fixture
def store(database_url: str) -> Iterator[SeededStore]:
    with writer(database_url) as connection:
        numbers = add_stores(connection, PLAN, SMALL_PLAN)
        yield SeededStore(
            database_url, connection, floor_plan().stores[0], numbers["marktplatz"], database_now(connection)
        )


@pytest.fixture
def customers(store: SeededStore) -> dict[str, UUID]:
    """Customers who consented, with journeys up to `store.now`; profiles by name."""
    return add_customers(store.connection, store.plan, store.store_no, now=store.now)


@pytest.fixture
def client(store: SeededStore) -> Iterator[httpx.Client]:
    with answering(create_app(store.database_url)) as client:
        yield client


@pytest.fixture
def site(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


@pytest.fixture
def served(store: SeededStore, tmp_path: Path) -> Iterator[Served]:
    with Served(store.database_url, tmp_path / "api.log") as served:
        yield served
