"""A million profiles with their visits, made inside the database from numbers alone."""

from collections.abc import Callable
from typing import Final

from benchmarks.metrics_load import plan_text
from core.floorplan import load
from core.journey.returning import ReturnKind, ReturnModel
from storage.connect import Connection
from storage.profiles.understanding import save_model
from storage.stores import save_plan

_AT_ONCE: Final = 200_000
"""Profiles in one statement."""
_PROFILE: Final = (
    "insert into profile (profile_id, display_name, loyalty_tier, created_at)"
    " select md5('profile ' || n)::uuid, 'Customer ' || n, case when n % 7 = 0 then 'Gold' end,"
    "        now() - interval '400 days' from generate_series(%(first)s::integer, %(last)s) n"
)
_CONSENT: Final = (
    "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
    " select md5('profile ' || n)::uuid, 'in_store_journey', 'granted', 'app', '1', now() - interval '400 days'"
    "   from generate_series(%(first)s::integer, %(last)s) n"
)
_LINK: Final = (
    "insert into device_link (device, profile_id, valid_from)"
    " select md5('device ' || n)::uuid, md5('profile ' || n)::uuid, now() - interval '400 days'"
    "   from generate_series(%(first)s::integer, %(last)s) n"
)
_EVENT: Final = (
    "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, store_no,"
    "  detail)"
    " select md5('event ' || n || ' ' || k)::uuid, 0, md5('profile ' || n)::uuid,"
    "        case k when 1 then 'ordered' when 2 then 'product_viewed' else 'searched' end, 'load', n || ' ' || k,"
    "        now() - make_interval(secs => (n::bigint * 7919 + k * 3000017) % 7776000),"
    "        case when k = 1 then 1 + n % 10 end,"
    "        case k when 1 then jsonb_build_object('total', 49, 'currency', 'EUR', 'order_id', n) else '{}' end"
    "   from generate_series(%(first)s::integer, %(last)s) n, generate_series(1, 3) k"
)
_VISIT: Final = (
    "entered_at, entered_at + dwell, entered_at - interval '3 s', entered_at + interval '3 s',"
    " entered_at + dwell - interval '5 s', entered_at + dwell + interval '5 s', extract(epoch from dwell),"
    " 0.9, 300, 1, 0"
)
_COLUMNS: Final = (
    "entered_at, left_at, entered_earliest, entered_latest, left_earliest, left_latest, dwell_s, confidence, signals,"
    " closed_by, revision"
)
_CAME: Final = (
    "from (select n, k,"
    "  now() - make_interval(secs => k * %(apart_s)s + (n::bigint * 7919) %% %(apart_s)s) as entered_at,"
    "  make_interval(secs => 120 + (n::bigint * 31 + k * 977) %% 1800) as dwell"
    "  from generate_series(%(first)s::integer, %(last)s) n) came"
)


def fill(connection: Connection, profiles: int, visits: int, say: Callable[[str], None]) -> None:
    """Write so many profiles, with so many store visits each over a year; two stays in each one's newest visit.

    What an earlier call that was broken off has written stays.
    """
    connection.execute("set session_replication_role = replica")  # nothing is to be noted of each row
    connection.execute("set synchronous_commit = off")
    connection.execute("set maintenance_work_mem = '1GB'")
    spans = [(first, min(first + _AT_ONCE - 1, profiles)) for first in range(1, profiles + 1, _AT_ONCE)]
    if not _any(connection, "profile"):
        save_plan(connection, load(plan_text()))
        for first, last in spans:
            for statement in (_PROFILE, _CONSENT, _LINK, _EVENT):
                connection.execute(statement.replace("%", "%%").replace("%%(", "%("), {"first": first, "last": last})
            say(f"{last:,} profiles written")
    if not _any(connection, "store_visit"):
        # ten times quicker than to keep five indexes current
        indexes = connection.execute(
            "select indexname, indexdef from pg_indexes where tablename in ('store_visit', 'zone_visit')"
            " and schemaname = 'public'"
        ).fetchall()
        with connection.transaction():
            for name, _ in indexes:
                connection.execute(f'drop index "{name}"')
            for k in range(visits):
                _add_visits(connection, spans, k, 365 * 86_400 // visits)
                say(f"{(k + 1) * profiles:,} store visits written")
            for name, definition in indexes:
                connection.execute(definition)
                say(f"{name} made")
    _add_models(connection, profiles)
    connection.execute("reset session_replication_role")
    connection.execute("vacuum analyze")


def _any(connection: Connection, table: str) -> bool:
    return connection.execute(f"select exists (select from {table})").fetchone() == (True,)  # noqa: S608


def _add_visits(connection: Connection, spans: list[tuple[int, int]], k: int, apart_s: int) -> None:
    for first, last in spans:
        values = {"first": first, "last": last, "apart_s": apart_s}
        came = (
            _CAME.replace("select n, k,", f"select n, {k} as k,")
            .replace("k * %(", f"{k} * %(")
            .replace("+ k * 977", f"+ {k} * 977")
        )
        connection.execute(
            f"insert into store_visit (visit_id, store_no, device, {_COLUMNS})"
            " select md5('visit ' || n || ' ' || k)::uuid, 1 + (n + k / 8) %% 10, md5('device ' || n)::uuid,"
            f" {_VISIT} {came}",
            values,
        )
        if k == 0:
            connection.execute(
                f"insert into zone_visit (visit_id, store_no, device, zone_no, {_COLUMNS})"  # noqa: S608
                " select md5('stay ' || n || ' ' || z)::uuid, 1 + n %% 10, md5('device ' || n)::uuid, z,"
                f" {_VISIT} from (select n, z, entered_at + z * interval '50 s' as entered_at,"
                f" interval '50 s' as dwell {came}, generate_series(0, 1) z) came",
                values,
            )


def _add_models(connection: Connection, profiles: int) -> None:
    for kind in ReturnKind:
        model = ReturnModel(kind=kind, r=0.8, alpha=40.0, a=0.8, b=2.4, log_likelihood=-1.0, customers=profiles)
        row = connection.execute("select now()").fetchone()
        if row is not None:
            save_model(connection, model, through=row[0])
