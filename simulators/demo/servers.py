"""Database and broker of a demo: the ones that the environment names, or own ones in a folder that goes away."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from authority.authority import Authority
from core.errors import ConfigurationError, UnavailableError
from edge.broker import Broker
from servers.errors import ServersError
from servers.home import lock_folder, make_home
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.process import HOST, port_is_free
from servers.provide import Installed, provide
from storage.scratch import scratch_database

PORT: Final = 8787
"""Where the pages are unless that port is taken."""
_PORTS_TRIED: Final = 100
_RUN: Final = "demo-"
_GREET_S: Final = 5.0


class Servers(NamedTuple):
    """Where the demo's data goes."""

    database_url: str
    mqtt_url: str
    started: tuple[Postgres | Mosquitto, ...] = ()
    authority: Authority | None = None
    """Who signs for the broker; None: the broker is somebody's own and asks for no certificates."""

    def check(self) -> None:
        """Raise UnavailableError if a server that was started here ended by itself."""
        for server in self.started:
            if not server.running:
                name = "database" if isinstance(server, Postgres) else "broker"
                raise UnavailableError(f"The {name} of the demo ended by itself.", hint="Start the demo again.")


@contextmanager
def run_folder(home: Path) -> Iterator[Path]:
    """Give a folder for one run and remove it at the end; so are folders of runs that were killed."""
    with _one_sentence():
        make_home(home)
    for old in home.glob(f"{_RUN}*"):
        _remove_unless_used(old)
    folder = Path(tempfile.mkdtemp(prefix=_RUN, dir=home))
    lock = lock_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def running_servers(home: Path, folder: Path, console: Console) -> Iterator[Servers]:
    """Give a database of its own and a broker; what was started is stopped, what was made is dropped.

    Raises
    ------
    UnavailableError, ConfigurationError
        One sentence that says what to do instead.
    """
    database_url = os.environ.get("SOJOURN_DATABASE_URL", "")
    mqtt_url = os.environ.get("SOJOURN_MQTT_URL", "")
    with ExitStack() as stack:
        installed = None
        started: list[Postgres | Mosquitto] = []
        authority = None
        if not (database_url and mqtt_url):
            installed = _provide(home, console)
        with _one_sentence():
            if installed is not None and not database_url:
                database = stack.enter_context(Postgres(installed, folder / "database", sync_initdb=False))
                started.append(database)
                database_url = database.dsn()
            else:
                database_url = stack.enter_context(scratch_database(database_url))
            if installed is not None and not mqtt_url:
                authority = Authority.create(folder / "authority", datetime.now(UTC))
                authority.equip_broker([HOST, "localhost"], datetime.now(UTC))
                secure = authority.broker_folder
                broker = stack.enter_context(Mosquitto(installed, folder / "broker", secure=secure))
                started.append(broker)
                mqtt_url = broker.url
            else:
                theirs = Broker.from_url(mqtt_url)
                _greet(theirs)
                authority = _authority_of(theirs)
        yield Servers(database_url, mqtt_url, tuple(started), authority)


def free_api_port(asked: int | None, console: Console) -> int:
    """Return the port for the pages.

    Raises
    ------
    UnavailableError
        If the one that was asked for is taken, or every one that was tried.
    """
    if asked is not None:
        if not port_is_free(asked):
            raise UnavailableError(
                f"Port {asked} on {HOST} is taken by another program.", hint="Stop it, or choose another with --port."
            )
        return asked
    for port in range(PORT, PORT + _PORTS_TRIED):
        if port_is_free(port):
            if port != PORT:
                console.print(f"Port {PORT} is taken; the pages are on {port}.", highlight=False)
            return port
    raise UnavailableError(
        f"Every port from {PORT} to {PORT + _PORTS_TRIED - 1} on {HOST} is taken.", hint="Choose one with --port."
    )


def _authority_of(broker: Broker) -> Authority | None:
    folder = os.environ.get("SOJOURN_AUTHORITY", "")
    if broker.tls and not folder:
        raise ConfigurationError(
            f"The broker at {broker.host}:{broker.port} wants certificates, and nobody is named who signs them.",
            hint="Set SOJOURN_AUTHORITY to the folder of its authority (docs/transport.md).",
        )
    return Authority(Path(folder)) if broker.tls else None


def _greet(broker: Broker) -> None:
    try:
        socket.create_connection((broker.host, broker.port), _GREET_S).close()
    except OSError as error:
        raise UnavailableError(
            f"The broker at {broker.host}:{broker.port} does not answer ({error}).",
            hint="Is it running, and is SOJOURN_MQTT_URL right?",
        ) from error


def _provide(home: Path, console: Console) -> Installed:
    if not console.is_terminal:
        said: set[str] = set()

        def say(doing: str, _share: float) -> None:
            if doing not in said:
                said.add(doing)
                console.print(doing)

        with _one_sentence():
            return provide(home, say)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with _one_sentence(), Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("Looking for TimescaleDB and mosquitto", total=1.0)
        return provide(home, lambda doing, share: bars.update(task, description=doing, completed=share))


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Turn errors of the servers room, which stands on no other room, into ours."""
    try:
        yield
    except ServersError as error:
        raise UnavailableError(error.what, hint=error.hint) from error


def _remove_unless_used(folder: Path) -> None:
    try:
        lock = lock_folder(folder)
    except (BlockingIOError, OSError):
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
