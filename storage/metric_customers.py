"""How many customers whose consent holds had been there before, or elsewhere."""

from datetime import date, timedelta
from typing import Final

from storage.connect import Connection
from storage.rollups.sources import range_of
from storage.stores import StoredPlan

Rows = list[tuple[date, int, int]]
"""Of days: profiles, and how many of them were found."""
RETURN_DAYS: Final = 90
"""Who was last there a quarter of a year ago is counted as new: one season of most shops."""


def returning_rows(connection: Connection, stored: StoredPlan, first: date, last: date) -> Rows:
    """Return of each day how many profiles visited, and how many of them had on another day of RETURN_DAYS before.

    Only profiles whose consent holds: the view `profile_device` has no others. Days of a customer who
    withdrew or was erased stand as they were told before (`storage.customer_days`).
    """
    return _with_standing(connection, stored, first, last, 1, count_returning(connection, stored, first, last))


def elsewhere_rows(connection: Connection, stored: StoredPlan, first: date, last: date) -> Rows:
    """Return of each day how many profiles visited, and how many had been in another store.

    On that day or RETURN_DAYS before; else as `returning_rows`.
    """
    return _with_standing(connection, stored, first, last, 2, count_elsewhere(connection, stored, first, last))


def _with_standing(  # noqa: PLR0917 - of the two above
    connection: Connection, stored: StoredPlan, first: date, last: date, column: int, rows: Rows
) -> Rows:
    stand = {
        row[0]: row[1:]
        for row in connection.execute(
            "select day, customers, returned, elsewhere from customer_day"
            " where store_no = %s and day between %s and %s",
            [stored.store_no, first, last],
        ).fetchall()
    }
    kept = [(day, counts[0], counts[column]) for day, counts in stand.items()]
    return sorted([*kept, *(row for row in rows if row[0] not in stand)])


def count_returning(connection: Connection, stored: StoredPlan, first: date, last: date) -> Rows:
    """Return what `returning_rows` does, of what is there now."""
    begins, ends = range_of(stored, first, last)
    return connection.execute(
        "with visit as (select distinct link.profile_id, (entered_at at time zone %(timezone)s)::date as day"
        "  from store_visit join profile_device link using (device)"
        " where store_no = %(store_no)s and entered_at >= %(looks_back)s and entered_at < %(ends)s"
        "   and entered_at >= link.valid_from and entered_at < link.valid_to and role = 0 and not withdrawn),"
        " known as (select day, lag(day) over (partition by profile_id order by day) as before from visit)"
        " select day, count(*)::integer, (count(*) filter (where day - before <= %(days)s))::integer from known"
        " where day >= %(first)s group by day order by day",
        {
            "timezone": stored.plan.timezone,
            "store_no": stored.store_no,
            "looks_back": begins - timedelta(days=RETURN_DAYS + 1),
            "ends": ends,
            "days": RETURN_DAYS,
            "first": first,
        },
    ).fetchall()


def count_elsewhere(connection: Connection, stored: StoredPlan, first: date, last: date) -> Rows:
    """Return what `elsewhere_rows` does, of what is there now."""
    begins, ends = range_of(stored, first, last)
    return connection.execute(
        "with visit as (select distinct link.profile_id, (entered_at at time zone %(timezone)s)::date as day"
        "  from store_visit join profile_device link using (device)"
        " where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s"
        "   and entered_at >= link.valid_from and entered_at < link.valid_to and role = 0 and not withdrawn)"
        " select day, count(*)::integer, (count(*) filter (where exists ("
        "   select from store_visit other join profile_device link using (device)"
        "    where link.profile_id = visit.profile_id and other.store_no <> %(store_no)s and role = 0"
        "      and not withdrawn"
        "      and entered_at >= link.valid_from and entered_at < link.valid_to"
        "      and (entered_at at time zone %(timezone)s)::date between day - %(days)s and day"
        "      and entered_at >= %(looks_back)s and entered_at < %(ends)s)))::integer"
        " from visit group by day order by day",
        {
            "timezone": stored.plan.timezone,
            "store_no": stored.store_no,
            "looks_back": begins - timedelta(days=RETURN_DAYS + 1),
            "begins": begins,
            "ends": ends,
            "days": RETURN_DAYS,
        },
    ).fetchall()
