"""One run: a house, faults in five lanes, then the drain and the checker."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from servers.provide import Installed
from storage.connect import connect
from tests.chaos import checker
from tests.chaos.house import PATIENCE_S, STORE, House, await_that, house
from tests.chaos.lanes import ApiLane, EdgeLane, Lane, LineLane, ServerLane, WorkerLane
from tests.chaos.quiet import messages, uninterrupted
from tests.chaos.schedule import Counts, Fault, schedule
from tests.ingest import world

FEWEST_VISITS: Final = {"zone visits": 21, "store visits": 6}
"""Fewer would compare little: more than half of the shoppers have come and gone, and walked through the store."""


@dataclass
class Outcome:
    """What a run did and what it found."""

    seed: int
    planned: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    accepted: int = 0
    logged: int = 0
    gaps: int = 0
    signals: int = 0
    boots: int = 0
    zone_visits: int = 0
    store_visits: int = 0
    faults_s: float = 0.0
    drain_s: float = 0.0
    total_s: float = 0.0


def run(
    installed: Installed, folder: Path, seed: int, counts: Counts, told: Callable[[Fault], None] = lambda _: None
) -> Outcome:
    """Run one schedule to its end; what does not hold stands in `broken`."""
    begun_s = time.monotonic()
    world.warm_kernels()
    plan = schedule(seed, counts)
    outcome = Outcome(seed, planned=Counter(fault.kind for fault in plan.faults))

    def done(fault: Fault) -> None:
        outcome.done[fault.kind] += 1
        told(fault)

    with house(installed, folder, seed) as of:
        for edge in of.edges.values():
            edge.start()
        lanes: list[Lane] = [
            WorkerLane(of, plan.worker, done),
            ServerLane(of, plan.servers, done),
            EdgeLane(of, plan.edges, done),
            LineLane(of, plan.lines, done, Random(seed)),
            ApiLane(of, plan.api, done),
        ]
        # what a thread has started dies with it (PR_SET_PDEATHSIG), so lanes last until all is over
        with ThreadPoolExecutor(len(lanes)) as pool:
            faults_s = time.monotonic()
            _together(pool, [lane.run for lane in lanes], outcome, of.worker.stack)
            outcome.faults_s = time.monotonic() - faults_s
            if not outcome.broken:
                _see_visits(of, outcome)
            if not outcome.broken:
                _drain(of, outcome)
                _check(of, outcome)
    outcome.total_s = time.monotonic() - begun_s
    return outcome


def _together(
    pool: ThreadPoolExecutor, lanes: list[Callable[[], None]], outcome: Outcome, where: Callable[[], str]
) -> None:
    """Run lanes beside each other; what one raises is a broken promise."""

    def guarded(lane: Callable[[], None]) -> None:
        try:
            lane()
        except Exception as error:  # noqa: BLE001 - handed on
            outcome.broken.append(f"{type(error).__name__}: {error}\n{where()}")

    list(pool.map(guarded, lanes))


def _see_visits(of: House, outcome: Outcome) -> None:
    """Let shoppers come and go until there is something to compare: a quick machine is through its faults early."""

    def enough() -> bool:
        with connect(of.url) as connection:
            seen = checker.visits(connection, of.store_no)
        return all(len(seen[kind].splitlines()) >= fewest for kind, fewest in FEWEST_VISITS.items())

    try:
        await_that(enough, f"visits to compare: {FEWEST_VISITS}")
    except AssertionError as error:
        outcome.broken.append(str(error))


def _drain(of: House, outcome: Outcome) -> None:
    for edge in of.edges.values():
        edge.tell("halt")
    begun_s = time.monotonic()

    def drained() -> bool:
        with connect(of.url) as connection:
            return not checker.missing(of.journal(), connection)

    try:
        await_that(drained, "everything that was accepted to be in the log")
        left = {name: edge.stop() for name, edge in of.edges.items()}
        outcome.drain_s = time.monotonic() - begun_s
        if any(left.values()):
            outcome.broken.append(f"messages left in outboxes: {left}")
        if outcome.drain_s > PATIENCE_S:
            outcome.broken.append(f"drained in {outcome.drain_s:.0f} s, not {PATIENCE_S:.0f}")
    except AssertionError as error:
        outcome.broken.append(str(error))
    if of.worker.end(signal.SIGTERM) != 0:
        outcome.broken.append(f"ingest did not end in order: {of.worker.tail()}")


def _check(of: House, outcome: Outcome) -> None:
    journal = of.journal()
    with connect(of.url) as connection:
        found = checker.logged(connection)
        seen = checker.figures(connection, of.store_no)
    quiet = uninterrupted(of.quiet_url, of.store_no, messages(journal, found, STORE))
    outcome.broken += checker.check(journal, of.url, of.store_no, quiet)
    if len(found.gaps) < outcome.planned["full"]:
        outcome.broken.append(f"{len(found.gaps)} gaps in the database, {outcome.planned['full']} outboxes were full")
    outcome.accepted, outcome.logged = len(journal.accepted), len(found.rows)
    outcome.gaps = len(found.gaps)
    outcome.signals = sum(line.signals for line in journal.accepted.values())
    outcome.boots = len(found.cursors)
    outcome.zone_visits = len(seen["zone visits"].splitlines())
    outcome.store_visits = len(seen["store visits"].splitlines())
