"""The whole way in one process: hundreds of seeds, exact repetition, and whether a broken promise is noticed."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from core.dwell.engine import compile_kernels
from tests.pipeline.database import BrokenPromiseError
from tests.pipeline.faults import FAULTS
from tests.pipeline.hearing import PLAN
from tests.pipeline.mutants import MUTANTS
from tests.pipeline.world import World, simulate

SEEDS = 500
PARTS = 10  # so that one that fails names a few seeds, and the others still run
NOTICED_WITHIN = 150
TRIED_FIRST = {
    "states_not_replayed": 43, "first_words_not_replayed": 23, "not_caught_up": 8, "offered_is_forgotten": 49,
}  # fmt: skip
"""Seeds that are known to notice, so that not all before them have to be run; any other would do as well."""
SOME_OF_EACH = {
    *FAULTS, "broker repeated", "broker reordered", "broker dropped", "redelivered", "nobody subscribed",
    "plan comes late", "batches in gaps", "runs with late signals", "runs with anchors down", "edge heard late",
    "lines gone before a word", "transactions run again", "restarts of ingest",
    "killed at before commit", "killed at after commit",
    "killed at acknowledge", "killed at tell", "database away at before commit", "database away at after commit",
}  # fmt: skip

seen: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    compile_kernels(PLAN)


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_and_nothing_counts_twice(part: int) -> None:
    for seed in range(part * SEEDS // PARTS, (part + 1) * SEEDS // PARTS):
        try:
            seen.update(simulate(seed).seen)
        except BaseException as error:
            error.add_note(f"`make pipeline SEED={seed}` shows it again")
            raise


def test_every_fault_struck() -> None:
    if seen["batches"] < SEEDS * 30:
        pytest.skip("not all seeds were run")
    assert {name for name in SOME_OF_EACH if not seen[name]} == set()
    assert seen["runs equal to an uninterrupted one"] > 0.8 * SEEDS, "the others had late signals"


def test_a_seed_replays_exactly() -> None:
    again = [simulate(7).digest for _ in range(2)]
    command = [sys.executable, "-m", "tests.pipeline", "--seed", "7"]
    other = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "12345"}
    )
    assert f"seed 7: {again[0]}" in other.stdout
    assert again[0] == again[1]
    assert simulate(8).digest != again[0]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_promise_is_noticed(mutant: Callable[[World], AbstractContextManager[None]]) -> None:
    for seed in (TRIED_FIRST.get(mutant.__name__, 0), *range(NOTICED_WITHIN)):
        try:
            simulate(seed, mutant)
        except BrokenPromiseError:
            return
    pytest.fail(f"{mutant.__name__} is as good as the original in {NOTICED_WITHIN} seeds")
