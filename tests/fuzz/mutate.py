"""Damage, seeded: what a fixed run does in the place of a fuzzer, the same inputs every time."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

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
