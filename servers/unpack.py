"""Debian packages -> a folder from which their programs run, on any glibc machine, without being installed."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from servers.debian import Architecture
from servers.errors import FetchError, MachineError

MANIFEST: Final = "manifest.json"

# `timescaledb--*--*.sql` upgrade older versions; a private folder never has one. Bitcode and llvmjit are PostgreSQL's
# JIT: off here, because it brings 100 MB of LLVM and costs short queries more than it gives.
_LEFT_OUT: Final = (
    "./usr/share/doc/*",
    "./usr/share/locale/*",
    "./usr/share/man/*",
    "./usr/share/info/*",
    "./usr/share/lintian/*",
    "./usr/share/perl5/*",
    "./usr/share/postgresql/*/man/*",
    "./usr/share/postgresql/*/extension/timescaledb--*--*.sql",
    "./usr/lib/postgresql/*/lib/bitcode/*",
    "./usr/lib/postgresql/*/lib/llvmjit.so",
    "./usr/lib/*/gconv/*",
    "./usr/lib/systemd/*",
    "./etc/init.d/*",
    "./var/*",
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
    MachineError
        The disk filled up.
    """
    root.mkdir(parents=True, exist_ok=True)
    # tar and dpkg-deb are there wherever apt is; Python's tarfile cannot filter safely before 3.11.4
    exclude = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    with (
        subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as reader,
        subprocess.Popen(
            ["tar", "-x", "-C", str(root), "--no-same-owner", "--no-same-permissions", *exclude],
            stdin=reader.stdout,
            stderr=subprocess.PIPE,
            text=True,
        ) as writer,
    ):
        if reader.stdout is not None:
            reader.stdout.close()  # tar has it now; dpkg-deb must notice if tar ends early
        _out, complaint = writer.communicate()
    if "No space left" in complaint:
        raise MachineError(
            f"The disk filled up while {package.name} was unpacked.",
            hint="Free some space, or set SOJOURN_HOME to a folder on a larger disk.",
        )
    if reader.returncode != 0 or writer.returncode != 0:
        raise FetchError(
            f"The package {package.name} is damaged and cannot be unpacked.",
            hint="Start again: it is fetched anew.",
        ) from RuntimeError(complaint.strip())


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
    path.write_text(_WRAPPER.format(up=up, loader=architecture.loader, triplet=architecture.triplet, name=path.name))
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
