"""Answers to requests that may be sent again: the same key gives the same answer and changes nothing twice.

After draft-ietf-httpapi-idempotency-key-header. Key, change and answer are written in one transaction, so there is no
moment at which one is there without the others. A key is that of whoever sends it: the same key of somebody else is
another request. Answers are asked for and kept in the process's own right: they are nobody's to read.
"""

from collections.abc import Callable
from hashlib import sha256 as sha256_of
from typing import Any, Final

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from core.errors import InputError
from storage.access.acting import in_own_right
from storage.connect import Connection

KEY_CHARACTERS: Final = 128
"""A UUID with a prefix; longer is not a key."""
KEPT: Final = "7 days"
"""A sender that was cut off for longer than a long weekend finds its upsert keys, if not its answer."""
_NOT_KEPT: Final = frozenset({202, 404})
"""Who is unknown may be known when the same is sent again: an answer that says so, or tells nothing of it, is not
kept, though what it wrote is."""
_SWEPT_AT_ONCE: Final = 100
"""Each request takes a few old keys away, more than it adds: no job is needed for that."""


class KeyReusedError(InputError):
    """The key was used for another request."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP status and its JSON body; `repeated` if it was given before, and then without a secret: None."""

    status: int
    body: Any
    repeated: bool = False


def once(
    connection: Connection,
    key: str,
    path: str,
    sha256: bytes,
    work: Callable[[], tuple[int, Any]],
    *,
    asker: str = "",
    secret: bool = False,
) -> Answer:
    """Return the answer to a request: the one that was given, or that of `work`, which is then kept.

    Parameters
    ----------
    connection : Connection
        In a transaction; `work` writes in the same.
    key, path : str
        What the sender calls the request, and where it was sent.
    sha256 : bytes
        Of the body.
    asker : str
        Who asks, where the path or the body does not say it.
    secret : bool
        The answer holds a secret, which is told once and kept nowhere: None is kept.

    Raises
    ------
    KeyReusedError
        If the key was used by the same on this path with another body.
    """
    # a sender may make its keys of whatever it has, as somebody's address
    key = _digest(f"{asker}\n{key}" if asker else key)
    # a second request with the key waits here for the first one's commit
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{path}\n{key}"])
    with in_own_right(connection):
        row = connection.execute(
            "select request_sha256, status, answer from idempotency_key where key = %s and path = %s", [key, path]
        ).fetchone()
    if row is not None:
        if bytes(row[0]) != sha256:
            raise KeyReusedError(
                "This Idempotency-Key was used for another request.", hint="Make a new key for each request."
            )
        return Answer(status=row[1], body=row[2], repeated=True)
    status, body = work()
    if status in _NOT_KEPT:
        return Answer(status=status, body=body)
    with in_own_right(connection):
        connection.execute(
            "insert into idempotency_key (key, path, request_sha256, status, answer) values (%s, %s, %s, %s, %s)",
            [key, path, sha256, status, Jsonb(None if secret else body)],
        )
        connection.execute(
            sql.SQL(
                "delete from idempotency_key where (key, path) in (select key, path from idempotency_key"
                " where made_at < now() - interval {} order by made_at limit {} for update skip locked)"
            ).format(sql.Literal(KEPT), sql.Literal(_SWEPT_AT_ONCE))
        )
    return Answer(status=status, body=body)


def _digest(key: str) -> str:
    return sha256_of(key.encode()).hexdigest()
