"""Invented customers of the demo store who consented, with the tags that they carry."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from core.identity import pseudonym
from edge.pseudonyms import KeyRing, write_consented
from simulators.store import member_identity
from storage.connect import Connection
from storage.profiles.profiles import create_profile

PEOPLE: Final = (
    ("Amara Okafor", "Gold"),
    ("Clara Dubois", "Silver"),
    ("Elif Demir", "Gold"),
    ("Hanna Kowalska", None),
    ("Jonas Brandt", "Silver"),
    ("Kwame Mensah", "Bronze"),
    ("Mateo Fuentes", None),
    ("Mei-Lin Zhao", "Gold"),
    ("Noah Lindqvist", "Bronze"),
    ("Priya Raman", "Silver"),
    ("Sofia Marchetti", "Gold"),
    ("Tomás Ribeiro", None),
)
"""Names and tiers; nobody real."""
_CONSENTED_DAYS_AGO: Final = 30  # the first one; each further one a week earlier


def add_people(connection: Connection, keys: Path, seed: int, members: int) -> list[UUID]:
    """Write the profiles of members and tell the edges which devices have consented.

    Parameters
    ----------
    connection : Connection
    keys : Path
        Key folder of the edges.
    seed, members : int
        Of the simulation; at most len(PEOPLE) members.

    Returns
    -------
    list of UUID
        The same for the same seed.
    """
    ring = KeyRing(keys)
    key = ring.stable()[0]
    today = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    devices = [pseudonym(member_identity(seed, member), key) for member in range(members)]
    profiles = [
        create_profile(
            connection,
            display_name=name,
            loyalty_tier=tier,
            devices=[device],
            granted_at=today - timedelta(days=_CONSENTED_DAYS_AGO + 7 * member),
            profile_id=uuid5(NAMESPACE_URL, f"sojourn:demo:{seed}:{member}"),
        )
        for member, ((name, tier), device) in enumerate(zip(PEOPLE[:members], devices, strict=True))
    ]
    write_consented(ring.folder, devices)
    return profiles
