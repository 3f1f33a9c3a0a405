"""Which Debian archives this machine knows, and the keyring that says whether they are Debian's."""

from dataclasses import dataclass
from pathlib import Path

from servers.debian import archive_keyring, archive_mirrors
from servers.errors import MachineError


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive's address, and the keyring that must have signed it."""

    mirror: str
    keyring: Path


def debian_archives(_work: Path) -> list[Archive]:
    """Return the Debian archives to try, most likely first."""
    keyring = archive_keyring()
    mirrors = archive_mirrors()
    if keyring is None or not mirrors:
        raise MachineError("This machine names no Debian package archive.")
    return [Archive(mirror, keyring) for mirror in mirrors]
