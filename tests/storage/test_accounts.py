"""People's names: no two who may log in are shown alike, since tasks go to people by that name."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from core.errors import InputError
from storage.access.accounts import (
    account_of,
    add_account,
    change_account,
    disable_account,
    name_to_show,
)
from storage.access.names import DISPLAY_CHARACTERS
from storage.access.sessions import add_session
from storage.connect import Connection, connect
from storage.migrate import migrate, migrations

pytestmark = pytest.mark.servers


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection, connection.transaction():
        add(connection, "root", "Root", "admin")
        yield connection


def add(connection: Connection, name: str, shown: str, role: str = "crm") -> UUID:
    return add_account(connection, name=name, display_name=shown, roles=[role], made_by="tests")


def test_no_two_who_may_log_in_are_shown_alike(connection: Connection) -> None:
    first = add(connection, "maria", "Maria Schmidt")
    other = add(connection, "m.schmidt", "Maria Schmidt (Quay)")
    with pytest.raises(InputError, match="shown as 'maria schmidt' already"):
        add(connection, "third", "maria schmidt")
    with pytest.raises(InputError, match="shown as 'Maria Schmidt' already"):
        change_account(connection, other, display_name="Maria Schmidt", roles=["crm"], stores=None)
    change_account(connection, first, display_name="Maria Schmidt", roles=["crm", "privacy"], stores=None)

    disable_account(connection, first, disabled=True)
    change_account(connection, other, display_name="Maria Schmidt", roles=["crm"], stores=None)
    with pytest.raises(InputError, match="already"):
        disable_account(connection, first, disabled=False)
    change_account(connection, first, display_name="Maria Schmidt (left)", roles=["crm"], stores=None)
    disable_account(connection, first, disabled=False)
    disable_account(connection, first, disabled=False)  # is let in already


def test_what_is_not_seen_tells_no_two_apart(connection: Connection) -> None:
    add(connection, "iw", " Ines  Weber")
    found = account_of(connection, add(connection, "other", "Other"))
    assert found is not None
    for alike in ("Ines Weber", "ines\u00a0weber", "Ines\u200b Weber", "In\u00ades Weber\u202e", "\uff29nes Weber"):
        with pytest.raises(InputError, match="already"):
            add(connection, "third", alike)
        with pytest.raises(InputError, match="already"):
            change_account(connection, found.account_id, display_name=alike, roles=["crm"], stores=None)
    with pytest.raises(InputError, match="can be seen"):
        add(connection, "third", " \u200b\n")


def test_two_alike_from_before_may_still_be_changed(connection: Connection) -> None:
    one, other = add(connection, "one", "Ada"), add(connection, "other", "Bea")
    connection.execute("update account set display_name = 'Ada' where account_id = %s", [other])
    change_account(connection, one, display_name="Ada", roles=["operations"], stores=None)
    found = account_of(connection, one)
    assert found is not None
    assert list(found.roles) == ["operations"]


def test_a_providers_word_gets_the_login_name_behind_it(connection: Connection) -> None:
    assert name_to_show(connection, "Maria Schmidt", "maria") == "Maria Schmidt"
    add(connection, "maria", "Maria Schmidt")
    assert name_to_show(connection, "Maria Schmidt", "m.schmidt") == "Maria Schmidt (m.schmidt)"
    add(connection, "long", "x" * DISPLAY_CHARACTERS)
    longest = name_to_show(connection, "x" * DISPLAY_CHARACTERS, "y" * 64)
    assert (len(longest), longest[-3:]) == (DISPLAY_CHARACTERS, "yy)")


def test_a_password_beside_a_provider_ends_with_the_migration(empty_database_url: str, tmp_path: Path) -> None:
    for migration in migrations():
        if migration.name < "0450":
            (tmp_path / migration.name).write_text(migration.text)
    migrate(empty_database_url, folder=tmp_path)
    with connect(empty_database_url) as connection:
        for name, subject, hashed in (("both", "p 1", "hash"), ("theirs", "p 2", None), ("ours", None, "hash")):
            made = add_account(connection, name=name, display_name=name, roles=["admin"], made_by="tests",
                               password_hash=hashed, subject=subject)  # fmt: skip
            add_session(connection, made, name.encode(), stage="full", agent="")
        connection.commit()
    migrate(empty_database_url)
    with connect(empty_database_url) as connection:
        left = connection.execute(
            "select name, password_hash is null, session_no is null from account left join account_session using"
            " (account_id) order by name"
        ).fetchall()
    assert left == [("both", True, True), ("ours", False, False), ("theirs", True, False)]
