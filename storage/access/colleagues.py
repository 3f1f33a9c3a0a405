"""Colleagues: whoever may be given a task, by the names of accounts that may work with customers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from core.errors import InputError
from storage.access.acting import in_own_right
from storage.connect import Connection

_SEES: Final = (
    "account.disabled_at is null and 'crm' = any(account.roles) and (account.stores is null"
    " or about.profile_id is null and (about.store_no is null or exists (select from store"
    "  where store.store_no = about.store_no and store.id = any(account.stores)))"
    " or exists (select from profile_store known join store using (store_no)"
    "  where known.profile_id = about.profile_id and store.id = any(account.stores)))"
)
"""Whether somebody sees a task `about` a profile or store: as the policies of `storage.access.tables` have it, for
somebody else than who asks. A task of anybody else would be seen by nobody."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a task is about: a note, an alert, or what one would be about, a customer or else a store (its id)."""

    note: UUID | None = None
    alert: UUID | None = None
    profile: UUID | None = None
    store: str | None = None


_ANYTHING: Final = About()


def colleagues(connection: Connection, about: About = _ANYTHING) -> list[str]:
    """Return the names of those who may be given a task, in their order; two of one name are one.

    Whoever is bound to stores that do not know what it is `about` would not see it.
    """
    with in_own_right(connection):  # names of those one works with, and nothing else of their accounts
        rows = connection.execute(
            "with about as (select profile_id, store_no from note where note_id = %(note)s"  # noqa: S608 - constants
            "  union all select profile_id, null from alert where alert_id = %(alert)s"
            "  union all select %(profile)s, (select store_no from store where id = %(store)s)"
            "   where %(note)s::uuid is null and %(alert)s::uuid is null)"
            " select distinct on (lower(display_name)) display_name from account, about"
            f" where {_SEES} order by lower(display_name), made_at",
            msgspec.structs.asdict(about),
        ).fetchall()
    return [row[0] for row in rows]


def colleague(connection: Connection, name: str, about: About = _ANYTHING) -> str:
    """Return the name of somebody who may be given a task, as the account spells it.

    Raises
    ------
    InputError
        If nobody who may be has this name, or who has it is bound to stores that do not know what the task is about.
    """
    known = {one.lower(): one for one in colleagues(connection, about)}
    found = known.get(name.lower())
    if found is None and name.lower() in map(str.lower, colleagues(connection)):
        raise InputError(
            f"{name[:80]!r} does not see what this is about: it is of other stores.",
            hint="Choose somebody of a store that it was written in, or that knows the customer.",
            where="operator",
        )
    if found is None:
        raise InputError(
            f"Nobody who can be given this is called {name[:80]!r}.",
            hint="Choose a colleague with an account that is open and may work with customers (GET /v1/colleagues).",
            where="operator",
        )
    return found


def unowned(
    connection: Connection, *, only: Sequence[UUID] | None = None, before: datetime | None = None
) -> list[UUID]:
    """Return the open follow-ups whose owner does not see them: of `only` these, and due `before` then.

    Whoever has them may not work with customers, any more or yet, or is bound to stores that do not know them.
    """
    with in_own_right(connection):
        rows = connection.execute(
            "select about.follow_up_id from (select task.follow_up_id, task.operator, note.store_no,"  # noqa: S608 - constants
            "   coalesce(note.profile_id, alert.profile_id) as profile_id from follow_up task"
            "   left join note using (note_id) left join alert using (alert_id)"
            "   where task.done_at is null and (%(only)s::uuid[] is null or task.follow_up_id = any(%(only)s))"
            "   and (%(before)s::timestamptz is null or task.due_at < %(before)s)) about"
            " where not exists (select from account where lower(account.display_name) = lower(about.operator)"
            f" and {_SEES})",
            {"only": list(only) if only is not None else None, "before": before},
        ).fetchall()
    return [row[0] for row in rows]
