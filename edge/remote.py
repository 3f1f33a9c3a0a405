"""How to listen, told from afar: versioned, checked as a whole, refused when invalid, kept over restarts.

Only what is heard and how can be told from afar. Who an edge is, where its broker is, and its secrets stand in its
own file: whoever may write the config topic must not be able to turn an edge to another broker.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
import structlog

from core.advertisement import Rule
from core.errors import ConfigurationError, SojournError
from edge.files import replace_file
from edge.scanner import Listening
from edge.settings import EdgeSettings, Scanning, Silence, check_rules

CONFIG_BYTES: Final = 65_536
"""The 256 rules that an edge takes need half of it."""

_REASON_CHARACTERS: Final = 500
"""It travels in every status."""

log = structlog.get_logger()


class RemoteConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the config topic says; what it leaves out is as in the edge's own file."""

    version: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    """Counts up; what is not newer than what is in use is passed over."""
    scanning: Scanning | None = None
    silence_s: Silence | None = None
    hear: tuple[Rule, ...] | None = None


class Refused(msgspec.Struct, frozen=True):
    """The latest configuration that was not taken; `version` is None where it could not be read."""

    version: int | None
    reason: str


class RemoteControl:
    """Which configuration is in use.

    Parameters
    ----------
    settings : EdgeSettings
        Holds what is not told from afar.
    kept : Path
        Where the latest valid one is kept.
    on_change : callable
        Called with how to listen after every change, from the thread that brought it.
    """

    def __init__(self, settings: EdgeSettings, kept: Path, on_change: Callable[[Listening], None]) -> None:
        self._settings = settings
        self._kept = kept
        self._on_change = on_change
        self._lock = threading.Lock()
        self._config: RemoteConfig | None = None
        self._refused: Refused | None = None
        self._restore()

    @property
    def listening(self) -> Listening:
        """How to listen now."""
        radio, told = self._settings.radio, self._config
        scanning = told.scanning if told is not None and told.scanning is not None else radio.scanning
        silence_s = told.silence_s if told is not None and told.silence_s is not None else radio.silence_s
        rules = told.hear if told is not None and told.hear is not None else self._settings.hear
        return Listening(scanning, silence_s, rules)

    def status(self) -> dict[str, object]:
        """Return what the edge's status says of it: the version in use (0: its own file) and what was refused."""
        with self._lock:
            said: dict[str, object] = {"version": self._config.version if self._config is not None else 0}
            if self._refused is not None:
                said["refused"] = self._refused
        return said

    def take(self, payload: bytes) -> None:
        """Take a message of the config topic; an empty one changes nothing."""
        if not payload:
            return
        try:
            config = self._read(payload)
        except SojournError as error:
            self._refuse(_version_of(payload), str(error))
            return
        with self._lock:
            if self._config is not None and config.version <= self._config.version:
                if config != self._config and config.version == self._config.version:
                    reason = f"Version {config.version} is in use with other content; count up for a new one."
                    self._refused = Refused(config.version, reason)
                return
            self._config, self._refused = config, None
        self._keep(payload)
        log.info("configuration taken", version=config.version)
        self._on_change(self.listening)

    def _read(self, payload: bytes) -> RemoteConfig:
        if len(payload) > CONFIG_BYTES:
            raise ConfigurationError(f"A configuration has at most {CONFIG_BYTES} bytes, this one {len(payload)}.")
        try:
            config = msgspec.json.decode(payload, type=RemoteConfig)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigurationError(f"The configuration cannot be read: {error}.") from error
        if config.hear is not None:
            check_rules(config.hear, with_keys=self._settings.files.irks is not None)
        return config

    def _refuse(self, version: int | None, reason: str) -> None:
        refused = Refused(version, reason[:_REASON_CHARACTERS])
        with self._lock:
            again = refused == self._refused
            self._refused = refused
        if not again:
            log.error("configuration refused, the one in use stays", version=version, reason=reason)

    def _keep(self, payload: bytes) -> None:
        try:
            replace_file(self._kept, payload)
        except OSError as error:
            log.warning("the configuration is in use but cannot be kept", reason=error.strerror)

    def _restore(self) -> None:
        try:
            payload = self._kept.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("the kept configuration cannot be read", reason=error.strerror)
            return
        try:
            self._config = self._read(payload)
        except SojournError as error:  # the edge's own file may have changed meanwhile
            self._refuse(_version_of(payload), str(error))


class _Version(msgspec.Struct, frozen=True):
    version: int


def _version_of(payload: bytes) -> int | None:
    """Return the version of a configuration that is refused, if it says one."""
    if len(payload) > CONFIG_BYTES:
        return None
    try:
        return msgspec.json.decode(payload, type=_Version).version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
