"""Identity in, pseudonym out: the keys of an edge, and who has consented.

Keys live in a private folder that the agents of one store share. A device that has not consented gets a pseudonym
under the key of the UTC day of its signal; that key is destroyed a quarter of an hour after the day, and with it any
way to link that day. A device in the consented set keeps its pseudonym under the stable key.
"""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from core.addresses import is_randomised
from core.errors import ConfigurationError, UnavailableError
from core.identity import KEY_BYTES, pseudonym
from core.limits import NS_PER_S, PSEUDONYM_BYTES
from edge.clock import Clock

CACHED_DEVICES: Final = 65_536
"""Pseudonyms kept at hand: a large store's devices of a day, 10 MB. When full it is emptied: 2 us a device again."""
_DAY_S: Final = 86_400
LATE_S: Final = 900
"""So long after midnight yesterday's key is still there: what was heard last is hashed within seconds, clocks of an
edge's gateways are some minutes off at worst, and what waits in an outbox has its pseudonym already."""
_CONSENTED: Final = "consented"
_RENAMED: Final = "renamed"
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
_CREDENTIAL: Final = "sojourn-"

log = structlog.get_logger()


class Renamed(NamedTuple):
    """What a device of a customer who consented was called under one stable key, and is under a newer one."""

    before_version: int
    version: int
    before: bytes
    now: bytes


class KeyRing:
    """Secret keys in files that only their owner can read.

    `stable-N.key` has the version N; the highest is the one in use, older ones are still recognised. It may come as
    systemd's credential `sojourn-stable-N.key` instead (LoadCredential=), in $CREDENTIALS_DIRECTORY.
    `day-YYYY-MM-DD.key` is of one UTC day. Whoever needs a key first makes it; all others read that one.

    Parameters
    ----------
    folder : Path
        Made with mode 0700 where it does not exist.

    Raises
    ------
    ConfigurationError
        If others may read the folder or a key does not have KEY_BYTES bytes.
    UnavailableError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            open_to_others = folder.stat().st_mode & 0o077
        except OSError as error:
            raise UnavailableError(
                f"The key folder {folder} cannot be used: {error}.", hint="Give the edge a folder of its own."
            ) from error
        if open_to_others:
            raise ConfigurationError(
                f"The key folder {folder} can be read by others.", hint=f"Run: chmod 700 {folder}"
            )

    def stable(self) -> list[bytes]:
        """Return the stable keys, the one in use first."""
        return list(self.versions().values())

    def versions(self) -> dict[int, bytes]:
        """Return the stable keys by version, the one in use first; makes the first one where there is none."""
        found = {int(path.stem.removeprefix("stable-")): path for path in self.folder.glob("stable-*.key")}
        given = Path(os.environ.get(_CREDENTIALS, self.folder))
        found |= {int(path.stem.removeprefix(f"{_CREDENTIAL}stable-")): path
                  for path in given.glob(f"{_CREDENTIAL}stable-*.key")}  # fmt: skip
        if not found:
            found = {1: self.folder / "stable-1.key"}
        return {version: self._key(found[version]) for version in sorted(found, reverse=True)}

    def rotate(self) -> int:
        """Make a new stable key and return its version; agents take it into use within a second.

        What is linked under older ones still holds: see `Pseudonyms.of` and storage.identity.relinking.
        """
        version = 1 + max(self.versions())
        self._key(self.folder / f"stable-{version}.key")
        with suppress(FileNotFoundError):
            os.utime(self.folder / _CONSENTED)  # what agents look at
        return version

    def retire(self, version: int) -> bool:
        """Destroy a stable key that is not the one in use; False if there is no such file here."""
        path = self.folder / f"stable-{version}.key"
        if version == max(self.versions()) or not path.exists():
            return False
        _destroy(path)
        _sync(self.folder)
        return True

    def of_day(self, day: int) -> bytes:
        """Return the key of a UTC day, given as days since 1970."""
        return self._key(self.folder / _day_file(day))

    def destroy_before(self, day: int) -> int:
        """Overwrite and remove the keys of all earlier days; return how many there were."""
        first = _day_file(day)
        destroyed = 0
        for path in sorted(self.folder.glob("day-*.key")):
            if path.name >= first:
                continue
            try:
                _destroy(path)
            except FileNotFoundError:
                continue  # another agent was first
            destroyed += 1
        if destroyed:
            _sync(self.folder)
        return destroyed

    def _key(self, path: Path) -> bytes:
        try:
            try:
                key = path.read_bytes()
            except FileNotFoundError:
                key = self._make(path)
        except OSError as error:
            raise UnavailableError(
                f"The key {path} cannot be read or made: {error}.", hint="Mend the folder or its disk."
            ) from error
        if len(key) != KEY_BYTES:
            raise ConfigurationError(
                f"The key {path} has {len(key)} bytes, not {KEY_BYTES}.", hint="Restore it from a copy or remove it."
            )
        return key

    def _make(self, path: Path) -> bytes:
        """Make a key whole under another name, then link it: a reader never sees half a key, the first one wins."""
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
        _sync(self.folder)
        return path.read_bytes()


class Pseudonyms:
    """Turns identities into pseudonyms and forgets the identities.

    Parameters
    ----------
    keys : KeyRing
    clock : Clock
        Says which day it is; the key of yesterday is destroyed LATE_S after midnight, older ones at once.
    """

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        self.too_old = 0
        """Signals without a pseudonym because the key of their day is destroyed or does not exist yet."""
        self._keys = keys
        self._clock = clock
        self._stable = keys.versions()
        self._renamed: dict[bytes, Renamed] = {}
        self._told: set[bytes] = {one.before for one in read_renamed(keys.folder)}
        self._consented: frozenset[bytes] = frozenset()
        self._consented_seen = -1
        self._day_keys: dict[int, bytes] = {}
        self._cache: dict[tuple[int, bytes], bytes] = {}
        self._today = self._oldest = -1
        self.refresh()

    def refresh(self) -> None:
        """Notice a new day and a changed consented set; cheap enough for once a second."""
        today, since_ns = divmod(self._clock.now_ns(), _DAY_S * NS_PER_S)
        oldest = today - (since_ns < LATE_S * NS_PER_S)
        if (today, oldest) != (self._today, self._oldest):
            self._today, self._oldest = today, oldest
            self._day_keys = {day: key for day, key in self._day_keys.items() if day >= oldest}
            self._cache.clear()
            destroyed = self._keys.destroy_before(oldest)
            if destroyed:
                log.info("keys of past days destroyed", keys=destroyed)
        if self._renamed:
            self._tell_renamed()
        try:
            changed = (self._keys.folder / _CONSENTED).stat().st_mtime_ns
        except FileNotFoundError:
            changed = 0
        if changed != self._consented_seen:
            self._consented_seen = changed
            self._cache.clear()
            try:
                self._consented = read_consented(self._keys.folder)
                self._stable = self._keys.versions()
            except ConfigurationError as error:  # in doubt nobody has consented
                self._consented = frozenset()
                log.error("consent cannot be read, nobody is recognised", reason=str(error))  # noqa: TRY400

    def _tell_renamed(self) -> None:
        """Write down what customers' devices are called under the key in use; nothing of strangers."""
        lines = [
            f"{one.before_version} {one.version} {one.before.hex()} {one.now.hex()}\n"
            for one in self._renamed.values()
        ]
        path = self._keys.folder / _RENAMED
        path.touch(mode=0o600, exist_ok=True)
        with path.open("a", encoding="ascii") as file:
            file.write("".join(lines))
        self._told |= self._renamed.keys()
        self._renamed.clear()

    def of(self, identity: bytes, day: int) -> bytes | None:
        """Return the pseudonym of a device on a UTC day (days since 1970).

        Returns
        -------
        bytes or None
            PSEUDONYM_BYTES bytes; None if the day is neither today nor tomorrow, nor yesterday until LATE_S after
            midnight, and the device has not consented: a key of such a day must not be made again.
        """
        known = self._cache.get((day, identity))
        if known is not None:
            return known
        made = self._make(identity, day)
        if made is not None:
            if len(self._cache) >= CACHED_DEVICES:
                self._cache.clear()
            self._cache[day, identity] = made
        return made

    def _make(self, identity: bytes, day: int) -> bytes | None:
        if self._consented and not is_randomised(identity):
            newest, *_ = self._stable.items()
            for version, key in self._stable.items():
                stable = pseudonym(identity, key)
                if stable in self._consented:
                    if version != newest[0] and stable not in self._told:
                        self._renamed[stable] = Renamed(version, newest[0], stable, pseudonym(identity, newest[1]))
                    return stable
        if not self._oldest <= day <= self._today + 1:
            return None
        if day not in self._day_keys:
            self._day_keys[day] = self._keys.of_day(day)
        return pseudonym(identity, self._day_keys[day])


def read_consented(folder: Path) -> frozenset[bytes]:
    """Return the stable pseudonyms of consented devices that stand in a key folder; none if there is no list.

    Raises
    ------
    ConfigurationError
        If a line is not a pseudonym.
    """
    try:
        lines = (folder / _CONSENTED).read_text("ascii").split()
        consented = frozenset(bytes.fromhex(line) for line in lines)
    except FileNotFoundError:
        return frozenset()
    except ValueError as error:
        raise ConfigurationError(
            f"The list of consented devices in {folder} is damaged: {error}.", hint="Write it again."
        ) from error
    if any(len(device) != PSEUDONYM_BYTES for device in consented):
        raise ConfigurationError(
            f"The list of consented devices in {folder} holds something else than pseudonyms.",
            hint=f"One pseudonym a line, {2 * PSEUDONYM_BYTES} hexadecimal digits.",
        )
    return consented


def write_consented(folder: Path, devices: Iterable[bytes]) -> None:
    """Replace the list of consented devices (stable pseudonyms) in one step; agents notice within a second."""
    draft = folder / f".{_CONSENTED}.{secrets.token_hex(8)}"
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text("".join(f"{device.hex()}\n" for device in sorted(devices)), "ascii")
    draft.replace(folder / _CONSENTED)
    _sync(folder)


def _destroy(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def read_renamed(folder: Path) -> list[Renamed]:
    """Return which devices are called anew since a rotation, as far as they were heard.

    Raises
    ------
    ConfigurationError
        If a line is none.
    """
    try:
        lines = (folder / _RENAMED).read_text("ascii").splitlines()
        return [_renamed(line) for line in lines]
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise ConfigurationError(
            f"The list of renamed devices in {folder} is damaged: {error}.",
            hint="Remove it; devices are heard again.",
        ) from error


def _renamed(line: str) -> Renamed:
    before_version, version, before, now = line.split(" ")
    return Renamed(int(before_version), int(version), bytes.fromhex(before), bytes.fromhex(now))


def _day_file(day: int) -> str:
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return f"day-{date:%Y-%m-%d}.key"


def _sync(folder: Path) -> None:
    """Make new and removed names in a folder survive a power cut."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
