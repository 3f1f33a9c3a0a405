"""Chance for a chain: the same numbers on every machine, and any of them without those before it.

Words come from SplitMix64 (Steele, Lea, Flood, Fast splittable pseudorandom number generators, OOPSLA 2014), which is
a mixed counter. What is made of them uses only what IEEE 754 rounds the same everywhere: + - * / and square roots,
one operation after another. Logarithms, exponentials and sines of the C library differ between machines and stand
in no formula here; `ln` and `exp` are series of their own.
"""

from hashlib import blake2b
from math import floor, ldexp, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

_MASK: Final = 2**64 - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
_LN_2: Final = 0.6931471805599453
_SQRT_HALF: Final = 0.7071067811865476
_NORMAL_MEAN: Final = 8 * 65_535 / 2
_NORMAL_SD: Final = sqrt(8 * (65_536**2 - 1) / 12)
"""A normal is the sum of eight 16-bit numbers (Irwin-Hall): within 4.9 standard deviations, excess kurtosis -0.15."""


class Draws:
    """A stream of chance that is named by a seed and a path.

    Parameters
    ----------
    seed : int
    path : int or str
        Whose chance it is: equal paths give equal streams, different ones have nothing to do with each other.
    """

    def __init__(self, seed: int, *path: int | str) -> None:
        name = "/".join(map(str, (seed, *path))).encode()
        self._key = int.from_bytes(blake2b(name, digest_size=8, person=b"sojourn-chain").digest(), "little")
        self._count = 0

    def word(self) -> int:
        """Return the next 64 bits."""
        self._count += 1
        mixed = (self._key + self._count * _GOLDEN) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * _MIX_1) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * _MIX_2) & _MASK
        return mixed ^ (mixed >> 31)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return a number from `low` to just below `high`."""
        return low + (high - low) * ((self.word() >> 11) * 2.0**-53)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.uniform() < probability

    def below(self, count: int) -> int:
        """Return a whole number from 0 to `count` - 1."""
        return (self.word() * count) >> 64

    def normal(self) -> float:
        """Return a number of mean 0 and standard deviation 1."""
        total = 0
        for _ in range(2):
            word = self.word()
            total += (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
        return (total - _NORMAL_MEAN) / _NORMAL_SD

    def log_normal(self, median: float, sigma: float) -> float:
        """Return a number whose logarithm is normal around that of `median`."""
        return median * exp(sigma * self.normal())

    def exponential(self, mean: float) -> float:
        """Return a waiting time."""
        return -mean * float(ln(np.float64(1.0 - self.uniform())))

    def direction(self) -> tuple[float, float]:
        """Return a unit vector, every direction as likely: a point of the disc, put on its edge."""
        while True:
            x, y = self.uniform(-1, 1), self.uniform(-1, 1)
            square = x * x + y * y
            if 0.01 < square <= 1:
                length = sqrt(square)
                return x / length, y / length

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return the next `count` words, the same as one at a time, shape (count,)."""
        first = self._count + 1
        self._count += count
        return self._mixed(np.arange(first, first + count, dtype=np.uint64))

    def words_at(self, places: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the words at these places (from 0) of the stream, which stays where it is."""
        return self._mixed(places.astype(np.uint64) + np.uint64(1))

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """Return numbers from 0 to just below 1, shape (count,)."""
        return as_uniforms(self.words(count))

    def normals(self, count: int) -> NDArray[np.float64]:
        """Return numbers of mean 0 and standard deviation 1, shape (count,)."""
        parts = self.words(2 * count).view(np.uint16).reshape(count, 8)
        total = parts.sum(axis=1, dtype=np.int64)  # whole numbers: in any order the same
        drawn: NDArray[np.float64] = (total - _NORMAL_MEAN) / _NORMAL_SD
        return drawn

    def _mixed(self, counts: NDArray[np.uint64]) -> NDArray[np.uint64]:
        mixed = counts * np.uint64(_GOLDEN) + np.uint64(self._key)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MIX_1)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX_2)
        whole: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
        return whole


def as_uniforms(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers from 0 to just below 1 for words."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def ln(x: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """Return the natural logarithm of positive numbers to about 1e-14: 2 artanh((m-1)/(m+1)) of the mantissa m."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < _SQRT_HALF
    mantissa = np.where(small, 2 * mantissa, mantissa)
    exponent = exponent - small
    ratio = (mantissa - 1) / (mantissa + 1)  # within 0.172, so nine terms are enough
    square = ratio * ratio
    series = np.full_like(square, 1 / 19)
    for odd in (17, 15, 13, 11, 9, 7, 5, 3, 1):
        series = series * square + 1 / odd
    return np.asarray(exponent * _LN_2 + 2 * ratio * series)


def exp(x: float) -> float:
    """Return e to the power of x to about 1e-15: Taylor's series within half a power of two."""
    doublings = floor(x / _LN_2 + 0.5)
    rest = x - doublings * _LN_2
    series = 1.0
    for term in range(14, 0, -1):
        series = 1.0 + series * rest / term
    return ldexp(series, doublings)
