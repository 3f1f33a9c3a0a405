"""A chain into files: recording, plan and truth as `sojourn replay` and `score` read them, and what goes with it.

One day after another is simulated, its stores side by side, and written; a day of the whole chain is in memory.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from shutil import rmtree
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import polars as pl

from core.errors import RecordingError
from core.floorplan import FloorPlan
from simulators.chain.day import StoreDay, simulate_day, store_of
from simulators.chain.members import EVENT_COLUMNS, profiles
from simulators.chain.settings import ChainSettings
from simulators.recordings.converted import RECORDING_SCHEMA
from simulators.recordings.rows import UNREADABLE
from simulators.recordings.visits import VISITS_SCHEMA, write_visits, write_whole
from simulators.replay.lanes import Progress, no_progress

FORMAT: Final = 1
"""Counted up whenever equal settings give other bytes than before."""
ROWS_TOGETHER: Final = 2**20
"""Rows that are strings in memory at a time, 100 MB; a row group of the recording holds an eighth."""
_ALONE: Final = 8  # fewer store-days than this are over before a second process has started
_PEOPLE_SCHEMA: Final = pl.Schema(
    {
        "store": pl.String,
        "person": pl.String,
        "party": pl.String,
        "manner": pl.String,
        "member": pl.Int32,
        "device": pl.String,
        "from": pl.Int64,
        "until": pl.Int64,
    }
)
_FAULTS_SCHEMA: Final = pl.Schema(
    {
        "store": pl.String,
        "anchor": pl.String,
        "kind": pl.String,
        "size": pl.Float64,
        "from": pl.Int64,
        "until": pl.Int64,
    }
)


class Written(NamedTuple):
    """What was written."""

    signals: int
    true_visits: int
    content_sha256: str
    """Of everything simulated, whatever versions of libraries wrote the files."""


def write_chain(settings: ChainSettings, folder: Path, *, jobs: int = 1, progress: Progress = no_progress) -> Written:
    """Simulate a chain and write it into a folder: the same bytes for the same settings, however many jobs.

    Parameters
    ----------
    settings : ChainSettings
    folder : Path
        Is made if need be; takes `recording.parquet`, `plan.json`, `truth.parquet`, `people.parquet`, `faults.csv`,
        `profiles.jsonl`, `orders.csv`, `online.csv`, `app.csv` and `manifest.json`.
    jobs : int
        Processes that simulate side by side.
    progress : Progress

    Raises
    ------
    FloorPlanError
        If people cannot walk in a store of `settings.plans`.
    RecordingError
        If the folder cannot be written, or holds another chain.
    """
    _refuse_another(settings, folder)
    with _parts(folder) as parts:
        plan = FloorPlan(stores=tuple(store_of(settings, number).plan for number in range(settings.stores)))
        told = _Told(settings)
        state = sha256()
        with _pool(settings, jobs) as pool:
            for number in range(settings.days):
                day = settings.first_day + timedelta(days=number)
                found = []
                for store in pool(partial(simulate_day, settings, day=day), range(settings.stores)):
                    found.append(store)
                    state.update(store.digest())
                    told.take(store)
                    done = number * settings.stores + len(found)
                    progress("simulate", done / (settings.days * settings.stores))
                parts.write(found)
        progress("write", 0.0)
        signals = parts.merge(folder / "recording.parquet")
        (folder / "plan.json").write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")
        told.write(folder, plan)
        written = Written(signals, told.true_visits, state.hexdigest())
        _write_manifest(settings, folder, written)
        progress("write", 1.0)
    return written


class _Parts:
    """The recording while it is written: files of ROWS_TOGETHER rows each, in order of arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: list[Path] = []
        self._rows = 0

    def write(self, days: Sequence[StoreDay]) -> None:
        """Write one day of all stores."""
        signals = np.concatenate([day.arrived.signals for day in days])
        arrived_us = np.concatenate([day.arrived.arrived_us for day in days])
        store = np.repeat(np.arange(len(days)), [len(day.arrived.signals) for day in days])
        order = np.argsort(arrived_us, kind="stable")  # within a store, and between stores, as they were
        anchors, first_anchor = _names([[anchor.id for anchor in day.plan.anchors] for day in days])
        devices, first_device = _names([day.devices for day in days])
        stores = pl.Series([day.plan.id for day in days], dtype=pl.String)
        for begin in range(0, len(order), ROWS_TOGETHER):
            chosen = order[begin : begin + ROWS_TOGETHER]
            part, of = signals[chosen], store[chosen]
            frame = pl.DataFrame(
                {
                    "ts": part["ts"],
                    "store": stores.gather(of),
                    "anchor": anchors.gather(first_anchor[of] + part["anchor"]),
                    "device": devices.gather(first_device[of] + part["device"]),
                    "rssi_dbm": part["rssi_dbm"].astype(np.float64),
                }
            )
            self._paths.append(self._folder / f"{len(self._paths):06}.parquet")
            frame.write_parquet(self._paths[-1], compression="lz4")
            self._rows += len(frame)

    def merge(self, path: Path) -> int:
        """Write the recording as one file and return how many rows it has."""
        begun = path.with_name(f".{path.name}.part")
        frames = [pl.scan_parquet(part) for part in self._paths] or [RECORDING_SCHEMA.to_frame().lazy()]
        # a row group as large as `ROWS_TOGETHER` / 8 whatever the number of threads, so that bytes are the same
        pl.concat(frames).sink_parquet(begun, compression="zstd", row_group_size=ROWS_TOGETHER // 8)
        begun.replace(path)
        return self._rows


class _Told:
    """Everything beside the signals, collected day by day."""

    def __init__(self, settings: ChainSettings) -> None:
        self._settings = settings
        self._truth: list[pl.DataFrame] = []
        self._people: list[pl.DataFrame] = []
        self._faults: list[tuple[Any, ...]] = []
        self._events: list[dict[str, str]] = []
        ends = settings.first_day + timedelta(days=settings.days + 1)
        self._until = datetime.combine(ends, datetime.min.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def true_visits(self) -> int:
        """How many visits took place, zone and store visits together."""
        return sum(map(len, self._truth))

    def take(self, day: StoreDay) -> None:
        """Keep what one store told of one day."""
        self._truth.append(pl.DataFrame(day.truth, schema=VISITS_SCHEMA, orient="row"))
        self._people.append(pl.DataFrame(day.people, schema=_PEOPLE_SCHEMA, orient="row"))
        self._faults += day.faults
        self._events += [event for event in day.events if event["occurred_at"] < self._until]

    def write(self, folder: Path, plan: FloorPlan) -> None:
        """Write it all."""
        write_visits(pl.concat(self._truth), folder / "truth.parquet")
        people = pl.concat(self._people).sort("from", "store", "person", "device")
        write_whole(people, folder / "people.parquet")
        write_whole(pl.DataFrame(self._faults, schema=_FAULTS_SCHEMA, orient="row"), folder / "faults.csv")
        events = pl.DataFrame(self._events, schema=dict.fromkeys(EVENT_COLUMNS, pl.String))
        for name in ("orders", "online", "app"):
            of = events.filter(pl.col("input") == name).drop("input").sort("occurred_at", "key")
            write_whole(of, folder / f"{name}.csv")
        lines = [profile for store in plan.stores for profile in profiles(self._settings, store.id)]
        (folder / "profiles.jsonl").write_bytes(msgspec.json.Encoder().encode_lines(lines))


def _refuse_another(settings: ChainSettings, folder: Path) -> None:
    """Refuse to write over a chain of other settings; the same one is written again."""
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return
    try:
        before = msgspec.json.decode(manifest.read_bytes()).get("settings")
    except (OSError, msgspec.DecodeError, AttributeError):
        before = None
    if before != msgspec.json.decode(msgspec.json.encode(_said(settings))):
        raise RecordingError(
            "The folder holds another chain.", hint="Choose another folder, or remove that one.", where=str(folder)
        )


def _said(settings: ChainSettings) -> dict[str, Any]:
    return {name: value for name, value in asdict(settings).items() if name != "plans"}


def _write_manifest(settings: ChainSettings, folder: Path, written: Written) -> None:
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != "manifest.json")
    files = {}
    for name in names:
        with (folder / name).open("rb") as file:
            files[name] = file_digest(file, "sha256").hexdigest()
    said = {
        "format": FORMAT,
        "settings": _said(settings),
        **written._asdict(),
        "files": files,
    }
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n")


@contextmanager
def _parts(folder: Path) -> Iterator[_Parts]:
    try:
        parts = folder / ".parts"
        rmtree(parts, ignore_errors=True)
        parts.mkdir(parents=True)
        try:
            yield _Parts(parts)
        finally:
            rmtree(parts, ignore_errors=True)
    except UNREADABLE as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordingError(f"The chain cannot be written: {first}.", where=str(folder)) from error


@contextmanager
def _pool(settings: ChainSettings, jobs: int) -> Iterator[Any]:
    """Lend a `map` that keeps the order, over processes where that pays."""
    if jobs <= 1 or settings.stores * settings.days < _ALONE:
        yield map
        return
    # a fresh interpreter each: a fork would copy the locks of Polars' threads
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool.map


def _names(lists: Sequence[Sequence[str]]) -> tuple[pl.Series, "np.ndarray[Any, np.dtype[np.int64]]"]:
    """Return all names in a row, and where those of each list begin."""
    first = np.cumsum([0, *map(len, lists)])[:-1]
    return pl.Series([name for names in lists for name in names], dtype=pl.String), first
