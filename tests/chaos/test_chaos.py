"""The short run: the faults that issue and docs/reliability.md count, against a whole store."""

import os
from pathlib import Path

import pytest

from servers.provide import Installed
from tests.chaos.run import FEWEST_VISITS, run
from tests.chaos.schedule import FAILPOINTS, Counts, schedule
from tests.ingest.killed_worker import PLACES


def test_a_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    assert schedule(3, Counts()) == schedule(3, Counts())
    assert schedule(3, Counts()) != schedule(4, Counts())


def test_failpoints_are_places_of_the_worker() -> None:
    assert len(set(FAILPOINTS)) == 8
    assert set(FAILPOINTS) <= PLACES.keys()


@pytest.mark.chaos
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_nothing_is_lost_and_nothing_counts_twice(installed: Installed, tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "1"))
    outcome = run(installed, tmp_path, seed, Counts())
    assert outcome.broken == [], f"make chaos SEED={seed}"
    assert outcome.done == outcome.planned
    assert outcome.zone_visits >= FEWEST_VISITS["zone visits"]
    assert outcome.store_visits >= FEWEST_VISITS["store visits"]
