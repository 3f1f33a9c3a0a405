"""Gives PostgreSQL's roles what `storage.access.tables` says, after every migration.

For each of our roles there are three of PostgreSQL's, none of which logs in: `sojourn_crm` holds the grants,
`sojourn_crm_everywhere` and `sojourn_crm_own` are what the API takes for a request of somebody with every store, or
bound to some. Row-level security lets `sojourn_everywhere` see every row, by a policy that is `true` and so costs no
plan its index, and `sojourn_own` the rows of own stores; whoever is granted `sojourn_crm` alone sees none.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from psycopg import errors, sql

from core.errors import ConfigurationError
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

_WITHOUT_DEVICE: Final = ("operations", "admin")
_SET_FROM: Final = 160_000
_CHANGES: Final = ("insert", "update", "delete")
_READ: Final = PLAIN | OF_HOUSE | PSEUDONYMOUS | BY_PROFILE | AROUND_PROFILE.keys() | FOR_PEOPLE

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

    Raises
    ------
    ConfigurationError
        If this login may not make the roles or let itself be them; it says what somebody else is to run.
    """
    held = _columns(connection)
    statements = _statements(held)
    digest = sha256("\n".join(statements).encode()).digest()
    lacking = _lacking(connection)
    if not lacking and connection.execute("select sha256 from access_granted").fetchone() == (digest,):
        return False
    _enrol(connection, lacking)
    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute(
            "insert into access_granted (sha256) values (%s)"
            " on conflict (one) do update set sha256 = excluded.sha256",
            [digest],
        )
    return True


def ungranted(connection: Connection) -> str | None:
    """Return what the API lacks of what is granted here, for it or for whoever signs in; None where it lacks nothing.

    What a newer program granted beside it, or took from others, lacks nobody here anything.
    """
    lacking = _lacking(connection)
    if lacking:
        return f"{len(lacking)} statements about roles are to be run, `{lacking[0]}` first"
    changed = [(f"sojourn_{role}", table) for role, tables in WRITES.items() for table in tables]
    wanted = [(role, table, change) for role, table in changed for change in _CHANGES]
    wanted += [(role, table, "select") for table in sorted(_READ) for role in _readers(table)]
    row = connection.execute(
        "select role, tab from unnest(%s::text[], %s::text[], %s::text[]) wanted (role, tab, right_to)"
        " where to_regclass(tab) is not null and not case right_to when 'delete'"
        "   then has_table_privilege(role, tab, right_to) else has_any_column_privilege(role, tab, right_to) end"
        " limit 1",
        _columns_of(wanted),
    ).fetchone()
    return None if row is None else f"the role {row[0]} may not use the table {row[1]}"


def _columns_of(rows: Iterable[tuple[str, str, str]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[], [], []]


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
    """Make the roles where the server does not have them, and let each be what it is made for, in a new database.

    Raises
    ------
    ConfigurationError
        As `grant` does.
    """
    _enrol(connection, _lacking(connection))
    connection.execute(_locks().encode())


def _lacking(connection: Connection) -> list[str]:
    """Return the statements that make what the server lacks of roles, and of who may be which."""
    there = {name for (name,) in connection.execute("select rolname::text from pg_roles").fetchall()}
    user, may_be_all = connection.execute(
        "select rolname::text, rolsuper from pg_roles where rolname = session_user"
    ).fetchone() or ("", False)
    asked = [(role, member or user) for role, member in _memberships() if member is not None or not may_be_all]
    held = connection.execute(
        "select role, member from unnest(%s::text[], %s::text[], %s::text[]) asked (role, member, right_to)"
        " where pg_has_role(member, role, right_to)",
        # who only has a role's rights cannot serve as that role; before 16 each member may do both
        _columns_of(
            (role, member, "set" if member == user and connection.info.server_version >= _SET_FROM else "member")
            for role, member in asked
            if {role, member} <= there
        ),
    ).fetchall()
    lacking: dict[str, list[str]] = {}
    for role, member in asked:
        if (role, member) not in held:
            lacking.setdefault(member, []).append(role)
    made = [f"create role {role} nologin" for role in roles() if role not in there]
    return made + [
        f"grant {', '.join(granted)} to {sql.Identifier(member).as_string(connection)}"
        for member, granted in lacking.items()
    ]


def _enrol(connection: Connection, lacking: list[str]) -> None:
    for statement in lacking:
        try:
            connection.execute(statement.encode())
        except (errors.DuplicateObject, errors.UniqueViolation):
            continue  # another database of this server is migrated meanwhile
        except errors.InsufficientPrivilege as error:
            left = "; ".join(_lacking(connection))
            raise ConfigurationError(
                "This login may not make the roles that whoever signs in is served by, or not act as them.",
                hint=f"Let a superuser run: {left}; then run `sojourn migrate` again.",
            ) from error


def _grouped() -> list[str]:
    return [f"sojourn_{role}" for role in ROLES]


def _acting() -> list[tuple[str, str]]:
    return [(role, of) for role in _grouped() for of in ("everywhere", "own")]


def _memberships() -> list[tuple[str, str | None]]:
    """Return which role is granted to which; None is whoever migrates."""
    made: list[tuple[str, str | None]] = []
    for role, of in _acting():
        made += [(role, f"{role}_{of}"), (f"sojourn_{of}", f"{role}_{of}")]
    # whoever migrates may act as each of them, and so may the API that comes with the same login
    return made + [(f"{role}_{of}", None) for role, of in _acting()]


def _locks() -> str:
    return _LOCKS.replace("{everybody}", ", ".join(_grouped()))


def _statements(held: dict[str, list[str]]) -> list[str]:
    """Return what gives each role its rights, and takes what an earlier version gave."""
    everybody = ", ".join(_grouped())
    made = [
        f"revoke all on all tables in schema public from {everybody}",
        f"grant usage on schema public to {everybody}",
    ]
    for table, columns in held.items():
        made += _reads(table, columns)
    made += [
        f"grant {', '.join(_CHANGES)} on {', '.join(table for table in tables if table in held)} to sojourn_{role}"
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


def _readers(table: str) -> list[str]:
    """Return the roles that read a table, or some of its columns."""
    readers: tuple[str, ...] = ()
    if table in PLAIN:
        readers = COUNTS
    elif table in OF_HOUSE:
        readers = HOUSE
    elif table in PSEUDONYMOUS:
        readers = (*PEOPLE, *_WITHOUT_DEVICE)
    elif table in BY_PROFILE or table in AROUND_PROFILE or table in FOR_PEOPLE:
        readers = PEOPLE
    return [f"sojourn_{role}" for role in readers]


def _reads(table: str, columns: list[str]) -> list[str]:
    readers = _readers(table)
    if table not in PSEUDONYMOUS:
        return [f"grant select on {table} to {', '.join(readers)}"] if readers else []
    shown = ", ".join(column for column in columns if column != DEVICE)
    return [
        f"grant select on {table} to {', '.join(readers[: len(PEOPLE)])}",
        f"grant select ({shown}) on {table} to {', '.join(readers[len(PEOPLE) :])}",
    ]


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
