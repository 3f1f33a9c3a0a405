"""Damage, seeded: what a fixed run does in the place of a fuzzer, the same inputs every time.

Damaged bytes of JSON are mostly refused for their first broken bracket. So JSON is also told wrongly: it stays JSON,
and values are others, elsewhere, away or there twice.
"""

import copy
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

_TELLING: Final = (
    b"",
    b"\x00",
    b"\xff",
    b"\x80",
    b"\x7f",
    b"-1",
    b"9" * 20,
    b"1e999",
    b"nan",
    b'"',
    b"\n",
    b"\r",
    b"{",
)
"""Values at the bounds of types, and what begins or ends something in one of the formats."""

_VALUES: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 65536, 2**63, 2**64, 1.5, 1e308, float("nan"), float("inf"), "", "0", "nan", "\x00", "\ud800",
    "\u0660", "a" * 4000, "ff" * 40, "AA:BB:CC:DD:EE:FF", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
    [], {}, [[None]],
)  # fmt: skip
"""At the bounds of types, and of what text may mean."""


def told_wrongly(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield so many inputs, each sound JSON with one to four values that do not belong there; none without JSON."""
    rng = random.Random(seed)
    sound = []
    for data in seeds:
        with suppress(ValueError):
            sound.append(json.loads(data))
    for _ in range(count if sound else 0):
        yield _spelled(_turned(copy.deepcopy(rng.choice(sound)), rng))


def turned(data: bytes, seed: int) -> bytes | None:
    """Return the same JSON with one to four wrong values; None if it is no JSON."""
    try:
        return _spelled(_turned(json.loads(data), random.Random(seed)))
    except (ValueError, RecursionError):
        return None


def _spelled(value: Any) -> bytes:
    return json.dumps(value).encode()


def _turned(value: Any, rng: random.Random) -> Any:
    for _ in range(rng.randint(1, 4)):
        places = _places(value)
        if not places:
            return copy.deepcopy(rng.choice(_VALUES))
        of, key = rng.choice(places)
        donor, other = rng.choice(places)
        what = rng.randrange(5)
        if what == 0:
            del of[key]
        elif what == 1:
            of[key] = copy.deepcopy(donor[other])
        elif what == 2 and isinstance(of, list):
            of.insert(rng.randrange(len(of) + 1), copy.deepcopy(of[key]))
        elif what == 3 and isinstance(of[key], str):
            letters = bytearray(of[key].encode(errors="replace"))
            _damage(letters, rng)
            of[key] = letters.decode(errors="replace")
        else:
            of[key] = copy.deepcopy(rng.choice(_VALUES))
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, (dict, list)):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            found += [(value, key), *_places(inner)]
    return found


def damaged(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield so many inputs, each a sound one with one to four faults."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            _damage(data, rng)
        yield bytes(data)


def _damage(data: bytearray, rng: random.Random) -> None:
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    end = min(end, at + rng.choice((1, 4, 40)))
    what = rng.randrange(6)
    if what == 0 and data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif what == 1:
        data[at:end] = b""
    elif what == 2:
        data[at:end] = rng.choice(_TELLING)
    elif what == 3:
        data[at:at] = data[at:end] * rng.randint(1, 3)
    elif what == 4:
        del data[at:]
    else:
        data[at:end] = rng.randbytes(end - at)
