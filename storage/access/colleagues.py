"""Colleagues: whoever may be given a task, by the names of accounts that may work with customers."""

from typing import Final

from core.errors import InputError
from storage.access.acting import in_own_right
from storage.connect import Connection

_ROLE: Final = "crm"
"""Whoever has it sees follow-ups; a task of anybody else would be seen by nobody."""


def colleagues(connection: Connection, *, store: str | None = None) -> list[str]:
    """Return the names of those who may be given a task, in their order; two of one name are one.

    `store` is where the task is about: who is bound to other stores would not see it.
    """
    with in_own_right(connection):  # names of those one works with, and nothing else of their accounts
        rows = connection.execute(
            "select distinct on (lower(display_name)) display_name from account"
            " where disabled_at is null and %(role)s = any(roles)"
            " and (stores is null or %(store)s::text is null or %(store)s = any(stores))"
            " order by lower(display_name), made_at",
            {"role": _ROLE, "store": store},
        ).fetchall()
    return [row[0] for row in rows]


def colleague(connection: Connection, name: str, *, store: str | None = None) -> str:
    """Return the name of somebody who may be given a task, as the account spells it.

    Raises
    ------
    InputError
        If nobody who may be has this name, or who has it is bound to other stores than the task is about.
    """
    known = {one.lower(): one for one in colleagues(connection, store=store)}
    found = known.get(name.lower())
    if found is None and store is not None and name.lower() in map(str.lower, colleagues(connection)):
        raise InputError(
            f"This is about the store {store!r}, which {name[:80]!r} does not see.",
            hint="Choose somebody of this store.",
            where="operator",
        )
    if found is None:
        raise InputError(
            f"Nobody who can be given this is called {name[:80]!r}.",
            hint="Choose a colleague with an account that is open and may work with customers (GET /v1/colleagues).",
            where="operator",
        )
    return found
