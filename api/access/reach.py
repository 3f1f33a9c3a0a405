"""How far somebody's hands go: nobody gives, changes or takes over what reaches further than they do.

Whom somebody may manage is bounded by stores, not by roles: to say what others do is what the role admin is for. But
`privacy` reaches every customer of the company, bound to stores or not, so it is as wide as every store.
"""

from collections.abc import Collection
from dataclasses import dataclass

from api.access.asking import asking_now
from api.access.principal import Role
from core.errors import InputError

_FURTHER = InputError(
    "This reaches further than you do.",
    hint="Name stores of your own alone, and no role of the whole company (privacy); or let an admin of every store"
    " do it.",
)


@dataclass(frozen=True)
class Reach:
    """Roles and ids of stores; None: every store."""

    roles: Collection[str]
    stores: Collection[str] | None

    def covers(self, roles: Collection[str], stores: Collection[str] | None) -> bool:
        """Say whether what has these roles and stores reaches no further than this."""
        if self.stores is None:
            return True
        within = stores is not None and set(stores) <= set(self.stores)
        return within and (Role.PRIVACY not in roles or Role.PRIVACY in self.roles)

    def check(self, roles: Collection[str], stores: Collection[str] | None) -> None:
        """Raise InputError where something reaches further than this."""
        if not self.covers(roles, stores):
            raise _FURTHER


def own_reach() -> Reach:
    """Return the reach of whoever is served; none at all where nobody is."""
    principal = asking_now().principal
    return Reach(principal.roles, principal.stores) if principal is not None else Reach((), ())
