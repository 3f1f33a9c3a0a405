"""The private folder: where it is, who may change it, and whether it has room."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from servers.errors import MachineError

PARTIAL: Final = ".partial-"
"""Prefix of everything that is not finished; whoever holds the lock may delete it."""


def sojourn_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the private folder: `SOJOURN_HOME`, or `sojourn` in the user's cache.

    Parameters
    ----------
    environment : mapping of str to str
        The process environment.
    """
    own = environment.get("SOJOURN_HOME")
    if own:
        return Path(own).expanduser().absolute()
    cache = environment.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sojourn"


def make_home(home: Path) -> None:
    """Create the private folder, or say why that cannot be."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise MachineError(
            f"The private folder {home} cannot be written ({error.strerror}).",
            hint="Set SOJOURN_HOME to a folder that you may write.",
        ) from error


def lock_folder(folder: Path, *, on_wait: Callable[[], None] | None = None) -> int:
    """Take the exclusive lock on a folder and return its file descriptor; closing it gives the lock back.

    The lock is `flock` on the folder itself: no lock file is left behind, and the kernel drops it with the
    last process that holds the descriptor, however that process ends.

    Parameters
    ----------
    folder : Path
        An existing folder.
    on_wait : callable, optional
        Called once if somebody else holds the lock; then waits. Without it, a held lock is an error.

    Raises
    ------
    BlockingIOError
        Somebody else holds the lock and `on_wait` is not given.
    MachineError
        The file system has no such locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is None:
                raise
            on_wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError as error:
        os.close(descriptor)
        raise MachineError(
            f"The file system of {folder} cannot lock folders ({error.strerror}).",
            hint="Set SOJOURN_HOME to a folder on a local disk.",
        ) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def locked(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the exclusive lock on a folder; see `lock_folder`."""
    descriptor = lock_folder(folder, on_wait=on_wait)
    try:
        yield
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Return how many bytes an ordinary user can still write where the folder is."""
    return shutil.disk_usage(folder).free


def require_space(folder: Path, needed_bytes: int, what: str, *, free: Callable[[Path], int] = free_bytes) -> None:
    """Refuse early where a disk would fill up half-way.

    Raises
    ------
    MachineError
        Less than `needed_bytes` are free.
    """
    left = free(folder)
    if left < needed_bytes:
        raise MachineError(
            f"{what} needs {needed_bytes // 1_000_000} MB in {folder}, but only {left // 1_000_000} MB are free.",
            hint="Free some space, or set SOJOURN_HOME to a folder on a larger disk.",
        )


@contextlib.contextmanager
def partial_folder(home: Path, name: str) -> Iterator[Path]:
    """Give a folder for unfinished work that is gone afterwards, unless it was renamed to its final place."""
    folder = Path(tempfile.mkdtemp(prefix=f"{PARTIAL}{name}-", dir=home))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_partials(home: Path) -> None:
    """Delete what killed processes left unfinished; the caller holds the lock."""
    for folder in home.glob(f"{PARTIAL}*"):
        shutil.rmtree(folder, ignore_errors=True)
