"""What the edges of one store hear: devices that walk from zone to zone, go, and come again."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.limits import NS_PER_S, PSEUDONYM_BYTES
from core.wire import Batch

ZONES: Final = 16
HEARD_BY: Final = 6
"""Anchors that hear one advertisement: the workload of the engine's benchmark has 6.4."""
SIGNALS: Final = 200
"""In a message: what an edge with four anchors and fifty tags collects in a second."""
_STAY_S: Final = 30
_CYCLE_S: Final = 150
_INSIDE_S: Final = 120
"""A device is in the store for four stays, then away for half a minute, which ends its visit: visits of minutes would
be as realistic and leave a short run without any."""
_NEAR_DBM: Final = -55.0
_FAR_DBM: Final = -78.0
_NOISE_DB: Final = 4.0
_US: Final = 1_000


@dataclass(frozen=True)
class Heard:
    """Signals of one edge as parallel columns, in order of time; `anchor` counts within the edge."""

    ts: NDArray[np.int64]
    anchor: NDArray[np.uint16]
    device: NDArray[np.int64]
    rssi_dbm: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.ts)

    def then(self, other: "Heard") -> "Heard":
        """Return both, one after the other."""
        return Heard(
            np.concatenate([self.ts, other.ts]),
            np.concatenate([self.anchor, other.anchor]),
            np.concatenate([self.device, other.device]),
            np.concatenate([self.rssi_dbm, other.rssi_dbm]),
        )

    def rows(self, chosen: slice | NDArray[np.bool_]) -> "Heard":
        """Return some of them."""
        return Heard(self.ts[chosen], self.anchor[chosen], self.device[chosen], self.rssi_dbm[chosen])


class StoreAir:
    """One store: `edges` edges share ZONES anchors, an anchor a zone; the same seed gives the same devices."""

    def __init__(self, number: int, *, devices: int, edges: int) -> None:
        if ZONES % edges:
            raise ValueError(f"{ZONES} anchors cannot be shared by {edges} edges")
        self.edges = edges
        self._random = np.random.default_rng(number)
        self.pseudonyms = self._random.integers(0, 256, (devices, PSEUDONYM_BYTES), np.uint8)
        self._per_edge = ZONES // edges

    def anchors(self, edge: int) -> tuple[str, ...]:
        """Return the ids of an edge's anchors."""
        return tuple(f"a{edge * self._per_edge + number}" for number in range(self._per_edge))

    def hear(self, adverts: int, from_ns: int, until_ns: int) -> list[Heard]:
        """Let devices advertise between two times; return what each edge heard of those that are inside.

        No two advertisements of a store have the same microsecond, so that no signal is another's repetition.
        """
        random = self._random
        at_us = np.unique(random.integers(from_ns // _US, max(until_ns // _US, from_ns // _US + 1), adverts))
        device = random.integers(0, len(self.pseudonyms), len(at_us))
        # neighbouring numbers come at different times, so that arrivals are spread over the cycle
        phase = (at_us * _US // NS_PER_S + device * 7) % _CYCLE_S
        inside = phase < _INSIDE_S
        at_us, device, phase = at_us[inside], device[inside], phase[inside]
        zone = (device + phase // _STAY_S) % ZONES
        others = (random.integers(0, ZONES - 1, len(zone))[:, None] + np.arange(HEARD_BY - 1)) % (ZONES - 1) + 1
        anchor = np.concatenate([zone[:, None], (zone[:, None] + others) % ZONES], axis=1)
        level = np.full(anchor.shape, _FAR_DBM)
        level[:, 0] = _NEAR_DBM
        level += random.normal(0, _NOISE_DB, anchor.shape)
        flat = anchor.ravel()
        all_heard = Heard(
            np.repeat(at_us * _US, HEARD_BY),
            (flat % self._per_edge).astype(np.uint16),
            np.repeat(device, HEARD_BY),
            level.ravel().round().clip(-110, -20).astype(np.int16),
        )
        return [all_heard.rows(flat // self._per_edge == edge) for edge in range(self.edges)]

    def batch(self, heard: Heard, edge: int, boot: bytes, sequence: int) -> Batch:
        """Return what one edge heard as the batch that it sends."""
        named, device = np.unique(heard.device, return_inverse=True)
        return Batch(
            boot=boot,
            sequence=sequence,
            anchors=self.anchors(edge),
            devices=self.pseudonyms[named],
            ts=heard.ts,
            anchor=heard.anchor,
            device=device.astype(np.uint16),
            rssi_dbm=heard.rssi_dbm,
        )


def nothing() -> Heard:
    """Return no signals."""
    return Heard(np.empty(0, np.int64), np.empty(0, np.uint16), np.empty(0, np.int64), np.empty(0, np.int16))


def plan_text(stores: int) -> str:
    """Return the floor plan of so many stores as JSON."""
    zones = ",".join(f'{{"id":"z{n}","kind":"{"entrance" if n == 0 else "department"}"}}' for n in range(ZONES))
    anchors = ",".join(f'{{"id":"a{n}","zone":"z{n}"}}' for n in range(ZONES))
    each = (
        f'{{"id":"{store_id(number)}","timezone":"UTC","zones":[{zones}],"anchors":[{anchors}]}}'
        for number in range(stores)
    )
    return f'{{"stores":[{",".join(each)}]}}'


def store_id(number: int) -> str:
    """Return the id of a store by its number."""
    return f"store-{number}"
