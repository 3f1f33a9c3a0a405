"""What stays of a batch: some of its rows, or all but those of people who were erased. Pure, no Python per row."""

import numpy as np
from numpy.typing import NDArray

from core.privacy.suppression import Spans
from core.wire import Batch


def only(batch: Batch, left: NDArray[np.bool_]) -> Batch:
    """Return these rows of a batch, with only the anchors and devices that they name."""
    anchors, anchor = np.unique(batch.anchor[left], return_inverse=True)
    devices, device = np.unique(batch.device[left], return_inverse=True)
    return Batch(
        boot=batch.boot,
        sequence=batch.sequence,
        anchors=tuple(batch.anchors[place] for place in anchors.tolist()),
        devices=batch.devices[devices],
        ts=batch.ts[left],
        anchor=anchor.astype(np.uint16),
        device=device.astype(np.uint16),
        rssi_dbm=batch.rssi_dbm[left],
    )


def rows_of(batch: Batch, spans: Spans) -> tuple[NDArray[np.bool_], bool]:
    """Return which rows are those of erased people, and whether the batch names one of their devices at all."""
    gone = np.zeros(len(batch), np.bool_)
    named = False
    for place, pseudonym in enumerate(batch.devices):
        for from_ns, until_ns in spans(pseudonym.tobytes()):
            own = batch.device == place
            gone |= own & (batch.ts >= from_ns) & (batch.ts < until_ns)
            named = named or not own.any()  # listed without a row: its name alone is there
    return gone, named or bool(gone.any())


def without(batch: Batch, spans: Spans) -> tuple[Batch | None, int] | None:
    """Return a batch without the rows of erased people (None if no row is left), and how many rows went.

    Returns
    -------
    tuple or None
        None if it names none of their devices and stays as it is.
    """
    gone, named = rows_of(batch, spans)
    if not named:
        return None
    count = int(np.count_nonzero(gone))
    return (only(batch, ~gone) if count < len(batch) else None), count
