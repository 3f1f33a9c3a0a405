"""The first admin: made where nobody is there yet. The one-time secret is shown to a person, and logged nowhere.

Where a person watches the API's terminal, the secret is printed there. Anywhere else (a container, systemd, a log in
JSON) what is printed is collected, kept and read by others. There the account is made without a secret, and the log
says which command shows one to whoever asks: it is nowhere before, and no file of it has to be removed.
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Final

import structlog

from core.errors import InputError, UnavailableError
from storage.access.accounts import AccountRow, accounts, add_account, find_account, give_secret
from storage.access.by_hand import SECRET_FOR
from storage.access.secrets import digest, new_secret
from storage.connect import Connection
from storage.writing import Writer
from telemetry.logs import read_by_a_person

FIRST_NAME: Final = "admin"
HOW: Final = f"sojourn access reset {FIRST_NAME}"
_AGAIN_S: Final = 2.0
"""The database may come, or be migrated, after the API has started."""

_log = structlog.get_logger()


async def let_first_in(writer: Writer) -> None:
    """Make the first admin as soon as the database is there, and tell a person how to get in; then end."""
    watched = read_by_a_person(sys.stderr)
    while True:
        try:
            secret = await asyncio.to_thread(writer.write, lambda connection: make_first(connection, watched))
        except UnavailableError:
            await asyncio.sleep(_AGAIN_S)
            continue
        except InputError:
            return  # another process was faster
        break
    if secret:
        sys.stderr.write(
            f"\nNobody can log in yet. Log in as {FIRST_NAME!r} with this one-time secret within a day, and"
            f" choose a password; then an authenticator app is asked for:\n\n    {secret}\n\n"
            f"`{HOW}` makes another.\n\n"
        )
        sys.stderr.flush()
    elif secret is not None:
        _log.warning("nobody can log in yet", hint=f"`{HOW}`, run where the API runs, prints a way in, once.")


def make_first(connection: Connection, watched: bool) -> str | None:
    """Make the first admin if there is nobody.

    Parameters
    ----------
    connection : Connection
    watched : bool
        Whether a person reads what is printed.

    Returns
    -------
    str or None
        The secret that opens the account; empty if nobody can log in and none was made; None if somebody can.
    """
    people = accounts(connection)
    if people and not _waits_for_its_first_secret(people):
        return None
    if not people:
        add_account(connection, name=FIRST_NAME, display_name="Admin", roles=["admin"], made_by="first start")
    if not watched:
        return ""
    found = find_account(connection, name=FIRST_NAME)
    if found is None:
        raise RuntimeError("it was just there, in the same transaction")
    secret = new_secret()
    give_secret(connection, found.account_id, digest(secret), until=datetime.now(UTC) + SECRET_FOR)
    return secret


def _waits_for_its_first_secret(people: list[AccountRow]) -> bool:
    """Whether only the first admin is there and nothing opens the account: no password, provider or live secret."""
    if len(people) > 1 or people[0].name != FIRST_NAME:
        return False
    admin = people[0]
    waits = admin.one_time_until is None or admin.one_time_until <= datetime.now(UTC)
    return waits and admin.password_hash is None and admin.subject is None and admin.disabled_at is None
