"""Rules of alerts and the log of what they told."""

from datetime import datetime
from typing import Final, LiteralString

import msgspec

from core.errors import InputError
from core.metrics.alerts import KindWord, Rule, checked
from storage.connect import Connection

RULES_MOST: Final = 100
"""Of one store: twelve zones with every kind are fewer; each is looked at every few seconds."""
_COLUMNS: Final[LiteralString] = "rule_no, kind, zone_no, opens_at, clears_at, for_s, operator, made_at"


class StoredRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of a store."""

    rule_no: int
    kind: KindWord
    zone_no: int | None
    opens_at: float
    clears_at: float
    for_s: int
    operator: str
    made_at: datetime

    @property
    def rule(self) -> Rule:
        """What is watched by."""
        return Rule(kind=self.kind, opens_at=self.opens_at, clears_at=self.clears_at, for_s=self.for_s)


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that opened; `closed_at` is None while it is open."""

    alert_no: int
    rule_no: int
    kind: KindWord
    zone_no: int | None
    opens_at: float
    opened_at: datetime
    value: float
    worst: float
    closed_at: datetime | None


def read_rules(connection: Connection, store_no: int) -> list[StoredRule]:
    """Return the rules of a store in the order in which they were made."""
    statement: LiteralString = (
        f"select {_COLUMNS} from store_alert_rule where store_no = %s and removed_at is null order by rule_no"  # noqa: S608 - constants
    )
    names = [name.strip() for name in _COLUMNS.split(",")]
    rows = connection.execute(statement, [store_no]).fetchall()
    return [StoredRule(**dict(zip(names, row, strict=True))) for row in rows]


def add_rule(connection: Connection, store_no: int, rule: Rule, *, zone_no: int | None, operator: str) -> int:
    """Write a rule and return its number.

    Raises
    ------
    InputError
        If its bounds don't fit, or the store has RULES_MOST.
    """
    checked(rule)
    if len(read_rules(connection, store_no)) >= RULES_MOST:
        raise InputError(f"A store has at most {RULES_MOST} rules.", hint="Remove one first.", where="kind")
    row = connection.execute(
        "insert into store_alert_rule (store_no, kind, zone_no, opens_at, clears_at, for_s, operator)"
        " values (%s, %s, %s, %s, %s, %s, %s) returning rule_no",
        [store_no, rule.kind, zone_no, rule.opens_at, rule.clears_at, rule.for_s, operator],
    ).fetchone()
    if row is None:
        raise RuntimeError("a row that was inserted has a number")
    return int(row[0])


def remove_rule(connection: Connection, store_no: int, rule_no: int) -> bool:
    """Take a rule away and close what it had opened; return whether there was one."""
    gone = connection.execute(
        "update store_alert_rule set removed_at = clock_timestamp()"
        " where store_no = %s and rule_no = %s and removed_at is null",
        [store_no, rule_no],
    ).rowcount
    connection.execute(
        "update store_alert set closed_at = clock_timestamp()"
        " where rule_no = %s and store_no = %s and closed_at is null",
        [rule_no, store_no],
    )
    return gone > 0


def alerts(
    connection: Connection, store_no: int, *, limit: int, open_only: bool = False, before: int | None = None
) -> list[AlertRow]:
    """Return the newest alerts of a store, those that are open first to be seen: newest number first."""
    rows = connection.execute(
        "select alert_no, rule_no, kind, zone_no, opens_at, opened_at, value, worst, closed_at"
        " from store_alert alert join store_alert_rule using (rule_no)"
        " where alert.store_no = %s and (closed_at is null or not %s)"
        " and (%s::bigint is null or alert_no < %s) order by alert_no desc limit %s",
        [store_no, open_only, before, before, limit],
    ).fetchall()
    return [
        AlertRow(
            alert_no=row[0], rule_no=row[1], kind=row[2], zone_no=row[3], opens_at=row[4], opened_at=row[5],
            value=row[6], worst=row[7], closed_at=row[8],
        )
        for row in rows
    ]  # fmt: skip
