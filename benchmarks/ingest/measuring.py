"""One run of the product and one of what a user would write first, on the same servers."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Final

import psutil

from benchmarks.ingest import node_red, plain
from benchmarks.ingest.checking import Checked, Sizes, check, decoded, delays, sizes
from benchmarks.ingest.cost import Cost, Meter, Moment, cost_between, cpu_s
from benchmarks.ingest.edges import publishing, share_out
from benchmarks.ingest.machine import Machine
from benchmarks.ingest.publishing import Publish, Sent
from benchmarks.ingest.stacks import profile
from core.limits import NS_PER_US
from simulators.demo.pages import Delays, profiles_with_journey

_CATCH_UP_S: Final = 60.0
_PROFILE_S: Final = 15
_EVERY_S: Final = 2.0
_BESIDE_READY_S: Final = 60.0
_OPEN_MESSAGES: Final = 768
"""Uncommitted messages of all edges together: six commits' worth, so that a commit never waits for messages."""


@dataclass(frozen=True)
class Asked:
    """What to measure. `rate` 0: as much as is committed; `settle_s` passes before, for the first visits."""

    seconds: float = 60.0
    settle_s: float = 15.0
    stores: int = 4
    edges: int = 4
    devices: int = 2000
    publishers: int = 1
    rate: float = 0.0
    connections: int = 0
    profile: bool = True
    source: str = "mqtt"


@dataclass
class Product:
    """What the product did: `delays` are p50 and p99 in seconds, `page_cpu_s` what the API took beside."""

    cost: Cost
    moments: list[Moment]
    checked: Checked
    delays: dict[str, list[float]]
    sizes: Sizes
    wire_bytes_per_signal: float
    page_cpu_s: float
    catch_up_s: float
    journeys: int
    left: int
    sent: list[Sent]
    parts: dict[str, float] | str = field(default_factory=dict)


def publishes_of(machine: Machine, asked: Asked) -> list[Publish]:
    """Return what each process of edges is to do."""
    whole = Publish(
        url=machine.servers.mqtt_url,
        stores=(),
        edges=asked.edges,
        devices=asked.devices,
        window=max(_OPEN_MESSAGES // (asked.stores * asked.edges), 2),
        rate=asked.rate,
        connections=asked.connections,
        certificate=machine.servers.certificate,
    )
    return share_out(asked.stores, asked.publishers, whole)


def measure_product(machine: Machine, asked: Asked) -> Product:
    """Let edges publish for some seconds, all be decoded, and check it."""
    publishes = publishes_of(machine, asked)
    empty = sizes(machine.connection)
    page = Delays(machine.api_port, "store-0", machine.key)
    with publishing(publishes, machine.folder / "edges.log") as edges:
        machine.await_condition(lambda: edges.committed > 0, "nothing of what the edges send is committed")
        _pause(asked.settle_s)
        page.start()
        page_cpu_s, from_us = cpu_s(machine.pid_of("api")), time.time_ns() // NS_PER_US
        with Meter(machine.groups, lambda: edges.committed, _EVERY_S) as meter:
            _pause(asked.seconds)
        page_cpu_s = cpu_s(machine.pid_of("api")) - page_cpu_s
        to_page = {
            "signal_to_page": page.percentiles(from_us),
            "decision_to_page": page.decided_percentiles(from_us),
        }
        page.stop()
        parts = profile(machine.pid_of("ingest"), _PROFILE_S) if asked.profile else "not asked for"
        machine.processes.check()
        sent, left = edges.end()
        wire = edges.wire_bytes / max(edges.signals, 1)
    catch_up_s = _caught_up(machine, sum(one.signals for one in sent))
    full = sizes(machine.connection)
    return Product(
        cost=cost_between(meter.moments),
        moments=meter.moments,
        checked=check(machine.connection, sent),
        delays=delays(machine.connection)
        | {name: [taken["p50"] or 0.0, taken["p99"] or 0.0] for name, taken in to_page.items()},
        sizes=Sizes(full.log, full.visits, full.database - empty.database, full.wal - empty.wal),
        wire_bytes_per_signal=wire,
        page_cpu_s=page_cpu_s,
        catch_up_s=catch_up_s,
        journeys=profiles_with_journey(machine.api_port, machine.profiles, machine.key),
        left=left,
        sent=sent,
        parts=parts,
    )


def _caught_up(machine: Machine, signals: int) -> float:
    """Wait until the engines have written down that they decoded everything; return the seconds."""
    begun_s = time.monotonic()
    try:
        machine.await_condition(lambda: decoded(machine.connection) >= signals, "", _CATCH_UP_S)
    except TimeoutError:
        return _CATCH_UP_S  # the check says what is missing
    return time.monotonic() - begun_s


def measure_plain(machine: Machine, asked: Asked, seconds: float) -> Cost:
    """Measure paho, JSON and one INSERT per signal on the same broker and database; ingest does not run meanwhile."""
    taker = [sys.executable, "-m", "benchmarks.ingest.plain", "take", machine.servers.broker.url]
    return _measure_beside(machine, asked, seconds, taker, plain.PREFIX)


def measure_node_red(machine: Machine, asked: Asked, seconds: float) -> Cost | str:
    """Measure the same with Node-RED; in words why not, where it is not here."""
    why = node_red.missing()
    if why:
        return why
    taker = node_red.command(machine.folder / "node-red", machine.servers.broker.url)
    try:
        return _measure_beside(machine, asked, seconds, taker, node_red.PREFIX)
    except TimeoutError as error:
        return f"{error}: {(machine.folder / f'{node_red.PREFIX}.log').read_text()[-400:]}"


def _measure_beside(machine: Machine, asked: Asked, seconds: float, taker_words: list[str], prefix: str) -> Cost:
    """Let a process take the messages of `prefix`, and measure it with broker and database."""
    machine.connection.execute(plain.TABLE)
    environment = {**os.environ, "SOJOURN_DATABASE_URL": machine.servers.database_url}
    sends = [machine.servers.broker.url, prefix, *map(str, (asked.stores, asked.edges, asked.devices))]
    with (machine.folder / f"{prefix}.log").open("ab") as log:
        taker = subprocess.Popen(taker_words, env=environment, stdout=log, stderr=log)
        sender = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ingest.plain", "send", *sends],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    written = [0]

    def hear() -> None:
        if sender.stdout is not None:
            for line in sender.stdout:
                written[0] = int(line)

    threading.Thread(target=hear, daemon=True).start()
    try:
        machine.await_condition(lambda: written[0] > 0, f"the way of {prefix} writes nothing", _BESIDE_READY_S)
        groups = {"broker": machine.servers.broker.pid, "worker": taker.pid, "database": machine.servers.database.pid}
        with Meter(groups, lambda: written[0], 1.0) as meter:
            _pause(seconds)
    finally:
        for process in (sender, taker):
            psutil.Process(process.pid).kill()
            process.wait()
    return cost_between(meter.moments)


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)
