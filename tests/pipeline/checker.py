"""What must hold in the end, whatever went wrong."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from core.dwell.engine import EngineCounts, StoreEngine
from core.floorplan import StorePlan
from core.wire import Batch, decode
from ingest.rows import to_signals
from storage.log.edge_status import EdgeChange
from storage.log.signals import GapEntry, LogEntry
from storage.stores import EdgeNumber
from tests.edge.watched_outbox import told
from tests.pipeline.database import STORE_NO, BrokenPromiseError, State, named_visits
from tests.pipeline.hearing import UNPLACED

if TYPE_CHECKING:
    from tests.pipeline.world import World


def check(world: "World") -> None:
    """Compare journal, log, cursors and visits; raise BrokenPromiseError where one of them does not fit."""
    _check_log(world)
    feed = world.ingest.worker._holding.feeds[STORE_NO]
    feed.catch_up(world.ingest.connection, stopped=lambda: False)  # type: ignore[arg-type]
    feed.write(world.ingest.connection)  # type: ignore[arg-type]
    state, plan = world.database.state, world.database.adopted.plan
    found = dict(state.visits)
    counted = state.progress[STORE_NO]
    engine = feed._engine
    closed = engine.finish()
    found |= named_visits(plan, closed, engine.pseudonyms(closed["device"]))
    replayed, counts = _cold_replay(state, plan)
    _expect(found == replayed, "the visits are not those of a cold replay of the log")
    same = (counted.decoded, counted.late, counted.repeated) == (counts.decoded, counts.late, counts.repeated)
    _expect(same, f"{counted} are not the counts of a cold replay: {counts}")
    if counts.late:
        world.seen["runs with late signals"] += 1
    elif any(change.anchors_down for change in state.changes):
        world.seen["runs with anchors down"] += 1
    else:
        _expect(found == _uninterrupted(world), "the visits are not those of an uninterrupted run")
        world.seen["runs equal to an uninterrupted one"] += 1
    world.seen["visits"] += len(found)


def _check_log(world: "World") -> None:
    """Everything accepted is logged once, or stands in a gap; nothing else is logged, and nothing is out of order."""
    state = world.database.state
    edge_of = {number.edge_no: edge for (_, edge), number in state.edges.items()}
    logged = Counter((edge_of[e.edge_no], e.boot, e.sequence, e.sha256) for _, e in state.log)
    gaps = defaultdict(list)
    for gap in state.gaps.values():
        gaps[edge_of[gap.edge_no], gap.boot].append((gap.first, gap.last))
    batches = {one.sha256: decode(one.payload) for one in world.accepted}
    accepted = {(one.edge, one.boot, one.sequence, one.sha256) for one in world.accepted}
    for gap in state.gaps.values():
        named = edge_of[gap.edge_no], gap.boot
        _check_gap(
            gap,
            {
                one.sequence: batches[one.sha256]
                for one in world.accepted
                if (one.edge, one.boot) == named and gap.first <= one.sequence <= gap.last
            },
            {sequence for edge in world.edges for boot, sequence in edge.gave_way if (edge.name, boot) == named},
        )
    boots = {edge.name: edge.boot for edge in world.edges}
    for edge, boot, sequence, sha256, _, _ in world.accepted:
        times = logged[edge, boot, sequence, sha256]
        in_gap = any(first <= sequence <= last for first, last in gaps[edge, boot])
        _expect(times == 1 or (times == 0 and in_gap), f"{edge} {sequence} is logged {times} times and in no gap")
        # whoever starts anew does not know what was on its way; whoever did not drops nothing that was
        _expect(not (times and in_gap and boot == boots[edge]), f"{edge} {sequence} is logged and in a gap")
        world.seen["batches"] += 1
        world.seen["batches in gaps"] += times == 0
    by_boot: dict[tuple[str, bytes], list[LogEntry]] = defaultdict(list)
    for _, entry in state.log:
        by_boot[edge_of[entry.edge_no], entry.boot].append(entry)
    unlike = world.ingest.heard - {(entry.edge_no, entry.received_at) for _, entry in state.log}
    _expect(not unlike, f"engines took in (edge, time of arrival) what the log does not have: {unlike}")
    for (edge, boot), entries in by_boot.items():
        reached = 0
        for entry in entries:
            here = [first for first, last in gaps[edge, boot] if last == entry.sequence]
            known = (edge, boot, entry.sequence, entry.sha256) in accepted
            _expect(known or bool(here), f"{edge} {entry.sequence} is logged and was never accepted")
            _expect(
                not known or entry.signals == _sound(batches[entry.sha256]),
                f"signals of {edge} {entry.sequence} are gone",
            )
            first = min(here) if here and not known else entry.sequence
            _expect(first <= reached + 1 and entry.sequence > reached, f"{edge} jumps from {reached} to {first}")
            reached = entry.sequence
        _expect(state.cursors[entries[0].edge_no, boot] == reached, f"the cursor of {edge} is not where its log ends")


def _check_gap(gap: GapEntry, dropped: dict[int, Batch], gave_way: set[int]) -> None:
    """A gap stands for batches that a full outbox had to let go of, and says how many signals from when to when."""
    needless = dropped.keys() - gave_way
    _expect(not needless, f"{sorted(needless)} are in a gap, and no outbox was full")
    said = gap.signals, gap.from_ns, gap.until_ns
    true = told(dropped.values())
    _expect(said == true, f"the gap {gap.first}..{gap.last} says (signals, from, until) {said}, not {true}")


def _sound(batch: Batch) -> int:
    """Return how many signals of a batch ingest can place."""
    return sum(batch.anchors[anchor] != UNPLACED for anchor in batch.anchor.tolist())


def _cold_replay(state: State, plan: StorePlan) -> tuple[dict[bytes, bytes], EngineCounts]:
    """Return the visits that a fresh engine finds in the log, and what it counted."""
    engine = StoreEngine(plan)
    found: dict[bytes, bytes] = {}
    events: list[tuple[int, EdgeNumber | EdgeChange | LogEntry]] = [
        *((edge.log_no, edge) for edge in state.edges.values()),
        *((change.log_no, change) for change in state.changes),
        *state.log,
    ]
    for _, event in sorted(events, key=lambda one: one[0]):
        if isinstance(event, EdgeNumber):
            engine.expect(event.edge_no)
        elif isinstance(event, LogEntry):
            if event.batch:
                found |= _pushed(engine, decode(event.batch), event.edge_no, event.received_at)
        else:
            _hear(engine, event)
    counts = engine.counts
    return found | _finished(engine), counts


def _hear(engine: StoreEngine, change: EdgeChange) -> None:
    if change.state == "online":
        engine.source_up(change.edge_no)
    else:
        engine.source_down(change.edge_no, drained=change.drained)
    for anchors, alive in ((change.anchors_down, False), (change.anchors_up, True)):
        places = np.array([engine.plan.anchor_index[anchor] for anchor in anchors], np.int64)
        engine.heartbeat(places, alive, change.at)


def _uninterrupted(world: "World") -> dict[bytes, bytes]:
    """Return the visits of a run in which every batch that no gap stands for arrives a second after its signals."""
    state = world.database.state
    engine = StoreEngine(world.database.adopted.plan)
    found: dict[bytes, bytes] = {}
    for edge in state.edges.values():
        engine.expect(edge.edge_no)
    logged = {entry.sha256 for _, entry in state.log}
    arrivals = [
        (int(batch.ts.max()), state.edges[STORE_NO, one.edge].edge_no, batch)
        for one in world.accepted
        if one.sha256 in logged
        for batch in [decode(one.payload)]
    ]
    for last_ns, edge_no, batch in sorted(arrivals, key=lambda one: one[:2]):
        found |= _pushed(engine, batch, edge_no, last_ns + 10**9)
    return found | _finished(engine)


def _pushed(engine: StoreEngine, batch: Batch, edge_no: int, arrived_at: int) -> dict[bytes, bytes]:
    signals, _ = to_signals([batch], engine.plan, engine)
    if not len(signals):
        return {}
    visits = engine.push(signals, source=edge_no, arrived_at=arrived_at)
    return named_visits(engine.plan, visits, engine.pseudonyms(visits["device"]))


def _finished(engine: StoreEngine) -> dict[bytes, bytes]:
    visits = engine.finish()
    return named_visits(engine.plan, visits, engine.pseudonyms(visits["device"]))


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise BrokenPromiseError(otherwise)
