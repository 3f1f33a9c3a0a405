"""The decoder and the engine over a workload: per signal, by devices, by threads, from a cold start."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import reading_kernels, reference
from benchmarks.measuring import Job, cpu_ns
from benchmarks.workload import Chunk, StoreLoad, plan_of
from core.dwell.decoder import Decoder
from core.dwell.emission import tables
from core.dwell.engine import StoreEngine
from core.dwell.model import prior_model
from core.dwell.settings import Settings
from core.floorplan import StorePlan
from core.records import SIGNAL, SignalArray, VisitArray

CHUNK: Final = 65_536
_SEGMENT: Final = 250_000
_SEGMENTS: Final = 4
_EVERYBODY_US: Final = 1_000_000
"""Each of the devices is heard once in so long, on average."""
_COLD_RUNS: Final = 2
_STEP_US: Final = 100_000
"""Signals of a device further apart are two adverts."""


def decoder_for(plan: StorePlan, devices: int, settings: Settings | None = None) -> Decoder:
    """Return a fresh decoder that has admitted its devices."""
    settings = Settings() if settings is None else settings
    decoder = Decoder(tables(prior_model(plan), settings), settings)
    decoder.admit(devices)
    return decoder


def run_engine(plan: StorePlan, chunks: list[Chunk]) -> tuple[StoreEngine, list[VisitArray]]:
    """Lead chunks from raw ids to visits as ingest and replay do."""
    engine = StoreEngine(plan)
    visits = [engine.push(chunk.signals, devices=engine.device_index(chunk.pseudonyms)) for chunk in chunks]
    return engine, [*visits, engine.finish()]


@dataclass
class Ours:
    """Everything that is measured on one workload, prepared so that only the work itself is timed."""

    stores: list[StoreLoad]

    def __post_init__(self) -> None:
        self.signals = sum(len(store.signals) for store in self.stores)
        self.chunks = [store.chunks(CHUNK) for store in self.stores]
        self.ordered = [store.in_order() for store in self.stores]
        self.all = np.concatenate([store.signals for store in self.stores])

    def jobs(self, *, compiled_c: bool) -> dict[str, Job]:
        """Return the jobs that take turns, each nanoseconds per signal."""
        jobs: dict[str, Job] = {
            "read_limit": self.read,
            "decoder": self.decode,
            "engine": self.engine,
            "engine_ids": self.engine_ids,
        }
        if compiled_c:
            jobs |= {"c_reference": self.viterbi_in_c, "c_ema": self.ema_in_c}
        return jobs

    def read(self) -> float:
        """Sum the columns of all signals."""
        return cpu_ns(lambda: reading_kernels.sum_columns(self.all)) / self.signals

    def decode(self) -> float:
        """Decode sorted signals of admitted devices."""
        taken = 0
        for store, ordered in zip(self.stores, self.ordered, strict=True):
            decoder = decoder_for(store.plan, len(store.pseudonyms))
            taken += cpu_ns(lambda d=decoder, o=ordered: _decode(d, o))  # type: ignore[misc]
        return taken / self.signals

    def engine(self) -> float:
        """Lead raw ids, one table of pseudonyms a chunk, to visits."""
        taken = 0
        for store, chunks in zip(self.stores, self.chunks, strict=True):
            taken += cpu_ns(lambda s=store, c=chunks: run_engine(s.plan, c))  # type: ignore[misc]
        return taken / self.signals

    def engine_ids(self) -> float:
        """Do the same with a pseudonym of 16 bytes beside every signal."""
        taken = 0
        for store, chunks in zip(self.stores, self.chunks, strict=True):
            spelt = [_spelt(chunk) for chunk in chunks]
            taken += cpu_ns(lambda s=store, c=spelt: _run_spelt(s.plan, c))  # type: ignore[misc]
        return taken / self.signals

    def viterbi_in_c(self) -> float:
        """Run the C machine over the same sorted signals."""
        taken = 0
        for store, ordered in zip(self.stores, self.ordered, strict=True):
            machine = reference.Viterbi(prior_model(store.plan), len(store.pseudonyms), len(ordered))
            taken += cpu_ns(lambda m=machine, o=ordered: m.decode(o))  # type: ignore[misc]
        return taken / self.signals

    def ema_in_c(self) -> float:
        """Run the moving average in C."""
        taken = 0
        for store, ordered in zip(self.stores, self.ordered, strict=True):
            taken += cpu_ns(lambda s=store, o=ordered: reference.ema(o, len(s.pseudonyms)))  # type: ignore[misc]
        return taken / self.signals

    def threads(self, rounds: int) -> dict[str, float]:
        """Return wall nanoseconds per signal of the engine with one and two threads, parted by store."""
        work = [(store.plan, chunks) for store, chunks in zip(self.stores, self.chunks, strict=True)]
        wall: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            for count, taken in wall.items():
                with ThreadPoolExecutor(count) as pool:
                    begun = time.perf_counter_ns()
                    for _done in pool.map(lambda one: run_engine(*one)[0].counts, work):
                        pass
                    taken.append((time.perf_counter_ns() - begun) / self.signals)
        return {
            "one_wall_ns": median(wall[1]),
            "two_wall_ns": median(wall[2]),
            "speed_up": median(one / two for one, two in zip(wall[1], wall[2], strict=True)),
            "speed_up_best": min(wall[1]) / min(wall[2]),
        }

    def described(self) -> dict[str, float]:
        """Return what decides the cost of a workload."""
        ordered = self.ordered[0]
        by_device = ordered[np.argsort(ordered["device"], kind="stable")]
        apart = (np.diff(by_device["ts"]) >= _STEP_US) | (np.diff(by_device["device"]) != 0)
        ts = self.stores[0].signals["ts"]
        return {
            "signals_an_advert": len(ordered) / (int(apart.sum()) + 1),
            "seconds": float(ts.max() - ts.min()) / 1e9,
            "out_of_order_share": float((np.diff(ts) < 0).mean()),
        }

    def agreement(self) -> dict[str, float]:
        """Return the share of the decoder's stays that the C machine has too, with its settings and with ours."""
        store, ordered = self.stores[0], self.ordered[0]
        as_it_is = stays_of(store.plan, ordered, len(store.pseudonyms), Settings())
        as_c = stays_of(store.plan, ordered, len(store.pseudonyms), plain_settings())
        machine = reference.Viterbi(prior_model(store.plan), len(store.pseudonyms), len(ordered))
        machine.decode(ordered)
        in_c = as_rows(machine.finish())
        return {
            "same_settings": len(as_c & in_c) / max(len(as_c), 1),
            "as_shipped": len(as_it_is & in_c) / max(len(as_it_is), 1),
        }


def plain_settings() -> Settings:
    """Return the settings without what the C machine does not have: offsets of devices and watch over anchors."""
    return Settings(offset_limit_db=0, deaf_nats=0)


def stays_of(plan: StorePlan, ordered: SignalArray, devices: int, settings: Settings) -> set[tuple[int, ...]]:
    """Return what the decoder decides, store visits as zone -1."""
    decoder = decoder_for(plan, devices, settings)
    return as_rows(np.concatenate([*_decode(decoder, ordered), decoder.close_silent(1 << 62)]))


def as_rows(stays: NDArray[Any]) -> set[tuple[int, ...]]:
    """Return (device, zone, entered_at, left_at) of stays."""
    return set(zip(*(stays[name].tolist() for name in ("device", "zone", "entered_at", "left_at")), strict=True))


@dataclass
class ByDevices:
    """Nanoseconds per signal by count of devices: of the decoder, and of reading the records only."""

    decoder_ns: dict[int, float] = field(default_factory=dict)
    touch_ns: dict[int, float] = field(default_factory=dict)
    device_bytes: int = 0


def by_devices(counts: list[int], seed: int) -> ByDevices:
    """Measure the decoder with so many devices in one store, every signal of another one, in random order.

    Each device is heard about once a second by one anchor, so that nearly every signal is an advertisement of its
    own: the dearest case there is.
    """
    found = ByDevices()
    for count in counts:
        decoder = decoder_for(plan_of(0), count)
        _decode(decoder, _crowd(count, count, 0, seed, arriving=True))
        warm = max(2 * count, _SEGMENT)
        _decode(decoder, _crowd(count, warm, count, seed))
        begin = count + warm
        words = decoder.state.view(np.int32).reshape(len(decoder.state), -1)
        reading_kernels.touch(_crowd(count, 8, begin, seed), decoder.state, words)
        taken, touched = [], []
        for _ in range(_SEGMENTS):
            signals = _crowd(count, _SEGMENT, begin, seed)
            begin += _SEGMENT
            taken.append(cpu_ns(lambda d=decoder, s=signals: _decode(d, s)) / _SEGMENT)  # type: ignore[misc]
            order = _crowd(count, _SEGMENT, begin, seed + 1)
            work = lambda d=decoder, s=order, w=words: reading_kernels.touch(s, d.state, w)  # noqa: E731
            touched.append(cpu_ns(work) / _SEGMENT)
        found.decoder_ns[count], found.touch_ns[count] = median(taken), median(touched)
        found.device_bytes = decoder.state.dtype.itemsize
    return found


def _crowd(devices: int, signals: int, begin: int, seed: int, *, arriving: bool = False) -> SignalArray:
    """Make signals, µs, of a crowd that stands still; with `arriving`, of one device after the other."""
    rng = np.random.default_rng([seed, begin])
    made = np.zeros(signals, SIGNAL)
    made["ts"] = 1_790_000_000_000_000 + (np.arange(begin, begin + signals) * _EVERYBODY_US) // devices
    device = np.arange(signals) % devices if arriving else rng.integers(0, devices, signals)
    made["device"] = device
    anchors = len(plan_of(0).anchors)
    beside = rng.random(signals) < 0.3
    made["anchor"] = (device + beside) % anchors
    made["rssi_dbm"] = np.rint(np.where(beside, -82, -72) + rng.normal(0, 4, signals))
    return made


def cold_start_s() -> dict[str, float]:
    """Return seconds from the start of a fresh process to 1,000 decoded signals, and the CPU time of it."""
    wall, cpu = [], []
    for _ in range(_COLD_RUNS + 1):
        begun = time.perf_counter()
        run = subprocess.run(
            [sys.executable, "-m", "benchmarks.cold_start"], capture_output=True, text=True, check=True
        )
        wall.append(time.perf_counter() - begun)
        cpu.append(float(run.stdout))
    return {"wall_s": min(wall[1:]), "cpu_s": min(cpu[1:])}  # the first one may have had to compile


def _decode(decoder: Decoder, ordered: SignalArray) -> list[NDArray[Any]]:
    return [decoder.decode(ordered[begin : begin + CHUNK]) for begin in range(0, len(ordered), CHUNK)]


def _spelt(chunk: Chunk) -> tuple[SignalArray, NDArray[np.uint8]]:
    """Return a chunk's signals, each with a pseudonym of its own."""
    signals = chunk.signals.copy()
    signals["device"] = np.arange(len(signals))
    return signals, chunk.pseudonyms[chunk.signals["device"]]


def _run_spelt(plan: StorePlan, chunks: list[tuple[SignalArray, NDArray[np.uint8]]]) -> None:
    engine = StoreEngine(plan)
    for given, pseudonyms in chunks:
        engine.push(given, devices=engine.device_index(pseudonyms))
    engine.finish()
