"""Which anchors of a store work, now and hour by hour, and what edges had to drop of what they heard."""

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
GAPS_MOST: Final = 200
"""Gaps in one answer: an outbox that stays full makes one gap of a boot, which grows; a store has a few edges."""
FaultWord: TypeAlias = Literal["down", "deaf"]
_US_PER_S: Final = NS_PER_S // NS_PER_US


class AnchorFault(msgspec.Struct, frozen=True, kw_only=True):
    """An anchor that does not work: `down` is said by its edge, `deaf` by the signals alone."""

    anchor: str
    state: FaultWord
    since: datetime


class HourRow(msgspec.Struct, frozen=True, kw_only=True):
    """The share of anchors that worked in an hour of data time, over the `covered_s` that were decoded of it.

    `gap_signals` are those of all gaps that touch the hour: when within its gap a signal was heard is not known.
    """

    begins_at: datetime
    covered_s: float
    share: float
    gap_signals: int


class GapRow(msgspec.Struct, frozen=True, kw_only=True):
    """Signals that an edge dropped because its outbox was full or damaged, and the time in which they were heard."""

    edge: str
    from_at: datetime
    until_at: datetime
    signals: int


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
        "select begins_at, covered_s, share, (select coalesce(sum(signals), 0) from signal_gap gap"
        "   where gap.store_no = hour.store_no and gap.until_at >= hour.begins_at"
        "     and gap.from_at < hour.begins_at + interval '1 hour')"
        " from coverage_hour hour where store_no = %s order by begins_at desc limit %s",
        [store_no, most],
    ).fetchall()
    return [
        HourRow(begins_at=begins, covered_s=covered, share=share, gap_signals=int(gaps))
        for begins, covered, share, gaps in reversed(rows)
    ]


def newest_gaps(connection: Connection, store_no: int, since: datetime | None) -> list[GapRow]:
    """Return the gaps of a store that reach beyond `since` (None: all), newest first, at most `GAPS_MOST`."""
    rows = connection.execute(
        "select edge.id, from_at, until_at, signals from signal_gap gap join edge using (edge_no)"
        " where gap.store_no = %s and (%s::timestamptz is null or until_at >= %s)"
        " order by until_at desc, edge.id, last_sequence limit %s",
        [store_no, since, since, GAPS_MOST],
    ).fetchall()
    return [GapRow(edge=edge, from_at=begins, until_at=ends, signals=signals) for edge, begins, ends, signals in rows]


def gap_signals(connection: Connection, store_no: int, begins: datetime, ends: datetime) -> int:
    """Return how many signals the gaps hold that touch a time."""
    row = connection.execute(
        "select coalesce(sum(signals), 0) from signal_gap where store_no = %s and from_at < %s and until_at >= %s",
        [store_no, ends, begins],
    ).fetchone()
    return 0 if row is None else int(row[0])
