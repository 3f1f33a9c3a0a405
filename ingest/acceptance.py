"""Which rows of a batch can be signals of this store: pure, and no Python per row."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.floorplan import StorePlan
from core.limits import FUTURE_BOUND_NS, NS_PER_S, PAST_BOUND_NS, RSSI_MAX_DBM, RSSI_MIN_DBM
from core.privacy.batches import only
from core.records import APP_ENTER, APP_EXIT
from core.wire import Batch

UNKNOWN_ANCHOR: Final = "unknown_anchor"
RSSI: Final = "rssi"
FUTURE: Final = "future"
PAST: Final = "past"
_SHOWN: Final = 8
"""Examples in a dead letter: enough to see the pattern."""


@dataclass(frozen=True)
class Reject:
    """Rows of a batch that were refused for one reason; `detail` says what was wrong, without any device."""

    reason: str
    signals: int
    detail: dict[str, Any]


@dataclass(frozen=True)
class Accepted:
    """What is left of a batch: `batch` is None where no row is; `whole` where all rows are.

    `redacted` rows are those of people who were erased.
    """

    batch: Batch | None
    whole: bool
    rejects: tuple[Reject, ...]
    redacted: int = 0


def accept(batch: Batch, plan: StorePlan, received_at: int) -> Accepted:
    """Judge every row of a batch; a row is counted under the first reason that applies.

    Parameters
    ----------
    batch : Batch
        As read from the wire.
    plan : StorePlan
        Of the store in the topic.
    received_at : int
        When the message came, ns; times are judged against it.
    """
    if _is_plain(batch, plan, received_at):
        return Accepted(batch, True, ())
    known = np.array([anchor in plan.anchor_index for anchor in batch.anchors], np.bool_)
    ahead_ns = batch.ts - received_at
    left = np.ones(len(batch), np.bool_)
    rejects: list[Reject] = []
    for reason, bad in (
        (UNKNOWN_ANCHOR, ~known[batch.anchor]),
        (RSSI, ~_can_be_heard(batch.rssi_dbm)),
        (FUTURE, ahead_ns > FUTURE_BOUND_NS),
        (PAST, ahead_ns < -PAST_BOUND_NS),
    ):
        refused = left & bad
        if refused.any():
            rejects.append(Reject(reason, int(refused.sum()), _detail(reason, batch, refused, ahead_ns)))
            left &= ~bad
    if not rejects:
        return Accepted(batch if len(batch) else None, len(batch) > 0, ())
    return Accepted(only(batch, left) if left.any() else None, False, tuple(rejects))


def _is_plain(batch: Batch, plan: StorePlan, received_at: int) -> bool:
    """Whether it takes a few looks only to see that every row is a signal of this store, as nearly always."""
    return (
        len(batch) > 0
        and all(anchor in plan.anchor_index for anchor in batch.anchors)
        and int(batch.rssi_dbm.min()) >= RSSI_MIN_DBM
        and int(batch.rssi_dbm.max()) <= RSSI_MAX_DBM
        and int(batch.ts.min()) >= received_at - PAST_BOUND_NS
        and int(batch.ts.max()) <= received_at + FUTURE_BOUND_NS
    )


def _can_be_heard(rssi_dbm: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Tell which levels are levels, or an app's word in the place of one."""
    level = (rssi_dbm >= RSSI_MIN_DBM) & (rssi_dbm <= RSSI_MAX_DBM)
    possible: NDArray[np.bool_] = level | (rssi_dbm == APP_ENTER) | (rssi_dbm == APP_EXIT)
    return possible


def _detail(reason: str, batch: Batch, refused: NDArray[np.bool_], ahead_ns: NDArray[np.int64]) -> dict[str, Any]:
    if reason == UNKNOWN_ANCHOR:
        anchors = [batch.anchors[place] for place in np.unique(batch.anchor[refused])[:_SHOWN].tolist()]
        return {"anchors": anchors, "hint": "Add them to the store's floor plan or mend their ids."}
    if reason == RSSI:
        return {"rssi_dbm": np.unique(batch.rssi_dbm[refused])[:_SHOWN].tolist()}
    seconds = ahead_ns[refused] / NS_PER_S
    return {
        "seconds_ahead": [round(float(seconds.min()), 3), round(float(seconds.max()), 3)],
        "hint": "Look at the edge's clock.",
    }
