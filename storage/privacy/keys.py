"""The key of the suppression list and the list's copy outside of the database, both files of one private folder.

A backup of the database that is restored brings back who was erased, and a list that knows nothing of it. So what is
suppressed stands in a file as well, and the file is read when ingest starts.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from core.errors import ConfigurationError, UnavailableError
from core.identity import KEY_BYTES
from core.privacy.suppression import HASH_BYTES, Kind, subject_hash

KEY: Final = "suppression.key"
CREDENTIAL: Final = "sojourn-suppression.key"
"""As systemd's LoadCredential= names it, in $CREDENTIALS_DIRECTORY."""
LIST: Final = "suppressed"
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
_KINDS: Final[tuple[Kind, ...]] = ("profile", "device", "identifier")


class Entry(NamedTuple):
    """A line of the list: what was suppressed, for which time (µs since 1970, None: ever), since when (µs)."""

    kind: Kind
    subject_hash: bytes
    from_us: int | None
    until_us: int | None
    made_us: int


class PrivacyFolder:
    """Key and list of suppression.

    Parameters
    ----------
    folder : Path
        Made with mode 0700 where it does not exist.

    Raises
    ------
    ConfigurationError
        If others may read the folder, or the key does not have KEY_BYTES bytes.
    UnavailableError
        If the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            open_to_others = folder.stat().st_mode & 0o077
            self.key = self._read_key()
        except OSError as error:
            raise UnavailableError(
                f"The privacy folder {folder} cannot be used: {error}.", hint="Give it a folder of its own."
            ) from error
        if open_to_others:
            raise ConfigurationError(
                f"The privacy folder {folder} is open to others.", hint=f"Run: chmod 700 {folder}"
            )
        if len(self.key) != KEY_BYTES:
            raise ConfigurationError(
                f"The suppression key has {len(self.key)} bytes, not {KEY_BYTES}.", hint="Restore it from a copy."
            )

    @property
    def key_check(self) -> bytes:
        """What tells this key from another, and nothing of the key."""
        return subject_hash(self.key, "profile", b"")

    def append(self, entries: Sequence[Entry]) -> None:
        """Add lines to the list, on disk when this returns; lines that are there stay."""
        known = set(self.entries())
        lines = [_line(entry) for entry in entries if entry not in known]
        if not lines:
            return
        begun = not (self.folder / LIST).exists()
        file = os.open(self.folder / LIST, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            held = (self.folder / LIST).read_bytes()
            os.ftruncate(file, held.rfind(b"\n") + 1)  # what a crash cut short
            os.write(file, "".join(lines).encode("ascii"))
            os.fsync(file)
        finally:
            os.close(file)
        if begun:
            _sync(self.folder)

    def entries(self) -> Iterator[Entry]:
        """Yield the list, oldest first; a line that was cut short by a crash is passed over.

        Raises
        ------
        ConfigurationError
            If a whole line cannot be read: the list was changed by hand.
        """
        try:
            text = (self.folder / LIST).read_text("ascii")
        except FileNotFoundError:
            return
        whole, _, _ = text.rpartition("\n")
        for number, line in enumerate(whole.splitlines(), 1):
            yield _entry(line, self.folder / LIST, number)

    def copy_to(self, target: Path) -> int:
        """Write key and list into another folder, on disk when this returns; return how many lines the list has.

        Raises
        ------
        ConfigurationError
            If the copy there has another key, or knows of somebody of whom this list does not: it is the newer one.
        UnavailableError
            If it cannot be written.
        """
        held = list(self.entries())
        try:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            if (target / KEY).exists():
                there = PrivacyFolder(target)
                if there.key != self.key or set(there.entries()) - set(held):
                    raise ConfigurationError(
                        f"What is in {target} is another list, or a newer one.",
                        hint="Was this folder lost and begun anew? Copy the other way; else name another folder.",
                    )
            _put(target / KEY, self.key)
            _put(target / LIST, "".join(map(_line, held)).encode("ascii"))
            _sync(target)
        except OSError as error:
            raise UnavailableError(
                f"The list cannot be copied to {target}: {error}.", hint="Is it mounted?"
            ) from error
        return len(held)

    def _read_key(self) -> bytes:
        given = os.environ.get(CREDENTIALS)
        if given is not None and (Path(given) / CREDENTIAL).is_file():
            return (Path(given) / CREDENTIAL).read_bytes()
        path = self.folder / KEY
        if not path.exists():
            _make(path)
        return path.read_bytes()


def _make(path: Path) -> None:
    """Make a key whole under another name, then link it: nobody sees half a key, the first one wins."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, secrets.token_bytes(KEY_BYTES))
        os.fsync(file)
    finally:
        os.close(file)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    _sync(path.parent)


def _put(path: Path, content: bytes) -> None:
    """Write a file whole, on disk, in the place of what stood there."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    draft.replace(path)


def _sync(folder: Path) -> None:
    """Let a new name in a folder outlast a power cut."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _line(entry: Entry) -> str:
    numbers = ("-" if at is None else str(at) for at in (entry.from_us, entry.until_us, entry.made_us))
    return " ".join((entry.kind, entry.subject_hash.hex(), *numbers)) + "\n"


def _entry(line: str, path: Path, number: int) -> Entry:
    try:
        kind, digest, from_us, until_us, made_us = line.split(" ")
        spans = [None if at == "-" else int(at) for at in (from_us, until_us)]
        entry = Entry(_KINDS[_KINDS.index(kind)], bytes.fromhex(digest), spans[0], spans[1], int(made_us))
        if len(entry.subject_hash) != HASH_BYTES:
            raise ValueError("a hash of another length")
    except ValueError as error:
        raise ConfigurationError(
            f"Line {number} of {path} is not one of the suppression list: {error}.", hint="Restore it from a copy."
        ) from error
    return entry
