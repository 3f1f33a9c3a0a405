"""What must hold in the end, whatever went wrong."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from core.dwell.engine import StoreEngine
from core.floorplan import StorePlan
from core.wire import decode
from ingest.feed import to_signals
from storage.edge_status import EdgeChange
from storage.signal_log import LogEntry
from storage.stores import EdgeNumber
from tests.pipeline.database import STORE_NO, BrokenPromiseError, State, named_visits

if TYPE_CHECKING:
    from tests.pipeline.world import World


def check(world: "World") -> None:
    """Compare journal, log, cursors and visits; raise BrokenPromiseError where one of them does not fit."""
    _check_log(world)
    feed = world.ingest.worker._feeds[STORE_NO]
    feed.catch_up(world.ingest.connection, stopped=lambda: False)  # type: ignore[arg-type]
    feed.write(world.ingest.connection)  # type: ignore[arg-type]
    state, plan = world.database.state, world.database.adopted.plan
    found = dict(state.visits)
    engine = feed._engine
    closed = engine.finish()
    found |= named_visits(plan, closed, engine.pseudonyms(closed["device"]))
    replayed, late = _cold_replay(state, plan)
    _expect(found == replayed, "the visits are not those of a cold replay of the log")
    if late:
        world.seen["runs with late signals"] += 1
    else:
        _expect(found == _uninterrupted(state, plan), "the visits are not those of an uninterrupted run")
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
    accepted = {(one.edge, one.boot, one.sequence, one.sha256) for one in world.accepted}
    for gap in state.gaps.values():
        named = edge_of[gap.edge_no], gap.boot
        dropped = [
            one.signals
            for one in world.accepted
            if (one.edge, one.boot) == named and gap.first <= one.sequence <= gap.last
        ]
        _expect(gap.signals == sum(dropped), f"{named[0]} says it dropped {gap.signals} signals, not {sum(dropped)}")
    for edge, boot, sequence, sha256, _ in world.accepted:
        times = logged[edge, boot, sequence, sha256]
        in_gap = any(first <= sequence <= last for first, last in gaps[edge, boot])
        _expect(times == 1 or (times == 0 and in_gap), f"{edge} {sequence} is logged {times} times and in no gap")
        world.seen["batches"] += 1
        world.seen["batches in gaps"] += times == 0
    by_boot: dict[tuple[str, bytes], list[LogEntry]] = defaultdict(list)
    for _, entry in state.log:
        by_boot[edge_of[entry.edge_no], entry.boot].append(entry)
    for (edge, boot), entries in by_boot.items():
        reached = 0
        for entry in entries:
            here = [first for first, last in gaps[edge, boot] if last == entry.sequence]
            known = (edge, boot, entry.sequence, entry.sha256) in accepted
            _expect(known or bool(here), f"{edge} {entry.sequence} is logged and was never accepted")
            first = min(here) if here and not known else entry.sequence
            _expect(first <= reached + 1 and entry.sequence > reached, f"{edge} jumps from {reached} to {first}")
            reached = entry.sequence
        _expect(state.cursors[entries[0].edge_no, boot] == reached, f"the cursor of {edge} is not where its log ends")


def _cold_replay(state: State, plan: StorePlan) -> tuple[dict[bytes, bytes], int]:
    """Return the visits that a fresh engine finds in the log, and how many signals were late."""
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
            found |= _pushed(engine, event, event.received_at)
        elif event.state == "online":
            engine.source_up(event.edge_no)
        else:
            engine.source_down(event.edge_no, drained=event.drained)
    return found | _finished(engine), engine.counts.late


def _uninterrupted(state: State, plan: StorePlan) -> dict[bytes, bytes]:
    """Return the visits of a run in which every batch arrives a second after its last signal."""
    engine = StoreEngine(plan)
    found: dict[bytes, bytes] = {}
    for edge in state.edges.values():
        engine.expect(edge.edge_no)
    told = [entry for _, entry in state.log if entry.batch]
    for entry in sorted(told, key=lambda entry: (entry.last_ns or 0, entry.edge_no)):
        found |= _pushed(engine, entry, (entry.last_ns or 0) + 10**9)
    return found | _finished(engine)


def _pushed(engine: StoreEngine, entry: LogEntry, arrived_at: int) -> dict[bytes, bytes]:
    if not entry.batch:
        return {}
    signals = to_signals(decode(entry.batch), engine.plan, engine)
    visits = engine.push(signals, source=entry.edge_no, arrived_at=arrived_at)
    return named_visits(engine.plan, visits, engine.pseudonyms(visits["device"]))


def _finished(engine: StoreEngine) -> dict[bytes, bytes]:
    visits = engine.finish()
    return named_visits(engine.plan, visits, engine.pseudonyms(visits["device"]))


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise BrokenPromiseError(otherwise)
