"""Chance that is the same everywhere: its first numbers are known, one at a time and many at once agree."""

import math

import numpy as np

from simulators.chain.draws import Draws, exp, ln


def test_words_are_those_of_splitmix64() -> None:
    draws = Draws(0)
    draws._key = 0
    # the first outputs of the reference program (prng.di.unimi.it/splitmix64.c) for the state 0
    assert [draws.word() for _ in range(3)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_one_at_a_time_many_at_once_and_by_place_agree() -> None:
    one, many = Draws(7, "a", 1), Draws(7, "a", 1)
    words = [one.word() for _ in range(6)]
    assert many.words_at(np.arange(6)).tolist() == words
    assert many.words(6).tolist() == words
    assert one.normal() == many.normals(1)[0]
    assert one.uniform() == many.uniforms(1)[0]
    assert Draws(7, "a", 1).word() != Draws(7, "a1").word()


def test_normals_are_normal() -> None:
    drawn = Draws(3).normals(100_000)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs(np.mean(np.abs(drawn) < 1) - 0.683) < 0.01


def test_series_agree_with_the_library() -> None:
    numbers = np.array([1e-12, 0.3, 0.5**0.5, 1.0, 2.0, 3.7, 1e9])
    np.testing.assert_allclose(ln(numbers), np.log(numbers), rtol=1e-14, atol=1e-15)
    for number in (-20.0, -0.1, 0.0, 0.5, 3.0, 20.0):
        assert math.isclose(exp(number), math.exp(number), rel_tol=1e-14)
