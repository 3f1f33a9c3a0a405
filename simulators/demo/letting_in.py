"""Who may look at a demo: a person for each role, one with all of them, and a key for the demo itself."""

from datetime import timedelta
from secrets import choice
from typing import Final, NamedTuple

from storage.access.by_hand import add_person, add_program
from storage.access.passwords import hashed

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another when it is typed from a screen
_BY: Final = "demo"
PEOPLE: Final = (
    ("demo", "Demo", ("operations", "crm", "privacy", "admin")),
    ("olga", "Olga Operations", ("operations",)),
    ("carl", "Carl CRM", ("crm",)),
    ("pia", "Pia Privacy", ("privacy",)),
    ("ada", "Ada Admin", ("admin",)),
)
"""Login name, the name that others see, roles."""


class LetIn(NamedTuple):
    """The password of all of them, and the key; new with every demo, gone with its database."""

    password: str
    key: str


def let_in(database_url: str) -> LetIn:
    """Make the people and the key."""
    password = "-".join("".join(choice(_LETTERS) for _ in range(4)) for _ in range(4))
    for name, shown, roles in PEOPLE:
        add_person(database_url, name, shown, roles, None, by=_BY, password_hash=hashed(password))
    key = add_program(database_url, "demo", ("operations", "crm"), None, holds_for=timedelta(days=30), by=_BY)
    return LetIn(password, key)
