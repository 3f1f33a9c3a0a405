"""As whom a server runs: PostgreSQL refuses to be root."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from servers.errors import MachineError

_NOBODY: Final = 65534
"""`nobody` and `nogroup` on every Debian and Ubuntu."""


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a server runs.

    Attributes
    ----------
    prefix : tuple of str
        Words before the server's own command.
    owner : int or None
        User that must own the data folder; None: whoever calls.
    """

    prefix: tuple[str, ...]
    owner: int | None


@cache
def server_identity() -> Identity:
    """Find out how a server can run here without being root, which PostgreSQL refuses.

    An ordinary user simply stays itself. Root becomes nobody in a user namespace of its own: files keep their owner
    and folders below /root stay reachable. Where namespaces are forbidden (most containers), root becomes nobody for
    real and keeps one capability, to pass through folders that are closed to others.

    Raises
    ------
    MachineError
        Neither is allowed here.
    """
    if os.geteuid() != 0 and _has_name():
        return Identity((), None)
    for identity in (in_namespace(), as_nobody()):
        if works(identity):
            return identity
    raise MachineError(
        "PostgreSQL refuses to run as root, and this machine lets root neither make a user namespace nor be nobody."
    )


def in_namespace() -> Identity:
    """Nobody inside a user namespace of its own, the caller outside: data folders stay the caller's."""
    return Identity(("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"), None)


def as_nobody() -> Identity:
    """Nobody for real, with the one capability that lets it pass through closed folders: data folders become its."""
    change = ("--reuid", "--regid")
    return Identity(
        (
            "setpriv",
            *(f"{option}={_NOBODY}" for option in change),
            "--clear-groups",
            "--securebits=+no_setuid_fixup",  # without it access(2), which PostgreSQL asks, ignores the capability
            "--inh-caps=+dac_override",
            "--ambient-caps=+dac_override",
        ),
        _NOBODY,
    )


def works(identity: Identity) -> bool:
    """Say whether this machine lets the caller become that."""
    if shutil.which(identity.prefix[0]) is None:
        return False
    return subprocess.run([*identity.prefix, "true"], check=False, capture_output=True).returncode == 0


def _has_name() -> bool:
    # initdb asks who it is, and fails for a user id without a name, as some containers have it
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def own(folder: Path, identity: Identity) -> None:
    """Give a data folder to the user that the server runs as."""
    if os.geteuid() != 0:
        return
    owner = identity.owner if identity.owner is not None else 0
    for path in (folder, *folder.rglob("*")):
        if path.lstat().st_uid != owner:
            os.chown(path, owner, owner, follow_symlinks=False)
