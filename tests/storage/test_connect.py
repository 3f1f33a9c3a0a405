import threading

import psycopg
import pytest
from psycopg import errors, sql

from core.errors import UnavailableError
from storage.connect import Connection, connect, in_transaction, open_pool, reachable

pytestmark = pytest.mark.servers


@pytest.fixture
def counter(empty_database_url: str) -> str:
    with connect(empty_database_url) as connection:
        connection.execute("create table counter (name text primary key, value int)")
        connection.execute("insert into counter values ('a', 0), ('b', 0)")
    return empty_database_url


def values(url: str) -> dict[str, int]:
    with connect(url) as connection:
        return dict(connection.execute("select name, value from counter").fetchall())


def add(connection: Connection, name: str) -> None:
    connection.execute("update counter set value = value + 1 where name = %s", [name])


def test_sessions_speak_utc_and_say_who_they_are(empty_database_url: str) -> None:
    with connect(empty_database_url, application_name="sojourn test") as connection:
        assert connection.execute("show timezone").fetchone() == ("UTC",)
        assert connection.execute("show application_name").fetchone() == ("sojourn test",)


def test_a_server_that_cannot_be_written_to_is_away(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("alter database {} set default_transaction_read_only = on").format(name))
    with pytest.raises(UnavailableError, match="read-only"):
        connect(database_url)


def test_a_primary_that_turns_read_only_is_away(counter: str) -> None:
    with connect(counter) as connection:
        connection.execute("set default_transaction_read_only = on")
        with pytest.raises(UnavailableError, match="read-only"):
            in_transaction(connection, lambda connection: add(connection, "a"))


def test_a_deadlock_is_tried_again(counter: str) -> None:
    both_hold_one = threading.Barrier(2, timeout=60)
    tries = []

    def work(connection: Connection, first: str, second: str, seen: list[int]) -> None:
        tries.append(first)
        add(connection, first)
        if not seen:
            seen.append(1)
            both_hold_one.wait()
        add(connection, second)

    def run(first: str, second: str) -> None:
        seen: list[int] = []
        with connect(counter) as connection:
            in_transaction(connection, lambda connection: work(connection, first, second, seen))

    threads = [threading.Thread(target=run, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert values(counter) == {"a": 2, "b": 2}
    assert len(tries) == 3, "one of the two was the victim and ran again"


def test_what_two_change_of_the_catalog_is_tried_again(counter: str) -> None:
    """A migration grants rights on a table while a chunk of it is made."""
    found = [errors.InternalError_("tuple concurrently updated"), errors.InternalError_("another fault")]

    def work(connection: Connection) -> None:
        add(connection, "a")
        raise found.pop(0)

    with connect(counter) as connection, pytest.raises(errors.InternalError_, match="another"):
        in_transaction(connection, work)
    assert (found, values(counter)["a"]) == ([], 0)


def test_a_conflict_that_never_ends_is_an_error_in_the_end(counter: str) -> None:
    tries = []

    def work(connection: Connection) -> None:
        tries.append(1)
        add(connection, "a")
        raise errors.SerializationFailure("on purpose")

    with connect(counter) as connection, pytest.raises(UnavailableError):
        in_transaction(connection, work)
    assert len(tries) > 3
    assert values(counter)["a"] == 0


def test_a_transaction_inside_a_transaction_is_a_mistake(counter: str) -> None:
    with connect(counter) as connection, pytest.raises(RuntimeError, match="inside"):
        in_transaction(connection, lambda inner: in_transaction(inner, lambda c: add(c, "a")))
    assert values(counter)["a"] == 0


def test_a_connection_that_was_ended_is_away(counter: str) -> None:
    with connect(counter) as connection, connect(counter) as other:
        other.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        for _ in range(2):
            with pytest.raises(UnavailableError):
                in_transaction(connection, lambda connection: add(connection, "a"))


def test_a_pool_gives_connections_again_after_its_own_were_ended(counter: str) -> None:
    with open_pool(counter, application_name="sojourn pool", most=2) as pool:
        with pool.connection() as connection:
            assert connection.execute("show timezone").fetchone() == ("UTC",)
        with connect(counter) as other:
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sojourn pool'"
            )
        with reachable(), pool.connection() as connection:
            assert connection.execute("select 1").fetchone() == (1,)
