"""Who was erased, known by keyed hashes alone: whoever has the list and not its key learns nobody from it."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from core.identity import KEY_BYTES

HASH_BYTES: Final = 32
EVER_NS: Final = 2**62
"""Beyond the times that a batch can hold, in both directions of time."""
CACHED_DEVICES: Final = 65_536
"""Answers kept at hand: a large store's devices of a day. When full it is emptied: 2 us a device again."""
_PERSON: Final = b"sojourn-suppress"  # 16 bytes; separates these hashes from any other use of a key

Kind: TypeAlias = Literal["profile", "device", "identifier"]


class Span(NamedTuple):
    """Signals of `from_ns` <= t < `until_ns` are those of somebody who was erased."""

    from_ns: int = -EVER_NS
    until_ns: int = EVER_NS


class Spans(Protocol):
    """Tells of a pseudonym in which spans of time it was that of somebody who is to be erased, or was."""

    def __call__(self, pseudonym: bytes) -> tuple[Span, ...]: ...  # noqa: D102


def subject_hash(key: bytes, kind: Kind, value: bytes) -> bytes:
    """Return the keyed hash (BLAKE2b-256, RFC 7693) of a profile's id, a pseudonym or `kind of identifier NUL value`.

    Raises
    ------
    ConfigurationError
        If the key does not have KEY_BYTES bytes.
    """
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"A suppression key has {KEY_BYTES} bytes, this one {len(key)}.")
    return blake2b(kind.encode() + b"\0" + value, digest_size=HASH_BYTES, key=key, person=_PERSON).digest()


def identifier_bytes(kind: str, value: str) -> bytes:
    """Return an identifier as `subject_hash` takes it."""
    return f"{kind}\0{value}".encode()


class Suppressed:
    """The devices of everybody who was erased, as signals meet them.

    Parameters
    ----------
    key : bytes
        KEY_BYTES secret bytes.
    devices : mapping
        Spans by the keyed hash of a device.
    """

    def __init__(self, key: bytes, devices: Mapping[bytes, tuple[Span, ...]]) -> None:
        self._key = key
        self._devices = devices
        self._known: dict[bytes, tuple[Span, ...]] = {}

    def __call__(self, pseudonym: bytes) -> tuple[Span, ...]:
        """Return the spans of a pseudonym, none for a device of nobody who was erased."""
        if not self._devices:
            return ()
        known = self._known.get(pseudonym)
        if known is None:
            known = self._devices.get(subject_hash(self._key, "device", pseudonym), ())
            if len(self._known) >= CACHED_DEVICES:
                self._known.clear()
            self._known[pseudonym] = known
        return known

    def erased(self, pseudonyms: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Tell which pseudonyms (uint8, shape (k, PSEUDONYM_BYTES)) are suppressed now, with no end to it."""
        return np.array([self.now(row.tobytes()) for row in pseudonyms], np.bool_)

    def now(self, pseudonym: bytes) -> bool:
        """Say whether a pseudonym is suppressed now, with no end to it."""
        return any(span.until_ns >= EVER_NS for span in self(pseudonym))


class KeptOut:
    """Whose signals are not logged: people who were erased, and devices whose customer's consent does not hold now.

    Parameters
    ----------
    suppressed : Suppressed or None
        None where nobody was ever erased.
    withdrawn : frozenset of bytes
        Pseudonyms; all of their signals that come now are kept out.
    """

    def __init__(self, suppressed: Suppressed | None, withdrawn: frozenset[bytes]) -> None:
        self._suppressed = suppressed
        self._withdrawn = withdrawn

    def __call__(self, pseudonym: bytes) -> tuple[Span, ...]:
        """Return the spans of a pseudonym; none for one whose signals are logged."""
        if pseudonym in self._withdrawn:
            return (Span(),)
        return self._suppressed(pseudonym) if self._suppressed is not None else ()

    def now(self, pseudonyms: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Tell which pseudonyms (uint8, shape (k, PSEUDONYM_BYTES)) an engine has to forget."""
        return np.array(
            [any(span.until_ns >= EVER_NS for span in self(row.tobytes())) for row in pseudonyms], np.bool_
        )
