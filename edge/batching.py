"""Readings collected into batches by size and age; pure, the clock is the caller's."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.limits import BATCH_SPAN_US, NS_PER_US, PSEUDONYM_BYTES
from core.wire import Batch

MOST_SIGNALS: Final = 4096
"""Where every signal is of another device that is 25 bytes each, 102 KB: well below BATCH_BYTES."""
LONGEST_WAIT_S: Final = 1.0
"""How long a reading waits for company; most of the second between a signal and the page."""
_SPAN_NS: Final = BATCH_SPAN_US * NS_PER_US


class Columns(NamedTuple):
    """Readings under pseudonyms: parallel columns, and what they index."""

    ts: NDArray[np.int64]
    anchor: NDArray[np.int64]
    device: NDArray[np.int64]
    rssi_dbm: NDArray[np.int16]
    anchors: tuple[str, ...]
    devices: NDArray[np.uint8]


class Batcher:
    """Collects columns until there are enough of them or the oldest has waited long enough.

    Signals keep their order and none is lost or repeated. A batch never spans more than the wire can say; clocks
    that jump end a batch early.

    Parameters
    ----------
    most : int
        Signals of one batch.
    wait_s : float
        Longest wait of a reading.
    """

    def __init__(self, most: int = MOST_SIGNALS, wait_s: float = LONGEST_WAIT_S) -> None:
        self._most = most
        self._wait_s = wait_s
        self._parts: list[Columns] = []
        self._held = 0
        self._since_s = 0.0

    def __len__(self) -> int:
        return self._held

    def add(self, columns: Columns, now_s: float) -> list[Columns]:
        """Take readings in; return what is ready to be sent.

        Parameters
        ----------
        columns : Columns
        now_s : float
            Monotonic seconds.
        """
        if len(columns.ts):
            if not self._held:
                self._since_s = now_s
            self._parts.append(columns)
            self._held += len(columns.ts)
        ready = []
        while self._held >= self._most:
            ready += self._cut(self._most)
            self._since_s = now_s
        return ready + self.due(now_s)

    def due(self, now_s: float) -> list[Columns]:
        """Return what has waited long enough."""
        return self.flush() if self._held and now_s - self._since_s >= self._wait_s else []

    def wait_s(self, now_s: float) -> float:
        """Return how long nothing becomes due; the longest wait if nothing is held."""
        return max(0.0, self._since_s + self._wait_s - now_s) if self._held else self._wait_s

    def flush(self) -> list[Columns]:
        """Return everything that is held."""
        return self._cut(self._held) if self._held else []

    def _cut(self, count: int) -> list[Columns]:
        """Take the oldest `count` readings out, as few pieces as their times allow."""
        whole = _joined(self._parts)
        rest = _rows(whole, slice(count, None))
        self._parts = [_compact(rest)] if len(rest.ts) else []  # or its names would grow under steady load
        self._held -= count
        return [_rows(whole, piece) for piece in _spans(whole.ts[:count])]


def batch(columns: Columns, boot: bytes, sequence: int) -> Batch:
    """Return readings as one batch that names only the anchors and devices it uses.

    Parameters
    ----------
    columns : Columns
        At most as many and as far apart as the wire allows: what a Batcher gave.
    boot, sequence : bytes, int
        Identity, see `core.wire.Batch`.
    """
    few = _compact(columns)
    return Batch(
        boot=boot,
        sequence=sequence,
        anchors=few.anchors,
        devices=few.devices,
        ts=few.ts,
        anchor=few.anchor.astype(np.uint16),
        device=few.device.astype(np.uint16),
        rssi_dbm=few.rssi_dbm,
    )


def _compact(columns: Columns) -> Columns:
    """Name only the anchors and devices that occur, each once."""
    anchors, anchor = np.unique(columns.anchor, return_inverse=True)
    used, row = np.unique(columns.device, return_inverse=True)
    packed = np.ascontiguousarray(columns.devices[used]).view(f"V{PSEUDONYM_BYTES}").reshape(-1)
    devices, place = np.unique(packed, return_inverse=True)  # chunks that were joined may name the same device
    return Columns(
        columns.ts,
        anchor,
        place[row],
        columns.rssi_dbm,
        tuple(columns.anchors[place] for place in anchors.tolist()),
        devices.view(np.uint8).reshape(-1, PSEUDONYM_BYTES),
    )


def _joined(parts: list[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    anchors: dict[str, int] = {}
    anchor_pieces, device_pieces, first_device = [], [], 0
    for part in parts:
        places = np.array([anchors.setdefault(name, len(anchors)) for name in part.anchors], np.int64)
        anchor_pieces.append(places[part.anchor])
        device_pieces.append(part.device + first_device)
        first_device += len(part.devices)
    return Columns(
        np.concatenate([part.ts for part in parts]),
        np.concatenate(anchor_pieces),
        np.concatenate(device_pieces),
        np.concatenate([part.rssi_dbm for part in parts]),
        tuple(anchors),
        np.concatenate([part.devices for part in parts]),
    )


def _rows(columns: Columns, rows: slice) -> Columns:
    return Columns(
        columns.ts[rows],
        columns.anchor[rows],
        columns.device[rows],
        columns.rssi_dbm[rows],
        columns.anchors,
        columns.devices,
    )


def _spans(ts: NDArray[np.int64]) -> list[slice]:
    """Cut rows where their times would lie further apart than one batch can say."""
    if int(ts.max()) - int(ts.min()) <= _SPAN_NS:
        return [slice(0, len(ts))]
    pieces, start = [], 0
    low = high = int(ts[0])
    for row, at in enumerate(ts.tolist()):
        low, high = min(low, at), max(high, at)
        if high - low > _SPAN_NS:
            pieces.append(slice(start, row))
            start, low, high = row, at, at
    return [*pieces, slice(start, len(ts))]
