"""A double of BlueZ on a D-Bus of the test's own, where real bleak finds it.

`dbus`    the bus; stop and start it at will
`bluez`   org.bluez there, with the adapters hci0 and hci1
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.bluez_double import BlueZ, DBus


@pytest.fixture
def dbus_folder() -> Iterator[Path]:
    """Return a folder whose name is short enough for a socket's."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed (Debian: apt install dbus-daemon)")
    with tempfile.TemporaryDirectory(prefix="sojourn-dbus-") as folder:
        yield Path(folder)


@pytest.fixture
def dbus(dbus_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DBus]:
    with DBus(dbus_folder) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        yield bus


@pytest.fixture
def bluez(dbus: DBus) -> Iterator[BlueZ]:
    with BlueZ(dbus.address, "hci0", "hci1") as service:
        yield service
