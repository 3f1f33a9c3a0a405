"""The same numbers in plain SQL over the visit tables: what a user would write who has no rollups."""

from typing import Final, LiteralString

_STORE: Final[LiteralString] = (
    " from store_visit where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s"
    " and role = 0 and not withdrawn"
)
_ZONE: Final[LiteralString] = _STORE.replace("store_visit", "zone_visit")
_DAY: Final[LiteralString] = "(entered_at at time zone %(timezone)s)::date"

PLAIN: Final[dict[str, LiteralString]] = {
    "footfall": "select " + _DAY + ", count(*)" + _STORE + " group by 1",
    "footfall_hour": "select date_trunc('hour', entered_at), count(*)" + _STORE + " group by 1",
    "people": "select " + _DAY + ", count(distinct device)" + _STORE + " group by 1",
    "peak": "select max(inside) from (select sum(step) over (order by at, step) as inside from"
    " (select entered_at as at, 1 as step" + _STORE + " union all select left_at, -1" + _STORE + ") edge) walked",
    "median": "select " + _DAY + ", percentile_cont(0.5) within group (order by dwell_s)" + _ZONE
    + " and zone_no = %(zone_no)s group by 1",
    "p95_by_zone": "select zone_no, percentile_cont(0.95) within group (order by dwell_s)" + _ZONE + " group by 1",
    "zone_entry": "select zone_no, count(distinct (device, " + _DAY + "))" + _ZONE + " group by 1",
    "flow": "select zone_no, to_zone, count(*) from (select zone_no, left_at,"
    " lead(zone_no) over following as to_zone, lead(entered_at) over following as next_at" + _ZONE
    + " window following as (partition by device, " + _DAY + " order by entered_at)) step"
    " where to_zone <> zone_no and next_at - left_at <= interval '15 minutes' group by 1, 2",
    "paths": "select zones, count(*) from (select (array_agg(zone_no order by entered_at))[:6] as zones" + _ZONE
    + " group by device, " + _DAY + ") path group by 1 having count(*) >= 10 order by 2 desc limit 50",
    "week_hour": "select extract(isodow from local), extract(hour from local), count(*) from"
    " (select entered_at at time zone %(timezone)s as local" + _STORE + ") clock group by 1, 2",
}  # fmt: skip
"""Statements by name; each takes store_no, begins, ends, timezone and zone_no."""
