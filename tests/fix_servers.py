"""The servers that Sojourn brings along, fetched once and kept in the private folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.provide import Installed, provide


@pytest.fixture(scope="session")
def installed() -> Installed:
    """Programs of TimescaleDB and mosquitto; an error here is one sentence that says what to do."""
    return provide()


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the data of session-wide servers, gone afterwards; a killed session's is swept by later ones."""
    folder = tmp_path_factory.mktemp("servers")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
