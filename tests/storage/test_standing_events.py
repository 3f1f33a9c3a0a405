"""Whether an order stands is asked in SQL for many people and in Python for one: both say the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from core.errors import InputError
from core.journey.inputs import event_detail
from storage.connect import Connection
from storage.profiles.events import PAID_BACK, UNCANCELLED, customer_events, paid_back, uncancelled
from storage.profiles.profiles import create_profile
from tests.api.seeding import writer

BEGIN = datetime(2026, 10, 1, 12, tzinfo=UTC)
KINDS = (
    "ordered", "cancelled", "refunded", "appointment_booked", "appointment_cancelled", "wished", "wish_removed"
)  # fmt: skip
# cents as tills write them, so that sums fall on, beside and half a cent off what an order cost
TOTALS = (0, 0.1, 0.2, 0.3, 0.295, 0.305, 0.29, 10.1, 10.095, 10.0949, 1e9)
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "order_id": st.sampled_from(["1", "2"]),
        "total": st.sampled_from(TOTALS),
        "product": st.sampled_from(["boots"]),
    },
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(KINDS), st.sampled_from(["till", "shop"]), st.integers(0, 3), st.integers(0, 2), DETAILS
    ),
    max_size=12,
    unique_by=lambda row: row[:3],
)
PAYMENTS = st.lists(
    st.tuples(
        st.sampled_from(["ordered", "refunded"]), st.just("till"), st.integers(0, 9), st.just(0),
        st.builds(lambda total: {"order_id": "1", "total": total}, st.sampled_from(TOTALS)),
    ),
    min_size=2, max_size=6, unique_by=lambda row: row[:3],
)  # fmt: skip


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with writer(database_url) as connection:
        yield connection


def write(connection: Connection, profile: UUID, rows: list[tuple[str, str, int, int, dict[str, Any]]]) -> None:
    connection.execute("delete from customer_event")
    for kind, source, key, day, detail in rows:
        connection.execute(
            "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at,"
            " detail) values (%s, 0, %s, %s, %s, %s, %s, %s)",
            [uuid4(), profile, kind, source, str(key), BEGIN + timedelta(days=day), Jsonb(detail)],
        )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=EVENTS | PAYMENTS)
def test_sql_and_python_agree_on_what_stands(
    connection: Connection, rows: list[tuple[str, str, int, int, dict[str, Any]]]
) -> None:
    found = connection.execute("select profile_id from profile").fetchone()
    profile = found[0] if found else create_profile(connection, display_name="Ada", devices=[], granted_at=BEGIN)
    write(connection, profile, rows)
    events = customer_events(connection, profile)
    assert len(events) == len(rows)
    asked = connection.execute(f"select event_id, {UNCANCELLED}, {PAID_BACK} from customer_event event").fetchall()
    assert {row[0] for row in asked if row[1]} == {one.event_id for one in uncancelled(events)}, str(rows)
    assert {row[0] for row in asked if row[2]} == paid_back(events), str(rows)


def test_an_order_number_of_spaces_is_none() -> None:
    """Else one cancellation without a number would cancel all orders without one."""
    given = {"order_id": " \t", "product": " ", "total": " 5 ", "currency": "EUR"}
    assert event_detail("orders", "ordered", given) == {"total": 5.0, "currency": "EUR"}
    with pytest.raises(InputError, match="amount is missing"):
        event_detail("orders", "ordered", {"total": "  ", "currency": "EUR"})
