"""What a database server says of itself, for whoever looks whether all is well."""

from contextlib import suppress

import msgspec
from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo

from storage.connect import Connection, connect, reachable
from storage.instants import to_ns


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`standby` is a server that follows another one; `read_only` one that takes no writes for whatever reason."""

    version: str
    standby: bool
    read_only: bool
    encoding: str
    connections: int
    most_connections: int
    database_bytes: int


class LogFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`faults` are dead letters of the last hour, `newest_heartbeat_s` is the age of the newest word of any edge.

    `dropped_signals` are what edges told in the last day to have dropped, `dropped_by` is one of them (store/edge).
    """

    faults: int
    commonest_reason: str | None
    stores: int
    edges: int
    newest_heartbeat_s: float | None
    dropped_signals: int
    dropped_by: str | None


def connect_whatever(database_url: str, *, application_name: str) -> Connection:
    """Open a connection as `storage.connect.connect` does, also to a server that takes no writes."""
    with suppress(ProgrammingError):  # `connect` says what is wrong with it
        database_url = make_conninfo(database_url, target_session_attrs="any")
    return connect(database_url, application_name=application_name)


def server_facts(connection: Connection) -> ServerFacts:
    """Return what the server says of itself."""
    with reachable():
        row = connection.execute(
            "select current_setting('server_version'), pg_is_in_recovery(),"
            " current_setting('transaction_read_only')::bool, current_setting('server_encoding'),"
            " (select count(*) from pg_stat_activity where backend_type = 'client backend'),"
            " current_setting('max_connections')::int, pg_database_size(current_database())"
        ).fetchone()
    if row is None:
        raise RuntimeError("a select without a from gives one row")
    version, standby, read_only, encoding, connections, most, size = row
    return ServerFacts(
        version=version.split()[0],
        standby=standby,
        read_only=read_only,
        encoding=encoding,
        connections=connections,
        most_connections=most,
        database_bytes=size,
    )


def server_now_ns(connection: Connection) -> int:
    """Return the server's clock, ns since 1970."""
    with reachable():
        row = connection.execute("select clock_timestamp()").fetchone()
    return to_ns(row[0]) if row is not None else 0


def log_facts(connection: Connection) -> LogFacts:
    """Return what has come in lately."""
    with reachable():
        faults = connection.execute(
            "select reason, sum(times) from dead_letter where received_at > now() - interval '1 hour'"
            " group by reason order by 2 desc"
        ).fetchall()
        row = connection.execute(
            "select (select count(*) from store), count(*),"
            " extract(epoch from now() - max(status_at))::float8 from edge"
        ).fetchone()
        gaps = connection.execute(
            "select coalesce(sum(signals), 0), min(store.id || '/' || edge.id) from signal_gap"
            " join edge using (edge_no) join store on store.store_no = signal_gap.store_no"
            " where received_at > now() - interval '1 day'"
        ).fetchone()
    dropped, dropped_by = gaps if gaps is not None else (0, None)
    stores, edges, newest_s = row if row is not None else (0, 0, None)
    return LogFacts(
        faults=int(sum(times for _, times in faults)),
        commonest_reason=faults[0][0] if faults else None,
        stores=stores,
        edges=edges,
        newest_heartbeat_s=newest_s,
        dropped_signals=int(dropped),
        dropped_by=dropped_by,
    )
