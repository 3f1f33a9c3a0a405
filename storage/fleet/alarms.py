"""Alarms of the fleet that are kept: the look that raises and ends them, and the log of what was raised."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from core.fleet import HELD_S, Alarm, AlarmKey, AlarmWord
from core.metrics.alerts import Watch, turned
from storage.connect import Connection, in_transaction
from storage.fleet.judging import alarms_of
from storage.fleet.looking import STORES_PER_PAGE, EdgeRow, FleetLine, edge_rows, fleet_lines
from storage.instants import to_ns
from storage.live import LiveEvent, notify
from storage.webhooks import enqueue

KEPT: Final = timedelta(days=366)
"""A year of what was over, to see what comes back every season."""


class AlarmRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm that was raised; `closed_at` is None while it stands."""

    alarm_no: int
    alarm: AlarmWord
    edge: str
    anchor: str
    says: str
    hint: str
    opened_at: datetime
    closed_at: datetime | None


class Raised(NamedTuple):
    """An alarm that was raised and is not over, as it was seen last."""

    alarm: Alarm
    opened_at: datetime


class _Watched(msgspec.Struct, frozen=True, kw_only=True):
    alarm_no: int
    says: str
    hint: str
    since: datetime | None
    opened_at: datetime | None

    @property
    def watch(self) -> Watch:
        since_s = None if self.since is None else self.since.timestamp()
        return Watch(is_open=self.opened_at is not None, since_s=since_s)


def look_at_fleets(connection: Connection, now: datetime) -> int:
    """Look at the edges and anchors of every store; return how many alarms were raised or are over.

    Parameters
    ----------
    connection : Connection
        Not in a transaction: each store of which there is something to write is one of its own.
    now : datetime
        Aware.

    Raises
    ------
    UnavailableError
        If the database is away.
    """
    in_transaction(connection, partial(_prune, before=now - KEPT))
    changed, after = 0, ""
    while lines := fleet_lines(connection, after, STORES_PER_PAGE):
        numbers = [line.store_no for line in lines]
        edges: dict[int, list[EdgeRow]] = {number: [] for number in numbers}
        for row in edge_rows(connection, numbers):
            edges[row.store_no].append(row)
        watched = _watched(connection, numbers)
        for line in lines:
            here = edges[line.store_no]
            if watched.get(line.store_no) or alarms_of(line, here, now):
                changed += in_transaction(connection, partial(_look_at, line=line, edges=here, now=now))
        after = lines[-1].store
    return changed


def standing(connection: Connection, stores: Sequence[int]) -> dict[int, dict[AlarmKey, Raised]]:
    """Return by store what was raised there and is not over."""
    return {
        store_no: {
            key: Raised(_alarm(key, one), one.opened_at) for key, one in rows.items() if one.opened_at is not None
        }
        for store_no, rows in _watched(connection, stores).items()
    }


def _alarm(key: AlarmKey, known: _Watched) -> Alarm:
    word, edge, anchor = key
    return Alarm(alarm=word, edge=edge, anchor=anchor, says=known.says, hint=known.hint)


def alarm_log(
    connection: Connection, store_no: int, *, limit: int, open_only: bool = False, before: int | None = None
) -> list[AlarmRow]:
    """Return what was raised in a store, newest first, with numbers below `before`."""
    rows = connection.execute(
        "select alarm_no, alarm, edge, anchor, says, hint, opened_at, closed_at from fleet_alarm"
        " where store_no = %s and opened_at is not null and (closed_at is null or not %s)"
        " and (%s::bigint is null or alarm_no < %s) order by alarm_no desc limit %s",
        [store_no, open_only, before, before, limit],
    ).fetchall()
    return [AlarmRow(**dict(zip(AlarmRow.__struct_fields__, row, strict=True))) for row in rows]


def _prune(connection: Connection, before: datetime) -> None:
    connection.execute("delete from fleet_alarm where closed_at < %s", [before])


def _watched(connection: Connection, stores: Sequence[int]) -> dict[int, dict[AlarmKey, _Watched]]:
    rows = connection.execute(
        "select store_no, alarm, edge, anchor, alarm_no, says, hint, since, opened_at from fleet_alarm"
        " where store_no = any(%s) and closed_at is null",
        [list(stores)],
    ).fetchall()
    found: dict[int, dict[AlarmKey, _Watched]] = {}
    for store_no, alarm, edge, anchor, *rest in rows:
        known = _Watched(**dict(zip(_Watched.__struct_fields__, rest, strict=True)))
        found.setdefault(store_no, {})[alarm, edge, anchor] = known
    return found


def _look_at(connection: Connection, line: FleetLine, edges: Sequence[EdgeRow], now: datetime) -> int:
    # one looker at a time: two would both raise the same alarm
    connection.execute("select from store where store_no = %s for no key update", [line.store_no])
    known = _watched(connection, [line.store_no]).get(line.store_no, {})
    raised = {key for key, one in known.items() if one.opened_at is not None}
    found = {alarm.key: alarm for alarm in alarms_of(line, edges, now, raised)}
    changed = sum(
        _take(connection, line, key, found.get(key), known.get(key), now) for key in [*known, *found.keys() - known]
    )
    if changed:
        notify(connection, LiveEvent(store=line.store, as_of_us=to_ns(now) // 1000))
    return changed


def _take(  # noqa: PLR0917 - what is known of one alarm
    connection: Connection,
    line: FleetLine,
    key: AlarmKey,
    alarm: Alarm | None,
    known: _Watched | None,
    now: datetime,
) -> int:
    before = Watch() if known is None else known.watch
    after = turned(before, passed=(alarm is None) == before.is_open, for_s=HELD_S[key[0]], now_s=now.timestamp())
    since = None if after.since_s is None else datetime.fromtimestamp(after.since_s, UTC)
    if known is None and alarm is not None:
        number = _insert(connection, line.store_no, alarm, now, since, opened=after.is_open)
    elif known is not None:
        number = known.alarm_no
        _update(connection, known, since, before=before, after=after, now=now)
    else:
        raise RuntimeError("an alarm is known or was found")
    if before.is_open == after.is_open:
        return 0
    said = alarm if alarm is not None else known
    word, edge, anchor = key
    event: Mapping[str, Any] = {
        "store": line.store, "alarm": word, "edge": edge, "anchor": anchor,
        "says": "" if said is None else said.says, "hint": "" if said is None else said.hint,
        "alarm_no": number, "at": now.isoformat(),
    }  # fmt: skip
    enqueue(connection, "fleet_alarm.opened" if after.is_open else "fleet_alarm.closed", event)
    return 1


def _insert(
    connection: Connection, store_no: int, alarm: Alarm, now: datetime, since: datetime | None, *, opened: bool
) -> int:
    row = connection.execute(
        "insert into fleet_alarm (store_no, alarm, edge, anchor, says, hint, seen_at, since, opened_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning alarm_no",
        [store_no, *alarm.key, alarm.says, alarm.hint, now, since, now if opened else None],
    ).fetchone()
    if row is None:
        raise RuntimeError("a row that was inserted has a number")
    return int(row[0])


def _update(
    connection: Connection, known: _Watched, since: datetime | None, *, before: Watch, after: Watch, now: datetime
) -> None:
    if after.is_open and not before.is_open:
        connection.execute(
            "update fleet_alarm set opened_at = %s, since = null where alarm_no = %s", [now, known.alarm_no]
        )
    elif before.is_open and not after.is_open:
        connection.execute(
            "update fleet_alarm set closed_at = %s, since = null where alarm_no = %s", [now, known.alarm_no]
        )
    elif not after.is_open and since is None:  # it did not hold: nobody was told, so nothing is kept
        connection.execute("delete from fleet_alarm where alarm_no = %s", [known.alarm_no])
    elif since != known.since:
        connection.execute("update fleet_alarm set since = %s where alarm_no = %s", [since, known.alarm_no])
