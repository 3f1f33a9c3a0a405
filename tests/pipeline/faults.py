"""What goes wrong, by name; each is drawn with its moment from the seed and counted where it struck."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from tests.pipeline.broker import Published
from tests.pipeline.ingest import KilledError

if TYPE_CHECKING:
    from tests.pipeline.world import World

_HOUR_NS: Final = 3_600 * 10**9
_MOMENTS: Final = 40
"""A turn of ingest that commits passes about 20 moments: within three of them every one is struck by some seed."""


def _edge_cut(world: "World") -> None:
    edge = world.some_edge()
    away_s = (
        world.random.uniform(150, 300)
        if world.batches > 20 and world.random.random() < 0.5
        else world.random.uniform(0, 20)
    )
    edge.cut(away_s)  # beyond the engine's patience, its signals come late


def _line_before_word(world: "World") -> None:
    """The store's line goes after a commit and before the word of it, is back for a moment, and goes for longer."""

    def go(_what: str) -> None:
        world.seen["lines gone before a word"] += 1
        for edge in world.edges:
            edge.flaps = 1
            edge.cut(world.random.uniform(0, 3))

    world.strike_at("tell", go)


def _edge_half_open(world: "World") -> None:
    client = world.some_edge()._client
    if client is not None:
        client.up.silent = client.down.silent = True
        world.time.after(world.random.uniform(2, 20), lambda: client.lose("no answer"))


def _edge_crash(world: "World") -> None:
    edge = world.some_edge()
    if edge.running:
        edge.crash()
        back_s = world.random.uniform(0.5, 15)
        edge.offline_until_s = world.time.now_s + back_s + world.random.choice((0, 10, 30))  # it may hear before
        world.time.after(back_s, edge.start)


def _edge_stops(world: "World") -> None:
    edge = world.some_edge()
    if edge.running:
        edge.stop()
        world.time.after(world.random.uniform(0.5, 15), edge.start)


def _edge_clock(world: "World") -> None:
    world.some_edge().clock.ahead_ns += world.random.choice((_HOUR_NS, -_HOUR_NS, -24 * _HOUR_NS))


def _ingest_clock(world: "World") -> None:
    world.clock.ahead_ns = int(world.random.uniform(-60, 60) * 1e9)


def _ingest_cut(world: "World") -> None:
    world.broker.cut_ingest()


def _ingest_half_open(world: "World") -> None:
    link = world.broker._ingest
    world.broker.silence_ingest()
    if link is not None:
        world.time.after(world.random.uniform(2, 20), link.end)


def _ingest_stalls(world: "World") -> None:
    """Ingest stands still while messages queue up in it; the broker may start afresh meanwhile, unnoticed."""
    stall_s = world.random.uniform(1, 10)
    world.ingest.stalled_until_s = world.time.now_s + stall_s
    if world.random.random() < 0.7:
        world.time.after(stall_s * world.random.uniform(0.3, 0.9), lambda: _blink(world))


def _blink(world: "World") -> None:
    if world.broker.running:
        world.broker.stop(wipe=True)
        world.time.after(0.05, world.start_broker)


def _killed(world: "World") -> None:
    _kill_at(world, world.random.randint(1, _MOMENTS))


def _kill_at(world: "World", moment: int) -> None:
    def kill(what: str) -> None:
        world.seen[f"killed at {what}"] += 1
        raise KilledError

    world.strike(moment, kill)


def _database_away(world: "World") -> None:
    world.strike(world.random.randint(1, _MOMENTS), _stop_database(world))


def _visits_not_written(world: "World") -> None:
    """The database goes while there are visits to write, which is in one turn of ten."""
    world.strike_at("save_visits", _stop_database(world))


def _commit_unknown(world: "World") -> None:
    """The database goes when it has committed and ingest does not know it yet."""
    world.strike_at("after commit", _stop_database(world))


def _stop_database(world: "World") -> Callable[[str], None]:
    def stop(what: str) -> None:
        world.seen[f"database away at {what}"] += 1
        world.database.stop()
        world.time.after(world.random.uniform(0.5, 30), world.start_database)

    return stop


def _broker_away(world: "World") -> None:
    if world.broker.running:
        world.broker.stop(wipe=world.random.random() < 0.5)
        world.time.after(world.random.uniform(0.5, 12), world.start_broker)


def _snapshot_torn(world: "World") -> None:
    kept = world.database.state.snapshots
    if kept:
        newest = max(kept)
        state = bytearray(kept[newest].state)
        state[world.random.randrange(len(state))] ^= 1 << world.random.randrange(8)
        kept[newest] = replace(kept[newest], state=bytes(state))
        _killed(world)


def _version_changes(world: "World") -> None:
    """Another version of the engine cannot read the snapshots that there are: it replays all of the log."""
    world.database.state.snapshots.clear()
    _kill_at(world, 1)


def _old_word(world: "World") -> None:
    """Words about boots that are over, one that never was, and more than was ever sent reach an edge late."""
    edge = world.some_edge()
    said = {one.boot.hex(): one.sequence for one in world.accepted if one.edge == edge.name}
    said.pop(edge.boot.hex(), None)
    true = said if world.drained_boots(said) else {}
    never = {edge.boot.hex(): 2**40, bytes(16).hex(): 2**40}
    payload = msgspec.json.encode({"boots": {**true, **never}})
    client = edge._client
    if client is not None:
        client.hear(edge.topics.committed, payload, retain=False)


def _garbage(world: "World") -> None:
    topic = world.some_edge().topics.signals
    world.broker._take(Published(topic, world.random.randbytes(40)))


FAULTS: Final[dict[str, Callable[["World"], None]]] = {
    "edge cut off": _edge_cut,
    "edge half open": _edge_half_open,
    "edge crashes": _edge_crash,
    "edge stops": _edge_stops,
    "line goes before a word": _line_before_word,
    "clock of an edge jumps": _edge_clock,
    "clock of ingest jumps": _ingest_clock,
    "ingest cut off": _ingest_cut,
    "ingest half open": _ingest_half_open,
    "ingest stalls": _ingest_stalls,
    "ingest killed": _killed,
    "database away": _database_away,
    "database away with visits": _visits_not_written,
    "database away after a commit": _commit_unknown,
    "broker away": _broker_away,
    "snapshot flipped": _snapshot_torn,
    "version changes": _version_changes,
    "stale word": _old_word,
    "garbage": _garbage,
}
DRAWN: Final = (*sorted(FAULTS), "ingest killed", "ingest killed", "database away", "database away")
"""What is drawn from: these two may strike at forty moments of a turn, the others are the same at any."""
