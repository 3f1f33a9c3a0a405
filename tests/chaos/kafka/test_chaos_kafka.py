"""The short run in CI: a group that grows, an owner killed, an owner asleep."""

import os
from pathlib import Path

import pytest

from servers.provide import Installed
from servers.tansu import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.mark.chaos
@pytest.mark.servers
@pytest.mark.timeout(400)
def test_nothing_is_lost_in_a_group(installed: Installed, tmp_path: Path) -> None:
    from tests.chaos.kafka.run import SHORT, run  # noqa: PLC0415 - needs the extra `kafka`

    seed = int(os.environ.get("CHAOS_SEED", "1"))
    outcome = run(installed, tmp_path, seed, SHORT, on_tansu=True)
    assert outcome.broken == [], f"make chaos-kafka SEED={seed} ARGS='--short --tansu'"
    assert outcome.done == SHORT
    assert outcome.visits >= 20
