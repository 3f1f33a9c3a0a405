"""Which anchors of a store work: now, and hour by hour."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from core.dwell.coverage import CoveredHour
from core.limits import NS_PER_S, NS_PER_US
from storage.connect import Connection
from storage.instants import to_datetime

HOURS_MOST: Final = 31 * 24
"""A month of hours in one answer."""
FaultWord: TypeAlias = Literal["down", "deaf"]
_US_PER_S: Final = NS_PER_S // NS_PER_US


class AnchorFault(msgspec.Struct, frozen=True, kw_only=True):
    """An anchor that does not work: `down` is said by its edge, `deaf` by the signals alone."""

    anchor: str
    state: FaultWord
    since: datetime


class HourRow(msgspec.Struct, frozen=True, kw_only=True):
    """The share of anchors that worked in an hour of data time, over the `covered_s` that were decoded of it."""

    begins_at: datetime
    covered_s: float
    share: float


def save_faults(connection: Connection, store_no: int, faults: Mapping[str, FaultWord], at: int | None) -> None:
    """Replace what does not work in a store; who was there with the same state keeps its `since`.

    Others get `at` (ns), or the database's clock. To be called inside a transaction.
    """
    connection.execute(
        "delete from anchor_fault where store_no = %s and not anchor = any(%s)", [store_no, list(faults)]
    )
    connection.execute(
        "insert into anchor_fault (store_no, anchor, state, since)"
        " select %s, anchor, state, coalesce(%s, clock_timestamp())"
        " from unnest(%s::text[], %s::text[]) as new (anchor, state)"
        " on conflict (store_no, anchor) do update set state = excluded.state, since = excluded.since"
        " where anchor_fault.state <> excluded.state",
        [store_no, None if at is None else to_datetime(at), list(faults), list(faults.values())],
    )


def save_hours(connection: Connection, store_no: int, hours: Iterable[CoveredHour]) -> None:
    """Write hours as they are known now; a replay of the log writes the same ones again."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into coverage_hour (store_no, begins_at, covered_s, share) values (%s, %s, %s, %s)"
            " on conflict (store_no, begins_at) do update set covered_s = excluded.covered_s, share = excluded.share",
            [
                (store_no, to_datetime(hour.begins_us * NS_PER_US), hour.covered_us / _US_PER_S, hour.share)
                for hour in hours
            ],
        )


def faults(connection: Connection, store_no: int) -> list[AnchorFault]:
    """Return the anchors of a store that do not work now, in the order of their ids."""
    rows = connection.execute(
        "select anchor, state, since from anchor_fault where store_no = %s order by anchor", [store_no]
    ).fetchall()
    return [AnchorFault(anchor=anchor, state=state, since=since) for anchor, state, since in rows]


def coverage_hours(connection: Connection, store_no: int, most: int) -> list[HourRow]:
    """Return the newest hours of a store, at most `most`, in the order of time."""
    rows = connection.execute(
        "select begins_at, covered_s, share from coverage_hour where store_no = %s order by begins_at desc limit %s",
        [store_no, most],
    ).fetchall()
    return [HourRow(begins_at=begins, covered_s=covered, share=share) for begins, covered, share in reversed(rows)]
