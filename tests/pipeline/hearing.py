"""What the edges of a small store hear: shoppers who change zones, seeded."""

import json
from typing import Final

import numpy as np

from core import floorplan
from core.wire import Batch
from tests.pipeline.clock import START_NS

BATCH_S: Final = 9
ZONES: Final = 4
_SHOPPERS: Final = 5
PLAN: Final = floorplan.load(
    json.dumps(
        {
            "stores": [
                {
                    "id": "s1",
                    "timezone": "Europe/Berlin",
                    "zones": [{"id": f"z{n}"} for n in range(ZONES)],
                    "anchors": [{"id": f"a{n}", "zone": f"z{n}"} for n in range(ZONES)],
                }
            ]
        }
    )
).stores[0]
UNPLACED: Final = "nobody's"
"""An anchor that edges name and the floor plan does not have."""
HEARD_BY: Final = {"e1": (0, 1), "e2": (2, 3)}
"""Anchors of each edge."""


def batch(seed: int, edge: str, number: int) -> Batch:
    """Return what an edge hears in the `number`th nine seconds; name and sequence are still to be given."""
    random = np.random.default_rng([seed, number, len(edge), ord(edge[-1])])
    people = np.random.default_rng([seed, 7]).integers(0, 256, (_SHOPPERS, 16), np.uint8)
    rows = 16
    offset_us = np.sort(random.integers(0, BATCH_S * 1_000_000, rows)) + number * BATCH_S * 1_000_000
    device = random.integers(0, _SHOPPERS, rows)
    zone = (device + offset_us // (17_000_000 + 4_000_000 * device)) % ZONES
    anchor = random.integers(0, 2, rows)
    near = np.array(HEARD_BY[edge])[anchor] == zone
    rssi_dbm = (np.where(near, -52, -80) + random.integers(-3, 4, rows)).astype(np.int16)
    if number % 5 == 2:  # some of its signals cannot be placed; and now and then none
        anchor[:: 1 if number % 15 == 7 else 4] = 2
    return Batch(
        boot=bytes(16),
        sequence=1,
        anchors=(*(f"a{n}" for n in HEARD_BY[edge]), UNPLACED),
        devices=people,
        ts=START_NS + offset_us * 1000,
        anchor=anchor.astype(np.uint16),
        device=device.astype(np.uint16),
        rssi_dbm=rssi_dbm,
    )
