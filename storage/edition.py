"""Which edition of TimescaleDB serves: Apache (Debian's build) or Timescale's own licence."""

from enum import Enum

from core.errors import UnavailableError
from storage.connect import Connection, reachable


class Edition(Enum):
    """What may be used beyond hypertables; the value is the server's own word."""

    APACHE = "apache"
    """Hypertables, time_bucket, drop_chunks. Rollups, retention and gap filling are the service's own work."""
    TIMESCALE = "timescale"
    """Also columnstore, continuous aggregates and policies."""


def read_edition(connection: Connection) -> tuple[Edition, str]:
    """Return the edition and the version of the TimescaleDB that is loaded, for example (APACHE, "2.19.3").

    Raises
    ------
    UnavailableError
        If the database is away or has no timescaledb.
    """
    with reachable():
        row = connection.execute(
            "select current_setting('timescaledb.license', true), extversion"
            "  from pg_extension where extname = 'timescaledb'"
        ).fetchone()
    if row is None:
        raise UnavailableError("This database has no timescaledb.", hint="Run `sojourn migrate` first.")
    licence, version = row
    return (Edition.TIMESCALE if licence == Edition.TIMESCALE.value else Edition.APACHE), version
