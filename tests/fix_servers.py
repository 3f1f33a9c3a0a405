"""The servers that Sojourn brings along, fetched once and kept in the private folder."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.provide import Installed, provide


@pytest.fixture(scope="session")
def installed() -> Installed:
    """Programs of TimescaleDB and mosquitto; an error here is one sentence that says what to do."""
    return provide()


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for the data of session-wide servers, gone afterwards (pytest would keep three of them)."""
    with tempfile.TemporaryDirectory(prefix="sojourn-tests-") as folder:
        yield Path(folder)
