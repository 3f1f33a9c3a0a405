"""Who is at work: what the entries of a transaction's changes say. The API states it with each request."""

from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from core.audit.words import ActorWord, PurposeWord
from core.errors import InputError
from storage.connect import Connection

SETTING: Final = "sojourn.acting"
"""The setting of a transaction that the triggers of 0080_audit.sql read."""


class Acting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who does something, in which roles, for which stores (None: all, or not told), what for, how, when.

    A program `works_for` the person who owns its key, and `says_for` whom it works just now; only the first is known.
    """

    actor: str
    actor_kind: ActorWord
    route: str
    purpose: PurposeWord
    actor_id: str | None = None
    role: str | None = None
    stores: tuple[str, ...] | None = None
    at: datetime | None = None
    works_for: str | None = None
    says_for: str | None = None


acting: ContextVar[Acting | None] = ContextVar("acting", default=None)
"""Of the request that is answered; None in programs, whose entries carry their application name."""


def state(connection: Connection, who: Acting | None) -> None:
    """Tell the running transaction who is at work; without anybody its entries carry the application's name."""
    if who is not None:
        connection.execute("select set_config(%s, %s, true)", [SETTING, as_json(who)])


def as_json(who: Acting, **more: Any) -> str:
    """Return what `audit_enter` reads.

    Raises
    ------
    InputError
        If a name holds what no text of the database can.
    """
    said = {**msgspec.to_builtins(who), **more}
    text = msgspec.json.encode(said, enc_hook=_plain).decode()
    if "\\u0000" in text:
        raise InputError("A name cannot be kept.", hint="Leave out characters that are no text, such as NUL.")
    return text


def _plain(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    raise NotImplementedError(type(value))
