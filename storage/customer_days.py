"""Counts of customers stand before one of them goes: whoever compares before and after would see who it was."""

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

from core.metrics.disclosure import K_PEOPLE
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.metric_customers import count_elsewhere, count_returning
from storage.stores import load_plans

_DAYS: Final[LiteralString] = (
    "select store.id, array_agg(distinct shown.day order by shown.day)"
    "  from profile_device link join store_visit using (device) join store using (store_no),"
    "  lateral (select (entered_at at time zone timezone)::date as day) shown"
    " where link.profile_id = any(array(select kept_id from person where profile_id = any(%s)))"
    "   and entered_at >= link.valid_from and entered_at < link.valid_to and not withdrawn"
    "   and shown.day < (now() at time zone timezone)::date group by store.id order by store.id"
)


def keep_customer_days(connection: Connection, profiles: Sequence[UUID]) -> None:
    """Let the counts of customers stand on the days that are over and on which these profiles came.

    To be called before their consent goes, in the same transaction. A day that stands already is left as it is.
    """
    with in_own_right(connection):  # counts of each store there is, and nothing of a customer comes out
        for store, days in connection.execute(_DAYS, [list(profiles)]).fetchall():
            (stored,) = load_plans(connection, [store])
            returned = {row[0]: row[1:] for row in count_returning(connection, stored, days[0], days[-1])}
            elsewhere = {row[0]: row[2] for row in count_elsewhere(connection, stored, days[0], days[-1])}
            with connection.cursor() as cursor:
                cursor.executemany(
                    "insert into customer_day (store_no, day, customers, returned, elsewhere)"
                    " values (%s, %s, %s, %s, %s) on conflict do nothing",
                    [
                        (stored.store_no, day, *_told(*returned[day], elsewhere[day]))
                        for day in days
                        if day in returned
                    ],
                )


def _told(customers: int, returned: int, elsewhere: int) -> tuple[int, int, int]:
    return (customers, returned, elsewhere) if customers >= K_PEOPLE else (1, 0, 0)
