"""What this machine is, as far as Debian packages are concerned.

Read from the machine's own tools and files; no download address is written here.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from servers.errors import OWN_SERVERS, MachineError

SUITE: Final = "trixie"
"""The Debian release that carries PostgreSQL 17 with TimescaleDB; its loader and libc come with the packages."""

_KEYRINGS: Final = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")


@dataclass(frozen=True, slots=True)
class Architecture:
    """One processor architecture in Debian's words."""

    debian: str
    triplet: str
    loader: str  # below the unpacked root


_ARCHITECTURES: Final = {
    "amd64": Architecture("amd64", "x86_64-linux-gnu", "usr/lib64/ld-linux-x86-64.so.2"),
    "arm64": Architecture("arm64", "aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1"),
}


def require_tools(*names: str) -> None:
    """Check that the machine has apt's and dpkg's programs.

    Raises
    ------
    MachineError
        One is missing: not a Debian or Ubuntu machine.
    """
    for name in names:
        if shutil.which(name) is None:
            raise MachineError(
                f"This machine has no {name}: TimescaleDB and mosquitto come as Debian packages.", hint=OWN_SERVERS
            )


def architecture() -> Architecture:
    """Return the machine's architecture.

    Raises
    ------
    MachineError
        The architecture is not supported.
    """
    name = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    found = _ARCHITECTURES.get(name)
    if found is None:
        raise MachineError(f"The processor architecture {name} is not supported, only amd64 and arm64 are.")
    return found


def archive_keyring(folder: Path) -> Path | None:
    """Return the keyring that signs Debian's archive, if it is in a folder."""
    return next((folder / name for name in _KEYRINGS if (folder / name).is_file()), None)


def archive_mirrors(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return addresses of Debian archives that the machine knows, most likely first.

    `SOJOURN_DEBIAN_MIRROR` comes first. Then what apt itself is told to use: an archive of Debian is one that has
    a suite of the plain name of a release. Whether it really is Debian's is decided later, by its signature.
    """
    named = environment.get("SOJOURN_DEBIAN_MIRROR")
    if named:
        return [named]
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Created-By: Packages"],
        check=False, capture_output=True, text=True,
    ).stdout  # fmt: skip
    mirrors = []
    for line in listing.splitlines():
        address, suite, component = line.split("|")
        if component == "main" and re.fullmatch(r"[a-z]+", suite) and "debian" in address and address not in mirrors:
            mirrors.append(address)
    return mirrors
