"""A chain as queues: regions of stores, their outboxes, partitions, and workers that decode. Discrete events (simpy).

A parcel stands for the signals of one partition in one step of time. Parcels keep their order within a partition, as
Kafka does, and in an outbox, as an edge does. Nothing is ever made or lost outside the outboxes' bound.
"""

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import simpy

Steps: TypeAlias = Generator[simpy.Event, object, None]

_STEP_S: Final = 5.0
"""Shorter than any lag that matters, long enough that three hours of 240 partitions are half a million parcels."""
_LOOK_S: Final = 30.0


@dataclass(frozen=True)
class Span:
    """From `from_s` until `until_s`; `value` is a burst's factor or a loss's share; `region` None: all of them."""

    from_s: float
    until_s: float
    value: float = 1.0
    region: int | None = None

    def holds(self, at_s: float, region: int | None = None) -> bool:
        """Whether it is on at this time, in this region."""
        return self.from_s <= at_s < self.until_s and (self.region is None or self.region == region)


@dataclass(frozen=True)
class Scenario:
    """What happens. Rates are signals a second: `signals_per_s` of the whole chain, `per_core_s` of one worker.

    An edge that comes back sends at most `uplink` times its usual rate; it holds `outbox_s` seconds of it.
    """

    name: str
    seconds: float
    signals_per_s: float
    per_core_s: float
    cores: int
    told: str = ""
    regions: int = 8
    partitions: int = 240
    uplink: float = 3.0
    outbox_s: float = 7 * 24 * 3600.0
    takeover_s: float = 10.0
    bursts: tuple[Span, ...] = ()
    outages: tuple[Span, ...] = ()
    losses: tuple[Span, ...] = ()
    seed: int = 1

    @property
    def utilisation(self) -> float:
        """The share of the workers' time that the usual rate takes."""
        return self.signals_per_s / (self.per_core_s * self.cores)


@dataclass(frozen=True)
class Look:
    """One look: the age of the oldest signal that is not decoded, in the region that is hit and in the others."""

    at_s: float
    lag_s: float
    other_lag_s: float
    queued: int


@dataclass
class Account:
    """Signals: heard = decoded + queued + in outboxes + dropped, at any time."""

    heard: int = 0
    decoded: int = 0
    dropped: int = 0
    waits: list[float] = field(default_factory=list)
    """Seconds that each parcel waited between its arrival at the partition and a worker's turn to it."""


@dataclass
class Parcel:
    """Signals that were heard at `born_s` and reached their partition at `arrived_s`."""

    born_s: float
    arrived_s: float
    signals: int
    partition: "Partition"


class Partition:
    """What the stores of a part of a region sent, in order."""

    def __init__(self, number: int, region: int) -> None:
        self.number, self.region = number, region
        self.waiting: deque[Parcel] = deque()
        self.owner: Worker | None = None

    def put(self, parcel: Parcel) -> None:
        """Append, and wake the worker."""
        self.waiting.append(parcel)
        if self.owner is not None:
            self.owner.wake()


class Worker:
    """One core: decodes the parcels of its partitions, whichever arrived first, at `per_core_s` signals a second."""

    def __init__(self, env: simpy.Environment, per_core_s: float, account: Account) -> None:
        self.owned: list[Partition] = []
        self._env, self._per_core_s, self._account = env, per_core_s, account
        self._news = env.event()
        self._alive = True
        self._busy = False
        self._process = env.process(self._run())

    def wake(self) -> None:
        """Tell it that something came."""
        if not self._news.triggered:
            self._news.succeed()

    def kill(self) -> None:
        """Let it die; what it was decoding is not committed and stays where it was."""
        self._alive = False
        if self._process.is_alive:
            self._process.interrupt()

    def _run(self) -> Steps:
        try:
            while self._alive:
                partition = self._oldest()
                if partition is None:
                    self._news = self._env.event()
                    yield self._news
                    continue
                parcel = partition.waiting[0]
                self._account.waits.append(self._env.now - parcel.arrived_s)
                yield self._env.timeout(parcel.signals / self._per_core_s)
                if partition.owner is self:  # else fenced: its new owner decodes it anew
                    partition.waiting.popleft()
                    self._account.decoded += parcel.signals
        except simpy.Interrupt:
            return

    def _oldest(self) -> Partition | None:
        there = [partition for partition in self.owned if partition.waiting]
        return min(there, key=lambda partition: partition.waiting[0].arrived_s) if there else None


class Chain:
    """All of it in one run."""

    def __init__(self, scenario: Scenario) -> None:
        self.account = Account()
        self.looks: list[Look] = []
        self._scenario = scenario
        self._env = simpy.Environment()
        self._random = np.random.default_rng(scenario.seed)
        self.partitions = [
            Partition(number, number * scenario.regions // scenario.partitions)
            for number in range(scenario.partitions)
        ]
        self.outboxes: list[deque[Parcel]] = [deque() for _ in range(scenario.regions)]
        self._workers = [self._worker() for _ in range(scenario.cores)]
        self._share_out(self._workers)

    @property
    def queued(self) -> int:
        """Signals that wait in partitions, the ones being decoded included."""
        return sum(parcel.signals for partition in self.partitions for parcel in partition.waiting)

    @property
    def in_outboxes(self) -> int:
        """Signals that edges hold."""
        return sum(parcel.signals for outbox in self.outboxes for parcel in outbox)

    def run(self) -> "Chain":
        """Run to the end of the scenario."""
        for region in range(self._scenario.regions):
            self._env.process(self._region(region))
        for loss in self._scenario.losses:
            self._env.process(self._lose(loss))
        self._env.process(self._look())
        self._env.run(until=self._scenario.seconds)
        return self

    def _worker(self) -> Worker:
        return Worker(self._env, self._scenario.per_core_s, self.account)

    def _share_out(self, workers: list[Worker]) -> None:
        """Give every partition an owner, as a consumer group does."""
        for worker in workers:
            worker.owned.clear()
        for partition in self.partitions:
            partition.owner = workers[partition.number % len(workers)]
            partition.owner.owned.append(partition)
        for worker in workers:
            worker.wake()

    def _region(self, region: int) -> Steps:
        asked, outbox = self._scenario, self.outboxes[region]
        mine = [partition for partition in self.partitions if partition.region == region]
        usual = asked.signals_per_s / len(self.partitions) * _STEP_S
        while True:
            now = self._env.now
            factor = 1.0
            for burst in asked.bursts:
                factor *= burst.value if burst.holds(now, region) else 1.0
            for partition, signals in zip(
                mine, self._random.poisson(usual * factor, len(mine)).tolist(), strict=True
            ):
                self.account.heard += signals
                outbox.append(Parcel(now, now, signals, partition))
            if not any(outage.holds(now, region) for outage in asked.outages):
                self._send(outbox, usual * len(mine) * max(asked.uplink, factor))
            self._drop(outbox, now)
            yield self._env.timeout(_STEP_S)

    def _send(self, outbox: deque[Parcel], at_most: float) -> None:
        """Let edges send, oldest first, what their uplink takes in a step."""
        sent = 0
        while outbox and sent < at_most:
            parcel = outbox.popleft()
            sent += parcel.signals
            parcel.arrived_s = self._env.now
            parcel.partition.put(parcel)

    def _drop(self, outbox: deque[Parcel], now: float) -> None:
        """Drop the oldest of a full outbox; a real one tells so (`signal_gap`)."""
        while outbox and now - outbox[0].born_s > self._scenario.outbox_s:
            self.account.dropped += outbox.popleft().signals

    def _lose(self, loss: Span) -> Steps:
        """Workers die; after the session's timeout the others take over, until new ones are there."""
        yield self._env.timeout(loss.from_s)
        lost = round(len(self._workers) * loss.value)
        for worker in self._workers[:lost]:
            worker.kill()
        yield self._env.timeout(self._scenario.takeover_s)
        self._share_out(self._workers[lost:])
        yield self._env.timeout(max(loss.until_s - self._env.now, 0.0))
        self._workers[:lost] = [self._worker() for _ in range(lost)]
        self._share_out(self._workers)

    def _look(self) -> Steps:
        hit = {outage.region for outage in self._scenario.outages}
        while True:
            now = self._env.now
            ages = {
                region: now - min(self._oldest_of(region), default=now) for region in range(self._scenario.regions)
            }
            self.looks.append(
                Look(
                    now,
                    max(age for region, age in ages.items() if not hit or region in hit),
                    max((age for region, age in ages.items() if hit and region not in hit), default=0.0),
                    self.queued,
                )
            )
            yield self._env.timeout(_LOOK_S)

    def _oldest_of(self, region: int) -> Iterable[float]:
        if self.outboxes[region]:
            yield self.outboxes[region][0].born_s
        for partition in self.partitions:
            if partition.region == region and partition.waiting:
                yield partition.waiting[0].born_s


def caught_up_s(looks: list[Look], after_s: float, within_s: float = 60.0) -> float | None:
    """Return how long after `after_s` the lag was back within `within_s` for good; None if it never was."""
    late = [look.at_s for look in looks if look.at_s >= after_s and look.lag_s > within_s]
    if not late:
        return 0.0
    return None if late[-1] == looks[-1].at_s else late[-1] + _LOOK_S - after_s
