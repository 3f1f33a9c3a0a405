"""Passwords as mosquitto keeps them."""

import hashlib
import secrets
from base64 import b64encode
from typing import Final

_ITERATIONS: Final = 101
"""mosquitto's own number. It counts for little: these passwords are drawn, 192 bits each, not thought of."""
_SALT_BYTES: Final = 12
_DRAWN_BYTES: Final = 24


def drawn_password() -> str:
    """Return a new password, 192 bits in 32 characters that a URL takes as they are."""
    return secrets.token_urlsafe(_DRAWN_BYTES)


def mosquitto_hash(password: str) -> str:
    """Return the second field of a line of mosquitto's password_file: PBKDF2-SHA512, as mosquitto_passwd does."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${b64encode(salt).decode()}${b64encode(digest).decode()}"
