"""The compiled kernels of this version, in the private folder: its own for each version, thrown away when damaged.

Numba looks at a kernel's own file when it decides whether a compiled one still fits, not at the kernels it calls, and
loads whatever the disk gives back: a flipped bit in machine code is executed. So each version of the sources has a
folder of its own, and only what a process that compiled or loaded it has sealed by its CRC is ever loaded again.

Processes of one version share its folder, and each of them may be compiling what it has not sealed yet. While one
lives it holds a shared `flock` on the folder, which the kernel drops however it ends; only who finds itself alone
throws away what nobody sealed. As long as one of them has lived since a kernel was written, no power cut can have
torn it: so it may be loaded unsealed.
"""

import fcntl
import os
import platform
import shutil
import zlib
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Final

from servers.home import sojourn_home

_KEPT: Final = 4
"""Folders of other versions that stay: an upgrade that is taken back finds its own again."""
_SEAL: Final = "seal"
_VARIABLE: Final = "NUMBA_CACHE_DIR"


def prepare(sources: Sequence[Path], environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Let numba keep what it compiles in a folder of this version, and throw that away where it is damaged.

    To be called before numba is imported, which reads its settings then.

    Parameters
    ----------
    sources : sequence of Path
        The files that hold kernels.
    environment : mapping of str to str
        The process environment; whoever set `NUMBA_CACHE_DIR` keeps it.

    Returns
    -------
    Path or None
        The folder, to be given to `seal` when the process ends; None where numba's own choice stands, or none can
        be made. What was compiled and not sealed, because its process was killed before, is gone from it: nobody can
        tell whether the disk still has what was written. Where another process uses the folder, it stays: that one
        may be compiling it at this moment, and seals it.
    """
    if environment.get(_VARIABLE):
        return None
    kernels = sojourn_home(environment) / "kernels"
    folder = kernels / _version(sources)
    try:
        if not intact(folder):
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        _forget_old(kernels)
        _settle_in(folder)
    except OSError:
        return None
    environment[_VARIABLE] = str(folder)
    return folder


def intact(folder: Path) -> bool:
    """Whether every file that was not written anew since it was sealed is what it was then."""
    sealed = _read_seal(folder)
    for path in _files(folder):
        try:
            state, content = path.stat(), path.read_bytes()
        except OSError:
            return False
        size, written_at, crc = sealed.get(str(path.relative_to(folder)), (0, 0, 0))
        if (size, written_at) == (state.st_size, state.st_mtime_ns) and zlib.crc32(content) != crc:
            return False
    return True


def seal_compiled(environment: Mapping[str, str] = os.environ) -> None:
    """Seal what this process compiled, at once: for whoever runs on for months and may be killed."""
    folder = Path(environment.get(_VARIABLE, ""))
    if folder.parent == sojourn_home(environment) / "kernels":
        seal(folder)


def seal(folder: Path) -> None:
    """Remember what the files are now, after they were loaded or written; a disk that refuses is no error."""
    with suppress(OSError):
        known = _read_seal(folder)
        sealed: dict[str, tuple[int, int, int]] = {}
        for path in _files(folder):
            name, state = str(path.relative_to(folder)), path.stat()
            before = known.get(name, (0, 0, 0))
            same = before[:2] == (state.st_size, state.st_mtime_ns)
            crc = before[2] if same else zlib.crc32(path.read_bytes())
            sealed[name] = (state.st_size, state.st_mtime_ns, crc)
        if sealed == known:
            return
        unfinished = folder / f"{_SEAL}.{os.getpid()}"
        unfinished.write_text("".join(f"{size} {at} {crc} {name}\n" for name, (size, at, crc) in sealed.items()))
        unfinished.replace(folder / _SEAL)


def _version(sources: Sequence[Path]) -> str:
    told = blake2b(digest_size=8)
    told.update(f"{platform.python_version()} {version('numba')} {version('llvmlite')}".encode())
    for path in sorted(sources):
        told.update(path.read_bytes())
    return told.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".nbi", ".nbc"})


def _read_seal(folder: Path) -> Mapping[str, tuple[int, int, int]]:
    """By file: its size, when it was written (ns), and its CRC; empty where the seal is missing or damaged."""
    try:
        lines = (folder / _SEAL).read_text().splitlines()
        fields = [line.split(maxsplit=3) for line in lines]
        return {name: (int(size), int(written_at), int(crc)) for size, written_at, crc, name in fields}
    except (OSError, ValueError):
        return {}


def _settle_in(folder: Path) -> None:
    """Hold the folder for as long as this process lives; if nobody else does, forget what nobody sealed."""
    descriptor = os.open(
        folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    )  # never closed: it ends with the process
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # who lives here may be compiling
    except OSError:  # a file system without locks: nobody can tell, and compiling again is the safe way to be wrong
        os.close(descriptor)
        _forget_unsealed(folder)
        return
    else:
        _forget_unsealed(folder)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def _forget_unsealed(folder: Path) -> None:
    sealed = _read_seal(folder)
    for path in _files(folder):
        state = path.stat()
        if sealed.get(str(path.relative_to(folder)), ())[:2] != (state.st_size, state.st_mtime_ns):
            path.unlink()


def _forget_old(kernels: Path) -> None:
    folders = sorted(kernels.iterdir(), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    for folder in folders[1 + _KEPT :]:
        shutil.rmtree(folder, ignore_errors=True)
