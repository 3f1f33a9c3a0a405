"""What an operator may say of an identity provider (OpenID Connect)."""

from collections.abc import Iterable
from dataclasses import dataclass

from api.access.principal import Role
from core.errors import ConfigurationError


@dataclass(frozen=True)
class Provider:
    """An identity provider that vouches for people; it has to be reached over https, or on this machine.

    Parameters
    ----------
    issuer : str
        What it calls itself, letter by letter, a slash at the end included: tokens are compared with it.
    client_id, client_secret : str
        What it calls us.
    name : str
        What the button says.
    groups : tuple of (str, Role)
        Which role a group of the claim `groups` gives.
    acr : tuple of str
        How strong its login has to be, by the claim `acr` (one of these); empty: as it sees fit.
    """

    issuer: str
    client_id: str
    client_secret: str
    name: str = "your company's account"
    groups: tuple[tuple[str, Role], ...] = ()
    acr: tuple[str, ...] = ()

    @property
    def described_at(self) -> str:
        """Where it describes itself (OpenID Connect Discovery 4: a slash at the end of the issuer goes before)."""
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    def roles(self, groups: Iterable[object]) -> list[str]:
        """Return the roles that somebody has by their groups."""
        has = {group for group in groups if isinstance(group, str)}
        return sorted({role.value for group, role in self.groups if group in has})


def read_provider(
    issuer: str, client_id: str, client_secret: str, *, name: str, groups: str, acr: str = ""
) -> Provider | None:
    """Return a provider from settings; None if there is no issuer.

    Raises
    ------
    ConfigurationError
        If a part is missing, or `groups` is not `staff=crm, it=admin`.
    """
    if not issuer:
        return None
    if not (client_id and client_secret and groups):
        raise ConfigurationError(
            "The identity provider is set in part.",
            hint="SOJOURN_OIDC_ISSUER comes with …_CLIENT_ID, …_CLIENT_SECRET and …_GROUPS.",
        )
    if not issuer.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ConfigurationError("The identity provider is not reached over https.", hint="Use its https address.")
    pairs = []
    for part in groups.split(","):
        group, _, role = part.strip().rpartition("=")
        if not group or role not in set(Role):
            raise ConfigurationError(f"{part.strip()!r} names no group and role.", hint="Write staff=crm, it=admin.")
        pairs.append((group, Role(role)))
    strong = tuple(acr.replace(",", " ").split())
    return Provider(issuer, client_id, client_secret, name, tuple(pairs), strong)
