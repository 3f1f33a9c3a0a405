"""The first admin's secret: on the terminal of a person, and in no log that is kept."""

import asyncio
import os
import pty
import sys
from collections.abc import Iterator

import pytest

from api.access.first import FIRST_NAME, let_first_in, make_first
from storage.access.accounts import account_of_secret, find_account
from storage.access.by_hand import reset_person
from storage.access.secrets import digest
from storage.writing import Writer
from telemetry.logs import configure
from tests.fix_api import SeededStore
from tests.telemetry.keeping import logs_kept

pytestmark = pytest.mark.servers


def started(database_url: str) -> None:
    """Do what the API does at its start."""
    writer = Writer(database_url, connections=1)
    try:
        asyncio.run(let_first_in(writer))
    finally:
        writer.close()


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    with logs_kept():
        yield


@pytest.fixture(autouse=True)
def nobody(store: SeededStore) -> None:
    """The template of the databases lets the tests in."""
    store.connection.execute("set session_replication_role = replica")
    store.connection.execute("delete from account")
    store.connection.execute("set session_replication_role = origin")


def words_of(text: str) -> set[str]:
    return set(text.replace('"', " ").replace("\\n", " ").split())


def opens(store: SeededStore, text: str) -> list[str]:
    """The words of a text that would let somebody in."""
    return [word for word in words_of(text) if account_of_secret(store.connection, digest(word)) is not None]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_collected_log_says_how_and_holds_no_secret(
    store: SeededStore, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """In a container, or under systemd, stderr is a pipe."""
    configure(form, sys.stderr)
    for _ in range(2):  # a second start says it again: nobody came in meanwhile
        started(store.database_url)
        said = capsys.readouterr()
        assert (said.out, opens(store, said.err)) == ("", [])
        assert "nobody can log in yet" in said.err
        assert f"sojourn access reset {FIRST_NAME}" in said.err
    (secrets,) = store.connection.execute("select count(one_time_sha256) from account").fetchone() or (None,)
    assert secrets == 0, "what nobody was shown is not there to be guessed"
    shown = reset_person(store.database_url, FIRST_NAME)
    assert opens(store, shown) == [shown]
    started(store.database_url)
    assert capsys.readouterr().err == "", "somebody has a way in"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_person_at_a_terminal_is_shown_it_unless_lines_are_json(
    store: SeededStore, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """A container may have a terminal (`tty: true`), and its output is collected all the same: it logs JSON."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        configure(form, terminal)
        started(store.database_url)
        terminal.flush()
        said = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "obody can log in yet" in said
    assert len(opens(store, said)) == (0 if form == "json" else 1)


def test_whoever_is_there_already_is_left_alone(store: SeededStore) -> None:
    assert make_first(store.connection, watched=True)
    assert make_first(store.connection, watched=True) is None
    found = find_account(store.connection, name=FIRST_NAME)
    assert found is not None
    store.connection.execute("update account set name = 'ines' where account_id = %s", [found.account_id])
    store.connection.execute("update account set one_time_until = now() - interval '1 day'")
    assert make_first(store.connection, watched=True) is None
