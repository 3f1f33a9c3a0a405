"""Rows of formulas that speak of customers whose consent holds, and of who is there now."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

from api.metrics.gaps import BucketGaps, bucket_gaps
from api.metrics.question import Question, State, bucket_begin, bucket_begins
from api.metrics.rows import MetricRow, zones_asked
from core.metrics.disclosure import K_PEOPLE
from storage.connect import Connection
from storage.metric_customers import elsewhere_rows, returning_rows
from storage.metric_orders import WeekOrders, online_orders, shelf_views
from storage.occupancy import occupancy
from storage.rollups.sources import day_begins
from storage.stores import StoredPlan


def customer_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return which share of the customers of each bucket had been there before, had not, or had been elsewhere."""
    source = elsewhere_rows if question.formula.id == "cross_store" else returning_rows
    known: dict[datetime, list[tuple[int, int]]] = defaultdict(list)
    for day, profiles, found in source(connection, stored, question.first, question.last):
        begin = bucket_begin(day, question.bucket, question.first)
        counted = profiles - found if question.formula.id == "new_customers" else found
        known[day_begins(begin, stored.plan.timezone).astimezone(UTC)].append((profiles, counted))
    gaps = bucket_gaps(connection, stored, question)
    return [_customer_row(at, known[at.astimezone(UTC)], question, gaps) for at in bucket_begins(stored, question)]


def _customer_row(at: datetime, found: list[tuple[int, int]], question: Question, gaps: BucketGaps) -> MetricRow:
    told = [(profiles, counted) for profiles, counted in found if profiles >= K_PEOPLE]
    profiles, counted = sum(row[0] for row in told), sum(row[1] for row in told)
    state: State = "told"
    if at > question.now:
        state = "future"
    elif gaps.is_whole(at) and not found:
        state = "no_data"
    elif len(told) < len(found):
        state = "partly_hidden" if told else "hidden"
    return MetricRow(
        value=counted / profiles if profiles else None,
        state=state,
        hidden=len(found) - len(told),
        no_data=gaps.count(at),
        visits=profiles if told else None,
        begins_at=at,
    )


def order_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return the share of orders online, as one row."""
    weeks = _whole_weeks(online_orders(connection, stored, question.first, question.last), stored, question)
    return [_of_weeks(weeks, None)]


def shelf_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return the time at each shelf before a sale; shelves without one are left out."""
    weeks = _whole_weeks(shelf_views(connection, stored, question.first, question.last), stored, question)
    zones = sorted({week.zone_no for week in weeks if week.zone_no is not None})
    return [_of_weeks([week for week in weeks if week.zone_no == zone], zone) for zone in zones]


def now_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return how many are there now."""
    now = occupancy(connection, stored.store_no)
    return [
        MetricRow(value=float(now.total if zone is None else now.people.get(zone, 0)), zone_no=zone)
        for zone in zones_asked(stored, question)
    ]


def _whole_weeks(weeks: list[WeekOrders], stored: StoredPlan, question: Question) -> list[WeekOrders]:
    """Return the calendar weeks that lie within the range and are over.

    Parts of weeks would tell days by subtraction, and a week that runs would tell each order as it comes.
    """

    def whole(week: date) -> bool:
        following = week + timedelta(days=7)
        is_over = day_begins(following, stored.plan.timezone) <= question.now
        return question.first <= week and following <= question.last + timedelta(days=1) and is_over

    return [week for week in weeks if whole(week.week)]


def _of_weeks(weeks: list[WeekOrders], zone_no: int | None) -> MetricRow:
    told = [week for week in weeks if week.people >= K_PEOPLE]
    orders = sum(week.orders for week in told)
    state: State = "told"
    if len(told) < len(weeks):
        state = "partly_hidden" if told else "hidden"
    return MetricRow(
        value=sum(week.part for week in told) / orders if orders else None,
        state=state,
        hidden=len(weeks) - len(told),
        visits=orders if told else None,
        zone_no=zone_no,
    )
