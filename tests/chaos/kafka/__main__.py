"""`python -m tests.chaos.kafka --seed 1`: faults against a group of ingests, and the checker's verdict."""

import argparse
import sys
import tempfile
from pathlib import Path

import structlog

from servers.provide import provide
from servers.tansu import missing
from tests.chaos.kafka.run import FAULTS, SHORT, run


def _tell(said: str) -> None:
    print(said, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos-kafka", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="the form that CI runs")
    parser.add_argument("--only", action="append", choices=FAULTS, help="one of this fault; may be given again")
    parser.add_argument("--tansu", action="store_true", help="Kafka is Tansu, whose groups may hang (docs/kafka.md)")
    parser.add_argument("--keep", type=Path, help="folder for logs, journals and databases, kept afterwards")
    given = parser.parse_args()
    if given.tansu and missing():
        parser.error(missing())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    faults = dict.fromkeys(given.only, 1) if given.only else SHORT if given.short else FAULTS
    with tempfile.TemporaryDirectory(prefix="chaos-kafka-") as scratch:
        folder = Path(scratch) if given.keep is None else given.keep
        outcome = run(provide(), folder, given.seed, faults, _tell, on_tansu=given.tansu)
    for sentence in outcome.broken:
        print(sentence)
    print(
        f"seed {outcome.seed}: {sum(outcome.done.values())} faults, {outcome.accepted} batches accepted,"
        f" {outcome.logged} logged, {outcome.signals} signals, {outcome.visits} zone visits,"
        f" {outcome.takeovers} claims,"
        f" {outcome.refused} times shut out by the database, {outcome.total_s:.0f} s:"
        f" {'broken' if outcome.broken else 'holds'}"
    )
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
