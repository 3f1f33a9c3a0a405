"""Zones that a floor plan gives no way to tell apart: all visits go to one of them, and somebody must be told."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.model import Model, prior_model
from core.floorplan import StorePlan

ALIKE_DB: Final = 1.0
"""Levels that differ by no more at every anchor say nothing: a sixth of the spread of a reading."""
ALIKE_SHARE: Final = 0.05
"""The same for the share of adverts that is heard."""
WHAT_TO_DO: Final = "give each anchor its own x and y in metres, or leave x and y out"
"""Without places an anchor counts as near for its own zone and far for all others: more than one place tells."""


def sounding_alike(plan: StorePlan) -> tuple[tuple[str, ...], ...]:
    """Return groups of ids of zones that a plan lets sound the same everywhere, each in the plan's order.

    Asked of the prior: a model that was learnt has given every signal to one of such zones, and then they differ.
    """
    model = prior_model(plan)
    first: dict[int, NDArray[np.float64]] = {}
    groups: dict[int, list[str]] = {}
    for place, zone in enumerate(plan.zones):
        if not model.decodable[place]:
            continue
        sounds = _sounds(model, place)
        same = next((other for other, heard in first.items() if _alike(heard, sounds)), None)
        if same is None:
            first[place] = sounds
            groups[place] = [zone.id]
        else:
            groups[same].append(zone.id)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _sounds(model: Model, place: int) -> NDArray[np.float64]:
    """Level and detection at each spot of a zone, each spot as a row, in a fixed order."""
    spots = model.spot_zone == place
    rows = np.concatenate([model.level_dbm[spots] / ALIKE_DB, model.detection[spots] / ALIKE_SHARE], axis=1)
    return rows[np.lexsort(rows.T)].astype(np.float64)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return one.shape == other.shape and bool((np.abs(one - other) <= 1.0).all())
