"""The checker can fail over the counts that pages read: each way to keep them wrong is said."""

from collections.abc import Callable
from datetime import date
from typing import Final, LiteralString
from unittest.mock import patch

import pytest

import storage.rollups.keeping
from storage.connect import Connection
from storage.rollups.keeping import refresh
from tests.chaos.checker import check_counts
from tests.fix_api import SeededStore
from tests.metrics.visiting import insert, shoppers

pytestmark = pytest.mark.servers
DAY: Final = date(2026, 10, 26)


def counted_and_corrected(store: SeededStore) -> None:
    """A day of visits is counted; then some are removed and some corrected, and wait to be counted."""
    insert(store.connection, store.store_no, shoppers(store.plan, DAY, 30, seed=1))
    refresh(store.connection, most_days=10)
    removed: LiteralString = "delete from {} where get_byte(uuid_send(device), 15) % 3 = 0"
    for table in ("zone_visit", "store_visit"):
        assert store.connection.execute(removed.format(table)).rowcount > 0
    store.connection.execute("update zone_visit set dwell_s = dwell_s + 45.5")


def test_counts_that_are_kept_change_by_change_pass(store: SeededStore) -> None:
    counted_and_corrected(store)
    assert check_counts(store.connection, store.store_no) == []


def _not_taken_back(connection: Connection) -> None:
    connection.execute("delete from rollup_change where sign = -1")


def _added_twice(connection: Connection) -> None:
    with patch.object(storage.rollups.keeping, "_forget_changes"):
        refresh(connection, most_days=1)


def _crowd_of_before(connection: Connection) -> None:
    with patch.object(storage.rollups.keeping, "_write_crowd"):
        refresh(connection, most_days=10)


def _last_bit(connection: Connection) -> None:
    refresh(connection, most_days=10)
    connection.execute("update crowd_rollup set mean = mean * (1 + 3e-16::float8)")


@pytest.mark.parametrize(
    ("mutant", "tables"),
    [
        (_not_taken_back, {"visit_rollup", "flow_rollup", "path_rollup"}),
        (_added_twice, {"visit_rollup", "flow_rollup", "path_rollup"}),
        (_crowd_of_before, {"crowd_rollup"}),
        (_last_bit, {"crowd_rollup"}),
    ],
)
def test_counts_that_are_wrong_are_told(
    store: SeededStore, mutant: Callable[[Connection], None], tables: set[str]
) -> None:
    counted_and_corrected(store)
    mutant(store.connection)
    said = check_counts(store.connection, store.store_no)
    assert {sentence.split()[2] for sentence in said} == tables, said
