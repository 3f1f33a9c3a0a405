"""The demo: one simulated store on a real database and broker, with the pages to watch it.

Every process that was started is stopped, every folder and database that was made is removed, also after Ctrl-C or
a failure.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final
from uuid import UUID

import msgspec
from rich.console import Console

from core.errors import UnavailableError
from core.floorplan import FloorPlan, load
from servers.home import sojourn_home
from servers.process import HOST
from simulators.demo.account import account
from simulators.demo.credentials import OWN_EDGE, certify
from simulators.demo.letting_in import PEOPLE as LET_IN
from simulators.demo.letting_in import LetIn, let_in
from simulators.demo.pages import Delays, ask, profiles_with_journey
from simulators.demo.people import PEOPLE, add_people
from simulators.demo.processes import ChildDiedError, Processes
from simulators.demo.screen import Screen
from simulators.demo.servers import Servers, free_api_port, run_folder, running_servers
from simulators.store_live import DRAIN_S, HISTORY_S, State
from storage.connect import Connection, connect, reachable
from storage.figures import Figures, figures
from storage.stores import save_plan

PLAN: Final = Path(__file__).parents[1] / "plans" / "demo.json"
_READY_S: Final = 600.0
"""The first start compiles kernels and byte code: half a minute on two cores, several on a small or busy machine. Who
ends before is noticed at once."""
_ARRIVE_S: Final = 90.0
"""Longest wait at the end for the database and the engine to have everything."""
_LOOK_S: Final = 0.5
_MEMBERS_AT_MOST: Final = 0.5  # of the shoppers, for tiny demos


class _StoppedError(BaseException):
    """Ctrl-C or SIGTERM. Like KeyboardInterrupt no Exception, so that nothing takes it for a failure."""


def run(
    *,
    for_s: float | None = None,
    as_json: bool = False,
    api_port: int | None = None,
    home: Path | None = None,
    seed: int = 1,
    shoppers: int = 150,
    history_s: float = HISTORY_S,
) -> int:
    """Run the demo until Ctrl-C, or for some seconds and then check that nothing was lost or counted twice.

    Parameters
    ----------
    for_s : float or None
        Seconds; None: until Ctrl-C or SIGTERM.
    as_json : bool
        Print the account as one JSON object on the last line of stdout, everything else on stderr.
    api_port : int or None
        Port of the pages; None: 8787 or the next free one.
    home : Path or None
        Private folder; None: the user's cache.
    seed, shoppers, history_s
        Of the simulation.

    Returns
    -------
    int
        0; 1 if a signal is missing or counted twice, or a process ended by itself.

    Raises
    ------
    UnavailableError, ConfigurationError
        One sentence that says what to do instead.
    """
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    plan = load(PLAN.read_bytes())
    home = home if home is not None else sojourn_home()
    try:
        port = free_api_port(api_port, console)
        with _stoppable(), run_folder(home) as folder, running_servers(home, folder, console) as servers:
            demo = _Demo(plan, folder, servers, console, port)
            return demo.run(for_s, as_json=as_json, seed=seed, shoppers=shoppers, history_s=history_s)
    except ChildDiedError as died:
        console.print(str(died), style="bold red")
        console.print(died.tail, markup=False)
        return 1
    except _StoppedError:
        console.print("Stopped; nothing is left behind.")
        return 0 if for_s is None else 130


class _Demo:
    """One run on servers that are up."""

    def __init__(self, plan: FloorPlan, folder: Path, servers: Servers, console: Console, port: int) -> None:
        self._plan = plan
        self._store = plan.stores[0].id
        self._folder = folder
        self._servers = servers
        self._console = console
        self._port = port
        self._keys = folder / "keys"
        self._simulated = folder / "simulated"
        self._let_in = LetIn("", "")
        self._credentials = (
            certify(servers.authority, plan.stores[0], folder / "credentials")
            if servers.authority is not None
            else None
        )

    def run(self, for_s: float | None, *, as_json: bool, seed: int, shoppers: int, history_s: float) -> int:
        members = min(len(PEOPLE), int(shoppers * _MEMBERS_AT_MOST))
        logs = self._folder / "logs"
        logs.mkdir()
        environment = {
            "SOJOURN_DATABASE_URL": self._servers.database_url,
            "SOJOURN_MQTT_URL": self._servers.mqtt_url,
            "SOJOURN_PRIVACY": str(self._folder / "privacy"),
            "SOJOURN_SECOND_STEP": "none",  # to try it out without a phone; its people are made up
        }
        with Processes(logs, environment) as processes:
            processes.run("migrate")
            self._let_in = let_in(self._servers.database_url)
            with connect(self._servers.database_url, application_name="sojourn-demo") as connection, reachable():
                save_plan(connection, self._plan)
                profiles = add_people(connection, self._keys, seed, members)
                self._start(processes, seed=seed, shoppers=shoppers, members=members, history_s=history_s)
                delays = Delays(self._port, self._store, self._let_in.key)
                delays.start()
                try:
                    self._watch(connection, processes, delays, for_s)
                    return self._finish(connection, processes, delays, profiles, as_json=as_json)
                finally:
                    delays.stop()

    def _start(self, processes: Processes, *, seed: int, shoppers: int, members: int, history_s: float) -> None:
        with self._console.status("Starting ingest, API and store"):
            processes.start("api", "--port", str(self._port))
            known = self._credentials
            processes.start("ingest", *(() if known is None else ("--mqtt-credentials", str(known.ingest))))
            processes.start("webhooks")
            self._await(processes, self._ready, "The API or ingest is not ready")
            processes.start(
                "simulate-live",
                *("--floorplan", str(PLAN), "--folder", str(self._simulated), "--keys", str(self._keys)),
                *("--seed", str(seed), "--shoppers", str(shoppers), "--members", str(members)),
                *("--history", str(history_s)),
                *(() if known is None else ("--credentials", str(known.edges))),
                disposable=True,
            )
            self._await(processes, (self._simulated / "state.json").exists, "The simulated store does not start")
        if self._servers.started:
            self._console.print(
                f"The broker listens on {self._servers.mqtt_url} for batches of your own (docs/wire.md)"
                + ("." if known is None else f" as the edge {OWN_EDGE}, with what is in {known.own}.")
            )
        self._console.print(f"Open [bold]http://{HOST}:{self._port}/[/bold] in a browser. Ctrl-C stops everything.")
        one, *others = LET_IN
        self._console.print(
            f"Log in as [bold]{one[0]}[/bold] with the password [bold]{self._let_in.password}[/bold]; or, to see what"
            f" one role sees, as {', '.join(f'{name} ({roles[0]})' for name, _, roles in others)}."
        )

    def _ready(self) -> bool:
        """Return whether the API answers and ingest listens: edges that start before would wait for it."""
        status, said = ask(self._port, "/v1/ready", self._let_in.key)
        return status == 200 and all(check["state"] == "ok" for check in said["checks"])

    def _await(self, processes: Processes, what: Callable[[], bool], otherwise: str) -> None:
        until_s = time.monotonic() + _READY_S
        while not what():
            processes.check()
            if time.monotonic() > until_s:
                self._console.print(processes.tails(), markup=False)  # their files go with the folder of this run
                raise UnavailableError(
                    f"{otherwise} after {_READY_S:.0f} s.", hint="Start it again; what is compiled is kept."
                )
            time.sleep(0.1)

    def _watch(self, connection: Connection, processes: Processes, delays: Delays, for_s: float | None) -> None:
        until_s = time.monotonic() + for_s if for_s is not None else None
        with Screen(self._console, self._plan.stores[0].label) as screen:
            while until_s is None or time.monotonic() < until_s:
                processes.check()
                self._servers.check()
                state = self._state()
                screen.show(state, figures(connection, self._store), delays.percentiles(state.live_from_us))
                time.sleep(_LOOK_S)

    def _finish(
        self, connection: Connection, processes: Processes, delays: Delays, profiles: list[UUID], *, as_json: bool
    ) -> int:
        self._console.print("Stopping the store and waiting until everything has arrived …")
        processes.stop("simulate-live", DRAIN_S + 15)
        arrived = self._await_arrival(connection, processes)
        signals, visits = account(connection, self._store, self._simulated, arrived)
        report = {
            "signals": signals._asdict(),
            "visits": visits._asdict(),
            "profiles_with_journey": profiles_with_journey(self._port, profiles, self._let_in.key),
            "signal_to_page_s": delays.percentiles(self._state().live_from_us),
        }
        line = msgspec.json.encode(report).decode()
        if as_json:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        else:
            self._console.print_json(line)
        if signals.missing or signals.duplicated:
            self._console.print("A signal is missing or counted twice.", style="bold red")
            return 1
        return 0

    def _await_arrival(self, connection: Connection, processes: Processes) -> Figures:
        """Wait until the log has what was sent and the engine what is in the log; go on anyway after a while."""
        sent = self._state().signals
        until_s = time.monotonic() + _ARRIVE_S
        while True:
            processes.check()
            self._servers.check()
            now = figures(connection, self._store)
            if now is None:
                raise UnavailableError("The store has vanished from the database.")
            complete = now.signals >= sent and now.engine_log_no >= now.newest_log_no
            if complete or time.monotonic() > until_s:
                return now
            time.sleep(0.1)

    def _state(self) -> State:
        return msgspec.json.decode((self._simulated / "state.json").read_bytes(), type=State)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into _StoppedError; further ones do not disturb the cleaning up."""
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise _StoppedError

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        stopped = True
        for number, handler in before.items():
            signal.signal(number, handler)
