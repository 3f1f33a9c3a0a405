"""What was measured, as JSON, as Markdown and as pictures."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

from benchmarks.drawing import over_time
from benchmarks.ingest.air import SIGNALS, ZONES
from benchmarks.ingest.cost import Cost, Moment
from benchmarks.ingest.machine import MEMBERS
from benchmarks.ingest.measuring import Asked, Product

GOAL: Final = 500_000
"""Signals a second of core time."""
PUBLISHED: Final = 4_200
"""Points a second a core: what ThingsBoard's published best result works out at."""
_DELAYS: Final = {
    "signal_to_log": "from the last signal of a batch to its row in the log",
    "signal_to_page": "from a signal to the state of the store that reached a page",
    "decision_to_page": "from what ingest decided (of a state, the first) to the state that reached a page",
    "signal_to_visit": "from the last signal in a zone to the row of a visit that ended by moving on, with hindsight",
    "silence_to_visit": "the same where the device fell silent: the learnt patience before a silence is a departure",
}


@dataclass(frozen=True)
class Found:
    """One run: `plain` by name, or the words why it was not measured."""

    asked: Asked
    tls: bool
    load: tuple[float, float]
    machine: dict[str, str]
    product: Product
    plain: Mapping[str, Cost | str]


def told(found: Found) -> dict[str, Any]:
    """Return everything as what JSON can hold."""
    product = found.product
    return {
        "asked": asdict(found.asked),
        "tls": found.tls,
        "load_before_after": found.load,
        "machine": found.machine,
        "signals_measured": product.cost.signals,
        "signals_per_s": round(product.cost.per_second),
        "signals_per_core_s": round(product.cost.per_core_second),
        "cpu_s": _rounded(product.cost.cpu_s),
        "page_cpu_s": round(product.page_cpu_s, 2),
        "peak_mb": _rounded(product.cost.peak_mb),
        "delays_s": product.delays,
        "wire_bytes_per_signal": round(product.wire_bytes_per_signal, 2),
        "disk_bytes_per_signal": _disk(product),
        "checked": asdict(product.checked),
        "journeys": product.journeys,
        "catch_up_s": round(product.catch_up_s, 1),
        "flat": flat(product.moments),
        "parts": product.parts,
        "plain": {
            name: one
            if isinstance(one, str)
            else {"signals_per_s": round(one.per_second), "signals_per_core_s": round(one.per_core_second)}
            for name, one in found.plain.items()
        },
        "moments": [asdict(moment) for moment in product.moments],
    }


def flat(moments: list[Moment]) -> dict[str, float]:
    """Return the last third to the second: rate, cost per signal, memory of the worker and the database."""
    third = len(moments) // 3
    if third < 2:
        return {}
    before, after = moments[third : 2 * third + 1], moments[2 * third :]

    def rate(part: list[Moment]) -> float:
        return (part[-1].signals - part[0].signals) / (part[-1].at_s - part[0].at_s)

    def cost(part: list[Moment]) -> float:
        return (sum(part[-1].cpu_s.values()) - sum(part[0].cpu_s.values())) / max(
            part[-1].signals - part[0].signals, 1
        )

    def memory(part: list[Moment], name: str) -> float:
        return sum(moment.memory_mb[name] for moment in part) / len(part)

    return {
        "rate": round(rate(after) / max(rate(before), 1e-9), 3),
        "cost": round(cost(after) / max(cost(before), 1e-12), 3),
        "worker_mb": round(memory(after, "worker") / max(memory(before, "worker"), 1e-9), 3),
        "database_mb": round(memory(after, "database") / max(memory(before, "database"), 1e-9), 3),
    }


def picture(moments: list[Moment]) -> str:
    """Return signals a second and a core-second over time, in thousands."""
    pairs = list(pairwise(moments))
    minutes = [after.at_s / 60 for _, after in pairs]
    rate = [(b.signals - a.signals) / (b.at_s - a.at_s) / 1e3 for a, b in pairs]
    core = [
        (b.signals - a.signals) / max(sum(b.cpu_s.values()) - sum(a.cpu_s.values()), 1e-9) / 1e3 for a, b in pairs
    ]
    return over_time(
        "One machine, everything on: thousand signals over time", minutes, {"a second": rate, "a core-second": core}
    )


def markdown(found: Found, command: list[str]) -> str:
    """Return the part of the results file."""
    product, asked, at = found.product, found.asked, found.machine
    checked, wrong = product.checked, product.checked.wrong
    where = f"{at['processor']}, {at['cores']} cores, {at['memory']}; {at['system']}"
    before, after = found.load
    tls = "with TLS 1.3" if found.tls else "without TLS"
    kafka = asked.source == "kafka"
    between = (
        "the bridge, Tansu 0.6 (one process that speaks Kafka's protocol and keeps records in memory: no disk, no",
        "replication), `ingest --source kafka` as the only member of its group,",
    )
    lines = [
        "## The whole way through Kafka, on one machine" if kafka else "## The whole way on one machine",
        "",
        f"Machine: {where}. Load before and after: {before:.1f} and {after:.1f} (this run's own and others').",
        "",
        f"    {shlex.join(command)}",
        "",
        f"{asked.stores} stores of {ZONES} zones and {asked.edges} edges, {asked.devices:,} devices each, {SIGNALS}",
        f"signals to a message, mosquitto {tls}, `fsync` on,",
        *(between if kafka else ()),
        f"{asked.seconds:.0f} s after {asked.settle_s:.0f} s to settle.",
        "The edges (paho, processes of their own) and the page's reader are not counted.",
        "",
        f"| | signals/s | signals per core-second | CPU of {', '.join(product.cost.cpu_s)} |",
        "|---|---|---|---|",
        _row("**Sojourn**: logged, deduplicated, decoded, visits written", product.cost),
    ]
    for name, one in found.plain.items():
        lines.append(f"| {name} | not measured: {one} | | |" if isinstance(one, str) else _row(name, one))
    lines += [
        "",
        f"Of the goal of {GOAL:,} per core-second: {product.cost.per_core_second / GOAL:.0%}.",
        f"ThingsBoard's published best works out at {PUBLISHED:,} points a second a core.",
        "",
        f"Checker: {'**' + '; '.join(wrong) + '**' if wrong else 'green'}:",
        f"{checked.sent:,} signals accepted by edges, {checked.logged:,} logged,",
        f"{checked.decoded:,} decoded, each once;",
        f"{checked.zone_visits:,} zone visits, {checked.store_visits:,} store visits;",
        f"{product.journeys} of {MEMBERS} members have the journey of their visit. Everything was decoded",
        f"{product.catch_up_s:.1f} s after the last commit.",
        "",
        "| seconds | p50 | p99 |",
        "|---|---|---|",
        *[
            f"| {what} | {product.delays[name][0]:.2f} | {product.delays[name][1]:.2f} |"
            for name, what in _DELAYS.items()
            if name in product.delays
        ],
        "",
        "Memory at most (PSS): "
        + ", ".join(f"{name} {value:.0f} MB" for name, value in product.cost.peak_mb.items())
        + ".",
        f"The API took {product.page_cpu_s:.1f} s of CPU for the page, not counted above.",
        "",
        f"Bytes per signal: {product.wire_bytes_per_signal:.1f} on the wire (each way), "
        + ", ".join(f"{value:.1f} {name}" for name, value in _disk(product).items())
        + ".",
    ]
    trend = flat(product.moments)
    if trend:
        lines += [
            "",
            "Last third of the time to the one before: "
            + ", ".join(f"{name.replace('_mb', ' memory')} {value:.2f}" for name, value in trend.items())
            + ".",
        ]
    lines += ["", *_parts(product.parts)]
    return "\n".join(lines)


def _parts(parts: dict[str, float] | str) -> list[str]:
    if isinstance(parts, str):
        return [f"No profile: {parts}."]
    return [
        "Where the worker's time goes (py-spy, share of samples of running threads):",
        "",
        "| part | share |",
        "|---|---|",
        *[f"| {name} | {share:.1%} |" for name, share in parts.items() if share >= 0.005],
    ]


def _row(name: str, cost: Cost) -> str:
    cpu = ", ".join(f"{seconds:.1f}" for seconds in cost.cpu_s.values())
    return f"| {name} | {cost.per_second:,.0f} | {cost.per_core_second:,.0f} | {cpu} s |"


def _disk(product: Product) -> dict[str, float]:
    signals = max(product.checked.logged, 1)
    return {
        "in the log": round(product.sizes.log / signals, 2),
        "in visits": round(product.sizes.visits / signals, 2),
        "of database in all": round(product.sizes.database / signals, 2),
        "through the write-ahead log": round(product.sizes.wal / signals, 2),
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}
