"""Accounts of people: who may log in, with what, as what."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from psycopg import errors
from psycopg.rows import dict_row

from core.errors import InputError
from storage.access.names import DISPLAY_CHARACTERS, shown_name
from storage.connect import Connection
from storage.memory.alerts import rename_rule_owner
from storage.notes.follow_ups import rename_owner

ACCOUNTS_SHOWN: Final = 1_000
"""A chain with more people uses its identity provider's list."""
_COLUMNS: Final = (
    "account_id, name, display_name, roles, stores, password_hash, totp_secret, totp_step, subject, made_at, made_by,"
    " disabled_at, one_time_until"
)


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account; `stores` are ids, None is every store. Hash and secret stay in the rooms that check them."""

    account_id: UUID
    name: str
    display_name: str
    roles: tuple[str, ...]
    stores: tuple[str, ...] | None
    password_hash: str | None
    totp_secret: str | None
    totp_step: int
    subject: str | None
    made_at: datetime
    made_by: str
    disabled_at: datetime | None
    one_time_until: datetime | None

    @property
    def may_log_in(self) -> bool:
        """Whether they are neither shut out nor without a role, which an identity provider may leave them."""
        return self.disabled_at is None and bool(self.roles)


def accounts(connection: Connection) -> list[AccountRow]:
    """Return the accounts by their names, disabled ones last; at most ACCOUNTS_SHOWN."""
    return _accounts(connection, "true order by disabled_at is not null, name limit %s", ACCOUNTS_SHOWN)


def find_account(connection: Connection, *, name: str) -> AccountRow | None:
    """Return an account by what is typed at login; None if there is none."""
    return next(iter(_accounts(connection, "name = %s", name.strip().lower())), None)


def account_of(connection: Connection, account: UUID) -> AccountRow | None:
    """Return an account by its id; None if there is none."""
    return next(iter(_accounts(connection, "account_id = %s", account)), None)


def account_of_subject(connection: Connection, subject: str) -> AccountRow | None:
    """Return the account of somebody whom an identity provider vouches for; None if there is none."""
    return next(iter(_accounts(connection, "subject = %s", subject)), None)


def account_of_secret(connection: Connection, sha256: bytes) -> AccountRow | None:
    """Return the account that a one-time secret opens now; None if there is none."""
    return next(
        iter(_accounts(connection, "one_time_sha256 = %s and one_time_until > clock_timestamp()", sha256)), None
    )


def add_account(
    connection: Connection,
    *,
    name: str,
    display_name: str,
    roles: Iterable[str],
    stores: Sequence[str] | None = None,
    made_by: str,
    password_hash: str | None = None,
    subject: str | None = None,
) -> UUID:
    """Write an account; without a hash or subject nobody can log in with it before `give_secret`.

    Raises
    ------
    InputError
        If either name is taken or one is no name, a role is none of ours or a store is unknown.
    """
    display_name = _plain(display_name)
    with connection.transaction():
        _check_stores(connection, stores)
        _check_shown(connection, display_name)
        try:
            row = connection.execute(
                "insert into account (name, display_name, roles, stores, made_by, password_hash, subject)"
                " values (%s, %s, %s, %s, %s, %s, %s) returning account_id",
                [
                    name.strip().lower(),
                    display_name,
                    sorted(set(roles)),
                    sorted(stores) if stores is not None else None,
                    made_by,
                    password_hash,
                    subject,
                ],
            ).fetchone()
        except errors.UniqueViolation as error:
            raise InputError(f"There is somebody called {name!r} already.", hint="Choose another name.") from error
        except errors.CheckViolation as error:
            raise InputError(
                "The name or a role cannot be used.",
                hint="A login name is 1 to 64 of a-z, 0-9 and . _ @ -, and begins with a letter or digit.",
            ) from error
    if row is None:
        raise RuntimeError("insert … returning always has a row")
    made: UUID = row[0]
    return made


def name_to_show(connection: Connection, wanted: str, name: str) -> str:
    """Return what somebody may be shown as: as wanted, with the login name behind it where another one is.

    Where nothing of what is wanted can be seen, it is the login name.
    """
    wanted = shown_name(wanted) or name
    if not _is_shown(connection, wanted):
        return wanted
    return f"{wanted[: DISPLAY_CHARACTERS - len(name) - 3]} ({name})"


def change_account(
    connection: Connection, account: UUID, *, display_name: str, roles: Iterable[str], stores: Sequence[str] | None
) -> None:
    """Change what somebody may do; whoever was logged in logs in again, so that no session outlives its roles.

    Open tasks, and rules of alerts, of somebody whom nobody else is called like go along with a new name.

    Raises
    ------
    InputError
        If nobody with a way in would be an admin any more, or one of every store, somebody is called so already, a
        store is unknown, or nothing of the name can be seen.
    """
    display_name = _plain(display_name)
    with connection.transaction():
        _check_stores(connection, stores)
        if _shown(connection, account) != display_name:
            _check_shown(connection, display_name, account)
        _rename(connection, account, display_name)
        everywhere = _is_run_everywhere(connection)
        connection.execute(
            "update account set display_name = %s, roles = %s, stores = %s where account_id = %s",
            [display_name, sorted(set(roles)), sorted(stores) if stores is not None else None, account],
        )
        _keep_an_admin(connection, everywhere=everywhere)
        end_sessions(connection, account)


def follow_groups(connection: Connection, account: UUID, roles: Iterable[str]) -> None:
    """Give somebody the roles that the identity provider's groups give today, which may be none; sessions end.

    The last admin goes like anybody else: the provider is asked again at each login, and the command line can make
    an admin. Who has no role may not log in, and no key works for them.
    """
    connection.execute("update account set roles = %s where account_id = %s", [sorted(set(roles)), account])
    end_sessions(connection, account)


def disable_account(connection: Connection, account: UUID, *, disabled: bool) -> None:
    """Let nobody log in with an account any more, or let them again.

    Raises
    ------
    InputError
        For the last admin, and for somebody whose name has become somebody else's.
    """
    with connection.transaction():
        if not disabled:
            _check_shown(connection, _shown(connection, account), account)
        everywhere = _is_run_everywhere(connection)
        connection.execute(
            "update account set disabled_at = case when %s then coalesce(disabled_at, clock_timestamp()) end"
            " where account_id = %s",
            [disabled, account],
        )
        _keep_an_admin(connection, everywhere=everywhere)
        end_sessions(connection, account)


def give_secret(connection: Connection, account: UUID, sha256: bytes, *, until: datetime) -> None:
    """Let a one-time secret choose a new password; the old one and every session end, a second step stays.

    An account of the identity provider is one of here from then on: the provider opens it no more.
    """
    connection.execute(
        "update account set one_time_sha256 = %s, one_time_until = %s, password_hash = null, subject = null"
        " where account_id = %s",
        [sha256, until, account],
    )
    end_sessions(connection, account)


def take_second_step_away(connection: Connection, account: UUID) -> None:
    """Take away the second step of somebody whose phone and recovery codes are lost; every session ends."""
    set_second_step(connection, account, None)
    end_sessions(connection, account)


def set_password(connection: Connection, account: UUID, password_hash: str) -> None:
    """Keep a new password's hash; a one-time secret is used up by it, and every session ends."""
    connection.execute(
        "update account set password_hash = %s, one_time_sha256 = null, one_time_until = null where account_id = %s",
        [password_hash, account],
    )
    end_sessions(connection, account)


def rehash_password(connection: Connection, account: UUID, password_hash: str) -> None:
    """Keep the same password's hash with today's parameters."""
    connection.execute("update account set password_hash = %s where account_id = %s", [password_hash, account])


def set_second_step(connection: Connection, account: UUID, secret: str | None, codes: Iterable[bytes] = ()) -> None:
    """Keep the secret of a second step with the digests of its recovery codes; None takes both away."""
    connection.execute("update account set totp_secret = %s, totp_step = 0 where account_id = %s", [secret, account])
    connection.execute("delete from account_recovery where account_id = %s", [account])
    for code in codes:
        connection.execute("insert into account_recovery (account_id, code_sha256) values (%s, %s)", [account, code])


def use_step(connection: Connection, account: UUID, step: int) -> bool:
    """Use up a step of the second factor; False if it, or a later one, was used already."""
    changed = connection.execute(
        "update account set totp_step = %(step)s where account_id = %(account)s and totp_step < %(step)s",
        {"step": step, "account": account},
    )
    return changed.rowcount == 1


def use_recovery(connection: Connection, account: UUID, sha256: bytes) -> bool:
    """Use up a recovery code; False if it is none of the account's, or was used."""
    changed = connection.execute(
        "update account_recovery set used_at = clock_timestamp()"
        " where account_id = %s and code_sha256 = %s and used_at is null",
        [account, sha256],
    )
    return changed.rowcount == 1


def recovery_left(connection: Connection, account: UUID) -> int:
    """Return how many recovery codes are left."""
    row = connection.execute(
        "select count(*) from account_recovery where account_id = %s and used_at is null", [account]
    ).fetchone()
    return row[0] if row is not None else 0


def end_sessions(connection: Connection, account: UUID) -> None:
    """Log somebody out everywhere."""
    connection.execute("delete from account_session where account_id = %s", [account])


def _accounts(connection: Connection, clause: str, value: object) -> list[AccountRow]:
    # the clauses are those of this file
    question = "select " + _COLUMNS + " from account where " + clause  # noqa: S608
    with connection.cursor(row_factory=dict_row) as cursor:
        return [msgspec.convert(row, AccountRow) for row in cursor.execute(question.encode(), [value]).fetchall()]


def _check_stores(connection: Connection, stores: Sequence[str] | None) -> None:
    for store in stores if stores is not None else ():
        if connection.execute("select from store where id = %s", [store]).fetchone() is None:
            raise InputError(f"There is no store {store[:64]!r}.", hint="Leave it out, or add its floor plan first.")


def _shown(connection: Connection, account: UUID) -> str:
    row = connection.execute("select display_name from account where account_id = %s", [account]).fetchone()
    return str(row[0]) if row is not None else ""


def _plain(display_name: str) -> str:
    plain = shown_name(display_name)
    if not plain:
        raise InputError("Nothing of this name can be seen.", hint="Write it with letters.")
    return plain


def _is_shown(connection: Connection, display_name: str, but: UUID | None = None) -> bool:
    row = connection.execute(
        "select from account where lower(normalize(display_name, NFKC)) = lower(%s) and disabled_at is null"
        " and account_id is distinct from %s",
        [display_name, but],
    ).fetchone()
    return row is not None


def _check_shown(connection: Connection, display_name: str, but: UUID | None = None) -> None:
    """Let no two who may log in be shown alike: tasks and rules of alerts go to people by that name."""
    connection.execute("lock table account in share row exclusive mode")  # until the transaction ends
    if _is_shown(connection, display_name, but):
        raise InputError(
            f"Somebody is shown as {display_name!r} already, and tasks go to people by that name.",
            hint="Add what tells the two apart, such as an initial or the store.",
        )


def _rename(connection: Connection, account: UUID, after: str) -> None:
    row = connection.execute(
        "select display_name from account one where account_id = %s and display_name <> %s and not exists (select"
        " from account other where other.account_id <> one.account_id and other.disabled_at is null"
        " and lower(other.display_name) = lower(one.display_name))",
        [account, after],
    ).fetchone()
    if row is not None:
        rename_owner(connection, row[0], after)
        rename_rule_owner(connection, row[0], after)


def _keep_an_admin(connection: Connection, *, everywhere: bool) -> None:
    row = connection.execute("select from account where 'admin' = any(roles) and disabled_at is null").fetchone()
    if row is None:
        raise InputError("Somebody has to stay who may manage people.", hint="Make somebody else an admin first.")
    if everywhere and not _is_run_everywhere(connection):  # who is bound to stores makes nobody who is bound to none
        raise InputError(
            "Somebody has to stay who may manage people of every store.",
            hint="Make somebody else an admin who is bound to no store first.",
        )


def _is_run_everywhere(connection: Connection) -> bool:
    row = connection.execute(
        "select from account where 'admin' = any(roles) and stores is null and disabled_at is null"
    ).fetchone()
    return row is not None
