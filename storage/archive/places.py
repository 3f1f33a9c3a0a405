"""Where an archive is: a folder or a bucket. A write is whole or not there, whoever is killed when."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from core.errors import ConfigurationError, UnavailableError

_HINT: Final = "Is it there, and are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT right?"


class Place:
    """A folder, or s3://bucket/prefix with the credentials of the environment (AWS_…).

    Parameters
    ----------
    target : str
        As a person writes it.

    Raises
    ------
    ConfigurationError
        If it is neither, or the folder cannot be made.
    """

    def __init__(self, target: str) -> None:
        self.target = target if "://" in target else str(Path(target).absolute())
        self._folder = None if "://" in target else Path(self.target)
        self._store = self._open()

    def _open(self) -> ObjectStore:
        try:
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
                return LocalStore(self._folder)
            if not self.target.startswith("s3://"):
                raise ConfigurationError(
                    f"{self.target!r} is no place for an archive.", hint="A folder, or s3://bucket/prefix."
                )
            plain = os.environ.get("AWS_ENDPOINT", "").startswith("http://")
            return from_url(self.target, client_options={"allow_http": plain, "timeout": "60s"})
        except (OSError, BaseError) as error:
            raise ConfigurationError(f"{self.target!r} cannot be used: {error}", hint=_HINT) from error

    def write(self, path: str, content: bytes | Path) -> None:
        """Put a file there: under its name stands all of it, or what stood before.

        Raises
        ------
        UnavailableError
            If it cannot be written.
        """
        try:
            self._store.put(path, content)  # a folder: written under another name and renamed; S3: put is atomic
            if self._folder is not None:
                _sync(self._folder / path)
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

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names below a prefix, which is whole folders.

        Raises
        ------
        UnavailableError
            If they cannot be listed.
        """
        try:
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
            self._store.delete(path)
        except FileNotFoundError:
            return
        except (OSError, BaseError) as error:
            raise UnavailableError(f"{path} cannot be removed from {self.target}.", hint=_HINT) from error


def _sync(path: Path) -> None:
    """Let a power cut find the file under its name: the log that it is a copy of may be dropped next."""
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
