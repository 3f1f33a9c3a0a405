"""Looks at customers by the rules of foresight, and puts what they find into somebody's task list."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import msgspec

from api.memory.recall import Recalled, recalled
from api.profiles.understanding import unbroken_since, understand
from api.service import Service
from api.wording import day
from core.journey.records import Evidence
from core.limits import NS_PER_S
from core.memory.foresight import (
    RECENT_NS,
    RULES,
    TASKS_PER_DAY,
    URGENT_H,
    AlertRule,
    Foreseen,
    Outlook,
    Scene,
    Stay,
    foresee,
    key_of,
    still_holds,
)
from core.memory.hits import followed
from storage.access.acting import acting_as
from storage.access.colleagues import About, colleagues
from storage.connect import Connection
from storage.instants import to_datetime, to_ns
from storage.memory.alerts import (
    NewAlert,
    RuleSetting,
    insert_alert,
    last_timezone,
    open_alerts,
    rule_settings,
    settle_alert,
    unsettled,
    who_knows,
)
from storage.memory.looking import looked_at_next, mark_looked, order_stores, stays_since
from storage.memory.sources import DUES_REMEMBERED, NOTES_REMEMBERED
from storage.notes.follow_ups import NewFollowUp, end_tasks, insert_follow_up, tasks_of_alerts
from storage.profiles.events import customer_events, uncancelled
from storage.profiles.profiles import consent_ledger, find_profile
from storage.profiles.understanding import StoredModel, current_model, visits_of
from storage.webhooks import enqueue

PROFILES_PER_LOOK: Final = 200
"""Each takes some 10 ms; a look each minute goes round 100,000 customers in half a day, those with news at once."""
_STAYS: Final = timedelta(seconds=RECENT_NS / NS_PER_S + 24 * 3600)
_ORDERS: Final = timedelta(days=90)
"""A store whose tills have told nothing for a quarter of a year is not connected."""
_NOT_SO: Final = "What this rests on was put right since: it was not so."
_BY_US: Final = "Sojourn"
"""As whose a task was done that nobody had to do."""
_MODEL_NAME: Final = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD"}


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """What one look holds for all customers."""

    settings: dict[str, RuleSetting]
    stores: frozenset[str]
    model: StoredModel | None
    now: datetime


def look(service: Service, *, profile: UUID | None = None) -> int:
    """Look at one customer, or at the next PROFILES_PER_LOOK; return how many alerts were made.

    Raises
    ------
    UnavailableError
        If the database is away; what was made until then stands.
    """
    now = service.now()
    with service.reader.connection() as connection:
        held = _Held(
            settings=rule_settings(connection),
            stores=order_stores(connection, now - _ORDERS),
            model=current_model(connection),
            now=now,
        )
        asked = [profile] if profile is not None else looked_at_next(connection, limit=PROFILES_PER_LOOK)
    with acting_as(None):  # what there is of a customer, whoever asks: by less of it an alert would be wrong
        return sum(_look_at(service, one, held) for one in asked)


def _look_at(service: Service, profile: UUID, held: _Held) -> int:
    with service.reader.connection() as connection:
        known = find_profile(connection, profile)
        timezone = last_timezone(connection, profile)
        scene = _scene(connection, profile, held, timezone) if known is not None else None
    if scene is None:
        service.writer.write(lambda writing: mark_looked(writing, profile, held.now))
        return 0

    def write(writing: Connection) -> int:
        mark_looked(writing, profile, held.now)
        for alert, rule, made_at in unsettled(writing, profile):
            came = followed(rule, to_ns(made_at), scene)
            if came is not None:
                settle_alert(writing, alert, followed=came)
        for open_one in open_alerts(writing, profile) if _is_whole(scene) else ():
            cited = msgspec.convert(open_one.evidence, list[Evidence])
            if not still_holds(open_one.rule, to_ns(open_one.made_at), cited, scene):
                end_tasks(writing, open_one.alert_id, result=_NOT_SO, by=_BY_US, at=held.now)
        return sum(
            _keep(writing, profile, RULES[name], found, held, timezone=timezone)
            for name, found in foresee(scene).items()
        )

    return service.writer.write(write)


def _is_whole(scene: Scene) -> bool:
    """Return whether nothing older was left out: what was cited may be there and not be among the newest."""
    notes = sum(felt.kind == "note" for felt in scene.felt)
    return notes < NOTES_REMEMBERED and len(scene.dues) < DUES_REMEMBERED


def _keep(
    connection: Connection, profile: UUID, rule: AlertRule, found: Foreseen, held: _Held, *, timezone: str
) -> bool:
    """Keep an alert and its task; False if the rule is off, nothing is new, or its person has enough to do."""
    setting = held.settings.get(rule.rule, RuleSetting(rule=rule.rule))
    if not setting.enabled:
        return False
    people = colleagues(connection, About(profile=profile))
    operator = setting.operator if setting.operator in people else who_knows(connection, profile, people)
    if rule.due_h > URGENT_H and _has_enough(connection, operator, held.now):
        return False
    alert = NewAlert(
        alert_id=uuid4(),
        profile_id=profile,
        rule=rule.rule,
        rule_version=rule.version,
        because=found.because,
        evidence=[msgspec.to_builtins(one) for one in found.evidence],
        evidence_key=key_of(found),
        made_at=held.now,
    )
    if not insert_alert(connection, alert):
        return False
    insert_follow_up(
        connection,
        NewFollowUp(
            follow_up_id=uuid4(),
            note_id=None,
            alert_id=alert.alert_id,
            after=None,
            operator=operator,
            due_at=held.now + timedelta(hours=rule.due_h),
            timezone=timezone,
            instructions=f"{rule.label}: {rule.act}",
            made_at=held.now,
            made_by=None,
        ),
    )
    told = {"alert_id": str(alert.alert_id), "profile_id": str(profile), "rule": rule.rule, "because": alert.because}
    enqueue(connection, "alert.made", told, profile=profile)
    return True


def _has_enough(connection: Connection, operator: str, now: datetime) -> bool:
    made = tasks_of_alerts(connection, operator, now - timedelta(days=1), most=TASKS_PER_DAY)
    return made >= TASKS_PER_DAY


def _scene(connection: Connection, profile: UUID, held: _Held, timezone: str) -> Scene:
    known = recalled(connection, profile)
    return Scene(
        felt=known.felt,
        visits=known.visits,
        events=known.events,
        dues=known.dues,
        stays=[
            Stay(
                id=str(row.stay_id),
                visit=str(row.visit_id),
                zone=row.zone,
                zone_kind=row.zone_kind,
                entered_at=to_ns(row.entered_at),
                left_at=to_ns(row.left_at),
            )
            for row in stays_since(connection, profile, held.now - _STAYS)
        ],
        order_stores=held.stores,
        outlook=_outlook(connection, profile, known, held),
        day=lambda at: day(to_datetime(at), timezone),
        as_of=to_ns(held.now),
    )


def _outlook(connection: Connection, profile: UUID, known: Recalled, held: _Held) -> Outlook | None:
    if held.model is None or not known.visits:
        return None
    found = understand(
        visits_of(connection, profile),
        uncancelled(customer_events(connection, profile)),
        None,
        held.model,
        asked=None,
        since=unbroken_since(consent_ledger(connection, profile)),
        now=held.now,
    )
    if found.returning is None:
        return None
    return Outlook(
        alive=found.returning.alive,
        occasions=found.returning.occasions,
        model=_MODEL_NAME[found.returning.model],
        customers=found.returning.customers,
        usual_days=found.rhythm.usual_days if found.rhythm is not None else None,
    )
