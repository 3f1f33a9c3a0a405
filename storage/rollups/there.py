"""Who is in a store now, for counts that speak of visits in progress too."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from core.records import Role
from storage.connect import Connection

THERE: Final[LiteralString] = """
    select device, arrived_at, max(last_signal_at) over () as until
      from presence where store_no = %(store_no)s and role = 0"""
"""Visitors with a visit in progress; `until` is when anybody there was heard last: who was heard a minute before has
not left in that minute."""
NOBODY: Final[LiteralString] = "select null::uuid as device, now() as arrived_at, now() as until where false"
"""The same of a store that is empty, or on a server that only follows: presence is not copied there."""


@dataclass(frozen=True)
class TimeThere:
    """Since when somebody is in a store, and until when it is known."""

    since: datetime
    until: datetime


def time_there(connection: Connection, store_no: int) -> TimeThere | None:
    """Return since when those who are there now have been; None of nobody, and where it cannot be told."""
    if connection.execute("select pg_is_in_recovery()").fetchone() == (True,):
        return None
    row = connection.execute(
        "select min(arrived_at), max(last_signal_at) from presence where store_no = %s and role = %s",
        [store_no, int(Role.VISITOR)],
    ).fetchone()
    return None if row is None or row[0] is None else TimeThere(*row)
