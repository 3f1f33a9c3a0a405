"""Engine output and oracle output in one form."""

import numpy as np

from core.dwell.engine import StoreEngine
from core.dwell.model import Model
from core.dwell.settings import Settings
from core.floorplan import StorePlan
from core.records import ClosedBy, SignalArray, VisitArray, VisitKind
from tests.dwell.scenes import heard, pseudonyms, world_of
from tests.oracle.paths import Row, Rules, visits_of

TIMES = ("entered_at", "left_at", "entered_earliest", "entered_latest", "left_earliest", "left_latest")
DEFAULT_RULES = Rules()
FOREVER = Settings(undecided_stays=4096, deaf_nats=0)
"""No forced decision by number: the oracle does not count nodes. No fading of deaf anchors: it
decodes one device at a time."""


def run(
    plan: StorePlan,
    signals: SignalArray,
    model: Model | None = None,
    settings: Settings = FOREVER,
    cuts: list[int] | None = None,
) -> VisitArray:
    """Push everything and finish; cut into pushes at `cuts`."""
    engine = StoreEngine(plan, model, settings)
    index = engine.device_index(pseudonyms(int(signals["device"].max()) + 1))
    assert index.tolist() == list(range(len(index)))
    found = [engine.push(part) for part in np.split(signals, sorted(cuts if cuts is not None else []))]
    found.append(engine.finish())
    return np.concatenate(found)


def rows_of(visits: VisitArray, device: int) -> list[Row]:
    """One device's visits as the oracle tells them."""
    own = visits[visits["device"] == device]
    rows = []
    for v in own:
        entered, left, *bounds = (int(v[name]) // 1000 for name in TIMES)
        sure = round(float(v["confidence"]) * 64 * int(v["signals"]))
        rows.append(
            Row(
                VisitKind(v["kind"]).word,
                int(v["zone"]),
                entered,
                left,
                bounds[0],
                bounds[1],
                bounds[2],
                bounds[3],
                int(v["signals"]),
                sure,
                ClosedBy(v["closed_by"]).word,
                bool(v["forced"]),
            )
        )
    return sorted(rows, key=lambda row: (row.entered, row.kind == "store", row.zone))


def told(plan: StorePlan, signals: SignalArray, model: Model, device: int, rules: Rules = DEFAULT_RULES) -> list[Row]:
    """What the oracle says of one device."""
    return visits_of(heard(signals, device), world_of(model), rules, int(signals["ts"].max()) // 1000)
