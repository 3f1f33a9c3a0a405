"""One run: a group that grows from one member to three, faults in an order drawn by the seed, the drain, the checker.

Every fault is seen to have happened and to have hit: a store has another owner, a process is gone, a former owner
says that it was shut out.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final, cast

from ingest.subscriber import Message
from servers.provide import Installed
from storage.connect import connect
from tests.chaos import checker
from tests.chaos.house import PATIENCE_S, Stuck, await_that
from tests.chaos.journal import Journal
from tests.chaos.kafka.house import STORES, Chain, Process, chain
from tests.chaos.quiet import uninterrupted
from tests.ingest import world

FAULTS: Final = {
    "owner killed": 4,
    "owner killed at a place": 3,
    "owner stopped (SIGSTOP)": 3,
    "rebalance storm": 2,
    "bridge killed": 3,
    "Kafka lost everything": 1,
}
SHORT: Final = {"owner killed": 1, "owner stopped (SIGSTOP)": 1}
PLACES: Final = ("before_commit", "in_commit", "after_commit", "in_derive", "in_snapshot")
_SHUT_OUT: Final = ("has lost its stores and begins afresh", "stores handed over", "has let this ingest go")
"""What a former owner says when it wakes: it was refused by the database, or heard from the group first."""


@dataclass
class Outcome:
    """What a run did and what it found."""

    seed: int
    done: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    accepted: int = 0
    logged: int = 0
    signals: int = 0
    visits: int = 0
    takeovers: int = 0
    refused: int = 0
    total_s: float = 0.0


def run(
    installed: Installed,
    folder: Path,
    seed: int,
    faults: dict[str, int],
    told: Callable[[str], None] = lambda _: None,
    *,
    on_tansu: bool = False,
) -> Outcome:
    """Run the faults of one seed; what does not hold stands in `broken`."""
    begun_s = time.monotonic()
    world.warm_kernels()
    outcome = Outcome(seed)
    rng = Random(seed)
    order = [kind for kind, times in faults.items() for _ in range(times)]
    rng.shuffle(order)
    with chain(installed, folder, seed, on_tansu=on_tansu) as of:
        try:
            _grow(of, told)
            for kind in order:
                _KINDS[kind](of, rng)
                of.await_flow(f"all stores to go on after: {kind}")
                outcome.done[kind] += 1
                told(kind)
            _see_visits(of)
            _drain(of)
            _check(of, outcome)
        except Stuck as error:
            tails = "\n".join(f"-- {process.name}\n{process.tail()}" for process in (of.bridge, *of.members))
            outcome.broken.append(f"{error}\n{tails}")
    outcome.total_s = time.monotonic() - begun_s
    return outcome


def _grow(of: Chain, told: Callable[[str], None]) -> None:
    for edge in of.edges.values():
        edge.start()
    of.bridge.start()
    of.members[0].start()
    await_that(lambda: len(of.owners()) == len(STORES), "the first member to own all stores", 120)
    of.await_flow("the first member to work")
    for member in of.members[1:]:
        member.start()
    await_that(lambda: _holders(of) == 3, "each of three members to own a store", 120)
    of.await_flow("three members to work")
    told("grown from one member to three")


def _holders(of: Chain) -> int:
    return len({owner for owner, _ in of.owners().values()})


def _name_in_log(of: Chain, member: Process) -> set[str]:
    """The stores of a member, by the connections' names that its own log tells."""
    names = {owner for owner, _ in of.owners().values()}
    return {name for name in names if member.said(name)}


def _owner(of: Chain, rng: Random) -> Process:
    """Draw a member that owns stores right now."""
    found: list[Process] = []

    def owning() -> bool:
        found[:] = [member for member in of.members if member.running and _name_in_log(of, member)]
        return bool(found)

    await_that(owning, "a member that owns stores")
    return rng.choice(found)


def _stores_of(of: Chain, member: Process) -> dict[str, int]:
    names = _name_in_log(of, member)
    return {store: epoch for store, (owner, epoch) in of.owners().items() if owner in names}


def _await_taken(of: Chain, stores: dict[str, int]) -> None:
    await_that(
        lambda: all(of.owners()[store][1] > epoch for store, epoch in stores.items()), "others to take over", 90
    )


def _kill(of: Chain, rng: Random) -> None:
    member = _owner(of, rng)
    stores = _stores_of(of, member)
    member.end(signal.SIGKILL)
    _await_taken(of, stores)
    member.start()


def _kill_at_a_place(of: Chain, rng: Random) -> None:
    member = rng.choice(of.members)
    member.end(signal.SIGTERM)
    member.start(CHAOS_FAILPOINT=f"{rng.choice(PLACES)}:{rng.randint(1, 12)}")
    await_that(lambda: not member.running, "the member to die", 120)
    member.start()


def _stop(of: Chain, rng: Random) -> None:
    member = _owner(of, rng)
    stores = _stores_of(of, member)
    before = sum(map(member.said, _SHUT_OUT))
    member.send(signal.SIGSTOP)
    try:
        _await_taken(of, stores)
        of.await_flow("the others to work meanwhile")
    finally:
        member.send(signal.SIGCONT)
    await_that(lambda: sum(map(member.said, _SHUT_OUT)) > before, "the former owner to be shut out", 90)


def _storm(of: Chain, rng: Random) -> None:
    """Members come and go quicker than the group settles."""
    for member in rng.sample(of.members, 2):
        for number in (signal.SIGTERM, signal.SIGKILL):
            member.end(number)
            member.start()
            time.sleep(rng.uniform(0.1, 0.6))


def _kill_bridge(of: Chain, _rng: Random) -> None:
    of.bridge.end(signal.SIGKILL)
    of.bridge.start()


def _lose_kafka(of: Chain, _rng: Random) -> None:
    """Kafka comes back empty, as after a disaster; edges still have what is not in the database."""
    of.kafka.kill()
    of.kafka.start()
    of.create_topic()


_KINDS: Final[dict[str, Callable[[Chain, Random], None]]] = {
    "owner killed": _kill,
    "owner killed at a place": _kill_at_a_place,
    "owner stopped (SIGSTOP)": _stop,
    "rebalance storm": _storm,
    "bridge killed": _kill_bridge,
    "Kafka lost everything": _lose_kafka,
}


def _see_visits(of: Chain) -> None:
    """Let shoppers come and go until each store has something to compare."""

    def enough() -> bool:
        with connect(of.url) as connection:
            rows = connection.execute("select store_no, count(*) from store_visit group by store_no").fetchall()
        return len(rows) == len(STORES) and min(count for _, count in rows) >= 3

    await_that(enough, "visits to compare in each store", 2 * PATIENCE_S)


def _drain(of: Chain) -> None:
    for edge in of.edges.values():
        edge.tell("halt")

    def drained() -> bool:
        with connect(of.url) as connection:
            return not checker.missing(of.journal(), connection)

    await_that(drained, "everything that was accepted to be in the log", 2 * PATIENCE_S)
    left = {store: edge.stop() for store, edge in of.edges.items()}
    if any(left.values()):
        raise Stuck(f"messages left in outboxes: {left}")
    ends = {member.name: member.end(signal.SIGTERM) for member in of.members if member.running}
    if any(ends.values()):
        raise Stuck(f"members did not end in order: {ends}")


def _check(of: Chain, outcome: Outcome) -> None:
    journal = of.journal()
    with connect(of.url) as connection:
        found = checker.logged(connection)
        numbers: dict[str, int] = dict(connection.execute("select id, store_no from store").fetchall())
    uninterrupted(of.quiet_url, numbers[STORES[0]], messages(journal, found))
    for store in STORES:
        with connect(of.quiet_url) as connection:
            quiet = checker.figures(connection, numbers[store])
        outcome.visits += len(quiet["zone visits"].splitlines())
        outcome.broken += [f"{store}: {said}" for said in checker.check(journal, of.url, numbers[store], quiet)]
    outcome.accepted, outcome.logged = len(journal.accepted), len(found.rows)
    outcome.signals = sum(line.signals for line in journal.accepted.values())
    outcome.takeovers = sum(epoch for _, epoch in of.owners().values())
    outcome.refused = sum(member.said(_SHUT_OUT[0]) for member in of.members)


def messages(journal: Journal, found: checker.Logged) -> list[Message]:
    """Return what reached the log, in the order in which edges accepted it and at that time."""
    kept = []
    for identity, digest in found.rows:
        payload = journal.payloads(identity).get(digest)
        if payload is not None:  # else the checker tells
            kept.append((journal.attempts[identity].at_ns, identity[0], payload))
    return [
        Message(
            f"sojourn/1/{edge.removeprefix('edge-')}/{edge}/signals",
            payload,
            at_ns,
            0,
            1,
            cast("Any", SimpleNamespace()),
        )
        for at_ns, edge, payload in sorted(kept, key=lambda one: one[0])
    ]
