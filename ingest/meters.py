"""What ingest counts and tells a Prometheus: stores and reasons as labels, never an edge's boot or a device."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.limits import NS_PER_S
from ingest.commit import Committed
from ingest.logged import Logged

STORES_TOLD: Final = 2_000
"""Stores with series of their own, five each: what one Prometheus takes from one process. Further ones are left out,
and their number is told."""
REASONS: Final = frozenset(
    (
        "columns", "encoding", "future", "gap", "identity", "ids", "past", "rssi", "size", "span", "unknown_anchor",
        "unknown_store", "version", "zstd",
    )
)  # fmt: skip
"""Reasons with a series of their own; whatever else comes is counted as `other`, so that no message makes a label."""
_COMMIT_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""A commit to disk takes 2 ms; what takes 5 s is a database in trouble."""
_LAG_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
"""Two seconds is what was promised up to the page; a day is an edge that was cut off over night."""


@dataclass(frozen=True, kw_only=True)
class StoreState:
    """How a store's engine fares; times are ns, `snapshot_age_s` is 0 where the newest snapshot has everything."""

    store: str
    newest_at: int
    decided_through: int | None
    late: int
    anchors: int
    anchors_away: int
    snapshot_age_s: float


class Meters:
    """The counts of one ingest.

    Parameters
    ----------
    registry : CollectorRegistry, optional
        Where they are told; default: nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._batches = self._counter("batches", "Batches written to the signal log.")
        self._signals = self._counter("signals", "Signals in these batches.")
        self._duplicates = self._counter("duplicate_batches", "Batches that were in the log already.")
        self._gap_signals = self._counter("gap_signals", "Signals that edges told to have given up.")
        self._visits = self._counter("visits", "Visits written.")
        self._dead_letters = Counter(
            "sojourn_ingest_dead_letters", "Faults of messages, by reason.", ["reason"], registry=self.registry
        )
        for reason in sorted(REASONS | {"other"}):
            self._dead_letters.labels(reason)  # a series that begins at its first fault shows no increase
        self._commit_s = self._histogram("commit_seconds", "Messages to signal log, one transaction.", _COMMIT_S)
        self._write_s = self._histogram("visits_write_seconds", "Visits and presence, one transaction.", _COMMIT_S)
        self._lag_s = self._histogram("signal_lag_seconds", "From a batch's newest signal to its commit.", _LAG_S)
        self._queued = self._gauge("queued_messages", "Messages received and not yet taken.")
        self._parked = self._gauge("parked_batches", "Batches that wait for an earlier one of their edge.")
        self._broker = self._gauge("broker_connected", "1 while the broker is there.")
        self._starting = self._gauge(
            "starting", "1 while kernels are compiled or the log is replayed, before a broker."
        )
        self._database = self._gauge("database_connected", "1 while the database is there and this ingest may write.")
        self._dropped = self._gauge("broker_dropped_messages", "Messages the broker dropped since it started.")
        self._late_open = self._gauge("late_batches_open", "Late batches that wait for a revision of visits.")
        self._stores = _Stores()
        self.registry.register(self._stores)

    def committed(self, what: Committed, took_s: float) -> None:
        """Count what one transaction did."""
        self._commit_s.observe(took_s)
        self._batches.inc(len(what.logged))
        self._duplicates.inc(what.repeated)
        for reason, letters in what.reasons.items():
            self._dead_letters.labels(reason if reason in REASONS else "other").inc(letters)
        now_ns = time.time_ns()
        for logged in what.logged:
            self._count(logged, now_ns)

    def wrote(self, visits: int, took_s: float) -> None:
        """Count visits that were written."""
        self._visits.inc(visits)
        self._write_s.observe(took_s)

    def state(
        self, *, broker: bool, queued: int, parked: int, dropped: int | None, late_open: int, starting: bool = False
    ) -> None:
        """Tell how ingest fares now; the database was there to be asked."""
        self._database.set(1)
        self._broker.set(broker)
        self._starting.set(starting)
        self._queued.set(queued)
        self._parked.set(parked)
        self._late_open.set(late_open)
        if dropped is not None:
            self._dropped.set(dropped)

    def away(self) -> None:
        """Tell that there is no database, and that the broker was let go of."""
        self._database.set(0)
        self._broker.set(0)
        self._starting.set(0)

    def stores(self, states: Iterable[StoreState]) -> None:
        """Tell how each store fares now."""
        self._stores.states = tuple(states)

    def _count(self, logged: Logged, now_ns: int) -> None:
        batch = logged.batch
        if batch is None:
            return
        self._signals.inc(len(batch))
        if batch.gap is not None:
            self._gap_signals.inc(batch.gap.signals)
        if len(batch):
            self._lag_s.observe(max(now_ns - int(batch.ts.max()), 0) / NS_PER_S)

    def _counter(self, name: str, what: str) -> Counter:
        return Counter(f"sojourn_ingest_{name}", what, registry=self.registry)

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"sojourn_ingest_{name}", what, registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"sojourn_ingest_{name}", what, buckets=buckets, registry=self.registry)


class _Stores(Collector):
    """Tells of each store when it is asked, so that one that is gone goes from the answer too."""

    def __init__(self) -> None:
        self.states: tuple[StoreState, ...] = ()

    def collect(self) -> Iterator[Metric]:
        told = self.states[:STORES_TOLD]
        newest = _of_stores("newest_signal_timestamp_seconds", "Time of a store's newest signal.")
        lag = _of_stores("engine_lag_seconds", "From there back to what its visits are decided through, in its time.")
        coverage = _of_stores("coverage_ratio", "Share of a store's anchors that work.")
        age = _of_stores("snapshot_age_seconds", "How long what is new lacks a snapshot.")
        late = CounterMetricFamily("sojourn_ingest_late_signals", "Signals that came too late.", labels=["store"])
        untold = GaugeMetricFamily("sojourn_ingest_stores_untold", "Stores beyond those with series of their own.")
        untold.add_metric([], len(self.states) - len(told))
        for one in told:
            named = [one.store]
            late.add_metric(named, one.late)
            age.add_metric(named, one.snapshot_age_s)
            coverage.add_metric(named, 1.0 - one.anchors_away / one.anchors if one.anchors else 1.0)
            if one.newest_at > 0:
                newest.add_metric(named, one.newest_at / NS_PER_S)
            if one.newest_at > 0 and one.decided_through is not None:
                lag.add_metric(named, max(one.newest_at - one.decided_through, 0) / NS_PER_S)
        yield from (newest, lag, coverage, age, late, untold)


def _of_stores(name: str, what: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sojourn_ingest_{name}", what, labels=["store"])
