"""Who asks: a person who is logged in, or a program with a key. It stands on `request.state.principal`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from fastapi import Request


class Role(StrEnum):
    """What somebody may do; docs/access.md has each route's roles."""

    OPERATIONS = "operations"
    """Counts of stores: nothing of a device, a pseudonym or a profile."""
    CRM = "crm"
    """Profiles that consented, of own stores: notes, memory, journeys, cues."""
    PRIVACY = "privacy"
    """Consent, erasure, access export, audit."""
    ADMIN = "admin"
    """People, keys, webhooks, plans, models, fleet, settings; no profile by itself."""
    EDGE = "edge"
    """Programs that only post, such as an app's relay."""


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Parameters
    ----------
    principal_id : str
        Of the account or the key; what a log may name.
    kind : "person" or "key"
    name : str
        As people know it.
    roles : frozenset of Role
    stores : frozenset of str or None
        Ids of the stores it is bound to; None: every store.
    works_for : str or None
        The person who answers for a key, by name; None: nobody was named, or it is a person.
    """

    principal_id: str
    kind: Literal["person", "key"]
    name: str
    roles: frozenset[Role]
    stores: frozenset[str] | None = None
    works_for: str | None = None

    def may(self, *roles: Role) -> bool:
        """Return whether it has one of these roles."""
        return not self.roles.isdisjoint(roles)


def principal_of(request: Request) -> Principal | None:
    """Return who asks; None where nobody has to be known (login, health)."""
    found: Principal | None = getattr(request.state, "principal", None)
    return found
