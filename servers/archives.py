"""Which Debian archive to fetch from, and the keyring that says whether it is Debian's.

No address is written here. A Debian machine's own apt knows one. A machine of another distribution that has apt
(Ubuntu) carries two small packages in its own, signed archive that say the rest: `debian-archive-keyring` and
`python-apt-common`, whose templates name Debian's archive.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from servers.apt import AptRoot, Progress, quiet
from servers.debian import SUITE, archive_keyring, archive_mirrors
from servers.errors import OWN_SERVERS, FetchError
from servers.unpack import unpack

_TEMPLATES: Final = Path("usr/share/python-apt/templates")


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive's address, and the keyring that must have signed it."""

    mirror: str
    keyring: Path


FindArchives: TypeAlias = Callable[[Path], list[Archive]]
"""Given a work folder, returns the archives to try, most likely first."""


def debian_archives(
    work: Path, *, host: Path = Path("/"), environment: Mapping[str, str] | None = None
) -> list[Archive]:
    """Return the Debian archives that this machine can know of.

    Parameters
    ----------
    work : Path
        Folder for what must be fetched to find out.
    host : Path
        The machine's root folder; another one in tests.
    environment : mapping of str to str, optional
        The process environment, if not the real one.

    Raises
    ------
    FetchError
        The machine knows none.
    """
    keyring = archive_keyring(host / "usr/share/keyrings")
    mirrors = archive_mirrors() if environment is None else archive_mirrors(environment)
    if not mirrors:
        mirrors = _mirrors_of_templates(host / _TEMPLATES)
    if keyring is None or not mirrors:
        hints = _fetch_hints(work)
        keyring = keyring if keyring is not None else archive_keyring(hints / "usr/share/keyrings")
        mirrors = mirrors or _mirrors_of_templates(hints / _TEMPLATES)
    if keyring is None or not mirrors:
        raise FetchError(
            "This machine knows no Debian package archive.",
            hint=f"Name one in SOJOURN_DEBIAN_MIRROR and install debian-archive-keyring. {OWN_SERVERS}",
        )
    return [Archive(mirror, keyring) for mirror in mirrors]


def fetch_packages(work: Path, names: list[str], find_archives: FindArchives, progress: Progress) -> list[Path]:
    """Fetch packages of `SUITE` from the first archive that answers and is signed by Debian.

    Parameters
    ----------
    work : Path
        Folder for apt's private files and for the packages.
    names : list of str
        Package names.
    find_archives : callable
        Usually `debian_archives`.
    progress : Progress

    Returns
    -------
    list of Path
        The package files.

    Raises
    ------
    FetchError
        None of the archives could be used; says what was wrong with the first.
    """
    first_error: FetchError | None = None
    for number, archive in enumerate(find_archives(work)):
        apt = AptRoot(work / f"apt-{number}", mirror=archive.mirror, suite=SUITE, signed_by=archive.keyring)
        try:
            apt.update(progress)
            return apt.download(names, work / "packages", progress)
        except FetchError as error:
            first_error = first_error if first_error is not None else error
            shutil.rmtree(work / "packages", ignore_errors=True)
    raise first_error if first_error is not None else FetchError("There is no Debian package archive to fetch from.")


def fetch_from_host(work: Path, names: list[str], progress: Progress = quiet) -> list[Path]:
    """Fetch packages from the machine's own archives, in the machine's own release, with a private apt.

    Raises
    ------
    FetchError
        They cannot be reached, or do not carry a package.
    """
    apt = AptRoot(work / "apt-host")
    apt.update(progress)
    return apt.download(names, work / "host-packages", progress)


def _fetch_hints(work: Path) -> Path:
    hints = work / "hints"
    hints.mkdir()
    for package in fetch_from_host(work, ["debian-archive-keyring", "python-apt-common"]):
        unpack(package, hints)
    return hints


def _mirrors_of_templates(folder: Path) -> list[str]:
    """Read Debian's archive from python-apt's templates (`Debian.info`, newer: `debian.info`)."""
    for name in ("debian.info", "Debian.info"):
        try:
            text = (folder / name).read_text()
        except OSError:
            continue
        found = re.findall(r"^BaseURI: (\S+/debian/?)$", text, re.MULTILINE)
        if found:
            # a bare container has no certificates; apt checks signatures, so plain HTTP is as good
            return list(dict.fromkeys([found[0], found[0].replace("https://", "http://", 1)]))
    return []
