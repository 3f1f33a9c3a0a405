"""Files of an edge: secrets that nobody else may read, and files that are replaced in one step."""

import os
import secrets
from pathlib import Path
from typing import Final

from core.errors import ConfigurationError, UnavailableError

_SECRET_BYTES: Final = 262_144


def read_private(path: Path, what: str) -> bytes:
    """Return the content of a file of secrets.

    Raises
    ------
    ConfigurationError
        If others may read it, or it is far too long.
    UnavailableError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            open_to_others = os.fstat(file.fileno()).st_mode & 0o077
            content = file.read(_SECRET_BYTES + 1)
    except OSError as error:
        raise UnavailableError(
            f"{path} ({what}) cannot be read: {error.strerror}.", hint="Name a file that this user may read."
        ) from error
    if open_to_others:
        raise ConfigurationError(f"{path} ({what}) can be read by others.", hint=f"Run: chmod 600 {path}")
    if len(content) > _SECRET_BYTES:
        raise ConfigurationError(
            f"{path} ({what}) is larger than {_SECRET_BYTES} bytes.", hint="Is it the right file?"
        )
    return content


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old or the new one, never half of it.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
