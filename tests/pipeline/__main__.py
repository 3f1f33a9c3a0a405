"""`make pipeline`: many seeds, or one of them once more."""

import argparse
import sys
import time
import traceback
from collections import Counter

from core.dwell.engine import compile_kernels
from tests.pipeline.hearing import PLAN
from tests.pipeline.world import simulate


def main() -> int:
    """Simulate; print each seed that fails and what was seen in all; 1 if any failed."""
    parser = argparse.ArgumentParser(prog="make pipeline")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    asked = parser.parse_args()
    compile_kernels(PLAN)
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    begun = time.monotonic()
    seen: Counter[str] = Counter()
    failed = 0
    for seed in seeds:
        try:
            outcome = simulate(seed)
            seen += outcome.seen
            if asked.seed is not None:
                print(f"seed {seed}: {outcome.digest}")
        except Exception:  # noqa: BLE001  # whatever it is, it is this seed's answer
            failed += 1
            print(f"seed {seed} failed; `make pipeline SEED={seed}` shows it again\n{traceback.format_exc(limit=-6)}")
    for name, count in sorted(seen.items()):
        print(f"{count:>10,} {name}")
    print(f"{len(seeds):,} seeds, {failed} failed, {time.monotonic() - begun:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
