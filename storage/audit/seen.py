"""Whom a request has read of: rows about people say so themselves, so that no route can forget it."""

from contextvars import ContextVar
from uuid import UUID

import msgspec

seen: ContextVar[dict[UUID, None] | None] = ContextVar("seen", default=None)
"""The profiles that the running request has read of, in their order; None where nobody asks for them."""


def saw(profile: UUID | None) -> None:
    """Note that something of a profile was read."""
    people = seen.get()
    if people is not None and profile is not None:
        people[profile] = None


class AboutPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A row about a person, in its field `profile_id`: to make one is to have read of that person."""

    def __post_init__(self) -> None:
        """Note who it is."""
        saw(self.profile_id)  # type: ignore[attr-defined]  # every row that derives from this has it
