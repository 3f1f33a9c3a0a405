"""Debian packages -> a folder from which their programs run, on any glibc machine, without being installed."""

import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from servers.debian import Architecture
from servers.errors import FetchError

MANIFEST: Final = "manifest.json"

# `timescaledb--*--*.sql` upgrade older versions; a private folder never has one. Bitcode and llvmjit are PostgreSQL's
# JIT: off here, because it brings 100 MB of LLVM and costs short queries more than it gives.
_LEFT_OUT: Final = re.compile(
    r"\./(?:usr/share/(?:doc|locale|man|info|lintian|bug|gdb|perl5)/"
    r"|usr/lib/postgresql/\d+/lib/(?:bitcode/|llvmjit\.so)"
    r"|usr/share/postgresql/\d+/(?:man/|extension/timescaledb--[^/]*--[^/]*\.sql)"
    r"|usr/lib/[^/]*/(?:gconv/|perl)|etc/init\.d/|usr/lib/systemd/|var/)"
)

_WRAPPER: Final = """\
#!/bin/sh
# Runs the program beside it with this folder's own loader and libraries, whatever the machine's libc is.
# Not LD_LIBRARY_PATH: that would leak into the programs it starts.
here=${{0%/*}}
root=$here/{up}
exec "$root/{loader}" --library-path "$root/usr/lib/{triplet}" --argv0 "$0" "$here/.{name}.real" "$@"
"""


def unpack(package: Path, root: Path) -> None:
    """Unpack one package's files, without documentation.

    Raises
    ------
    FetchError
        The package is damaged.
    """
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reader:
        try:
            with tarfile.open(fileobj=reader.stdout, mode="r|") as archive:
                archive.extractall(root, members=_wanted(archive), filter="tar")
        except (tarfile.TarError, EOFError) as error:
            raise _damaged(package) from error
        # dpkg-deb still writes the padding behind the archive's end
        if reader.stdout is not None:
            while reader.stdout.read(1 << 16):
                pass
    if reader.returncode != 0:
        raise _damaged(package)


def _wanted(archive: tarfile.TarFile) -> Iterable[tarfile.TarInfo]:
    for member in archive:
        if not _LEFT_OUT.match(member.name) and (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            yield member


def _damaged(package: Path) -> FetchError:
    return FetchError(
        f"The package {package.name} is damaged and cannot be unpacked.",
        hint="Start again: it is fetched anew.",
    )


def wrap_program(root: Path, program: str, architecture: Architecture) -> None:
    """Put a script in a program's place that runs it with the folder's own loader; the folder may be moved.

    Parameters
    ----------
    root : Path
        The unpacked root.
    program : str
        Path below the root, e.g. `usr/sbin/mosquitto`.
    architecture : Architecture
        Names the loader and the library folder.
    """
    path = root / program
    path.rename(path.with_name(f".{path.name}.real"))
    up = "/".join([".."] * (len(Path(program).parts) - 1))
    path.write_text(
        _WRAPPER.format(up=up, loader=architecture.loader, triplet=architecture.triplet, name=path.name)
    )
    path.chmod(0o755)


def write_manifest(folder: Path, packages: Iterable[str]) -> None:
    """Record what was unpacked, so that a damaged folder can be told from a whole one."""
    (folder / MANIFEST).write_text(
        json.dumps({"packages": sorted(packages), "files": _sizes(folder)}, indent=0, sort_keys=True)
    )


def is_whole(folder: Path) -> bool:
    """Say whether every file that was unpacked is still there in its size (about 20 ms for 2,000 files)."""
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    try:
        return bool(files) and all((folder / name).lstat().st_size == size for name, size in files.items())
    except OSError:
        return False


def _sizes(folder: Path) -> dict[str, int]:
    found = {}
    for parent, _folders, files in os.walk(folder):
        for file in files:
            path = Path(parent, file)
            if file != MANIFEST:
                found[str(path.relative_to(folder))] = path.lstat().st_size
    return found
