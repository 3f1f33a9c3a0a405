"""People and keys by hand: what the command line and the demo do, each on a connection of its own."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from core.errors import InputError
from storage.access.accounts import AccountRow, accounts, add_account, find_account, give_secret, set_second_step
from storage.access.keys import KeyRow, add_key, keys, revoke_key, rotate_key
from storage.access.secrets import digest, new_key, new_secret
from storage.connect import Connection, connect, in_transaction

SECRET_FOR: Final = timedelta(hours=24)
"""To hand it over on the same day; who was away is given another."""
_NAME: Final = "sojourn access"


def add_person(
    database_url: str,
    name: str,
    display_name: str,
    roles: Iterable[str],
    stores: Sequence[str] | None,
    *,
    by: str,
    password_hash: str | None = None,
) -> str:
    """Make an account and return the one-time secret that opens it; with a hash there is no secret.

    Raises
    ------
    InputError
        If name, role or store cannot be.
    UnavailableError
        If the database is away.
    """
    secret = new_secret() if password_hash is None else ""

    def work(connection: Connection) -> None:
        made = add_account(
            connection,
            name=name,
            display_name=display_name,
            roles=roles,
            stores=stores,
            made_by=by,
            password_hash=password_hash,
        )
        if secret:
            give_secret(connection, made, digest(secret), until=datetime.now(UTC) + SECRET_FOR)

    with connect(database_url, application_name=_NAME) as connection:
        in_transaction(connection, work)
    return secret


def reset_person(database_url: str, name: str, *, second_step: bool = False) -> str:
    """Return a new one-time secret of somebody; password and sessions end. Errors as in `add_person`.

    With `second_step` that ends as well: for whoever has lost phone and recovery codes.
    """
    secret = new_secret()

    def work(connection: Connection) -> None:
        found = find_account(connection, name=name)
        if found is None:
            raise _nobody(name)
        give_secret(connection, found.account_id, digest(secret), until=datetime.now(UTC) + SECRET_FOR)
        if second_step:
            set_second_step(connection, found.account_id, None)

    with connect(database_url, application_name=_NAME) as connection:
        in_transaction(connection, work)
    return secret


def people(database_url: str) -> list[AccountRow]:
    """Return who may log in."""
    with connect(database_url, application_name=_NAME) as connection:
        return accounts(connection)


def add_program(
    database_url: str,
    name: str,
    roles: Iterable[str],
    stores: Sequence[str] | None,
    *,
    holds_for: timedelta,
    by: str,
    owner: str = "",
) -> str:
    """Make a key and return it; `owner` is the login name of whom it works for. Errors as in `add_person`."""
    key, prefix = new_key()

    def work(connection: Connection) -> None:
        found = find_account(connection, name=owner) if owner else None
        if owner and found is None:
            raise _nobody(owner)
        add_key(
            connection,
            digest(key),
            prefix=prefix,
            name=name,
            roles=roles,
            stores=stores,
            made_by=by,
            holds_for=holds_for,
            owner=found.account_id if found is not None else None,
        )

    with connect(database_url, application_name=_NAME) as connection:
        in_transaction(connection, work)
    return key


def rotate_program(database_url: str, key_no: int, *, by: str) -> str:
    """Return a new key with the scopes of an old one. Errors as in `add_person`."""
    key, prefix = new_key()
    with connect(database_url, application_name=_NAME) as connection:
        made = in_transaction(
            connection, lambda lent: rotate_key(lent, key_no, digest(key), prefix=prefix, made_by=by)
        )
    if made is None:
        raise _holds_not(key_no)
    return key


def revoke_program(database_url: str, key_no: int) -> None:
    """Let a key hold no longer. Errors as in `add_person`."""
    with connect(database_url, application_name=_NAME) as connection:
        if not in_transaction(connection, lambda lent: revoke_key(lent, key_no)):
            raise _holds_not(key_no)


def programs(database_url: str) -> list[KeyRow]:
    """Return the keys."""
    with connect(database_url, application_name=_NAME) as connection:
        return keys(connection)


def _nobody(name: str) -> InputError:
    return InputError(f"There is nobody called {name!r}.", hint="`sojourn access list` shows who there is.")


def _holds_not(key_no: int) -> InputError:
    return InputError(f"There is no key {key_no} that holds.", hint="`sojourn access key list` shows the keys.")
