"""What understanding a customer rests on: her visits, her store's, the model of the clientele, the store's policy."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from core.journey.cues import DEFAULT_POLICY, CuePolicy
from core.journey.habits import NO_BREAK_DAYS
from core.journey.returning import Attendance, ReturnKind, ReturnModel, fit
from core.records import Role
from storage.connect import Connection
from storage.profiles.profiles import PURPOSE
from storage.profiles.visits import visits_by_walk

VISITS_OF_A_PROFILE: Final = 500
"""Two visits a week for five years."""
DWELLS_OF_A_STORE: Final = 2_000
"""The newest; the middle of 2,000 is sure to 3 %, and they are read within milliseconds."""


class Visited(msgspec.Struct, frozen=True, kw_only=True):
    """A store visit of a profile that ended."""

    visit_id: UUID
    store: str
    timezone: str
    entered_at: datetime
    left_at: datetime
    dwell_s: float


class StoredModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of returning, and until when visits went into it."""

    model: ReturnModel
    through: datetime


class StoredPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A store's policy; version 0 is the default that nobody has changed."""

    policy: CuePolicy
    version: int
    made_by: str | None = None
    made_at: datetime | None = None


def visits_of(connection: Connection, profile: UUID) -> list[Visited]:
    """Return the newest VISITS_OF_A_PROFILE visits that ended, oldest first; nothing without a consent that holds.

    Of each walk the one that stands for it.
    """
    timezones: dict[int, str] = dict(connection.execute("select store_no, timezone from store").fetchall())
    newest = [walk[0] for walk in visits_by_walk(connection, profile) if walk[0].visit.role is Role.VISITOR]
    return [
        Visited(
            visit_id=one.visit.visit_id,
            store=one.store,
            timezone=timezones[one.store_no],
            entered_at=one.visit.entered_at,
            left_at=one.visit.left_at,
            dwell_s=one.visit.dwell_s,
        )
        for one in reversed(newest[:VISITS_OF_A_PROFILE])
    ]


def store_dwells(connection: Connection, store_no: int) -> list[float]:
    """Return how long the newest DWELLS_OF_A_STORE visits of visitors took, in seconds."""
    rows = connection.execute(
        "select dwell_s from store_visit where store_no = %s and not withdrawn and role = 0"
        " order by entered_at desc, visit_id limit %s",
        [store_no, DWELLS_OF_A_STORE],
    ).fetchall()
    return [row[0] for row in rows]


def clientele(connection: Connection, *, through: datetime) -> list[Attendance]:
    """Return how often each customer whose consent holds came until `through`: days with a visit after the first.

    Times are days. Two visits on one day (UTC) are one occasion. Where consent came back after more than
    NO_BREAK_DAYS, only what was since is reckoned with: whether she came meanwhile nobody knows.
    """
    rows = connection.execute(
        "with held as (select profile_id, valid_from,"
        "    max(valid_to) over (partition by profile_id order by valid_from"
        "      rows between unbounded preceding and 1 preceding) as before"
        "   from consent_held where purpose = %(purpose)s),"
        " since as (select profile_id, max(valid_from) as since from held"
        "   where valid_from > before + make_interval(days => %(no_break)s) group by profile_id)"
        "select count(*) - 1, max(day) - min(day), %(through)s::timestamptz::date - min(day) from"
        " (select distinct link.profile_id, (visit.entered_at at time zone 'UTC')::date as day"
        "    from profile_device link join store_visit visit on visit.device = link.device and not visit.withdrawn"
        "     and visit.role = 0 and visit.entered_at >= link.valid_from and visit.entered_at < link.valid_to"
        "    left join since on since.profile_id = link.profile_id"
        "   where visit.entered_at <= %(through)s and (since is null or visit.entered_at >= since)) days"
        " group by profile_id",
        {"through": through, "purpose": PURPOSE, "no_break": NO_BREAK_DAYS},
    ).fetchall()
    return [Attendance(repeats=row[0], recency=float(row[1]), age=float(row[2])) for row in rows]


def fit_returns(connection: Connection, *, through: datetime) -> list[ReturnModel]:
    """Fit both models to the clientele as it stands, keep them and return them, the likelier first.

    Raises
    ------
    InputError
        If there are too few customers, or nobody ever came back.
    """
    seen = clientele(connection, through=through)
    models = sorted((fit(kind, seen) for kind in ReturnKind), key=lambda model: -model.log_likelihood)
    with connection.transaction():
        for model in models:
            save_model(connection, model, through=through)
    return models


def save_model(connection: Connection, model: ReturnModel, *, through: datetime) -> None:
    """Keep a model beside those before it."""
    connection.execute(
        "insert into return_model (kind, r, alpha_days, a, b, log_likelihood, customers, through)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            model.kind.value,
            model.r,
            model.alpha,
            model.a,
            model.b,
            model.log_likelihood,
            model.customers,
            through,
        ],
    )


def current_model(connection: Connection) -> StoredModel | None:
    """Return the newest model, of two of the same time the likelier one; None before any was fitted."""
    row = connection.execute(
        "select kind, r, alpha_days, a, b, log_likelihood, customers, through from return_model"
        " order by through desc, log_likelihood desc limit 1"
    ).fetchone()
    if row is None:
        return None
    model = ReturnModel(
        kind=ReturnKind(row[0]),
        r=row[1],
        alpha=row[2],
        a=row[3],
        b=row[4],
        log_likelihood=row[5],
        customers=row[6],
    )
    return StoredModel(model=model, through=row[7])


def cue_policy(connection: Connection, store_no: int) -> StoredPolicy:
    """Return the policy of a store that holds."""
    row: tuple[Any, ...] | None = connection.execute(
        "select policy, version, made_by, made_at from cue_policy where store_no = %s order by version desc limit 1",
        [store_no],
    ).fetchone()
    if row is None:
        return StoredPolicy(policy=DEFAULT_POLICY, version=0)
    return StoredPolicy(policy=msgspec.convert(row[0], CuePolicy), version=row[1], made_by=row[2], made_at=row[3])


def lock_policy(connection: Connection, store_no: int) -> None:
    """Let nobody else change what decides the cues of a store until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('cue_policy ' || %s::text, 0))", [store_no])


def save_policy(connection: Connection, store_no: int, policy: CuePolicy, *, made_by: str) -> int:
    """Keep a new version of a store's policy and return its number."""
    lock_policy(connection, store_no)
    row = connection.execute(
        "insert into cue_policy (store_no, version, policy, made_by)"
        " select %(store)s, coalesce(max(version), 0) + 1, %(policy)s, %(by)s from cue_policy"
        " where store_no = %(store)s returning version",
        {"store": store_no, "policy": Jsonb(msgspec.to_builtins(policy)), "by": made_by},
    ).fetchone()
    if row is None:
        raise RuntimeError("An insert gave no row back.")
    version: int = row[0]
    return version
