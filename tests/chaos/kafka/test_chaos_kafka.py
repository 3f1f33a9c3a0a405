"""The short runs in CI: a group grows, an owner is killed, one sleeps; a storm, brokers that lost everything."""

import os
from pathlib import Path

import pytest

from servers.provide import Installed
from servers.tansu import missing

STORM = {"rebalance storm": 1, "Kafka lost everything": 1}
"""On brokers that settle a storm; see tests/chaos/kafka/cluster.py."""


def passes(installed: Installed, folder: Path, faults: dict[str, int], *, on_tansu: bool) -> None:
    from tests.chaos.kafka.run import run  # noqa: PLC0415 - needs the extra `kafka`

    seed = int(os.environ.get("CHAOS_SEED", "1"))
    outcome = run(installed, folder, seed, faults, on_tansu=on_tansu)
    assert outcome.broken == [], f"seed {seed}"
    assert outcome.done == faults
    assert outcome.visits >= 20


@pytest.mark.chaos
@pytest.mark.servers
@pytest.mark.timeout(400)
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_nothing_is_lost_in_a_group(installed: Installed, tmp_path: Path) -> None:
    from tests.chaos.kafka.run import SHORT  # noqa: PLC0415 - needs the extra `kafka`

    passes(installed, tmp_path, SHORT, on_tansu=True)


@pytest.mark.chaos
@pytest.mark.servers
@pytest.mark.timeout(400)
def test_nothing_is_lost_in_a_group_in_a_storm(installed: Installed, tmp_path: Path) -> None:
    pytest.importorskip("confluent_kafka")
    passes(installed, tmp_path, STORM, on_tansu=False)
