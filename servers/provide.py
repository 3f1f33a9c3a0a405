"""Bring TimescaleDB and mosquitto along: fetch, unpack once, keep, and find them again."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from servers.apt import Progress, quiet
from servers.archives import debian_archives, fetch_packages
from servers.debian import Architecture, architecture, require_tools
from servers.errors import FetchError
from servers.home import locked, make_home, partial_folder, require_space, sojourn_home, sweep_partials
from servers.unpack import is_whole, unpack, wrap_program, write_manifest

_RECIPE: Final = 1
"""Raise it when the packages or the way they are unpacked change: older folders are then replaced."""

NEEDED_BYTES: Final = 400_000_000
"""36 MB of packages, 80 MB unpacked, 60 MB of apt's index; the rest is for a first data folder and its WAL."""

_POSTGRES: Final = """
    postgresql-17 postgresql-17-timescaledb libaudit1 libc6 libcap-ng0 libcap2 libcom-err2 libgcc-s1 libgssapi-krb5-2
    libicu76 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 libldap2 liblz4-1 liblzma5 libpam0g libpq5 libsasl2-2
    libssl3t64 libstdc++6 libsystemd0 libxml2 libxxhash0 libzstd1 zlib1g
"""
_MOSQUITTO: Final = "mosquitto libcjson1 libdlt2 libwebsockets19t64 libwrap0"

_POSTGRES_BIN: Final = "usr/lib/postgresql/17/bin"
_PROGRAMS: Final = (f"{_POSTGRES_BIN}/postgres", f"{_POSTGRES_BIN}/initdb", "usr/sbin/mosquitto")


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the programs are.

    Attributes
    ----------
    postgres, initdb, mosquitto : Path
        Programs that run as they are.
    versions : mapping of str to str
        What each program says about itself.
    """

    postgres: Path
    initdb: Path
    mosquitto: Path
    versions: Mapping[str, str]


Fetch: TypeAlias = Callable[[Path, Progress], list[Path]]
"""Given a work folder, returns package files in it."""


def fetch_servers(work: Path, progress: Progress) -> list[Path]:
    """Fetch the packages of both servers from Debian; see `servers.archives.fetch_packages`."""
    return fetch_packages(work, [*_POSTGRES.split(), *_MOSQUITTO.split()], debian_archives, progress)


def provide(
    home: Path | None = None,
    progress: Progress = quiet,
    *,
    fetch: Fetch = fetch_servers,
    needed_bytes: int = NEEDED_BYTES,
) -> Installed:
    """Return ready-to-run servers, fetching them if they are not in the private folder yet.

    Two starts at the same time do not fight: the second waits for the first. A killed start leaves nothing that a
    later one would mistake for a whole folder: it is unpacked under another name and renamed at the end.

    Parameters
    ----------
    home : Path, optional
        The private folder; `sojourn_home()` if not given.
    progress : Progress
        Told what is being done.
    fetch : callable
        Puts the packages into a work folder; replaced where they come from elsewhere.
    needed_bytes : int
        Free space to ask for before fetching.

    Raises
    ------
    MachineError
        No apt, no room, an unsupported processor, a folder that cannot be written.
    FetchError
        No network, or damaged packages.
    """
    home = sojourn_home() if home is None else home
    final = home / f"servers-{_RECIPE}"
    if is_whole(final):
        return _installed(final)
    make_home(home)
    with locked(home, on_wait=lambda: progress("Waiting for another start that fetches the servers", 0.0)):
        if is_whole(final):  # the other start has done it
            return _installed(final)
        require_tools("apt-get", "dpkg", "dpkg-deb", "tar")
        machine = architecture()
        sweep_partials(home)
        require_space(home, needed_bytes, "Fetching TimescaleDB and mosquitto")
        with partial_folder(home, "servers") as work:
            packages = fetch(work, progress)
            unpacked = _unpack_servers(work, packages, machine, progress)
            shutil.rmtree(final, ignore_errors=True)
            unpacked.rename(final)
        for old in home.glob("servers-*"):
            if old != final:
                shutil.rmtree(old, ignore_errors=True)
    return _installed(final)


def _unpack_servers(work: Path, packages: list[Path], machine: Architecture, progress: Progress) -> Path:
    folder = work / "servers"
    root = folder / "root"
    root.mkdir(parents=True)
    for number, package in enumerate(packages):
        progress("Unpacking", number / len(packages))
        unpack(package, root)
    progress("Unpacking", 1.0)
    for program in _PROGRAMS:
        wrap_program(root, program, machine)
    versions = _try_programs(root)
    (folder / "versions.json").write_text(json.dumps(versions))
    write_manifest(folder, [package.name for package in packages])
    return folder


def _try_programs(root: Path) -> dict[str, str]:
    """Start each program once: a missing library or a wrong loader shows here, not in the middle of a demo."""
    versions = {}
    for program in _PROGRAMS:
        arguments = ["-h"] if program.endswith("mosquitto") else ["--version"]
        run = subprocess.run([root / program, *arguments], check=False, capture_output=True, text=True)
        first_line = run.stdout.partition("\n")[0].strip()
        if "version" not in first_line and "(PostgreSQL)" not in first_line:
            error = FetchError(
                f"The fetched program {Path(program).name} does not run on this machine.",
            )
            raise error from RuntimeError(run.stderr.strip())
        versions[Path(program).name] = first_line
    library = root / "usr/lib/postgresql/17/lib"
    versions["timescaledb"] = max(
        (path.stem.removeprefix("timescaledb-") for path in library.glob("timescaledb-[0-9]*.so")), default="missing"
    )
    return versions


def _installed(folder: Path) -> Installed:
    root = folder / "root"
    return Installed(
        postgres=root / _POSTGRES_BIN / "postgres",
        initdb=root / _POSTGRES_BIN / "initdb",
        mosquitto=root / "usr/sbin/mosquitto",
        versions=json.loads((folder / "versions.json").read_text()),
    )
