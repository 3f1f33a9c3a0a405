"""A checksum of what a database holds, to compare before and after."""

from typing import Final

import msgspec
from psycopg import sql

from storage.connect import Connection

TABLES: Final = (
    "store",
    "signal_log",
    "edge_cursor",
    "zone_visit",
    "store_visit",
    "visit_revision",
    "profile",
    "consent_event",
    "device_link",
    "customer_event",
    "note",
    "follow_up",
)
"""What nothing else could be made again from: the log, cursors, visits with their revisions, what people wrote."""


class TableSum(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table and a sum over them that does not depend on their order."""

    rows: int
    sha: str


def checksums(connection: Connection) -> dict[str, TableSum]:
    """Return rows and sum of each of TABLES; to be called in one transaction to be of one moment.

    The sum is that of the first 64 bits of each row's SHA-256, modulo 2^128: whoever wants to forge it can, and it is
    meant for accidents.
    """
    found = {}
    for table in TABLES:
        row = connection.execute(
            sql.SQL(
                "select count(*), coalesce(sum(('x' || left(encode(sha256(one::text::bytea), 'hex'), 15))::bit(60)"
                "::bigint::numeric), 0) from {} one"
            ).format(sql.Identifier(table))
        ).fetchone()
        rows, total = row if row is not None else (0, 0)
        found[table] = TableSum(rows=rows, sha=f"{int(total) % 2**128:032x}")
    return found
