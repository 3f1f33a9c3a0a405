"""Templates of personal messages, and the messages that were made of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from core.errors import InputError
from core.memory.messages import Template
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.profiles.people import OF_PERSON
from storage.storable import storable

TEMPLATES: Final = 100
"""More than anybody chooses from."""
MESSAGES_SHOWN: Final = 400
"""More than a year of one a day, the longest time that a cap looks back."""


class MessageRow(AboutPerson, frozen=True, kw_only=True):
    """A message as the customer got it."""

    message_id: UUID
    profile_id: UUID
    template: str
    subject: str
    body: str
    operator: str
    made_at: datetime


_COLUMNS: Final = ", ".join(MessageRow.__struct_fields__)


def templates(connection: Connection) -> dict[str, Template]:
    """Return every template by its name, retired ones too."""
    names = ", ".join(Template.__struct_fields__)
    rows = connection.execute(f"select {names} from message_template order by template")  # noqa: S608 - constants
    return {row[0]: Template(**dict(zip(Template.__struct_fields__, row, strict=True))) for row in rows}


def save_template(connection: Connection, template: Template) -> None:
    """Add a template or change the one of this name.

    Raises
    ------
    InputError
        If there are TEMPLATES already.
    """
    connection.execute("select pg_advisory_xact_lock(hashtext('message_template'))")
    row = connection.execute(
        "select count(*) from message_template where template <> %s", [template.template]
    ).fetchone()
    if row is not None and row[0] >= TEMPLATES:
        raise InputError(f"There are at most {TEMPLATES} templates.", hint="Change one that is not needed any more.")
    connection.execute(
        "insert into message_template (template, purpose, subject, body, quiet_days, cap_count, cap_days, retired)"
        " values (%(template)s, %(purpose)s, %(subject)s, %(body)s, %(quiet_days)s, %(cap_count)s, %(cap_days)s,"
        " %(retired)s) on conflict (template) do update set purpose = excluded.purpose, subject = excluded.subject,"
        " body = excluded.body, quiet_days = excluded.quiet_days, cap_count = excluded.cap_count,"
        " cap_days = excluded.cap_days, retired = excluded.retired",
        msgspec.structs.asdict(template) | {"subject": storable(template.subject), "body": storable(template.body)},
    )


def consents_held(connection: Connection, profile: UUID, purposes: Sequence[str]) -> frozenset[str]:
    """Return on which of these purposes the newest word of a person is a grant that holds now.

    Whichever of her profiles she said it on: a withdrawal on one that was merged is a withdrawal of hers.
    """
    rows = connection.execute(
        "select purpose from (select distinct on (purpose) purpose, status, expires_at"
        "   from person join consent_event using (profile_id)"
        "  where person.kept_id = %s and purpose = any(%s) and occurred_at <= now()"
        "  order by purpose, occurred_at desc, consent_no desc) newest"
        " where status = 'granted' and (expires_at is null or expires_at > now())",
        [profile, list(purposes)],
    ).fetchall()
    return frozenset(row[0] for row in rows)


def lock_messages(connection: Connection, *profiles: UUID) -> None:
    """Let nobody else make a message for these until the transaction ends: two would both fit under a cap."""
    for profile in sorted(profiles):  # two who lock the same ones never wait for each other
        connection.execute("select pg_advisory_xact_lock(hashtextextended('message ' || %s::text, 0))", [profile])


def insert_message(connection: Connection, message: MessageRow) -> None:
    """Keep a message."""
    connection.execute(
        "insert into message (message_id, profile_id, template, subject, body, operator, made_at)"
        " values (%(message_id)s, %(profile_id)s, %(template)s, %(subject)s, %(body)s, %(operator)s, %(made_at)s)",
        msgspec.structs.asdict(message)
        | {name: storable(getattr(message, name)) for name in ("subject", "body", "operator")},
    )


def find_message(connection: Connection, message: UUID) -> MessageRow | None:
    """Return a message; None if it is unknown or its profile has no consent that holds."""
    row = connection.execute(
        f"select {_COLUMNS} from message_seen where message_id = %s",  # noqa: S608 - constants
        [message],
    ).fetchone()
    return _row(row) if row is not None else None


def messages_of(connection: Connection, profile: UUID) -> list[MessageRow]:
    """Return the newest MESSAGES_SHOWN messages to a person; nothing without a consent that holds."""
    rows = connection.execute(
        f"select {_COLUMNS} from message_seen where of_profile = any({OF_PERSON})"  # noqa: S608 - constants
        " order by made_at desc, message_id limit %(most)s",
        {"profile": profile, "most": MESSAGES_SHOWN},
    ).fetchall()
    return [_row(row) for row in rows]


def _row(row: tuple[Any, ...]) -> MessageRow:
    return MessageRow(**dict(zip(MessageRow.__struct_fields__, row, strict=True)))
