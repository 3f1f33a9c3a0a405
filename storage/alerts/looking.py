"""The look that opens and closes alerts: values, hysteresis, the log, and the word to pages and webhooks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from core.metrics.alerts import KINDS, KindWord, Watch, deviation, step, told
from core.metrics.cells import Counted, dwell_median, merged
from core.metrics.formulas import QUEUE_S
from storage.alerts.rules import StoredRule, read_rules
from storage.connect import Connection, in_transaction
from storage.coverage import faults
from storage.instants import to_ns
from storage.live import LiveEvent, notify
from storage.occupancy import occupancy
from storage.rollups.counting import STORE_SCOPE
from storage.stores import StoredPlan, load_plans
from storage.webhooks import enqueue

_WEEKS: Final = 8
"""Two months: one odd week does not make the rule, and a season has not passed."""
_COUNTED_WITHIN: Final = timedelta(minutes=30)
"""An hour's visits are known and counted by then: they end by silence of minutes, corrections come later."""
_WAITING_LEAST: Final = 3
"""Fewer people are no queue. The median of so few is one person's time: it is told in steps (`told`)."""


def watches(connection: Connection) -> bool:
    """Return whether any store has a limit or an edge to look after."""
    row = connection.execute(
        "select exists (select from store_alert_rule where removed_at is null) or exists (select from edge)"
    ).fetchone()
    return row == (True,)


def look(connection: Connection, now: datetime) -> int:
    """Look at every rule of every store; return how many alerts opened or closed.

    Parameters
    ----------
    connection : Connection
        Not in a transaction: each store is one of its own.
    now : datetime
        Aware.

    Raises
    ------
    UnavailableError
        If the database is away.
    """
    stores = connection.execute(
        "select distinct store.id from store_alert_rule join store using (store_no)"
        " where removed_at is null order by 1"
    ).fetchall()
    plans = load_plans(connection, [row[0] for row in stores])
    return sum(in_transaction(connection, partial(_look_at, stored=stored, now=now)) for stored in plans)


def _look_at(connection: Connection, stored: StoredPlan, now: datetime) -> int:
    # one looker at a time: two would both open the same alert
    connection.execute("select from store where store_no = %s for no key update", [stored.store_no])
    changed = 0
    for rule in read_rules(connection, stored.store_no):
        value = _value(connection, stored, rule, now)
        changed += _take(connection, stored, rule, value, now)
    if changed:
        notify(connection, LiveEvent(store=stored.plan.id, as_of_us=to_ns(now) // 1000))
    return changed


def _value(connection: Connection, stored: StoredPlan, rule: StoredRule, now: datetime) -> float | None:
    """Return what a rule watches; None, which changes nothing, where no anchor hears who is there now."""
    if rule.kind in _OF_NOW and _is_deaf(connection, stored, rule.zone_no):
        return None
    return _VALUES[rule.kind](connection, stored, rule.zone_no, now)


def _is_deaf(connection: Connection, stored: StoredPlan, zone_no: int | None) -> bool:
    """Return whether no anchor of a zone works, of the store where the zone has none."""
    zone = None if zone_no is None else stored.plan.zones[zone_no].id
    anchors = {anchor.id for anchor in stored.plan.anchors}
    near = {anchor.id for anchor in stored.plan.anchors if anchor.zone == zone} or anchors
    return bool(near) and near <= {fault.anchor for fault in faults(connection, stored.store_no)}


def _take(connection: Connection, stored: StoredPlan, rule: StoredRule, value: float | None, now: datetime) -> int:
    row = connection.execute(
        "select since,"
        " exists (select from store_alert alert where alert.rule_no = rule.rule_no and closed_at is null)"
        " from store_alert_rule rule where rule_no = %s",
        [rule.rule_no],
    ).fetchone()
    if row is None:
        return 0
    before = Watch(is_open=row[1], since_s=None if row[0] is None else row[0].timestamp())
    after = step(rule.rule, before, value, now.timestamp())
    since = None if after.since_s is None else datetime.fromtimestamp(after.since_s, UTC)
    connection.execute("update store_alert_rule set since = %s where rule_no = %s", [since, rule.rule_no])
    said = None if value is None else told(rule.kind, value)
    if said is not None and before.is_open:
        connection.execute(
            "update store_alert set worst = greatest(worst, %s) where rule_no = %s and closed_at is null",
            [said, rule.rule_no],
        )
    if before.is_open == after.is_open:
        return 0
    if after.is_open:
        connection.execute(
            "insert into store_alert (rule_no, store_no, opened_at, value, worst) values (%s, %s, %s, %s, %s)",
            [rule.rule_no, stored.store_no, now, said, said],
        )
    else:
        connection.execute(
            "update store_alert set closed_at = %s where rule_no = %s and closed_at is null", [now, rule.rule_no]
        )
    enqueue(
        connection,
        "alert.opened" if after.is_open else "alert.closed",
        {
            "store": stored.plan.id,
            "kind": rule.kind,
            "zone": None if rule.zone_no is None else stored.plan.zones[rule.zone_no].id,
            "value": said,
            "unit": KINDS[rule.kind].unit,
            "opens_at": rule.opens_at,
            "clears_at": rule.clears_at,
            "at": now.isoformat(),
            "rule_no": rule.rule_no,
        },
    )
    return 1


def _occupancy(connection: Connection, stored: StoredPlan, zone_no: int | None, now: datetime) -> float | None:  # noqa: ARG001
    found = occupancy(connection, stored.store_no)
    return float(found.total if zone_no is None else found.people.get(zone_no, 0))


def _queue_wait(connection: Connection, stored: StoredPlan, zone_no: int | None, now: datetime) -> float | None:
    rows = connection.execute(
        "select extract(epoch from %s - in_zone_since)::float8 from presence"
        " where store_no = %s and zone_no = %s and role = 0",
        [now, stored.store_no, zone_no],
    ).fetchall()
    waits = [row[0] for row in rows if row[0] >= QUEUE_S.default_s]
    return median(waits) if len(waits) >= _WAITING_LEAST else 0.0


def _anchors_down(connection: Connection, stored: StoredPlan, zone_no: int | None, now: datetime) -> float | None:  # noqa: ARG001
    zone = None if zone_no is None else stored.plan.zones[zone_no].id
    of_zone = {anchor.id for anchor in stored.plan.anchors if zone in {None, anchor.zone}}
    return float(sum(fault.anchor in of_zone for fault in faults(connection, stored.store_no)))


def _unusual_dwell(connection: Connection, stored: StoredPlan, zone_no: int | None, now: datetime) -> float | None:
    local = now.astimezone(ZoneInfo(stored.plan.timezone)).replace(minute=0, second=0, microsecond=0)
    hours = [(local - timedelta(hours=1) - timedelta(weeks=back)).astimezone(UTC) for back in range(_WEEKS + 1)]
    rows = connection.execute(
        "select begins_at, visits, people, dwell_ms, bins, counts from visit_rollup"
        " where store_no = %s and day between %s and %s and hourly and scope = %s and role = 0 and told"
        " and begins_at = any(%s)",
        [
            stored.store_no, hours[-1].date() - timedelta(days=1), hours[0].date() + timedelta(days=1),
            STORE_SCOPE if zone_no is None else zone_no, hours,
        ],
    ).fetchall()  # fmt: skip
    medians = {row[0].astimezone(UTC): dwell_median(merged([Counted(*row[1:])]), {}) for row in rows}
    value = medians.pop(hours[0], None)
    if value is None:  # nobody came, or too few: nothing is unusual any more, once what is under way would be counted
        return 0.0 if now - hours[0] - timedelta(hours=1) >= _COUNTED_WITHIN else None
    return deviation(value, [one for one in medians.values() if one is not None])


_OF_NOW: Final[frozenset[KindWord]] = frozenset({"occupancy", "queue_wait"})
"""Kinds that speak of who is there now: without an anchor nobody leaves, and who waits waits for ever."""
_VALUES: Final[dict[KindWord, Callable[[Connection, StoredPlan, int | None, datetime], float | None]]] = {
    "occupancy": _occupancy,
    "queue_wait": _queue_wait,
    "anchor_down": _anchors_down,
    "unusual_dwell": _unusual_dwell,
}
