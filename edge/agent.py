"""One edge agent: readings in, batches out, nothing lost in between.

    source -> ReadingQueue -> pseudonyms -> Batcher -> Outbox (disk) -> Publisher -> broker

Whatever hears devices is a source: it puts readings into the queue. One thread turns them into rows of the outbox,
another one publishes those.
"""

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import structlog

from core import wire
from core.errors import SojournError, UnavailableError
from core.limits import NS_PER_S, NS_PER_US, PSEUDONYM_BYTES
from edge.batching import Batcher, Columns, batch
from edge.battery import battery_percent
from edge.broker import Broker, Topics
from edge.clock import Clock
from edge.outbox import MOST_BYTES, Dropped, Entry, Outbox
from edge.pseudonyms import KeyRing, Pseudonyms
from edge.publisher import Publisher
from edge.readings import ReadingQueue, Readings
from edge.tls import ends_at

WAITING_BATCHES: Final = 64
"""Batches held in memory while the outbox refuses (disk full): a minute. What comes then is dropped and counted."""
_PAUSE_S: Final = 1.0  # before a refused write is tried again
_DAY_NS: Final = 86_400 * NS_PER_S

log = structlog.get_logger()


class Accepted(NamedTuple):
    """A batch that is in the outbox and will reach the database."""

    edge: str
    boot: bytes
    sequence: int
    signals: int
    sha256: bytes
    first_ns: int
    last_ns: int


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """Who an agent is and where its things are."""

    store: str
    edge: str
    anchors: tuple[str, ...]
    broker: Broker
    keys: Path
    """Key folder, shared by the agents of a store."""
    outbox: Path
    """SQLite file of this agent alone."""
    outbox_bytes: int = MOST_BYTES
    of_this_machine: tuple[str, ...] = ()
    """Anchors that are adapters of this machine: they have its battery, where it has one."""
    heartbeat_s: float | None = None
    """How often the anchors give a sign of life (`Agent.alive`), whether they hear anybody or not. None: they have no
    heartbeat, and their silence is judged by the signals of others alone."""


class Agent:
    """Ties source, pseudonyms, batches, outbox and publisher together.

    Parameters
    ----------
    settings : AgentSettings
    readings : ReadingQueue
        Filled by sources; this agent alone takes from it.
    clock : Clock
    on_accepted : callable
        Called with every batch once it is on disk.
    on_config : callable
        Called with what the config topic says, from the publisher's thread.
    more_status : callable
        Gives what the status says besides; from any thread.

    Raises
    ------
    ConfigurationError, UnavailableError
        As `KeyRing` and `Outbox` do.
    """

    def __init__(
        self,
        settings: AgentSettings,
        readings: ReadingQueue,
        *,
        clock: Clock | None = None,
        on_accepted: Callable[[Accepted], None] | None = None,
        on_config: Callable[[bytes], None] | None = None,
        more_status: Callable[[], dict[str, object]] | None = None,
    ) -> None:
        self.boot = secrets.token_bytes(wire.BOOT_BYTES)
        self.dropped = 0
        """Signals lost because the disk refused for too long; the outbox counts its own."""
        self._settings = settings
        self._readings = readings
        self._clock = clock if clock is not None else Clock()
        self._on_accepted = on_accepted
        self._more_status = more_status
        self._sequence = 0
        self._batcher = Batcher()
        self._waiting: list[Columns] = []
        self._lost: Dropped | None = None  # batches that the disk refused for too long; told once it takes something
        self._pseudonyms = Pseudonyms(KeyRing(settings.keys), self._clock)
        self._outbox = Outbox(settings.outbox, gap_payload, settings.outbox_bytes)
        topics = Topics(settings.store, settings.edge)
        self._publisher = Publisher(
            settings.broker, topics, self._outbox, self._clock, self.status, on_config=on_config
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"batch {settings.edge}", daemon=True)
        self._failed = False
        # an anchor that has been dead since before the start is known to be so after three heartbeats
        began_us = self._clock.now_ns() // NS_PER_US
        self._alive_us = dict.fromkeys(settings.anchors if settings.heartbeat_s is not None else (), began_us)

    @property
    def running(self) -> bool:
        """Whether both threads are at work."""
        return self._thread.is_alive() and self._publisher.running

    @property
    def connected(self) -> bool:
        """Whether the broker is there at the moment."""
        return self._publisher.connected

    @property
    def lost(self) -> int:
        """Signals given up since the start because disk or queue had no room."""
        return self._outbox.dropped + self.dropped + self._readings.turned_away

    @property
    def held_bytes(self) -> int:
        """What the outbox holds."""
        return self._outbox.held_bytes

    @property
    def backlog(self) -> int:
        """Messages that are not known to be in the database."""
        return self._outbox.rows

    def start(self) -> None:
        """Start both threads."""
        self._thread.start()
        self._publisher.start()

    def stop(self, drain_s: float) -> int:
        """Take what is still in the queue, wait up to `drain_s` for the database to have it, then end.

        Returns
        -------
        int
            Messages left in the outbox; the next start delivers them.
        """
        self._stop.set()
        self._thread.join()
        self._outbox.wait_until_empty(drain_s)
        self._publisher.stop()
        left = self._outbox.rows
        self._outbox.close()
        return left

    def alive(self, anchors: Iterable[str]) -> None:
        """Note that these anchors have just given a sign of life; for sources, from any thread."""
        now_us = self._clock.now_ns() // NS_PER_US
        for anchor in anchors:
            if anchor in self._alive_us:
                self._alive_us[anchor] = now_us

    def status(self, state: str) -> bytes:
        """Return the message for the status topic."""
        said: dict[str, object] = {
            "state": state,
            "boot": self.boot.hex(),
            "at_us": self._clock.now_ns() // NS_PER_US,
            "anchors": list(self._settings.anchors),
            "backlog": self._outbox.rows,
            "dropped": self.lost,
        }
        until = ends_at(self._settings.broker)
        if until is not None:
            said["certificate_until_us"] = int(until.timestamp()) * (NS_PER_S // NS_PER_US)
        if self._more_status is not None:
            said |= self._more_status()
        battery = battery_percent()
        if (
            battery is not None and self._settings.of_this_machine
        ):  # adapters of this machine go with it; gateways on its network do not
            said["battery_percent"] = dict.fromkeys(self._settings.of_this_machine, battery)
        if self._settings.heartbeat_s is not None:
            said["alive"] = {"v": 1, "every_s": self._settings.heartbeat_s, "at_us": dict(self._alive_us)}
        return msgspec.json.encode(said)

    def _run(self) -> None:
        while True:
            stopping = self._stop.is_set()  # read before the queue: what was put before stop() is taken
            wait_s = 0.0 if stopping else self._batcher.wait_s(self._clock.monotonic_s())
            readings = self._readings.take(_PAUSE_S if self._waiting and not stopping else wait_s)
            self._take_in(readings)
            if stopping and readings is None:
                self._waiting += self._batcher.flush()
            self._keep()
            if stopping and readings is None:
                self.dropped += sum(len(columns.ts) for columns in self._waiting)
                return

    def _take_in(self, readings: Readings | None) -> None:
        columns = None
        if readings is not None:
            try:
                columns = self._without_identities(readings)
            except SojournError as error:  # without a key nothing may leave, and identities are not kept
                self.dropped += len(readings.ts)
                self._complain("cannot name devices", error)
        now_s = self._clock.monotonic_s()
        self._waiting += self._batcher.due(now_s) if columns is None else self._batcher.add(columns, now_s)

    def _without_identities(self, readings: Readings) -> Columns:
        """Replace what devices call themselves by pseudonyms; readings of days without a key are left out."""
        days = readings.ts // _DAY_NS
        ts, device, rssi = readings.ts, readings.device, readings.rssi_dbm
        self._pseudonyms.refresh()
        # one entry per device and day that occurs
        pairs, entry = np.unique(np.stack([days, device]), axis=1, return_inverse=True)
        made = [self._pseudonyms.of(readings.identities[which], day) for day, which in pairs.T.tolist()]
        known = np.array([one is not None for one in made], np.bool_)
        names = b"".join(one if one is not None else bytes(PSEUDONYM_BYTES) for one in made)
        devices = np.frombuffer(names, np.uint8).reshape(-1, PSEUDONYM_BYTES)
        entry = entry.reshape(-1)
        kept = known[entry]
        if not kept.all():
            self._pseudonyms.too_old += int((~kept).sum())
        return Columns(ts[kept], readings.anchor[kept], entry[kept], rssi[kept], readings.anchors, devices)

    def _keep(self) -> None:
        """Write what waits to the outbox, all in one transaction; hold a bounded rest while the disk refuses."""
        if not self._waiting:
            return
        entries = [] if self._lost is None else [_gap_entry(self._lost)]
        for place, columns in enumerate(self._waiting, start=1):
            payload = wire.encode(batch(columns, self.boot, self._sequence + place))
            first_us, last_us = int(columns.ts.min()) // NS_PER_US, int(columns.ts.max()) // NS_PER_US
            entries.append(Entry(self.boot, self._sequence + place, payload, len(columns.ts), first_us, last_us))
        try:
            digests = self._outbox.append(entries, self._clock.now_ns())
        except UnavailableError as error:
            self._complain("cannot keep what is heard", error)
            surplus, self._waiting = self._waiting[:-WAITING_BATCHES], self._waiting[-WAITING_BATCHES:]
            self._lose(surplus)
            return
        if self._failed:
            log.info("keeping again", edge=self._settings.edge, dropped=self.dropped)
        self._failed = False
        self._sequence += len(self._waiting)
        self._waiting, self._lost = [], None
        self._publisher.wake()
        self._tell(entries, digests)

    def _lose(self, surplus: list[Columns]) -> None:
        """Give up the oldest batches that wait; their sequences become a gap, so that the database learns of them."""
        if not surplus:
            return
        first, lost = self._sequence + 1, self._lost
        self._sequence += len(surplus)
        signals = sum(len(columns.ts) for columns in surplus)
        from_us = min(int(columns.ts.min()) for columns in surplus) // NS_PER_US
        until_us = max(int(columns.ts.max()) for columns in surplus) // NS_PER_US
        self.dropped += signals
        if lost is not None:
            first, signals = lost.first, signals + lost.signals
            from_us, until_us = min(from_us, lost.from_us), max(until_us, lost.until_us)
        self._lost = Dropped(self.boot, first, self._sequence, signals, from_us, until_us)

    def _complain(self, what: str, error: SojournError) -> None:
        if not self._failed:
            log.error(what, edge=self._settings.edge, reason=str(error))
        self._failed = True

    def _tell(self, entries: list[Entry], digests: list[bytes]) -> None:
        if self._on_accepted is not None:
            for entry, digest in zip(entries, digests, strict=True):
                if entry.first is not None:
                    continue  # a gap: nothing of it will arrive
                self._on_accepted(
                    Accepted(
                        self._settings.edge,
                        entry.boot,
                        entry.sequence,
                        entry.signals,
                        digest,
                        entry.from_us * NS_PER_US,
                        entry.until_us * NS_PER_US,
                    )
                )


def _gap_entry(lost: Dropped) -> Entry:
    return Entry(lost.boot, lost.last, gap_payload(lost), lost.signals, lost.from_us, lost.until_us, lost.first)


def gap_payload(dropped: Dropped) -> bytes:
    """Return the batch that travels in place of dropped ones."""
    return wire.encode(
        wire.Batch(
            boot=dropped.boot,
            sequence=dropped.last,
            anchors=(),
            devices=np.zeros((0, PSEUDONYM_BYTES), np.uint8),
            ts=np.zeros(0, np.int64),
            anchor=np.zeros(0, np.uint16),
            device=np.zeros(0, np.uint16),
            rssi_dbm=np.zeros(0, np.int16),
            gap=wire.Gap(
                first=dropped.first,
                signals=dropped.signals,
                from_ns=dropped.from_us * NS_PER_US,
                until_ns=dropped.until_us * NS_PER_US,
            ),
        )
    )
