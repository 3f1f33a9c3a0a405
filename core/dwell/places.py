"""Where a model's anchors stood when it was learnt: one that has moved since sounds different everywhere."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.spots import SAME_SPOT_M
from core.errors import ModelError
from core.floorplan import StorePlan

_NAMED_MOST: Final = 4
"""Anchors in one sentence that a person still reads."""
_NEAREST_MOST: Final = 32
"""An anchor has some four neighbours on average, and whoever stands in the way of one is nearer than it."""


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


def outlines_of(plan: StorePlan, spot_zone: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the outlines over which spots are laid: zone (its place in the plan), x, y; shape (corners, 3).

    Metres from the middle of the zone's anchors, as it does not matter from which corner a plan counts. Zones of one
    spot (`spot_zone` says which zone each is of) and those whose anchors' places are not known have none laid.
    """
    rows = []
    places = places_of(plan)[:, :2]
    spots = np.bincount(spot_zone, minlength=len(plan.zones))
    for number, zone in enumerate(plan.zones):
        own = places[[anchor.zone == zone.id for anchor in plan.anchors]]
        if spots[number] > 1 and zone.outline is not None and len(own) and not np.isnan(own).any():
            rows += [[number, *corner] for corner in np.array(zone.outline, np.float64) - own.mean(axis=0)]
    return np.array(rows, np.float64).reshape(-1, 3)


def check_outlines(outlines: NDArray[np.float64], plan: StorePlan, spot_zone: NDArray[np.int16]) -> None:
    """Raise ModelError if an outline of a plan is another one than that over which spots were laid (`outlines_of`).

    Corners that moved no farther than what sounds the same are none. What one of the two does not tell cannot have
    changed.
    """
    now = outlines_of(plan, spot_zone)
    for number in np.intersect1d(outlines[:, 0], now[:, 0]).astype(np.int64).tolist():
        before, after = (told[told[:, 0] == number, 1:] for told in (outlines, now))
        if before.shape != after.shape or (np.hypot(*(after - before).T) > SAME_SPOT_M).any():
            raise ModelError(
                f"Since the model was made, the outline of zone {plan.zones[number].id!r} of store {plan.id!r} has "
                "changed, over which several of its spots are laid.",
                hint="Calibrate again, or correct the outline in the floor plan.",
            )


def neighbours(places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which anchors stand next to each other, bool, shape (anchors, anchors); none where a place is not known.

    Two of one floor do if no third stands in the circle over the line between them, so that the way from one to the
    other leads past nobody else (K. R. Gabriel and R. R. Sokal, Systematic Zoology 18 (1969), 259). Who stands at the
    spot of one of the two is in nobody's way. Looked for among the nearest `_NEAREST_MOST`.

    Parameters
    ----------
    places : float64, shape (anchors, 3)
        As of `places_of`.
    """
    near = np.zeros((len(places), len(places)), np.bool_)
    apart = np.hypot(*(places[:, None, :2] - places[None, :, :2]).transpose(2, 0, 1))
    floor = np.nan_to_num(places[:, 2])
    apart[floor[:, None] != floor[None, :]] = np.inf
    apart[np.isnan(apart)] = np.inf
    for one in range(len(places)):
        others = np.argsort(apart[one], kind="stable")[: _NEAREST_MOST + 1]
        others = others[(apart[one, others] < np.inf) & (others != one)]
        between = apart[one, others][:, None] ** 2 + apart[np.ix_(others, others)] ** 2 < apart[one, others] ** 2
        at_an_end = (apart[one, others][:, None] <= SAME_SPOT_M) | (apart[np.ix_(others, others)] <= SAME_SPOT_M)
        near[one, others] = ~(between & ~at_an_end).any(axis=0)
    return near | near.T


def _how_far(anchor: str, metres: float) -> str:
    return f"{anchor} by {metres:.1f} m" if metres > SAME_SPOT_M else f"{anchor} to another floor"
