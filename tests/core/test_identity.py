from hashlib import blake2b

import pytest

from core.errors import ConfigurationError
from core.identity import pseudonym


def test_the_same_identity_and_key_give_the_same_16_bytes() -> None:
    key = bytes(range(32))
    assert pseudonym(b"\xaa\xbb\xcc\xdd\xee\xff", key) == pseudonym(b"\xaa\xbb\xcc\xdd\xee\xff", key)
    assert len(pseudonym(b"", key)) == 16


def test_another_key_or_identity_gives_another_pseudonym() -> None:
    key, other = bytes(32), bytes(31) + b"\x01"
    assert len({pseudonym(b"a", key), pseudonym(b"b", key), pseudonym(b"a", other)}) == 3


def test_the_hash_is_keyed_blake2b_with_our_personalisation() -> None:
    # computed by hashlib from the words of RFC 7693, not by our function
    key = b"k" * 32
    assert pseudonym(b"x", key) == blake2b(b"x", digest_size=16, key=key, person=b"sojourn-device").digest()


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes"):
        pseudonym(b"x", bytes(size))
