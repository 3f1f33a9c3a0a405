"""Compile kernels before tests run: `python -m tests.kernels`; workers that find none would each compile them all."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from servers.kernel_cache import seal
from sojourn import keep_kernels

PLAIN_PYTHON: Final = os.environ.get("NUMBA_DISABLE_JIT") == "1"
"""Kernels are not compiled and run a hundred times slower: tests may try fewer examples."""


def run_through(zones: int) -> int:
    """Run what an engine can do once; how many lanes a record has, one for each zone, makes kernels of its own."""
    # they import numba, which reads its settings then
    from core.dwell.calibration import calibrate  # noqa: PLC0415
    from core.dwell.engine import StoreEngine, compile_kernels  # noqa: PLC0415
    from tests.dwell.scenes import Walk, grid_plan, pseudonyms, walk  # noqa: PLC0415

    plan = grid_plan(zones)
    compile_kernels(plan)
    signals = walk(plan, 0, Walk(stays=1))
    engine = StoreEngine(plan)
    engine.device_index(pseudonyms(2))
    engine.push(signals)
    engine.presence()
    engine.finish()
    calibrate(plan, signals)
    return zones


def main() -> int:
    folder = keep_kernels()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for zones in pool.map(run_through, (3, 9)):  # 8 and 16 lanes
            sys.stdout.write(f"Kernels are compiled for stores of {zones} zones.\n")
    if folder is not None:
        seal(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
