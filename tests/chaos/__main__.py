"""`python -m tests.chaos --seed 1 [--runs 10]`: faults against a whole store, and the checker's verdict."""

import argparse
import sys
import tempfile
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from servers.provide import provide
from tests.chaos.run import Outcome, run
from tests.chaos.schedule import Counts, schedule

WORDS = {
    "worker": "ingest killed at a failpoint",
    "edge": "edge killed",
    "broker": "broker killed",
    "database": "database killed",
    "api": "API killed",
    "frozen": "database frozen (SIGSTOP)",
    "line": "lines cut, reset, half-open, delayed",
    "full": "outbox full",
    "clock": "edge's clock jumped",
    "snapshot": "snapshot torn or flipped",
}


def table(outcomes: list[Outcome]) -> Table:
    """What was broken how often, over all runs."""
    shown = Table("fault", "planned", "happened and hit", title="Chaos")
    for kind, words in WORDS.items():
        planned, done = (sum(getattr(one, name)[kind] for one in outcomes) for name in ("planned", "done"))
        shown.add_row(words, str(planned), str(done), style=None if planned == done else "red")
    return shown


def verdicts(outcomes: list[Outcome]) -> Table:
    """What each run carried and found."""
    shown = Table("seed", "accepted", "logged", "gaps", "boots", "zone visits", "store visits", "faults s", "drain s",
                  "total s", "verdict", title="Runs")  # fmt: skip
    for one in outcomes:
        numbers = (one.seed, one.accepted, one.logged, one.gaps, one.boots, one.zone_visits, one.store_visits)
        times = (f"{one.faults_s:.0f}", f"{one.drain_s:.1f}", f"{one.total_s:.0f}")
        shown.add_row(*map(str, numbers), *times, "[red]broken[/]" if one.broken else "[green]holds[/]")
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, default=1, help="each with the next seed, on a house of its own")
    parser.add_argument("--keep", type=Path, help="folder for logs, journals and databases, kept afterwards")
    given = parser.parse_args()
    if given.keep is not None and given.keep.exists():
        parser.error(f"{given.keep} is there already; a run begins on empty servers")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    console = Console() if sys.stdout.isatty() else Console(width=118)  # room for the tables in a log
    installed = provide()
    outcomes = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as progress:
        for seed in range(given.seed, given.seed + given.runs):
            task = progress.add_task(f"seed {seed}", total=len(schedule(seed, Counts()).faults))
            with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
                folder = Path(scratch) if given.keep is None else given.keep / str(seed)
                outcomes.append(run(installed, folder, seed, Counts(), lambda _, task=task: progress.advance(task)))  # type: ignore[misc]
            for sentence in outcomes[-1].broken:
                progress.console.print(f"seed {seed}: {sentence}", style="red", markup=False)
    console.print(table(outcomes), verdicts(outcomes))
    return 1 if any(one.broken for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
