"""A real mosquitto.

`mqtt_url`     the session's broker; choose store and edge ids of your own, others publish there too
`broker`       the same as an object; leave it running
`own_broker`   a broker of the test's own: stop, kill and start it at will
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.mosquitto import Mosquitto
from servers.provide import Installed


@pytest.fixture(scope="session")
def broker(installed: Installed, server_folder: Path) -> Iterator[Mosquitto]:
    with Mosquitto(installed, server_folder / "broker") as server:
        yield server


@pytest.fixture
def mqtt_url(broker: Mosquitto) -> str:
    return broker.url


@pytest.fixture
def own_broker(installed: Installed, tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(installed, tmp_path / "own-broker") as server:
        yield server
