"""How an edge fares, for systemd and for whoever looks: a file rewritten in one step, and systemd's own notices."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from edge.files import replace_file

HEALTH_S: Final = 2.0
"""How often it is told; a file three times as old is of an edge that hangs."""

log = structlog.get_logger()


class Health:
    """Tells how the edge fares.

    Parameters
    ----------
    path : Path or None
        Where the file is; None: none is written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._failed = False

    def tell(self, said: dict[str, object], sentence: str, *, well: bool) -> None:
        """Write the file, and tell systemd's watchdog that all is well if it is."""
        notify(f"STATUS={sentence}" + ("\nWATCHDOG=1" if well else ""))
        if self._path is None:
            return
        try:
            replace_file(self._path, msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n")
        except OSError as error:
            if not self._failed:
                log.warning("the health file cannot be written", path=str(self._path), reason=error.strerror)
            self._failed = True
        else:
            self._failed = False


def notify(message: str) -> None:
    """Tell systemd; nothing happens where it did not start us.

    Source: sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names, an @ standing for an abstract one.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:  # a notice is worth no failure
        line.connect("\0" + address[1:] if address.startswith("@") else address)
        line.sendall(message.encode())
