"""The first admin: made where nobody is there yet, with a one-time secret that is printed once and nowhere kept."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Final

from core.errors import InputError, UnavailableError
from storage.access.accounts import add_account, any_account, give_secret
from storage.access.by_hand import SECRET_FOR
from storage.access.secrets import digest, new_secret
from storage.connect import Connection
from storage.writing import Writer

FIRST_NAME: Final = "admin"
_AGAIN_S: Final = 2.0
"""The database may come, or be migrated, after the API has started."""


async def let_first_in(writer: Writer) -> None:
    """Make the first admin as soon as the database is there, and print the secret on stderr; then end."""
    while True:
        try:
            secret = await asyncio.to_thread(writer.write, make_first)
        except UnavailableError:
            await asyncio.sleep(_AGAIN_S)
            continue
        except InputError:
            return  # another process was faster
        if secret is not None:
            # printed, not logged: a log is kept and read by others
            sys.stderr.write(
                f"\nNobody can log in yet. Log in as {FIRST_NAME!r} with this one-time secret within a day, and"
                f" choose a password; then an authenticator app is asked for:\n\n    {secret}\n\n"
                f"`sojourn access reset {FIRST_NAME}` makes another.\n\n"
            )
            sys.stderr.flush()
        return


def make_first(connection: Connection) -> str | None:
    """Make the first admin and return the secret; None if there is somebody."""
    if any_account(connection):
        return None
    secret = new_secret()
    made = add_account(connection, name=FIRST_NAME, display_name="Admin", roles=["admin"], made_by="first start")
    give_secret(connection, made, digest(secret), until=datetime.now(UTC) + SECRET_FOR)
    return secret
