"""People's names: no two who may log in are shown alike, since tasks go to people by that name."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from core.errors import InputError
from storage.access.accounts import (
    DISPLAY_CHARACTERS,
    account_of,
    add_account,
    change_account,
    disable_account,
    name_to_show,
)
from storage.connect import Connection, connect

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
