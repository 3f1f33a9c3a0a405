"""Passwords: what may be one, and whether one is right, by argon2id.

Parameters are argon2-cffi's, which are RFC 9106's second choice: 64 MiB, three passes, four lanes, some 50 ms. Two at
a time, so that a flood of logins fills neither memory nor cores; who comes later waits.
"""

from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import InputError

LEAST: Final = 12
"""Characters; a sentence is easier to keep than a riddle. OWASP ASVS 5 asks for eight and recommends fifteen."""
MOST: Final = 256
_GUESSES_LOG10: Final = 10
"""zxcvbn's own bound for a password that holds against somebody who has the hashes, where they are slow."""
_LOOKED_AT: Final = 72
"""Characters that zxcvbn takes; what follows only adds to them."""
_AT_ONCE: Final = BoundedSemaphore(2)
_HASHER: Final = PasswordHasher()
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$c29qb3VybnNvam91cm4$Uc0LDDYxAH3DL5gYRKSNHFHTFYJBMZYPGAHVDbNBJ4I"
"""Looked at where there is no such account, so that a name that is not there takes as long as one that is."""


def check_new(password: str, *, name: str) -> None:
    """Refuse what is no good password.

    Raises
    ------
    InputError
        If it is too short or too long, says the login name or the product's, or is one of those that are guessed
        first: what leaked often, words, names, dates, rows of keys, and what repeats itself.
    """
    if not LEAST <= len(password) <= MOST:
        raise InputError(
            f"A password has {LEAST} to {MOST} characters.", hint="A sentence of four words is a good one."
        )
    from zxcvbn import zxcvbn  # noqa: PLC0415 - its lists of words take a tenth of a second to load

    plain = password.lower()
    guessed = zxcvbn(password[:_LOOKED_AT], user_inputs=[name, "sojourn"])["guesses_log10"] < _GUESSES_LOG10
    if guessed or name.lower() in plain or "sojourn" in plain:
        raise InputError(
            "This password would be guessed.",
            hint="Take four words that only you put together, without your name and the product's.",
        )


def hashed(password: str) -> str:
    """Return what a password is kept by."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def right(password: str, kept: str | None) -> bool:
    """Return whether a password is the one that is kept; takes as long where there is none."""
    with _AT_ONCE:
        try:
            _HASHER.verify(kept if kept is not None else _NOBODY, password[:MOST])
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def outdated(kept: str) -> bool:
    """Return whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)
