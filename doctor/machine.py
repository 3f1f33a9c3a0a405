"""Room, versions, compiled kernels, and who may read the keys of this machine."""

import os
import platform
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from doctor.findings import Finding, fail, ok, warn
from servers.kernel_cache import intact

WARN_BYTES: Final = 5_000_000_000
"""A day of a hundred busy stores."""
FAIL_BYTES: Final = 500_000_000
"""PostgreSQL stops at a full disk; so much is used up within hours."""
_TRIAL_BYTES: Final = 4096
"""A block; a full disk has none left, and still takes empty files."""
_TOLD: Final = ("numba", "numpy", "fastapi", "paho-mqtt", "psycopg")


def check_disk(what: str, folder: Path) -> Finding:
    """Judge the room of the disk that a folder is on; a folder that is not there yet counts as its parent."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
    usage = shutil.disk_usage(there)
    says = f"{usage.free / 1e9:,.1f} of {usage.total / 1e9:,.0f} GB free for {folder}."
    if usage.free < FAIL_BYTES:
        return fail(
            what, says, "Make room now: writes will fail. Old backups and logs go first; SOJOURN_RETAIN keeps less."
        )
    if usage.free < WARN_BYTES:
        return warn(what, says, "Make room, or let retention keep less: SOJOURN_RETAIN, docs/protect.md.")
    return ok(what, says)


def check_writes(what: str, folder: Path) -> Finding:
    """Judge whether something can be written into a folder, or where it is to be made; this makes none."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".sojourn-doctor-") as trial:
            trial.write(bytes(_TRIAL_BYTES))
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        return fail(
            what,
            f"{there} takes no file: {error.strerror}.",
            "Make room there, or let this user write; doctor is to be run as the user of the services.",
        )
    return ok(what, f"{folder} can be written.")


def check_versions() -> Finding:
    """Tell what runs; judge Python."""
    try:
        told = ", ".join(f"{name} {version(name)}" for name in _TOLD)
        says = f"Sojourn {version('sojourn')}, Python {platform.python_version()}, {told}."
    except PackageNotFoundError as error:
        return fail("versions", f"{error.name} is not installed.", "Run `make setup`, or install the wheel anew.")
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return fail("versions", says, "Sojourn runs on Python 3.11 to 3.13.")
    return ok("versions", says)


def check_kernels(environment: Mapping[str, str]) -> Finding:
    """Judge the folder of compiled kernels."""
    folder = environment.get("NUMBA_CACHE_DIR", "")
    if not folder:
        return warn("kernels", "Compiled kernels are kept nowhere.", "Let this user write SOJOURN_HOME.")
    path = Path(folder)
    if path.exists() and (path / "seal").exists() and not intact(path):
        return fail("kernels", "A compiled kernel was changed on disk.", f"Remove {path}; it is compiled anew.")
    compiled = len(list(path.rglob("*.nbc"))) if path.exists() else 0
    if not compiled:
        return warn(
            "kernels", "None is compiled yet.", "The first start of ingest takes half a minute; nothing to do."
        )
    return ok("kernels", f"{compiled} compiled ones are as they were sealed.")


def check_private(what: str, paths: Sequence[Path]) -> Finding:
    """Judge whether keys are closed to others: files 0600, folders 0700; names are told, never what is in them."""
    there = [
        one for path in paths if path.exists() for one in ([path, *path.rglob("*")] if path.is_dir() else [path])
    ]
    if not there:
        return warn(what, f"{', '.join(map(str, paths)) or 'No file'} is not there.", "Is the path right?")
    open_ones = [one for one in there if stat.S_IMODE(one.stat().st_mode) & 0o077]
    if open_ones:
        return fail(
            what,
            f"{len(open_ones)} can be read or changed by others, such as {open_ones[0]}.",
            f"Run: chmod -R go-rwx {paths[0]}",
        )
    return ok(what, f"{len(there)} files and folders are closed to others.")
