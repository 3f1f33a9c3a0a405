"""Where an archive is: a folder or a bucket. A write is whole or not there, whoever is killed when.

In a folder, files and folders are their owner's alone, whatever the umask: signals of everybody are in them.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from core.errors import ConfigurationError, UnavailableError

_DRAFT: Final = "#"
"""In the name of what is being written; obstore, which wrote folders before, names its drafts so too."""
_PIECE: Final = 1 << 20
_HINT: Final = "Is it there, and are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT right?"


class Place:
    """A folder, or s3://bucket/prefix with the credentials of the environment (AWS_…).

    Parameters
    ----------
    target : str
        As a person writes it.
    make : bool
        Make the folder where it does not exist; whoever only reads would take a slip of the pen for an empty archive.

    Raises
    ------
    ConfigurationError
        If it is neither, or the folder is not there or cannot be made.
    """

    def __init__(self, target: str, *, make: bool = False) -> None:
        self.target = target if "://" in target else str(Path(target).absolute())
        self._folder = None if "://" in target else Path(self.target)
        self._store = self._open(make=make)

    def _open(self, *, make: bool) -> ObjectStore:
        try:
            if self._folder is not None:
                if make:
                    _make(self._folder)
                elif not self._folder.is_dir():
                    raise ConfigurationError(
                        f"There is no archive at {self.target}.",
                        hint="Is it spelled right, and mounted on this machine? `sojourn archive --to` makes one.",
                    )
                return LocalStore(self._folder)
            if not self.target.startswith("s3://") or not urlsplit(self.target).netloc:
                raise ConfigurationError(
                    f"{self.target!r} is no place for an archive.", hint="A folder, or s3://bucket/prefix."
                )
            plain = os.environ.get("AWS_ENDPOINT", "").startswith("http://")
            return from_url(self.target, client_options={"allow_http": plain, "timeout": "60s"})
        except (OSError, BaseError) as error:
            raise ConfigurationError(f"{self.target!r} cannot be used: {_first_line(error)}.", hint=_HINT) from error

    def write(self, path: str, content: bytes | Path) -> None:
        """Put a file there: under its name stands all of it, or what stood before.

        Raises
        ------
        UnavailableError
            If it cannot be written.
        """
        try:
            if self._folder is not None:
                _write(self._folder / path, content)
            else:
                self._store.put(path, content)  # atomic
        except (OSError, BaseError) as error:
            raise UnavailableError(f"{path} cannot be written to {self.target}.", hint=_HINT) from error

    def read(self, path: str) -> bytes | None:
        """Return what stands under a name; None if nothing does.

        Raises
        ------
        UnavailableError
            If it cannot be read.
        """
        try:
            return bytes(self._store.get(path).bytes())
        except FileNotFoundError:
            return None
        except (OSError, BaseError) as error:
            raise UnavailableError(f"{path} cannot be read from {self.target}.", hint=_HINT) from error

    def fetch(self, path: str, into: Path) -> bool:
        """Copy what stands under a name into a file, a piece at a time; False if nothing does.

        Raises
        ------
        UnavailableError
            If it cannot be read.
        """
        try:
            with into.open("wb") as file:
                for piece in self._store.get(path):
                    file.write(piece)
        except FileNotFoundError:
            return False
        except (OSError, BaseError) as error:
            raise UnavailableError(f"{path} cannot be read from {self.target}.", hint=_HINT) from error
        return True

    def size(self, path: str) -> int | None:
        """Return how many bytes stand under a name; None if nothing does.

        Raises
        ------
        UnavailableError
            If it cannot be told.
        """
        try:
            return int(self._store.head(path)["size"])
        except FileNotFoundError:
            return None
        except (OSError, BaseError) as error:
            raise UnavailableError(f"{path} cannot be read from {self.target}.", hint=_HINT) from error

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names below a prefix, which is whole folders; of drafts that were never finished, too.

        Raises
        ------
        UnavailableError
            If they cannot be listed.
        """
        try:
            if self._folder is not None:
                # obstore's own list is silent about drafts
                for folder, _, files in os.walk(self._folder / prefix, onerror=_raise):
                    yield from (Path(folder, file).relative_to(self._folder).as_posix() for file in files)
                return
            for page in self._store.list(prefix or None):
                yield from (str(found["path"]) for found in page)
        except (OSError, BaseError) as error:
            raise UnavailableError(f"{self.target} cannot be listed.", hint=_HINT) from error

    def remove(self, path: str) -> None:
        """Take a file away; one that is not there is no fault.

        Raises
        ------
        UnavailableError
            If it cannot be removed.
        """
        try:
            if self._folder is None:
                self._store.delete(path)
                return
            (self._folder / path).unlink(missing_ok=True)
            with suppress(OSError):  # others are in it
                (self._folder / path).parent.rmdir()
        except FileNotFoundError:
            return
        except (OSError, BaseError) as error:
            raise UnavailableError(f"{path} cannot be removed from {self.target}.", hint=_HINT) from error

    def close_to_others(self, path: str) -> None:
        """Take from others the right to read a file and its folders, which earlier versions left to the umask."""
        if self._folder is None:
            return
        file = self._folder / path
        with suppress(OSError):  # somebody else's: whoever gave us theirs knows who reads it
            for one, mode in ((file, 0o600), *((folder, 0o700) for folder in list(file.parents)[:2])):
                if one.stat().st_mode & 0o077:
                    one.chmod(mode)


def is_draft(name: str) -> bool:
    """Whether a name is that of a file that is being written, or that a killed process left half written."""
    return _DRAFT in name.rsplit("/", 1)[-1]


def _write(path: Path, content: bytes | Path) -> None:
    """Write under another name and rename; a power cut finds the file: the log that it copies may go next."""
    _make(path.parent)
    draft = path.with_name(f"{path.name}{_DRAFT}{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            if isinstance(content, Path):
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file, _PIECE)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def _first_line(error: Exception) -> str:
    """Return what an error says first; after it obstore prints how it is made up."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(". ")


def _make(folder: Path) -> None:
    """Make a folder and what is missing above it, each its owner's alone and on disk."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        _sync(one.parent)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a store without a folder has nothing
        raise error
