"""A real broker that speaks Kafka's protocol (Tansu), in memory.

`kafka`   the session's broker; choose topics and groups of your own
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.tansu import Tansu, missing


@pytest.fixture(scope="session")
def kafka(server_folder: Path) -> Iterator[Tansu]:
    why = missing()
    if why:
        pytest.skip(why)
    with Tansu(server_folder / "kafka.log") as server:
        yield server
