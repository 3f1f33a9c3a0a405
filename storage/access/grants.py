"""Gives PostgreSQL's roles what `storage.access.tables` says, after every migration.

For each of our roles there are three of PostgreSQL's, none of which logs in: `sojourn_crm` holds the grants,
`sojourn_crm_everywhere` and `sojourn_crm_own` are what the API takes for a request of somebody with every store, or
bound to some. Row-level security lets `sojourn_everywhere` see every row, by a policy that is `true` and so costs no
plan its index, and `sojourn_own` the rows of own stores; whoever is granted `sojourn_crm` alone sees none.
"""

from hashlib import sha256
from typing import Final

import structlog
from psycopg import errors

from storage.access.acting import ROLES
from storage.access.tables import (
    AROUND_PROFILE,
    BY_PROFILE,
    BY_STORE,
    COUNTS,
    DEVICE,
    FOR_PEOPLE,
    HOUSE,
    OF_HOUSE,
    PEOPLE,
    PLAIN,
    PSEUDONYMOUS,
    WRITES,
)
from storage.connect import Connection

_log = structlog.get_logger()

_KNOWN: Final = (
    "exists (select from profile_store known where known.profile_id = {table}.profile_id"
    " and known.store_no = any((select own_store_nos())::integer[]))"
)
_SENDERS: Final = ("grant select, insert, update, delete on app_edge, app_outbox to sojourn_edge",)


_LOCKS: Final = """
do $$
declare one regprocedure;
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        return;
    end if;
    for one in
        select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname ~ '^pg_.*advisory'
    loop
        execute format('grant execute on function %s to current_user, {everybody}', one);
        execute format('revoke execute on function %s from public', one);
    end loop;
end $$"""
"""Advisory locks are for whom we let in: by them one process at a time erases, chains the audit, ingests and
migrates, and whoever else may log in, such as a dashboard, could hold them for ever. Their functions are the server's
superuser's, so another owner of the database cannot take them from anybody (docs/metrics.md says what to run)."""


def grant(connection: Connection) -> bool:
    """Make roles, grants and policies as they are written here; True if something had to change.

    Where the owner of the database may not make roles, the log says which are to be made by hand.
    """
    held = _columns(connection)
    statements = _statements(held)
    digest = sha256("\n".join(statements).encode()).digest()
    if connection.execute("select sha256 from access_granted").fetchone() == (digest,):
        return False
    _make_roles(connection)
    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute(
            "insert into access_granted (sha256) values (%s)"
            " on conflict (one) do update set sha256 = excluded.sha256",
            [digest],
        )
    return True


def _columns(connection: Connection) -> dict[str, list[str]]:
    """Return the tables of this schema with their columns."""
    rows = connection.execute(
        "select relname, array_agg(attname::text order by attnum) from pg_class"
        "  join pg_attribute on attrelid = pg_class.oid"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and attnum > 0 and not attisdropped"
        "   and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')"
        " group by relname order by relname"
    ).fetchall()
    return dict(rows)


def roles() -> tuple[str, ...]:
    """Return every role that is made here; they belong to the server, so that a dump of a database lacks them."""
    return ("sojourn_everywhere", "sojourn_own", *_grouped(), *(f"{role}_{of}" for role, of in _acting()))


def enrol(connection: Connection) -> None:
    """Make the roles where the server does not have them, and let each be what it is made for, in a new database."""
    _make_roles(connection)
    for statement in (*_memberships(), _locks()):
        connection.execute(statement.encode())


def _make_roles(connection: Connection) -> None:
    for role in roles():
        try:
            if connection.execute("select from pg_roles where rolname = %s", [role]).fetchone() is None:
                connection.execute(f"create role {role} nologin".encode())
        except (errors.DuplicateObject, errors.UniqueViolation):
            continue  # another database of this server is migrated meanwhile
        except errors.InsufficientPrivilege:
            _log.error("a role is to be made by hand", role=role, hint=f"create role {role} nologin;")
            raise


def _grouped() -> list[str]:
    return [f"sojourn_{role}" for role in ROLES]


def _acting() -> list[tuple[str, str]]:
    return [(role, of) for role in _grouped() for of in ("everywhere", "own")]


def _memberships() -> list[str]:
    made = [f"grant {role}, sojourn_{of} to {role}_{of}" for role, of in _acting()]
    # whoever migrates may act as each of them, and so may the API that comes with the same login
    return made + [f"grant {role}_{of} to current_user" for role, of in _acting()]


def _locks() -> str:
    return _LOCKS.replace("{everybody}", ", ".join(_grouped()))


def _statements(held: dict[str, list[str]]) -> list[str]:
    """Return what gives each role its rights, and takes what an earlier version gave."""
    everybody = ", ".join(_grouped())
    made = _memberships()
    made += [
        f"revoke all on all tables in schema public from {everybody}",
        f"grant usage on schema public to {everybody}",
    ]
    for table, columns in held.items():
        made += _reads(table, columns)
    made += [
        f"grant insert, update, delete on {', '.join(table for table in tables if table in held)} to sojourn_{role}"
        for role, tables in WRITES.items()
    ]
    made += _SENDERS
    made += [
        statement for table in sorted(BY_PROFILE | AROUND_PROFILE.keys() | BY_STORE) for statement in _rows(table)
    ]
    # a view asks with the rights of whoever asks it, not with those of whoever made it
    made.append(
        "do $$ declare one text; begin for one in select viewname from pg_views where schemaname = 'public'"  # noqa: S608
        " and viewowner = current_user loop execute format('alter view %I set (security_invoker = true)', one);"
        f" execute format('grant select on %I to {everybody}', one); end loop; end $$"
    )
    # one that acts in its owner's right is for whom we let in: everybody else who reads here could write by it
    made.append(
        "do $$ declare one regprocedure; begin for one in select oid from pg_proc where prosecdef"  # noqa: S608
        " and pronamespace = 'public'::regnamespace and proowner = current_user::regrole"
        f" and proname <> 'know_profile' loop execute format('grant execute on function %s to {everybody}', one);"
        " execute format('revoke execute on function %s from public', one); end loop; end $$"
    )
    made.append(_locks())
    return made


def _reads(table: str, columns: list[str]) -> list[str]:
    def to(*roles: str) -> str:
        return ", ".join(f"sojourn_{role}" for role in roles)

    if table in PLAIN:
        return [f"grant select on {table} to {to(*COUNTS)}"]
    if table in OF_HOUSE:
        return [f"grant select on {table} to {to(*HOUSE)}"]
    if table in PSEUDONYMOUS:
        shown = ", ".join(column for column in columns if column != DEVICE)
        return [
            f"grant select on {table} to {to(*PEOPLE)}",
            f"grant select ({shown}) on {table} to {to('operations', 'admin')}",
        ]
    if table in BY_PROFILE or table in AROUND_PROFILE or table in FOR_PEOPLE:
        return [f"grant select on {table} to {to(*PEOPLE)}"]
    return []


def _rows(table: str) -> list[str]:
    if table in BY_STORE:
        own = f"{table}.store_no = any((select own_store_nos())::integer[])"
    else:
        own = AROUND_PROFILE.get(table, _KNOWN.format(table=table))
    return [
        f"alter table {table} enable row level security",
        f"drop policy if exists everywhere on {table}",
        f"drop policy if exists own on {table}",
        f"create policy everywhere on {table} to sojourn_everywhere using (true) with check (true)",
        f"create policy own on {table} to sojourn_own using ({own}) with check ({own})",
    ]
