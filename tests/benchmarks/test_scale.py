from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import simpy

from benchmarks.scale.chain import Account, Chain, Parcel, Partition, Scenario, Span, Worker, caught_up_s
from benchmarks.scale.command import expected_s, scenarios
from benchmarks.scale.sizing import bill, markdown, measured, partitions, workers


def scenario(**what: object) -> Scenario:
    usual: dict[str, object] = {
        "name": "small",
        "seconds": 2400.0,
        "signals_per_s": 8_000.0,
        "per_core_s": 3_000.0,
        "cores": 4,
        "regions": 4,
        "partitions": 16,
    }
    return Scenario(**usual | what)  # type: ignore[arg-type]  # fields by name


SCALE = Path(__file__).parents[2] / "docs/scale.md"
OUTAGE = (Span(300, 600, 1.0, 0),)
BURST = (Span(300, 600, 2.5),)
LOSS = (Span(300, 600, 0.5),)


@pytest.mark.parametrize("what", [{}, {"bursts": BURST}, {"outages": OUTAGE}, {"losses": LOSS}], ids=str)
def test_every_signal_is_decoded_queued_held_or_dropped(what: dict[str, tuple[Span, ...]]) -> None:
    chain = Chain(scenario(**what)).run()
    account = chain.account
    assert account.heard > 8_000 * 2400 * 0.95
    assert account.heard == account.decoded + account.dropped + chain.queued + chain.in_outboxes
    assert account.dropped == 0


def test_an_outbox_that_is_too_small_drops_and_counts_what_it_dropped() -> None:
    chain = Chain(scenario(outages=OUTAGE, outbox_s=100.0)).run()
    lost_s = 300 - 100
    assert chain.account.dropped == pytest.approx(8_000 / 4 * lost_s, rel=0.05)
    assert chain.account.heard == chain.account.decoded + chain.account.dropped + chain.queued + chain.in_outboxes


def test_one_worker_makes_parcels_wait_as_an_m_d_1_queue_does() -> None:
    env, account, rng = simpy.Environment(), Account(), np.random.default_rng(7)
    served_s, busy = 0.01, 0.7
    partition = Partition(0, 0)
    worker = Worker(env, 1 / served_s, account)
    worker.owned.append(partition)
    partition.owner = worker

    def arrive() -> object:
        while True:
            yield env.timeout(rng.exponential(served_s / busy))
            partition.put(Parcel(env.now, env.now, 1, partition))

    env.process(arrive())  # type: ignore[arg-type]  # a generator of events
    env.run(until=800)
    # Pollaczek-Khinchine with a service time that does not vary
    assert np.mean(account.waits) == pytest.approx(busy * served_s / (2 * (1 - busy)), rel=0.05)


@pytest.mark.parametrize("what", [{"bursts": BURST}, {"outages": OUTAGE}, {"losses": LOSS}], ids=str)
def test_catching_up_takes_as_long_as_the_fluid_limit_says(what: dict[str, tuple[Span, ...]]) -> None:
    asked = scenario(**what)
    caught = caught_up_s(Chain(asked).run().looks, 600, within_s=30)
    assert caught == pytest.approx(expected_s(asked), abs=60)


def test_the_same_seed_gives_the_same_run_and_another_one_does_not() -> None:
    one, same, other = (Chain(scenario(bursts=BURST, seed=seed)).run() for seed in (1, 1, 2))
    assert one.looks == same.looks
    assert one.account.heard != other.account.heard


def test_the_page_says_what_the_measured_figures_give() -> None:
    assert markdown(bill(measured())) in SCALE.read_text(), (
        "`python -m benchmarks scale --results docs/scale.md` writes it anew"
    )


def test_partitions_share_evenly_among_all_workers_and_when_a_third_or_half_of_them_is_gone() -> None:
    cores = workers(measured())
    for left in (cores, cores * 2 // 3, cores // 2):
        assert partitions(cores) % left == 0
    usual = scenarios(measured(), hours=2, seed=1)[0]
    owners = Counter(partition.owner for partition in Chain(usual).partitions)
    assert set(owners.values()) == {6}
