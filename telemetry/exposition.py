"""Serve a process's counts to a Prometheus, on an address of its own.

Never on the public port: counts tell how busy a store is. The server is prometheus-client's own, in a thread.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
    write_to_textfile,
)

from core.errors import ConfigurationError, UnavailableError

_HINT: Final = "It looks like 127.0.0.1:9464, or [::1]:9464."
TEXT_FILE: Final = ".prom"
"""What the node exporter's textfile collector reads."""


def make_registry(service: str) -> CollectorRegistry:
    """Return a registry that already tells version, memory, CPU time and open files of this process.

    Parameters
    ----------
    service : str
        Such as "ingest".
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # else a second series for every count
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    Info("sojourn", "Which program this is.", registry=registry).info(
        {"service": service, "version": version("sojourn")}
    )
    return registry


def read_address(text: str) -> tuple[str, int]:
    """Return host and port of a text such as `127.0.0.1:9464`; port 0 takes a free one.

    Raises
    ------
    ConfigurationError
        If it is no address; a name is none, because it could mean several.
    """
    try:
        split = urlsplit(f"//{text}")
        host, port = split.hostname, split.port
        ipaddress.ip_address(host or "")
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no address to serve metrics on.", hint=_HINT) from error
    if host is None or port is None or split.path or split.username is not None:
        raise ConfigurationError(f"{text!r} is no address to serve metrics on.", hint=_HINT)
    return host, port


@contextmanager
def exposed(registry: CollectorRegistry, address: str) -> Iterator[int]:
    """Serve a registry while the block runs; yields the port, 0 where `address` is empty and nothing is served.

    Raises
    ------
    ConfigurationError
        If `address` cannot be read.
    UnavailableError
        If it cannot be listened on.
    """
    if not address:
        yield 0
        return
    host, port = read_address(address)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise UnavailableError(
            f"Metrics cannot be served on {address}: {error.strerror}.",
            hint="Stop what uses that port, or choose another with --metrics.",
        ) from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5.0)


def write_file(registry: CollectorRegistry, path: Path) -> None:
    """Rewrite a text file in one step, for a machine whose node exporter collects such files.

    Raises
    ------
    UnavailableError
        If it cannot be written.
    """
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise UnavailableError(
            f"Metrics cannot be written to {path}: {error.strerror}.",
            hint="Does its folder exist, may we write there?",
        ) from error
