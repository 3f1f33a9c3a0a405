"""What orders of customers say beside their visits; only customers whose consent holds, and counts a week."""

from datetime import date, timedelta
from typing import Final, LiteralString

import msgspec

from storage.connect import Connection
from storage.profiles.events import UNCANCELLED
from storage.rollups.sources import day_begins
from storage.stores import StoredPlan

VISITED_DAYS: Final = 30
"""A month: who was in the store before that may have ordered for any reason."""
_STANDS: Final = "/* uncancelled */"
"""Stands for the condition that all who ask for events share."""

_ONLINE: Final[LiteralString] = """
with visitor as (
    select distinct link.profile_id, (entered_at at time zone %(timezone)s)::date as day
      from store_visit join profile_device link using (device)
     where store_no = %(store_no)s and entered_at >= %(begins)s - interval '31 days' and entered_at < %(ends)s
       and entered_at >= link.valid_from and entered_at < link.valid_to and role = 0 and not withdrawn
)
select date_trunc('week', sold.day)::date as week, count(distinct sold.profile_id)::integer, count(*)::integer,
       (count(*) filter (where sold.store_no is null))::integer
  from (select person.kept_id as profile_id, event.store_no,
               (occurred_at at time zone %(timezone)s)::date as day
          from event_seen event join person using (profile_id)
         where newest and not removed and kind = 'ordered' and /* uncancelled */
           and occurred_at >= %(begins)s and occurred_at < %(ends)s) sold
 where exists (select from visitor where visitor.profile_id = sold.profile_id
                  and visitor.day between sold.day - %(days)s and sold.day)
 group by 1 order by 1
"""
_SHELF: Final[LiteralString] = """
with sold as (
    select event.event_id, person.kept_id as profile_id, occurred_at, item.zone_no,
           (occurred_at at time zone %(timezone)s)::date as day
      from event_seen event join person using (profile_id)
      join shelf_item item on item.store_no = event.store_no and item.product = event.detail ->> 'product'
       and item.from_week <= (occurred_at at time zone %(timezone)s)::date
       and item.until_week > (occurred_at at time zone %(timezone)s)::date
     where event.store_no = %(store_no)s and newest and not removed and kind = 'ordered' and /* uncancelled */
       and occurred_at >= %(begins)s and occurred_at < %(ends)s
), looked as (
    select sold.event_id, sold.profile_id, sold.zone_no, sold.day,
           sum(least(visit.dwell_s, extract(epoch from sold.occurred_at - visit.entered_at))) as looked_s
      from sold join profile_device link using (profile_id)
      join zone_visit visit on visit.device = link.device and visit.zone_no = sold.zone_no
       and visit.store_no = %(store_no)s and not withdrawn
       and visit.entered_at >= link.valid_from and visit.entered_at < link.valid_to
       and visit.entered_at >= sold.occurred_at - interval '1 day' and visit.entered_at <= sold.occurred_at
       and (visit.entered_at at time zone %(timezone)s)::date = sold.day
     group by 1, 2, 3, 4
)
select date_trunc('week', day)::date as week, zone_no, count(distinct profile_id)::integer, count(*)::integer,
       sum(looked_s)
  from looked group by 1, 2 order by 1, 2
"""


class WeekOrders(msgspec.Struct, frozen=True):
    """Orders of a calendar week: of how many people, how many in all and `part` of them."""

    week: date
    people: int
    orders: int
    part: float
    zone_no: int | None = None


def online_orders(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[WeekOrders]:
    """Return orders of the store's customers in each week from `first` to `last`; `part` were placed online."""
    rows = connection.execute(
        _ONLINE.replace(_STANDS, UNCANCELLED), _values(stored, first, last) | {"days": VISITED_DAYS}
    ).fetchall()
    return [WeekOrders(*row) for row in rows]


def shelf_views(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[WeekOrders]:
    """Return orders of items that stand on a shelf, by week and zone; `part` is the time at the shelf, s."""
    rows = connection.execute(_SHELF.replace(_STANDS, UNCANCELLED), _values(stored, first, last)).fetchall()
    return [WeekOrders(week, people, orders, float(part), zone) for week, zone, people, orders, part in rows]


def _values(stored: StoredPlan, first: date, last: date) -> dict[str, object]:
    timezone = stored.plan.timezone
    return {
        "store_no": stored.store_no,
        "timezone": timezone,
        "begins": day_begins(first, timezone),
        "ends": day_begins(last + timedelta(days=1), timezone),
    }
