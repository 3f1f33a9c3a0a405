"""Fixtures of tests of pages."""

from uuid import UUID

import pytest

from tests.api.seeding import add_customers, database_now
from tests.fix_api import SeededStore


@pytest.fixture
def customers(store: SeededStore) -> dict[str, UUID]:
    """Customers who consented, with journeys up to this moment: pages tell of now; profiles by name."""
    return add_customers(store.connection, store.plan, store.store_no, now=database_now(store.connection))
