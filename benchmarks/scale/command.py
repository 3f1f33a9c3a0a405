"""`python -m benchmarks scale`: what a chain of ten thousand stores takes, and how it fares in bursts and outages."""

import argparse
import shlex
import time
from pathlib import Path

from benchmarks.drawing import over_time
from benchmarks.results_part import replace_part
from benchmarks.scale.chain import Chain, Scenario, Span, caught_up_s
from benchmarks.scale.sizing import SIGNALS_PER_S, Measured, bill, markdown, measured, partitions, workers

_HOUR_S = 3600.0
_BEGIN_S = 600.0
_COLUMNS = (
    "what happens, from minute 10 on",
    "oldest signal not decoded, min",
    "in other regions, s",
    "most queued, 10⁹",
    "caught up after its end, min",
    "by the fluid limit",
)


def scenarios(of: Measured, hours: float, seed: int) -> list[Scenario]:
    """Return an ordinary hour, a burst, an outage of a region, and the loss of workers, on the same machines."""
    cores = workers(of)

    def scenario(name: str, told: str, **what: tuple[Span, ...]) -> Scenario:
        return Scenario(
            name,
            told=told,
            seconds=hours * _HOUR_S,
            signals_per_s=SIGNALS_PER_S,
            per_core_s=of.per_worker_core,
            cores=cores,
            partitions=partitions(cores),
            seed=seed,
            **what,  # type: ignore[arg-type]  # each names a field of spans
        )

    return [
        scenario("daily peak", "nothing else"),
        scenario("burst", "2.5 times as many signals everywhere for 20 minutes", bursts=(_minutes(20, 2.5),)),
        scenario(
            "region cut off", "1,250 stores without their uplink for 30 minutes", outages=(_minutes(30, 1.0, 0),)
        ),
        scenario("third of workers lost", "gone for 15 minutes", losses=(_minutes(15, 1 / 3),)),
        scenario("half of workers lost", "gone for 15 minutes", losses=(_minutes(15, 1 / 2),)),
    ]


def _minutes(length: float, value: float, region: int | None = None) -> Span:
    return Span(_BEGIN_S, _BEGIN_S + 60 * length, value, region)


def expected_s(scenario: Scenario) -> float:
    """Return how long catching up takes after the end by the fluid limit: backlog over spare capacity."""
    rate, capacity = scenario.signals_per_s, scenario.per_core_s * scenario.cores
    for burst in scenario.bursts:
        return max(burst.value * rate - capacity, 0.0) * (burst.until_s - burst.from_s) / (capacity - rate)
    for outage in scenario.outages:  # the region's uplinks are the narrow place, as long as the workers keep up
        return (outage.until_s - outage.from_s) / (scenario.uplink - 1)
    for loss in scenario.losses:
        left = capacity * (1 - loss.value)
        stopped = scenario.takeover_s * loss.value * rate  # nobody takes what the lost ones owned
        behind = max(rate - left, 0.0) * (loss.until_s - loss.from_s - scenario.takeover_s) + stopped
        spare = left - rate
        gone_s = stopped / spare if spare > 0 else float("inf")
        return 0.0 if gone_s < loss.until_s - loss.from_s else behind / (capacity - rate)
    return 0.0


def main(arguments: list[str]) -> int:
    """Simulate, print tables; 0 if every signal is accounted for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="Markdown file whose part is replaced (docs/scale.md)")
    asked = parser.parse_args(arguments)
    of = measured()
    lag: dict[str, list[float]] = {}
    minutes: list[float] = []
    rows, balanced = [], True
    begun_s = time.monotonic()
    for scenario in scenarios(of, asked.hours, asked.seed):
        chain = Chain(scenario).run()
        account = chain.account
        balanced &= account.heard == account.decoded + account.dropped + chain.queued + chain.in_outboxes
        over_s = max([span.until_s for span in (*scenario.bursts, *scenario.outages, *scenario.losses)], default=0.0)
        rows.append(_row(scenario, chain, caught_up_s(chain.looks, over_s)))
        minutes = [look.at_s / 60 for look in chain.looks]
        lag[scenario.name] = [look.lag_s / 60 for look in chain.looks]
    cores = workers(of)
    load = SIGNALS_PER_S / (of.per_worker_core * cores)
    text = "\n".join(
        [
            markdown(bill(of)),
            "",
            f"The simulation: {asked.hours:g} hours, {cores} worker cores at {load:.0%},",
            f"{partitions(cores)} partitions, seed {asked.seed}; {time.monotonic() - begun_s:.0f} s on one core.",
            "",
            f"| {' | '.join(_COLUMNS)} |",
            "|---" * len(_COLUMNS) + "|",
            *rows,
            "",
            f"    {shlex.join(['python', '-m', 'benchmarks', 'scale', *arguments])}",
        ]
    )
    print(text)
    if asked.results is not None:
        replace_part(asked.results, "scale", text + "\n\n![Lag over time](scale.svg)")
        (asked.results.parent / "scale.svg").write_text(
            over_time("Minutes between a signal and its visit's decision, by what happens", minutes, lag)
        )
    return 0 if balanced else 1


def _row(scenario: Scenario, chain: Chain, caught: float | None) -> str:
    cells = (
        f"**{scenario.name}**: {scenario.told}",
        f"{max(look.lag_s for look in chain.looks) / 60:.1f}",
        f"{max(look.other_lag_s for look in chain.looks):.0f}",
        f"{max(look.queued for look in chain.looks) / 1e9:.2f}",
        "never" if caught is None else f"{caught / 60:.1f}",
        f"{expected_s(scenario) / 60:.1f}",
    )
    return f"| {' | '.join(cells)} |"
