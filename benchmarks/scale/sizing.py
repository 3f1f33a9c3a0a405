"""Machines and costs of a chain, from what one machine was measured to do. Prices are assumptions."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEASURED: Final = Path(__file__).parents[1]
"""Has ingest.json and ingest-kafka.json, written by `python -m benchmarks ingest --results benchmarks/RESULTS.md` and
the same with `--source kafka`, and kept.json of `python -m benchmarks kept --results docs/growth.md`."""
STORES: Final = 10_000
SIGNALS_PER_S: Final = 10_000_000
DEVICES: Final = 1_000_000
BATCH: Final = 200
_TARGET: Final = 0.6
"""Of a core at the daily peak: room for a third of the workers being gone, and for catching up."""
_BROKER_MESSAGES_PER_S: Final = 25_000
"""Of one mosquitto, in and out at QoS 1 with TLS: half of what was measured without."""
_CELL_STORES: Final = 250
"""Stores that share one database: its write-ahead log is what fills first, see docs/scale.md."""
_REPLICAS: Final = 3
_KAFKA_HOURS: Final = 24
_LOG_DAYS: Final = 8
"""The shortest that the product takes, which recomputes a week; the archive of signals is kept as long, because one
policy holds for both."""
_BUSY: Final = 0.35
"""The day's signals to those of a day at peak rate: shops are open ten hours, and not always full."""

CORE_HOUR: Final = 0.045
"""US dollars for a virtual core with 4 GB for an hour, on demand; a year's commitment is about 40% less."""
SSD_GB_MONTH: Final = 0.10
OBJECT_GB_MONTH: Final = 0.023
_HOURS: Final = 730.0
_DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Measured:
    """What one machine did: signals a second of each core, and bytes per signal."""

    per_bridge_core: float
    per_worker_core: float
    per_database_core: float
    wire_bytes: float
    log_bytes: float
    visit_bytes: float


@dataclass(frozen=True)
class Line:
    """One line of the bill: what, how many, why, and US dollars a month."""

    what: str
    count: str
    because: str
    dollars: float


def measured(folder: Path = MEASURED) -> Measured:
    """Read what was measured: bridge and worker through Kafka, as in a chain, and the bytes of ordinary days."""
    told, by_kafka, kept = (
        json.loads((folder / name).read_text()) for name in ("ingest.json", "ingest-kafka.json", "kept.json")
    )
    return Measured(
        per_bridge_core=by_kafka["signals_measured"] / by_kafka["cpu_s"]["bridge"],
        per_worker_core=by_kafka["signals_measured"] / by_kafka["cpu_s"]["worker"],
        per_database_core=told["signals_measured"] / told["cpu_s"]["database"],
        wire_bytes=told["wire_bytes_per_signal"],
        log_bytes=kept["signal_log"],
        visit_bytes=kept["zone_visit"] + kept["store_visit"] + kept["rollup"],
    )


def workers(of: Measured, signals_per_s: float = SIGNALS_PER_S) -> int:
    """Return the cores that decode at the peak: a multiple of six, so that half or two thirds share evenly, too."""
    return math.ceil(signals_per_s / (of.per_worker_core * _TARGET) / 6) * 6


def partitions(cores: int) -> int:
    """Return partitions: six to a worker's core, so that a group of twice, half or a third of the size shares evenly.

    A group of another size does not: its busiest worker then has one partition more than others.
    """
    return 6 * cores


def bill(of: Measured, signals_per_s: float = SIGNALS_PER_S, stores: int = STORES) -> list[Line]:
    """Return what it takes and costs."""
    cores = workers(of, signals_per_s)
    bridge_cores = math.ceil(signals_per_s / (of.per_bridge_core * _TARGET))
    database_cores = math.ceil(signals_per_s / (of.per_database_core * _TARGET))
    messages = signals_per_s / BATCH
    brokers = math.ceil(messages / _BROKER_MESSAGES_PER_S) * 2
    cells = math.ceil(stores / _CELL_STORES)
    a_day = signals_per_s * _BUSY * _DAY_S
    kafka_gb = a_day * of.wire_bytes * _REPLICAS * _KAFKA_HOURS / 24 / 1e9
    kafka_mb_s = signals_per_s * of.wire_bytes * _REPLICAS / 1e6
    log_gb = a_day * of.log_bytes * _LOG_DAYS / 1e9
    visits_gb = a_day * of.visit_bytes * 365 / 1e9
    return [
        _cores(
            "MQTT brokers", 2 * brokers, f"{messages:,.0f} messages/s, {brokers} nodes of 2 cores, half of them spare"
        ),
        _cores(
            "bridges", bridge_cores, f"{of.per_bridge_core:,.0f} signals/s a core, {_TARGET:.0%} used at the peak"
        ),
        _cores(
            "Kafka brokers",
            4 * max(3, math.ceil(kafka_mb_s / 100)),
            f"{kafka_mb_s:,.0f} MB/s with {_REPLICAS} replicas",
        ),
        Line(
            "Kafka disks",
            f"{kafka_gb:,.0f} GB",
            f"{_KAFKA_HOURS} h, {_REPLICAS} replicas",
            kafka_gb * SSD_GB_MONTH,
        ),
        _cores(
            "workers (Kafka to visits)",
            cores,
            f"{of.per_worker_core:,.0f} signals/s a core, {_TARGET:.0%} used at the peak",
        ),
        _cores(
            "databases",
            2 * max(database_cores, 2 * cells),
            f"{cells} cells of {_CELL_STORES} stores with a standby; {of.per_database_core:,.0f} signals/s a core",
        ),
        Line(
            "signal log",
            f"{log_gb:,.0f} GB",
            f"{_LOG_DAYS} days, {of.log_bytes:.1f} bytes a signal",
            2 * log_gb * SSD_GB_MONTH,
        ),
        Line(
            "archive of signals",
            f"{log_gb:,.0f} GB",
            f"{_LOG_DAYS} days of Parquet in an object store, as large as the log at most",
            log_gb * OBJECT_GB_MONTH,
        ),
        Line(
            "visits",
            f"{visits_gb:,.0f} GB",
            f"a year, with counts, {of.visit_bytes:.2f} bytes a signal",
            2 * visits_gb * SSD_GB_MONTH,
        ),
        _cores("API, pages", 32, "16 replicas of 2 cores behind a balancer; pages read counts, not visits"),
    ]


def _cores(what: str, count: int, because: str) -> Line:
    return Line(what, f"{count:,} cores", because, count * CORE_HOUR * _HOURS)


def markdown(lines: list[Line], signals_per_s: float = SIGNALS_PER_S) -> str:
    """Return the bill as a table with its sum."""
    sum_of = "**together**"
    total = sum(line.dollars for line in lines)
    a_store, a_milliard = total / STORES, total / (signals_per_s * _BUSY * _DAY_S * 30.4) * 1e9
    return "\n".join(
        [
            "| | how many | because | US$ a month |",
            "|---|---|---|---|",
            *[f"| {line.what} | {line.count} | {line.because} | {line.dollars:,.0f} |" for line in lines],
            f"| {sum_of} | | {a_store:,.2f} a store, {a_milliard:,.2f} per 10⁹ signals | **{total:,.0f}** |",
        ]
    )
