"""`python -m benchmarks growth`: cost of a signal, memory of a store, length of a restart, with 1 to 1,000 stores."""

import argparse
import json
import os
import shlex
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.drawing import lines
from benchmarks.growth.measuring import Size, measure
from benchmarks.measuring import machine as this_machine
from benchmarks.results_part import replace_part

_SHORT: Final = (1, 10, 100)
_FULL: Final = (1, 10, 100, 1_000)
_COSTS: Final = (
    "stores",
    "signals/s",
    "CPU per signal, ns (worker)",
    "signals per core-second",
    "worker, MB (a store)",
    "database, MB",
    "load",
)
_AROUND: Final = (
    "stores",
    "kill -9 to taking in again, s",
    "page of a store, ms: p50, p99",
    "signal to page, s: p50, p99",
    "bytes a signal in the log",
    "bytes a visit",
)


def main(arguments: list[str]) -> int:
    """Measure each size on servers of its own; 0 if every checker was green."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks growth", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="with a thousand stores: minutes more, a quarter of an hour on busy cores"
    )
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of stores")
    parser.add_argument("--seconds", type=float, default=40.0, help="for each size")
    parser.add_argument("--results", type=Path, help="Markdown file whose part is replaced (docs/growth.md)")
    asked = parser.parse_args(arguments)
    sizes = tuple(asked.sizes) if asked.sizes else _FULL if asked.full else _SHORT
    found = []
    for stores in sizes:
        with tempfile.TemporaryDirectory(prefix="sojourn-growth-") as name:
            found.append(measure(Path(name), stores, asked.seconds))
        print(json.dumps(asdict(found[-1])), flush=True)
    text = markdown(found, ["python", "-m", "benchmarks", "growth", *arguments])
    print(text)
    if asked.results is not None:
        replace_part(asked.results, "growth", text + "\n\n![CPU per signal by number of stores](growth.svg)")
        (asked.results.parent / "growth.svg").write_text(picture(found))
    return 1 if any(size.wrong for size in found) else 0


def picture(found: list[Size]) -> str:
    """Return the cost of a signal over the number of stores."""
    series = {
        "all three": {size.stores: size.ns_per_signal for size in found},
        "worker": {size.stores: size.worker_ns_per_signal for size in found},
    }
    return lines("CPU per signal of broker, worker and database", "stores on one machine", series)


def markdown(found: list[Size], command: list[str]) -> str:
    """Return the table."""
    at = this_machine()
    return "\n".join(
        [
            f"Machine: {at['processor']}, {at['cores']} cores, {at['memory']}. Load now: {os.getloadavg()[0]:.1f}.",
            "The sizes that stand here were measured, no other.",
            "",
            f"    {shlex.join(command)}",
            "",
            *_table(_COSTS, map(_costs, found)),
            "",
            *_table(_AROUND, map(_around, found)),
            "",
            *[f"{size.stores} stores: **{'; '.join(size.wrong)}**" for size in found if size.wrong],
            "The checker was green (what was sent is logged, once, and decoded, once) at "
            + ", ".join(f"{size.stores:,}" for size in found if not size.wrong)
            + " stores.",
        ]
    )


def _costs(size: Size) -> tuple[str, ...]:
    return (
        f"{size.stores:,}",
        f"{size.per_second:,.0f}",
        f"{size.ns_per_signal:,.0f} ({size.worker_ns_per_signal:,.0f})",
        f"{1e9 / size.ns_per_signal:,.0f}",
        f"{size.worker_mb:,.0f} ({size.mb_a_store:.1f})",
        f"{size.database_mb:,.0f}",
        f"{size.load:.1f}",
    )


def _around(size: Size) -> tuple[str, ...]:
    return (
        f"{size.stores:,}",
        f"{size.recovery_s:.1f}",
        f"{size.page_ms[0]:.0f}, {size.page_ms[1]:.0f}",
        "-" if size.to_page_s is None else f"{size.to_page_s[0]:.2f}, {size.to_page_s[1]:.2f}",
        f"{size.log_bytes:.1f}",
        "-" if size.visit_bytes is None else f"{size.visit_bytes:,.0f}",
    )


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, *rows)]
    return [lines[0], "|---" * len(columns) + "|", *lines[1:]]
