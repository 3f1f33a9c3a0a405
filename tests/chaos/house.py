"""Everything that a store runs on, as processes that may be killed: database, broker, ingest, edges, API."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psycopg

from authority.authority import Authority
from core.errors import UnavailableError
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.provide import Installed
from storage.connect import connect
from storage.migrate import migrate
from storage.stores import save_plan
from tests.chaos.edge_process import Spec
from tests.chaos.journal import Journal, read_journal
from tests.fix_proxy import TcpProxy
from tests.ingest import world
from tests.ingest.world import S

ROOT: Final = Path(__file__).parents[2]
STORE: Final = "chaos"
EDGES: Final = {"north": (0, 1), "south": (2, 3)}
"""Edge to the anchors that it is wired to."""
PATIENCE_S: Final = 60.0
"""How long anything may take before the run has failed: the minute in which it has to have drained."""
DATA_BEGAN_S: Final = 1_200
"""The world begins so long ago: at three times the pace of the clock it takes ten minutes to catch up with now, and
a clock that is an hour ahead is in the future all the time, so that its signals are refused in every run."""

_LEASH: Final = ("setpriv", "--pdeathsig", "KILL")
"""The kernel ends what the harness has started if the harness is killed: the thread that started it, to be exact."""


class Stuck(AssertionError):  # noqa: N818 - it reads as what happened
    """Something that was waited for did not come to hold."""


def await_that(what: Callable[[], bool], said: str, most_s: float = PATIENCE_S) -> None:
    """Wait until something holds that nobody announces."""
    until_s = time.monotonic() + most_s
    pause = threading.Event()
    while not what():
        if time.monotonic() > until_s:
            raise Stuck(f"waited {most_s:.0f} s in vain for {said}")
        pause.wait(0.05)


class Worker:
    """One ingest process at a time."""

    def __init__(self, folder: Path, database_url: str, mqtt_url: str, credentials: Path) -> None:
        self.log = folder / "worker.log"
        self.ledger = folder / "ledger"
        self._environment = {
            "SOJOURN_DATABASE_URL": database_url,
            "SOJOURN_MQTT_URL": mqtt_url,
            "SOJOURN_MQTT_CREDENTIALS": str(credentials),
            "CHAOS_CLIENT_ID": "chaos-ingest",
            "CHAOS_LEDGER": str(self.ledger),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_LEASH, sys.executable, "-m", "tests.chaos.worker_process"],
                cwd=ROOT,
                env=os.environ | self._environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def poll(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def end(self, number: signal.Signals) -> int | None:
        """Send a signal and wait for the end; SIGTERM leaves in order."""
        if self._process is None:
            return None
        self._process.send_signal(number)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def deaths(self) -> list[str]:
        """The failpoints that were reached, in order."""
        return self.ledger.read_text().split() if self.ledger.exists() else []

    def stack(self) -> str:
        """Where the process stands right now, as far as it can tell."""
        if self._process is None or self._process.poll() is not None or not _catches(self._process.pid):
            return "no ingest runs that could tell"
        said = self.log.stat().st_size
        self._process.send_signal(signal.SIGUSR1)
        threading.Event().wait(1.0)
        with self.log.open("rb") as log:
            log.seek(said)
            return log.read().decode(errors="replace")

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:]) if self.log.exists() else ""


def _catches(process: int) -> bool:
    """Whether a process has come so far that SIGUSR1 does not end it."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1)
    return False


class Edge:
    """One edge process at a time on one outbox."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.boots = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self, **environment: str) -> None:
        with (Path(self.spec.folder) / f"{self.spec.edge}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_LEASH, sys.executable, "-m", "tests.chaos.edge_process", msgspec.json.encode(self.spec).decode()],
                cwd=ROOT,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._hear("up")
        self.boots += 1

    def tell(self, command: str) -> str:
        """Give a command and return the answer once it is done."""
        if self._process is None or self._process.stdin is None:
            raise Stuck(f"edge {self.spec.edge} was not started")
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._hear(command.split(maxsplit=1)[0] if not command.startswith("stop") else "left")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()

    def stop(self) -> int:
        """Stop in order; return what is left in the outbox."""
        left = int(self.tell("stop 30").split()[1])
        if self._process is not None:
            self._process.wait(30)
        self.kill()
        return left

    def _hear(self, word: str) -> str:
        said = "" if self._process is None or self._process.stdout is None else self._process.stdout.readline()
        if not said.startswith(word):
            log = (Path(self.spec.folder) / f"{self.spec.edge}.log").read_text(errors="replace")
            raise Stuck(f"edge {self.spec.edge} said {said!r}, not {word}; its log: {log[-800:]}")
        return said


class House:
    """One store with all its processes; nothing runs yet but database, broker and the proxies before them."""

    def __init__(self, database: Postgres, broker: Mosquitto, folder: Path, seed: int, authority: Authority) -> None:
        self.database, self.broker, self.folder = database, broker, folder
        self._authority = authority
        authority.certify_service("ingest", folder / "ingest", datetime.now(UTC))
        self.url = database.dsn("chaos")
        self.quiet_url = database.dsn("quiet")
        for name, url in (("chaos", self.url), ("quiet", self.quiet_url)):
            with psycopg.connect(database.dsn(), autocommit=True) as connection:
                connection.execute(f"create database {name} template template0")
            migrate(url)
            with connect(url) as ours:
                save_plan(ours, world.floor_plan(STORE))
        self.store_no = 1
        self.proxies = {
            "worker to database": TcpProxy(self.url),
            "worker to broker": TcpProxy(broker.url),
            **{f"{edge} to broker": TcpProxy(broker.url) for edge in EDGES},
        }
        self.worker = Worker(
            folder,
            self.proxies["worker to database"].url,
            self.proxies["worker to broker"].url,
            folder / "ingest",
        )
        now_ns = time.time_ns()
        self.edges = {
            name: Edge(
                Spec(
                    store=STORE,
                    edge=name,
                    anchors=anchors,
                    broker=self.proxies[f"{name} to broker"].url,
                    credentials=str(self.credentials_of(name)),
                    folder=str(folder),
                    seed=seed,
                    began_ns=now_ns,
                    data_began_ns=(now_ns // S - DATA_BEGAN_S) * S,
                )
            )
            for name, anchors in EDGES.items()
        }

    def credentials_of(self, edge: str) -> Path:
        """Enrol an edge of the store; return the folder of its certificate."""
        folder = self.folder / "credentials" / edge
        if not folder.exists():
            self._authority.enrol(STORE, edge, folder, datetime.now(UTC))
        return folder

    def journal(self) -> Journal:
        return read_journal(self.folder)

    def accepted(self, edge: str = "*") -> int:
        """How many batches edges have accepted so far."""
        return sum(path.read_bytes().count(b'"kind":"accepted"') for path in self.folder.glob(f"{edge}.journal"))

    def logged(self) -> int | None:
        """How many batches are in the log; None while the database is away."""
        try:
            with connect(self.url, application_name="chaos looks") as connection:
                row = connection.execute("select count(*) from signal_log").fetchone()
                return None if row is None else int(row[0])
        except (UnavailableError, psycopg.Error):
            return None

    def await_logged(self, more_than: int, said: str) -> int:
        """Wait until the log has grown beyond a number; return where it is then."""
        reached = [0]

        def grown() -> bool:
            now = self.logged()
            reached[0] = now if now is not None else 0
            return reached[0] > more_than

        await_that(grown, said)
        return reached[0]

    def await_accepted(self, batches: int, edge: str = "*") -> None:
        """Wait until edges have accepted so many more."""
        before = self.accepted(edge)
        await_that(lambda: self.accepted(edge) >= before + batches, f"{batches} more batches of {edge}")

    def forget_sessions(self) -> None:
        """Remove what a broker that was killed had written to disk."""
        for kept in self.broker.folder.rglob("*.db"):
            kept.unlink()

    def close(self) -> None:
        self.worker.end(signal.SIGKILL)
        for edge in self.edges.values():
            edge.kill()
        for proxy in self.proxies.values():
            proxy.close()


@contextmanager
def house(installed: Installed, folder: Path, seed: int) -> Iterator[House]:
    """Give a house on servers of its own; everything is stopped at the end."""
    with ExitStack() as stack:
        database = stack.enter_context(Postgres(installed, folder / "database", sync_initdb=False))
        authority = Authority.create(folder / "authority", datetime.now(UTC))
        authority.equip_broker(["127.0.0.1"], datetime.now(UTC))
        broker = stack.enter_context(Mosquitto(installed, folder / "broker", secure=authority.broker_folder))
        (folder / "edges").mkdir(parents=True, exist_ok=True)
        made = House(database, broker, folder / "edges", seed, authority)
        stack.callback(made.close)
        yield made
