"""As whom the database is asked: one role of PostgreSQL for each request, and the stores that it is bound to.

Who serves a request says so once (`acting_as`); every transaction of the API then takes that role with `set local`,
so that it works behind a pooler that lends connections for one transaction. Without it a process asks with its own
rights: ingest, the live hubs, commands.

This guards against a query of ours that forgets whom it serves. It is no wall against somebody who can run statements
of his own: who may `set role` may also take it back.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal, LiteralString

from psycopg import sql

from storage.connect import Connection

ActingRole = Literal["operations", "crm", "privacy", "admin", "edge"]
ROLES: Final[tuple[ActingRole, ...]] = ("operations", "crm", "privacy", "admin", "edge")


@dataclass(frozen=True)
class Acting:
    """One of our roles, and ids of stores; None: every store. Who `changes` something reads what came of it."""

    role: ActingRole
    stores: Sequence[str] | None = None
    changes: bool = False

    @property
    def database_role(self) -> str:
        """The role of PostgreSQL: with rows of every store, or of own ones."""
        return f"sojourn_{self.role}_{'everywhere' if self.stores is None else 'own'}"


_ACTING: ContextVar[Acting | None] = ContextVar("acting", default=None)


@contextmanager
def acting_as(acting: Acting | None) -> Iterator[None]:
    """Let every transaction that begins meanwhile, in this task and the threads it starts, be asked as somebody."""
    before = _ACTING.set(acting)
    try:
        yield
    finally:
        _ACTING.reset(before)


def may_see(store: str) -> bool:
    """Return whether whoever is served now has a store; True where nobody in particular is served."""
    acting = _ACTING.get()
    return acting is None or acting.stores is None or store in acting.stores


def is_bound() -> bool:
    """Return whether whoever is served now is bound to stores."""
    acting = _ACTING.get()
    return acting is not None and acting.stores is not None


def own_stores() -> Sequence[str] | None:
    """Return the ids of the stores that whoever is served now is bound to; None: every store."""
    acting = _ACTING.get()
    return acting.stores if acting is not None else None


def sends_blindly() -> bool:
    """Return whether a program of some stores is served that only sends, and so is told of nobody."""
    acting = _ACTING.get()
    return acting is not None and acting.stores is not None and acting.role == "edge"


def reaches_everybody() -> bool:
    """Return whether whoever is served now is bound to no store, or asks as the privacy desk, which has them all."""
    acting = _ACTING.get()
    return acting is None or acting.stores is None or acting.role == "privacy"


def take_role(connection: Connection, *, first: LiteralString = "") -> None:
    """Take the role of whoever is served, until the transaction that has just begun ends; in one round trip.

    `first` is what the transaction begins with where somebody is served, ending with a semicolon.
    """
    acting = _ACTING.get()
    if acting is not None:
        connection.execute(
            sql.SQL("{}set local role {}; set local sojourn.stores = {}").format(
                sql.SQL(first),
                sql.Identifier(acting.database_role),
                sql.Literal(",".join(acting.stores) if acting.stores is not None else ""),
            )
        )


@contextmanager
def in_own_right(connection: Connection) -> Iterator[None]:
    """Ask with the process's own rights for a while: for counts over devices, of which only the count comes out."""
    if _ACTING.get() is None:
        yield
        return
    connection.execute("set local role none")
    with acting_as(None):
        yield
    take_role(connection)  # not after an error: the transaction has ended with it


@contextmanager
def reading_as(connection: Connection) -> Iterator[None]:
    """Run questions in one transaction, in the role of whoever is served; all see one state unless they change it.

    Where nobody in particular is served each question stays its own transaction.
    """
    acting = _ACTING.get()
    if acting is None:
        yield
        return
    with connection.transaction():
        take_role(connection, first="" if acting.changes else "set transaction isolation level repeatable read; ")
        yield
