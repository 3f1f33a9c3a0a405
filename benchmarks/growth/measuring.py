"""One size: a machine with so many stores, one edge each, as fast as signals get committed; then a kill."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.ingest.air import store_id
from benchmarks.ingest.cost import memory_mb
from benchmarks.ingest.edges import publishing
from benchmarks.ingest.machine import Machine, machine
from benchmarks.ingest.measuring import Asked, measure_product, publishes_of
from simulators.demo.pages import ask

_CONNECTIONS: Final = 16
_DEVICES: Final = 4_000
"""Of all stores together up to ten of them; at least _FEWEST a store beyond."""
_FEWEST: Final = 100
_ASKED_TIMES: Final = 30
_FEWEST_VISITS: Final = 1_000
"""With fewer, bytes a visit would be those of empty pages of indexes."""
_LONGEST_S: Final = 900.0
"""A thousand stores on two cores with other work took 266 s to come back."""


@dataclass(frozen=True)
class Size:
    """What was measured with so many stores; `wrong` is what the checker says.

    None: too few visits for a figure. A thousand stores share the signals of one machine, so that in a short run on a
    busy one hardly a device is heard long enough for a visit to end.
    """

    stores: int
    load: float
    per_second: float
    ns_per_signal: float
    worker_ns_per_signal: float
    worker_mb: float
    mb_a_store: float
    database_mb: float
    recovery_s: float
    page_ms: tuple[float, float]
    to_page_s: tuple[float, float] | None
    log_bytes: float
    visit_bytes: float | None
    wrong: tuple[str, ...]


def measure(folder: Path, stores: int, seconds: float) -> Size:
    """Measure one size."""
    devices = max(_DEVICES // stores, _FEWEST)
    asked = Asked(
        seconds=seconds,
        stores=stores,
        edges=1,
        devices=devices,
        connections=min(stores, _CONNECTIONS),
        profile=False,
    )
    with machine(folder, stores=stores, edges=1, devices=devices, tls=False) as running:
        empty_mb = memory_mb(running.pid_of("ingest"))
        product = measure_product(running, asked)
        page_ms = _page_ms(running, stores)
        recovery_s = _recovery_s(running, asked)
    cost, visits = product.cost, product.checked.zone_visits + product.checked.store_visits
    total_ns = sum(cost.cpu_s.values()) * 1e9 / max(cost.signals, 1)
    to_page = product.delays["signal_to_page"]
    return Size(
        stores=stores,
        load=round(os.getloadavg()[0], 1),
        per_second=cost.per_second,
        ns_per_signal=total_ns,
        worker_ns_per_signal=cost.cpu_s["worker"] * 1e9 / max(cost.signals, 1),
        worker_mb=cost.peak_mb["worker"],
        mb_a_store=max(cost.peak_mb["worker"] - empty_mb, 0.0) / stores,
        database_mb=cost.peak_mb["database"],
        recovery_s=recovery_s,
        page_ms=page_ms,
        to_page_s=(to_page[0], to_page[1]) if to_page[1] > 0 else None,
        log_bytes=product.sizes.log / max(product.checked.logged, 1),
        visit_bytes=product.sizes.visits / visits if visits >= _FEWEST_VISITS else None,
        wrong=(*product.checked.wrong, *(["edges left something behind"] if product.left else [])),
    )


def _page_ms(running: Machine, stores: int) -> tuple[float, float]:
    """Return p50 and p99 of what a store's page asks for: its people and its newest visits."""
    taken = []
    for number in range(_ASKED_TIMES):
        store = store_id(number * 7 % stores)
        begun_s = time.monotonic()
        for path in (f"/v1/stores/{store}/occupancy", f"/v1/stores/{store}/visits"):
            status, _ = ask(running.api_port, path, running.key)
            if status != 200:
                raise RuntimeError(f"{path} answers {status}")
        taken.append((time.monotonic() - begun_s) * 1e3)
    p50, p99 = np.percentile(taken, [50, 99]).tolist()
    return round(p50, 1), round(p99, 1)


def _recovery_s(running: Machine, asked: Asked) -> float:
    """Kill ingest while edges send; return the seconds until it commits what comes after the kill."""
    with publishing(publishes_of(running, asked), running.folder / "edges.log") as edges:
        running.await_condition(lambda: edges.committed > 0, "nothing is committed", _LONGEST_S)
        time.sleep(3.0)  # the kill comes in the middle of work
        os.kill(running.pid_of("ingest"), signal.SIGKILL)
        running.processes.stop("ingest", 1.0)
        before, begun_s = edges.signals, time.monotonic()
        running.processes.start("ingest")
        running.await_condition(lambda: edges.committed > before, "ingest does not come back", _LONGEST_S)
        taken_s = time.monotonic() - begun_s
        edges.end()
    return round(taken_s, 1)
