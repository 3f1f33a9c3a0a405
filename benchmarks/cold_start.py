"""A fresh process up to 1,000 decoded signals; prints the CPU time it took so far. Run by `benchmarks.ours`."""

import time

import numpy as np

from benchmarks.workload import plan_of
from core.dwell.engine import StoreEngine
from core.limits import NS_PER_S
from core.records import SIGNAL

_SIGNALS = 1_000


def main() -> None:
    """Decode them."""
    engine = StoreEngine(plan_of(0))
    index = engine.device_index(np.arange(320, dtype=np.uint8).reshape(-1, 16))
    signals = np.zeros(_SIGNALS, SIGNAL)
    place = np.arange(_SIGNALS)
    signals["ts"] = 1_790_000_000 * NS_PER_S + place * (NS_PER_S // 20)
    signals["device"] = index[place % len(index)]
    signals["anchor"] = place % len(index) % len(engine.plan.anchors)
    signals["rssi_dbm"] = -70
    engine.push(signals)
    visits = engine.finish()
    if not len(visits):
        raise RuntimeError("nothing was decoded")
    print(time.process_time())


if __name__ == "__main__":
    main()
