"""Numbers of a replay's devices last while the engine forgets."""

import numpy as np

from core.dwell.engine import StoreEngine
from core.dwell.settings import Settings
from core.records import SIGNAL
from simulators.replay.devices import LastingDevices
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms

HOUR_NS = 3600 * 10**9


def test_visits_keep_the_numbers_of_their_devices_over_days() -> None:
    engine = StoreEngine(grid_plan(3), settings=Settings(forget_ns=2 * HOUR_NS))
    devices = LastingDevices(engine)
    found = []
    for hour in range(0, 60, 3):  # two new devices every three hours, and one of half a day ago
        numbers = devices.number(pseudonyms(2, seed=hour))
        visitors = [*numbers.tolist(), int(max(0, numbers[0] - 8))]
        signals = np.zeros(90, SIGNAL)
        signals["device"] = np.array(visitors)[np.arange(90) % 3]
        signals["ts"] = START_NS + hour * HOUR_NS + np.arange(90) * 10**9 // 3
        signals["rssi_dbm"] = -60
        found.append(devices.push(signals))
    visits = np.concatenate([*found, devices.finish()])
    assert engine.forgotten > 20
    store = visits[visits["kind"] == 1]
    told = {(int(visit["device"]), (int(visit["entered_at"]) - START_NS) // HOUR_NS) for visit in store}
    assert told == {
        (number, hour)
        for hour in range(0, 60, 3)
        for step in [hour // 3 * 2]
        for number in (step, step + 1, max(0, step - 8))
    }
