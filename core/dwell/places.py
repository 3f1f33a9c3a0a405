"""Where a model's anchors stood when it was learnt: one that has moved since sounds different everywhere."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.spots import SAME_SPOT_M
from core.errors import ModelError
from core.floorplan import StorePlan

_NAMED_MOST: Final = 4
"""Anchors in one sentence that a person still reads."""


def places_of(plan: StorePlan) -> NDArray[np.float64]:
    """Return where anchors stand: x, y (metres) and floor, shape (anchors, 3), NaN where a plan does not tell."""
    told = [
        [np.nan if value is None else value for value in (anchor.x, anchor.y, anchor.floor)]
        for anchor in plan.anchors
    ]
    return np.array(told, np.float64).reshape(len(plan.anchors), 3)


def check_places(places: NDArray[np.float64], plan: StorePlan) -> None:
    """Raise ModelError if an anchor of a plan stands elsewhere than at `places` (shape (anchors, 3)).

    Elsewhere is another floor, or farther off than what sounds the same; a plan that counts from another corner has
    moved nothing. What one of the two does not tell cannot have changed.
    """
    change = places_of(plan) - places
    along = change[:, :2]
    known = ~np.isnan(along).any(axis=1)
    if not known.any():
        along = np.zeros_like(along)
    else:
        shifted = along - np.median(along[known], axis=0)
        along = shifted if (np.hypot(*shifted[known].T) <= SAME_SPOT_M).all() else along
    metres = np.where(known, np.hypot(*along.T), 0.0)
    moved = np.flatnonzero((metres > SAME_SPOT_M) | (np.nan_to_num(change[:, 2]) != 0))
    if not len(moved):
        return
    named = ", ".join(_how_far(plan.anchors[place].id, metres[place]) for place in moved[:_NAMED_MOST].tolist())
    more = f" and {len(moved) - _NAMED_MOST:,} more" if len(moved) > _NAMED_MOST else ""
    raise ModelError(
        f"Since the model was made, anchors of store {plan.id!r} have moved: {named}{more}.",
        hint="Calibrate again where they stand now, or correct their places in the floor plan.",
    )


def _how_far(anchor: str, metres: float) -> str:
    return f"{anchor} by {metres:.1f} m" if metres > SAME_SPOT_M else f"{anchor} to another floor"
