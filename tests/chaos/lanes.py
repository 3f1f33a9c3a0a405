"""The faults themselves: each is done, is seen to have happened, and is seen to have hit traffic.

A fault that cannot show both raises Stuck, and the run has failed: a harness that breaks nothing proves nothing.
"""

import contextlib
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, Protocol

import psycopg

from core.errors import UnavailableError
from storage.connect import connect
from tests.access import HEADERS
from tests.api.serving import Served
from tests.chaos.house import PATIENCE_S, STORE, House, Stuck, await_that
from tests.chaos.journal import read_lines
from tests.chaos.schedule import Fault

Done = Callable[[Fault], None]
_HOURS: Final = {"+1 h": 3_600, "-1 h": -3_600, "-1 day": -86_400, "DST": 3_600}
_DAMAGE: Final = {
    "torn": "update engine_snapshot set state = substring(state for length(state) / 2) where log_no ="
    " (select max(log_no) from engine_snapshot)",
    "flipped": "update engine_snapshot set state = set_byte(state, 9, get_byte(state, 9) # 1) where log_no ="
    " (select max(log_no) from engine_snapshot)",
}


AWAY: Final = (UnavailableError, psycopg.OperationalError)
"""What a look at the database raises while another lane kills it, before and in the middle of a question."""


class Lane(Protocol):
    """Faults of one kind, one after the other."""

    def run(self) -> None: ...


class WorkerLane:
    """Keeps an ingest running that kills itself at one place after the other."""

    def __init__(self, house: House, faults: tuple[Fault, ...], done: Done) -> None:
        self._house, self._faults, self._done = house, faults, done

    def run(self) -> None:
        for fault in self._faults:
            if fault.kind == "snapshot":
                self._damage(fault)
            else:
                self._kill(fault)
            self._done(fault)
        self._house.worker.start()

    def _kill(self, fault: Fault) -> None:
        house, place = self._house, fault.variant.partition(":")[0]
        deaths = len(house.worker.deaths())
        house.worker.start(CHAOS_FAILPOINT=fault.variant)
        # it has to start, find its servers, which others take away, and come to the place again and again
        await_that(lambda: house.worker.poll() is not None, f"the worker to die at {fault.variant}", 120)
        if house.worker.poll() != -signal.SIGKILL or house.worker.deaths()[deaths:] != [place]:
            raise Stuck(f"the worker ended by itself ({house.worker.poll()}): {house.worker.tail()}")

    def _damage(self, fault: Fault) -> None:
        """Between two lives, damage the newest snapshot; the next life has to say that it found it."""
        house = self._house

        def damaged() -> bool:
            try:
                with connect(house.url) as connection:
                    changed = connection.execute(_DAMAGE[fault.variant]).rowcount
            except AWAY:
                return False
            if changed == 0:  # no snapshot so far: a life without a failpoint writes one
                house.worker.start()
                house.await_logged(0, "a first batch")
                await_that(lambda: _snapshots(house) > 0, "a first snapshot")
                house.worker.end(signal.SIGKILL)
            return changed == 1

        await_that(damaged, "a snapshot to damage")
        said = house.worker.log.stat().st_size
        house.worker.start()

        def found() -> bool:
            with house.worker.log.open("rb") as log:
                log.seek(said)
                return b"a snapshot is damaged" in log.read()

        await_that(found, f"ingest to find the {fault.variant} snapshot", 120)
        house.worker.end(signal.SIGKILL)


def _snapshots(house: House) -> int:
    try:
        with connect(house.url) as connection:
            row = connection.execute("select count(*) from engine_snapshot").fetchone()
            return 0 if row is None else int(row[0])
    except AWAY:
        return 0


def _decides(house: House) -> bool:
    try:
        with connect(house.url) as connection:
            return (
                connection.execute("select 1 from engine_progress where decided_through is not null").fetchone()
                is not None
            )
    except AWAY:
        return False


class ServerLane:
    """Broker and database: killed, started again, frozen."""

    def __init__(self, house: House, faults: tuple[Fault, ...], done: Done) -> None:
        self._house, self._faults, self._done = house, faults, done

    def run(self) -> None:
        house, reached = self._house, 0
        for fault in self._faults:
            # the log grows: traffic ran through what is taken away next, and had recovered from what was before
            reached = house.await_logged(reached, f"the log to grow before the next fault ({fault})")
            if fault.kind == "broker":
                house.broker.kill()
                if house.broker.running:
                    raise Stuck("the broker lives on")
                if fault.variant == "loses its state":
                    house.forget_sessions()
                house.await_accepted(2)  # nobody could take them
                house.broker.start()
            elif fault.kind == "database":
                house.database.kill()
                if house.logged() is not None:
                    raise Stuck("the database answers after it was killed")
                house.await_accepted(2)
                house.database.start()
            else:
                self._freeze()
            self._done(fault)
        house.await_logged(reached, "the log to grow after the last fault")

    def _freeze(self) -> None:
        """Stop the database with all its processes, as a machine that swaps or a disk that hangs does."""
        house = self._house
        processes = [house.database.pid, *_children(house.database.pid)]
        _signal(processes, signal.SIGSTOP)
        try:
            await_that(
                lambda: {_state(process) for process in processes} <= {"T", "Z", ""}, "the database to stand still"
            )  # Z: nobody reaps it
            house.await_accepted(6)
        finally:
            _signal(processes, signal.SIGCONT)


class EdgeLane:
    """Edges: killed, full, with a clock that jumps."""

    def __init__(self, house: House, faults: tuple[Fault, ...], done: Done) -> None:
        self._house, self._faults, self._done = house, faults, done

    def run(self) -> None:
        house = self._house
        for fault in self._faults:
            if fault.kind == "edge":
                house.await_accepted(3, fault.variant)
                house.edges[fault.variant].kill()
                house.edges[fault.variant].start()
                house.await_accepted(1, fault.variant)
            elif fault.kind == "full":
                self._fill(fault.variant)
            else:
                self._turn_clock(fault.variant)
            self._done(fault)

    def _fill(self, name: str) -> None:
        house = self._house
        edge, proxy = house.edges[name], house.proxies[f"{name} to broker"]
        journal = house.folder / f"{name}.journal"
        gaps = _gaps(journal)
        proxy.cut(refuse=True)
        edge.tell("full")
        await_that(lambda: _gaps(journal) > gaps, f"the outbox of {name} to drop")
        house.await_accepted(3, name)
        edge.tell("roomy")
        proxy.mend()

    def _turn_clock(self, variant: str) -> None:
        house = self._house
        # before anything is decided nothing is late, so a day-old signal would count in one order and not in another
        await_that(lambda: _decides(house), "the store to decide something", 3 * PATIENCE_S)  # other lanes kill it
        edge = house.edges["south"]
        zone = os.environ.get("TZ", "UTC")
        if variant == "DST":
            edge.tell("zone CET-1CEST,M3.5.0,M10.5.0")
        before = len(list(read_lines(house.folder / "south.journal")))
        edge.tell(f"clock {_HOURS[variant]}")
        house.await_accepted(4, "south")
        edge.tell("clock 0")
        edge.tell(f"zone {zone}")
        written = list(read_lines(house.folder / "south.journal"))[before:]
        if not any(line.signals for line in written if line.kind == "accepted"):
            raise Stuck(f"nothing was heard while the clock was off by {variant}")


class LineLane:
    """The lines between edges, broker, ingest and database."""

    def __init__(self, house: House, faults: tuple[Fault, ...], done: Done, rng: Random) -> None:
        self._house, self._faults, self._done, self._rng = house, faults, done, rng

    def run(self) -> None:
        house = self._house
        for fault in self._faults:
            name = self._rng.choice(("worker to database", "worker to broker", "south to broker"))
            proxy = house.proxies[name]
            carried = proxy.carried_bytes
            await_that(lambda proxy=proxy, carried=carried: proxy.carried_bytes > carried, f"bytes from {name}")  # type: ignore[misc]
            connections, carried = proxy.connections, proxy.carried_bytes
            if fault.variant in ("cut", "refuse"):
                proxy.cut(refuse=fault.variant == "refuse")
            elif fault.variant == "reset":
                proxy.reset(refuse=False)
            elif fault.variant == "delay":
                proxy.delay(0.3)
            else:
                proxy.stall()
            house.await_accepted(4)
            if fault.variant == "half-open":  # what was sent meanwhile went nowhere
                proxy.reset(refuse=False)
            stalled = proxy.carried_bytes
            if fault.variant in ("stall", "half-open", "refuse") and stalled > carried + 65_536:
                raise Stuck(f"bytes went on from {name} through a line that was broken")
            if fault.variant == "delay":
                await_that(
                    lambda proxy=proxy, carried=carried: proxy.carried_bytes > carried,  # type: ignore[misc]
                    f"something to come late from {name}",
                )
            proxy.mend()
            await_that(lambda proxy=proxy, stalled=stalled: proxy.carried_bytes > stalled, f"bytes from {name} again")  # type: ignore[misc]
            if fault.variant in ("cut", "reset", "refuse", "half-open"):
                await_that(
                    lambda proxy=proxy, connections=connections: proxy.connections > connections,  # type: ignore[misc]
                    f"a new connection from {name}",
                )
            self._done(fault)


class ApiLane:
    """The API, asked all the time, killed and started."""

    def __init__(self, house: House, faults: tuple[Fault, ...], done: Done) -> None:
        self._house, self._faults, self._done = house, faults, done
        self.served = Served(house.url, house.folder / "api.log")
        self.answers = self.failures = 0
        self._stop = threading.Event()

    def run(self) -> None:
        asking = threading.Thread(target=self._ask, daemon=True)
        self.served.start(PATIENCE_S)
        asking.start()
        try:
            for fault in self._faults:
                answers = self.answers
                await_that(lambda answers=answers: self.answers > answers + 2, "answers of the API")  # type: ignore[misc]
                self.served.stop(signal.SIGKILL)
                failures = self.failures
                await_that(lambda failures=failures: self.failures > failures, "a question without an answer")  # type: ignore[misc]
                self.served.start(PATIENCE_S)
                self._done(fault)
            answers = self.answers
            await_that(lambda: self.answers > answers, "answers of the API after the last kill")
        finally:
            self._stop.set()
            asking.join()
            self.served.stop(signal.SIGKILL)

    def _ask(self) -> None:
        while not self._stop.wait(0.1):
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(f"{self.served.url}/v1/stores/{STORE}/occupancy", headers=HEADERS),
                    timeout=2,
                ):
                    self.answers += 1
            except urllib.error.HTTPError:
                pass  # 503 while the database is away: it is there and says so
            except OSError:
                self.failures += 1


def _gaps(journal: Path) -> int:
    return sum(line.kind == "gap" for line in read_lines(journal))


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # a connection that has just ended
            os.kill(process, number)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = entry.joinpath("stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


def _state(process: int) -> str:
    """Return what /proc says of a process: T is stopped, Z waits to be reaped; nothing where it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
