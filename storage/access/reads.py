"""How many profiles somebody opened today: a budget that holds over restarts and several processes of the API.

The other budget, of people whom lists showed, is counted where the look is entered (storage.audit.entries).
"""

from typing import Final
from uuid import UUID

from storage.access.acting import in_own_right
from storage.connect import Connection

_KEPT: Final = "2 days"
"""A budget looks at today alone; who read what is told by the audit."""


def open_profile(connection: Connection, principal: str, profile: UUID, *, most: int) -> bool:
    """Count a profile that somebody opens today (UTC), once; False if `most` others were opened already.

    A profile that does not exist counts nothing and is found missing by whoever reads it.
    """
    # who opens a page does not wait for the disk: a database that crashes gives back what the last moment counted
    connection.execute("set local synchronous_commit = off")
    row = connection.execute("select open_profile(%s, %s, %s)", [principal, profile, most]).fetchone()
    return row == (True,)


def lists_are_closed(connection: Connection, principal: str) -> bool:
    """Return whether somebody was refused a list today (UTC) because a day holds no more people; one statement."""
    return connection.execute("select lists_are_closed(%s)", [principal]).fetchone() == (True,)


def forget_old_reads(connection: Connection) -> int:
    """Take away what no budget looks at any more; return how many rows."""
    with in_own_right(connection):  # whoever looks first in a day may be anybody
        opened = connection.execute("delete from profile_read where day < current_date - %s::interval", [_KEPT])
        shown = connection.execute("delete from profile_shown where day < current_date - %s::interval", [_KEPT])
    return opened.rowcount + shown.rowcount
