"""pg_dump and pg_restore in the private folder, for the drill of a restore; an installation has its own."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from servers.apt import Progress, quiet
from servers.archives import debian_archives, fetch_packages
from servers.debian import architecture, require_tools
from servers.errors import FetchError
from servers.home import locked, make_home, partial_folder, require_space, sojourn_home, sweep_partials
from servers.unpack import is_whole, unpack, wrap_program, write_manifest

_RECIPE: Final = 1
NEEDED_BYTES: Final = 150_000_000
"""8 MB of packages, 25 MB unpacked, 60 MB of apt's index."""
_PACKAGES: Final = """
    postgresql-client-17 libc6 libcom-err2 libgssapi-krb5-2 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0
    libldap2 liblz4-1 libpq5 libsasl2-2 libssl3t64 libzstd1 zlib1g
"""
_BIN: Final = "usr/lib/postgresql/17/bin"
_PROGRAMS: Final = (f"{_BIN}/pg_dump", f"{_BIN}/pg_restore")


def provide_clients(home: Path | None = None, progress: Progress = quiet) -> Path:
    """Return a folder with pg_dump and pg_restore, fetching them if they are not in the private folder yet.

    Raises
    ------
    MachineError
        No apt, no room, an unsupported processor, a folder that cannot be written.
    FetchError
        No network, damaged packages, or they do not run.
    """
    home = sojourn_home() if home is None else home
    final = home / f"clients-{_RECIPE}"
    if is_whole(final):
        return final / "root" / _BIN
    make_home(home)
    with locked(home, on_wait=lambda: progress("Waiting for another start that fetches packages", 0.0)):
        if not is_whole(final):
            require_tools("apt-get", "dpkg", "dpkg-deb", "tar")
            sweep_partials(home)
            require_space(home, NEEDED_BYTES, "Fetching pg_dump and pg_restore")
            with partial_folder(home, "clients") as work:
                _unpack(work, progress)
                shutil.rmtree(final, ignore_errors=True)
                (work / "clients").rename(final)
    return final / "root" / _BIN


def _unpack(work: Path, progress: Progress) -> None:
    packages = fetch_packages(work, _PACKAGES.split(), debian_archives, progress)
    root = work / "clients" / "root"
    for package in packages:
        unpack(package, root)
    for program in _PROGRAMS:
        wrap_program(root, program, architecture())
        run = subprocess.run([root / program, "--version"], check=False, capture_output=True, text=True)
        if "(PostgreSQL)" not in run.stdout:
            raise FetchError(f"The fetched program {Path(program).name} does not run.") from RuntimeError(run.stderr)
    write_manifest(work / "clients", [package.name for package in packages])
