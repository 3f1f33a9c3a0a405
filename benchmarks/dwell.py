"""The speed of the dwell engine beside C, the memory's limit and what a user would pick instead.

    python -m benchmarks dwell --json              five million signals in under a minute
    python -m benchmarks dwell --full --results benchmarks/RESULTS.md      `make bench`

All times are CPU time per signal; all jobs of a run take turns on the same workload. People read stderr; the last
line of stdout is one JSON object.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.markdown import Markdown

from benchmarks import results
from benchmarks.beside import beside
from benchmarks.measured import DEVICE_COUNTS, QUICK_SIGNALS, Asked, Measured
from benchmarks.measuring import Say, in_turn, machine, ratio
from benchmarks.ours import CHUNK, Ours, by_devices, cold_start_s
from benchmarks.reference import NoCompilerError, Viterbi, library
from benchmarks.workload import DEVICES, STORES, plan_of, workload
from core.dwell.model import prior_model

_FULL_SIZES: Final = (500_000, 5_000_000, 20_000_000)
_FULL_ROUNDS: Final = 9


def run(asked: Asked, say: Say) -> Measured:
    """Measure everything."""
    told: dict[str, Any] = {
        "signals": asked.signals,
        "devices_active": asked.devices,
        "stores": STORES,
        "seed": asked.seed,
    }
    told["machine"] = machine()  # with the load by others, before there is any by us
    say(f"making {asked.signals:,} signals")
    ours = Ours(workload(asked.signals, asked.seed, devices=asked.devices))
    told |= _times(ours, asked, say)
    say("two threads")
    told["threads"] = _rounded(ours.threads(max(2, asked.rounds // 2)))
    say("cold start")
    told["cold_start"] = _rounded(cold_start_s())
    told |= _devices(asked, say)
    measured = Measured(asked, told)
    for size in asked.sizes:
        stores = ours.stores if size == asked.signals else workload(size, asked.seed, devices=asked.devices)
        measured.beside[size] = beside(stores, asked.peer_rounds, say, quick=asked.quick, names=asked.peers)
    shown = measured.beside[asked.signals if asked.signals in asked.sizes else asked.sizes[-1]]
    told["peers"] = {name: one.told(told["engine_ns"]) for name, one in shown.items() if name != "sojourn"}
    if "sojourn" in shown:
        told["engine_process"] = shown["sojourn"].told(told["engine_ns"])
    told["chunk_signals"] = CHUNK
    return measured


def _times(ours: Ours, asked: Asked, say: Say) -> dict[str, Any]:
    """Measure the decoder and the engine, C and the memory's limit in turn."""
    compiled_c, reason = True, None
    try:
        library()
    except NoCompilerError as error:
        compiled_c, reason = False, str(error)
    say("decoder, engine, C and memory in turn")
    taken = in_turn(ours.jobs(compiled_c=compiled_c), asked.rounds)
    names = ("read_limit", "c_reference", "c_ema", "decoder", "engine", "engine_ids")
    told: dict[str, Any] = {f"{name}_ns": _middle(taken.get(name)) for name in names}
    told["best_ns"] = {name: round(min(times), 2) for name, times in taken.items()}
    told["million_signals_a_second"] = {name: round(1e3 / median(taken[name]), 1) for name in ("decoder", "engine")}
    pairs = [("decoder", "read_limit"), ("engine", "read_limit")]
    if compiled_c:
        pairs += [("decoder", "c_reference"), ("engine", "c_reference"), ("decoder", "c_ema")]
        told["c_agreement"] = _rounded(ours.agreement())
        told["c_device_bytes"] = Viterbi(prior_model(plan_of(0)), 1, 1).device_bytes
    else:
        told["c_reason"] = reason
    told["ratios"] = {f"{one}/{other}": round(ratio(taken, one, other), 2) for one, other in pairs}
    told["workload"] = _rounded(ours.described())
    return told


def _devices(asked: Asked, say: Say) -> dict[str, Any]:
    say(f"{min(asked.device_counts):,} to {max(asked.device_counts):,} devices")
    taken = by_devices(list(asked.device_counts), asked.seed)
    few, many = min(asked.device_counts), max(asked.device_counts)
    return {
        "devices": {str(count): round(ns, 2) for count, ns in taken.decoder_ns.items()},
        "touch_ns": {str(count): round(ns, 2) for count, ns in taken.touch_ns.items()},
        "growth": round(taken.decoder_ns[many] / taken.decoder_ns[few], 2),
        "touch_growth": round(taken.touch_ns[many] / taken.touch_ns[few], 2),
        "device_bytes": taken.device_bytes,
    }


def _middle(times: list[float] | None) -> float | None:
    return None if times is None else round(median(times), 2)


def _rounded(numbers: dict[str, float]) -> dict[str, float]:
    return {name: round(number, 3) for name, number in numbers.items()}


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks dwell", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--json", action="store_true", help="nothing but the JSON object on stdout")
    parser.add_argument("--full", action="store_true", help="peers at 0.5, 5 and 20 million signals, two rounds")
    parser.add_argument("--signals", type=int, default=QUICK_SIGNALS, help="default: %(default)s")
    parser.add_argument(
        "--rounds", type=int, help=f"of ours, C and memory; default: {Asked.rounds}, full {_FULL_ROUNDS}"
    )
    parser.add_argument("--devices", type=int, default=DEVICES, help="in all stores; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peers", help="only these, with commas between; none for none")
    parser.add_argument("--most-devices", type=int, default=max(DEVICE_COUNTS), help="default: %(default)s")
    parser.add_argument("--results", type=Path, help="write tables into this Markdown file, pictures beside it")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Run the benchmark; return the exit code."""
    given = _arguments(argv)
    if (
        given.devices < STORES
        or given.signals < 10 * given.devices
        or (given.rounds is not None and given.rounds < 1)
    ):
        sys.stderr.write(f"At least {STORES} devices, ten signals a device and one round are needed.\n")
        return 2
    asked = Asked(
        signals=given.signals,
        devices=given.devices,
        sizes=_FULL_SIZES if given.full else (given.signals,),
        device_counts=tuple(count for count in DEVICE_COUNTS if count <= given.most_devices) or DEVICE_COUNTS[:1],
        rounds=given.rounds if given.rounds is not None else _FULL_ROUNDS if given.full else Asked.rounds,
        peer_rounds=2 if given.full else 1,
        seed=given.seed,
        quick=not given.full,
        peers=None if given.peers is None else [name for name in given.peers.split(",") if name != "none"],
    )
    begun = time.monotonic()
    console = Console(stderr=True)
    with console.status("Starting") as status:

        def say(text: str) -> None:
            status.update(text)
            if not console.is_terminal:
                console.print(f"{time.monotonic() - begun:6.1f} s  {text}", highlight=False)

        measured = run(asked, say)
        say("done")
    if given.results is not None:
        results.write(measured, given.results, ["python", "-m", "benchmarks", "dwell", *argv])
        console.print(f"Tables in {given.results}")
    if not given.json:
        console.print(Markdown(results.tables(measured)))
    print(json.dumps(measured.told))
    return 0
