"""Alerts: what rules foresaw of a customer, what came of it, and who looks after which rule."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from core.errors import InputError
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.notes.follow_ups import lowered
from storage.page_cursors import read_cursor, write_cursor
from storage.profiles.people import OF_PERSON
from storage.storable import storable

ALERTS_PER_PAGE: Final = 200
"""Two weeks of a large store."""
NOBODY_YET: Final = "Customer care"
"""As whose a task stands where the rule names nobody who could do it, and nobody who could has written a note on the
customer. It is nobody's and shown to everybody, to be handed over, unless there is an account of this name."""
_COLUMNS: Final = (
    "alert.alert_id, alert.profile_id, alert.profile_name, alert.rule, alert.rule_version, alert.because,"
    " alert.evidence, alert.made_at, alert.was_right, alert.judged_by, alert.judged_at, alert.followed,"
    " exists (select from follow_up task where task.alert_id = alert.alert_id and task.done_at is null)"
)


class NewAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert to be made; `evidence_key` is what it must not be made of twice."""

    alert_id: UUID
    profile_id: UUID
    rule: str
    rule_version: int
    because: str
    evidence: list[dict[str, Any]]
    evidence_key: str
    made_at: datetime


class AlertRow(AboutPerson, frozen=True, kw_only=True):
    """An alert that may be seen; `open` while a task of it is."""

    alert_id: UUID
    profile_id: UUID
    profile_name: str
    rule: str
    rule_version: int
    because: str
    evidence: list[dict[str, Any]]
    made_at: datetime
    was_right: bool | None
    judged_by: str | None
    judged_at: datetime | None
    followed: bool | None
    open: bool


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert with a task that is open, and what it cites."""

    alert_id: UUID
    rule: str
    made_at: datetime
    evidence: list[dict[str, Any]]


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some alerts, newest first, and where to go on."""

    alerts: tuple[AlertRow, ...]
    next_cursor: str | None


class RuleSetting(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a rule is looked at, and into whose task list its alerts go (None: who knows the customer)."""

    rule: str
    enabled: bool = True
    operator: str | None = None


class RuleCount(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of a rule, and how many were right and wrong: by what a person said, else by what followed."""

    alerts: int
    right: int
    wrong: int


def insert_alert(connection: Connection, alert: NewAlert) -> bool:
    """Keep an alert; False, and nothing is kept, if its evidence alerted before or the rule's last task is open."""
    return bool(
        connection.execute(
            "insert into alert (alert_id, profile_id, rule, rule_version, because, evidence, evidence_key, made_at)"  # noqa: S608 - constants
            " select %(alert_id)s, %(profile_id)s, %(rule)s, %(rule_version)s, %(because)s, %(evidence)s,"
            " %(evidence_key)s, %(made_at)s where not exists (select from alert"
            f"  where alert.profile_id = any({OF_PERSON}) and alert.rule = %(rule)s"
            "   and (alert.evidence_key = %(evidence_key)s or exists (select from follow_up task"
            "    where task.alert_id = alert.alert_id and task.done_at is null)))"
            " on conflict (profile_id, rule, evidence_key) do nothing",
            msgspec.structs.asdict(alert)
            | {
                "profile": alert.profile_id,
                "because": storable(alert.because),
                "evidence": Jsonb(alert.evidence),
            },
        ).rowcount
    )


def find_alert(connection: Connection, alert: UUID) -> AlertRow | None:
    """Return an alert; None if it is unknown or on a profile without a consent that holds."""
    row = connection.execute(
        f"select {_COLUMNS} from alert_seen alert where alert_id = %s",  # noqa: S608 - constants
        [alert],
    ).fetchone()
    return _row(row) if row is not None else None


def alerts_page(
    connection: Connection, *, profile: UUID | None, rule: str | None, limit: int, cursor: str | None = None
) -> AlertPage:
    """Return the next alerts, newest first.

    Raises
    ------
    InputError
        If the cursor does not fit or the limit is out of bounds.
    """
    if not 1 <= limit <= ALERTS_PER_PAGE:
        raise InputError(f"A page has 1 to {ALERTS_PER_PAGE} alerts, asked for {limit}.", where="limit")
    question = ("alerts", profile, rule)
    values: dict[str, Any] = {"profile": profile, "rule": rule, "limit": limit + 1, "at": None, "id": None}
    if cursor is not None:
        values["at"], values["id"] = read_cursor(cursor, question, tuple[datetime, UUID])
    rows = connection.execute(
        f"select {_COLUMNS} from alert_seen alert"  # noqa: S608 - constants
        f" where (%(profile)s::uuid is null or of_profile = any({OF_PERSON}))"
        " and (%(rule)s::text is null or rule = %(rule)s)"
        " and (%(at)s::timestamptz is null or (made_at, alert_id) < (%(at)s, %(id)s::uuid))"
        " order by made_at desc, alert_id desc limit %(limit)s",
        values,
    ).fetchall()
    found = [_row(row) for row in rows[:limit]]
    place = (found[-1].made_at, found[-1].alert_id) if len(rows) > limit else None
    return AlertPage(alerts=tuple(found), next_cursor=write_cursor(place, question) if place is not None else None)


def judge_alert(connection: Connection, alert: UUID, *, was_right: bool, operator: str, at: datetime) -> None:
    """Keep what a person says of an alert, in place of what was said before."""
    connection.execute(
        "update alert set was_right = %s, judged_by = %s, judged_at = %s where alert_id = %s",
        [was_right, storable(operator), at, alert],
    )


def unsettled(connection: Connection, profile: UUID) -> list[tuple[UUID, str, datetime]]:
    """Return (alert, rule, made_at) of a person's alerts of which nobody knows yet what followed."""
    return connection.execute(
        f"select alert_id, rule, made_at from alert where profile_id = any({OF_PERSON}) and followed is null",  # noqa: S608 - constants
        {"profile": profile},
    ).fetchall()


def open_alerts(connection: Connection, profile: UUID) -> list[OpenAlert]:
    """Return a person's alerts whose task is open."""
    rows = connection.execute(
        f"select alert_id, rule, made_at, evidence from alert where profile_id = any({OF_PERSON})"  # noqa: S608 - constants
        " and exists (select from follow_up task where task.alert_id = alert.alert_id and task.done_at is null)",
        {"profile": profile},
    ).fetchall()
    return [OpenAlert(**dict(zip(OpenAlert.__struct_fields__, row, strict=True))) for row in rows]


def settle_alert(connection: Connection, alert: UUID, *, followed: bool) -> None:
    """Keep what followed."""
    connection.execute("update alert set followed = %s where alert_id = %s", [followed, alert])


def rule_counts(connection: Connection) -> dict[str, RuleCount]:
    """Return the alerts of each rule that may be seen, and their hits."""
    rows = connection.execute(
        "select rule, count(*), count(*) filter (where coalesce(was_right, followed)),"
        "       count(*) filter (where not coalesce(was_right, followed)) from alert_seen group by rule"
    ).fetchall()
    return {row[0]: RuleCount(alerts=row[1], right=row[2], wrong=row[3]) for row in rows}


def rule_settings(connection: Connection) -> dict[str, RuleSetting]:
    """Return what was changed of rules, by their names."""
    rows = connection.execute("select rule, enabled, operator from alert_rule").fetchall()
    return {row[0]: RuleSetting(rule=row[0], enabled=row[1], operator=row[2]) for row in rows}


def save_rule(connection: Connection, setting: RuleSetting) -> None:
    """Keep what somebody wants of a rule."""
    connection.execute(
        "insert into alert_rule (rule, enabled, operator) values (%(rule)s, %(enabled)s, %(operator)s)"
        " on conflict (rule) do update set enabled = excluded.enabled, operator = excluded.operator",
        msgspec.structs.asdict(setting)
        | {"operator": storable(setting.operator) if setting.operator is not None else None},
    )


def rename_rule_owner(connection: Connection, before: str, after: str) -> None:
    """Let the rules that send their tasks to somebody go along with a new name."""
    connection.execute("update alert_rule set operator = %s where lower(operator) = lower(%s)", [after, before])


def who_knows(connection: Connection, profile: UUID, people: Iterable[str]) -> str:
    """Return who of these people wrote the newest note on a customer; NOBODY_YET if none has."""
    row = connection.execute(
        f"select operator from note_seen where of_profile = any({OF_PERSON}) and source = 'staff'"  # noqa: S608 - constants
        " and lower(operator) = any(%(people)s) order by noted_at desc limit 1",
        {"profile": profile, "people": lowered(people)},
    ).fetchone()
    return str(row[0]) if row is not None else NOBODY_YET


def last_timezone(connection: Connection, profile: UUID) -> str:
    """Return the time zone of where a customer last was; UTC for nowhere yet."""
    row = connection.execute(
        "select store.timezone from profile_device link join store_visit visit on visit.device = link.device"
        "   and not visit.withdrawn and visit.entered_at >= link.valid_from and visit.entered_at < link.valid_to"
        " join store using (store_no) where link.profile_id = %s order by visit.entered_at desc limit 1",
        [profile],
    ).fetchone()
    return str(row[0]) if row is not None else "UTC"


def _row(row: tuple[Any, ...]) -> AlertRow:
    return AlertRow(**dict(zip(AlertRow.__struct_fields__, row, strict=True)))
