"""Trials of a policy on a random half, and the policy that holds for one customer."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from core.errors import InputError
from core.journey.cues import CuePolicy
from core.journey.rules import ORDERED
from core.journey.trials import RETURN_WITHIN_DAYS, Outcome, tries
from storage.connect import Connection
from storage.profiles.events import PAID_BACK, UNCANCELLED
from storage.profiles.profiles import PURPOSE
from storage.profiles.understanding import cue_policy, lock_policy, save_policy
from storage.storable import storable

TRIALS_SHOWN: Final = 50
"""A trial a month for four years."""
OUTCOMES: Final = 20_000
"""With that many customers an interval is a hundredth wide."""


class TrialRunningError(InputError):
    """A trial is running in this store already; `trial_no` says which."""

    def __init__(self, trial_no: int) -> None:
        super().__init__(f"Trial {trial_no} is running in this store.", hint="End it first.")
        self.trial_no = trial_no


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A policy tried on a random half."""

    trial_no: int
    name: str
    policy: CuePolicy
    made_by: str
    begun_at: datetime
    ended_at: datetime | None


class PolicyFor(msgspec.Struct, frozen=True, kw_only=True):
    """The policy for one customer: the store's, or the one of a running trial if she is in its half."""

    policy: CuePolicy
    version: int
    trial_no: int | None
    tried: bool | None


def policy_for(connection: Connection, store_no: int, profile: UUID) -> PolicyFor:
    """Return the policy that a cue for this customer is decided by."""
    held = cue_policy(connection, store_no)
    row = connection.execute(
        "select trial_no, policy, salt from cue_trial where store_no = %s and ended_at is null", [store_no]
    ).fetchone()
    if row is None:
        return PolicyFor(policy=held.policy, version=held.version, trial_no=None, tried=None)
    tried = tries(row[2].bytes, profile.bytes)
    policy = msgspec.convert(row[1], CuePolicy) if tried else held.policy
    return PolicyFor(policy=policy, version=held.version, trial_no=row[0], tried=tried)


def begin_trial(connection: Connection, store_no: int, *, name: str, policy: CuePolicy, made_by: str) -> int:
    """Try a policy on a random half from now on and return the trial's number.

    Raises
    ------
    TrialRunningError
        If one is running in this store.
    """
    lock_policy(connection, store_no)
    _refuse_while_running(connection, store_no)
    try:
        with connection.transaction():
            row = connection.execute(
                "insert into cue_trial (store_no, name, policy, salt, made_by) values (%s, %s, %s, %s, %s)"
                " returning trial_no",
                [store_no, storable(name), Jsonb(msgspec.to_builtins(policy)), uuid4(), storable(made_by)],
            ).fetchone()
    except errors.UniqueViolation:  # somebody began one in between: say which
        return begin_trial(connection, store_no, name=name, policy=policy, made_by=made_by)
    if row is None:
        raise RuntimeError("An insert gave no row back.")
    number: int = row[0]
    return number


def change_policy(connection: Connection, store_no: int, policy: CuePolicy, *, made_by: str) -> int:
    """Keep a store's policy and return its version; what the other half of a trial gets stays as it was.

    Raises
    ------
    TrialRunningError
        If one is running in this store: it would compare with a mixture of two policies.
    """
    lock_policy(connection, store_no)
    _refuse_while_running(connection, store_no)
    return save_policy(connection, store_no, policy, made_by=made_by)


def _refuse_while_running(connection: Connection, store_no: int) -> None:
    row = connection.execute(
        "select trial_no from cue_trial where store_no = %s and ended_at is null", [store_no]
    ).fetchone()
    if row is not None:
        raise TrialRunningError(row[0])


def end_trial(connection: Connection, store_no: int, trial_no: int) -> bool:
    """End a trial: the store's policy holds for everybody again. False if it is unknown or has ended."""
    return (
        connection.execute(
            "update cue_trial set ended_at = clock_timestamp()"
            " where store_no = %s and trial_no = %s and ended_at is null",
            [store_no, trial_no],
        ).rowcount
        > 0
    )


def trials(connection: Connection, store_no: int, trial_no: int | None = None) -> list[Trial]:
    """Return the trials of a store, newest first, or the one that is asked for."""
    rows: list[Any] = connection.execute(
        "select trial_no, name, policy, made_by, begun_at, ended_at from cue_trial where store_no = %(store_no)s"
        " and (%(one)s::integer is null or trial_no = %(one)s) order by trial_no desc limit %(limit)s",
        {"store_no": store_no, "one": trial_no, "limit": TRIALS_SHOWN},
    ).fetchall()
    return [
        Trial(
            trial_no=row[0],
            name=row[1],
            policy=msgspec.convert(row[2], CuePolicy),
            made_by=row[3],
            begun_at=row[4],
            ended_at=row[5],
        )
        for row in rows
    ]


def outcomes(connection: Connection, trial_no: int, *, now: datetime) -> list[Outcome]:
    """Return what each customer of a trial did on her first visit in it, once that has ended."""
    rows = connection.execute(
        "with first as (select distinct on (profile_id) profile_id, store_no, arrived_at, tried"  # noqa: S608 - ours
        "   from cue_log where trial_no = %(trial)s order by profile_id, arrived_at limit %(limit)s)"
        "select first.tried, visit.dwell_s,"
        "       exists (select from person join event_seen event using (profile_id)"
        "         where person.kept_id = first.profile_id and event.newest and not event.removed"
        f"          and {UNCANCELLED} and not {PAID_BACK}"
        "           and event.kind = %(ordered)s and event.store_no = first.store_no"
        "           and event.occurred_at between visit.entered_at - interval '5 minutes'"
        "                                     and visit.left_at + interval '5 minutes'),"
        "       exists (select from profile_device link join store_visit later on later.device = link.device"
        "           and not later.withdrawn"
        "           and later.entered_at >= link.valid_from and later.entered_at < link.valid_to"
        "         where link.profile_id = first.profile_id and later.entered_at > visit.left_at + interval '12 hours'"
        "           and later.entered_at <= visit.left_at + make_interval(days => %(days)s)),"
        "       visit.left_at + make_interval(days => %(days)s) <= %(now)s"
        "  from first cross join lateral (select store_visit.entered_at, left_at, dwell_s"
        "    from profile_device link join store_visit on store_visit.device = link.device and not withdrawn"
        "     and entered_at >= link.valid_from and entered_at < link.valid_to"
        "   where link.profile_id = first.profile_id and store_visit.store_no = first.store_no"
        "     and entered_at between first.arrived_at - interval '10 minutes'"
        "                    and first.arrived_at + interval '10 minutes'"
        "   order by abs(extract(epoch from entered_at - first.arrived_at)) limit 1) visit"
        " where consent_holds(first.profile_id, %(purpose)s)",
        {
            "trial": trial_no,
            "limit": OUTCOMES,
            "ordered": ORDERED,
            "days": RETURN_WITHIN_DAYS,
            "now": now,
            "purpose": PURPOSE,
        },
    ).fetchall()
    return [
        # who is counted is decided by time alone: else those who came back at once would be all that is counted
        Outcome(tried=row[0], dwell_s=row[1], bought=row[2], returned=row[3] if row[4] else None)
        for row in rows
    ]
