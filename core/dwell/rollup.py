"""Nested zones: who stands at a shelf is in its department too.

The decoder tells one zone at a time, the innermost. A zone with others within it is reported as a whole: one visit
from the first stay in it or in any zone within it to the last, however often she went from shelf to shelf.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.dwell import rollup_kernels as kernels
from core.dwell.decoder import STAY
from core.floorplan import StorePlan

OPEN_STAY: Final = np.dtype(
    [
        ("entered_at", "<i8"),  # µs, as in STAY
        ("entered_earliest", "<i8"),
        ("entered_latest", "<i8"),
        ("signals", "<i4"),
        ("sure", "<i4"),
        ("forced", "<i4"),
        ("open", "<i4"),
    ],
)
"""What is known of a stay around others that goes on: 40 bytes."""


class Rollup:
    """Turns the decoder's stays into those that are reported; does nothing where no zone lies in another.

    Bounds of entry are those of the first stay within, bounds and reason of leaving those of the last. Certainty is
    that of the innermost zones: of the zone around them it says at least as much.

    Parameters
    ----------
    plan : StorePlan
    """

    def __init__(self, plan: StorePlan) -> None:
        self._around, self._leaf = _nesting(plan)
        self.levels = self._around.shape[1]
        self.open_stays: NDArray[Any] = np.zeros((0, self.levels), OPEN_STAY)

    def take(self, stays: NDArray[Any], devices: int) -> NDArray[Any]:
        """Return what is reported of stays: STAY, those of a device in order of time.

        stays : STAY, in the order the decoder gives them; devices : above every index in them
        """
        if not self.levels or not len(stays):
            return stays
        self._admit(devices)
        out = np.empty(len(stays) * (1 + self.levels), STAY)
        return out[: kernels.roll_up(stays, self._around, self._leaf, self.open_stays, out)]

    def rows(self, devices: int) -> NDArray[Any]:
        """Return what goes on of so many devices: OPEN_STAY, shape (devices, levels); for snapshots."""
        self._admit(devices)
        return self.open_stays[:devices]

    def restore(self, open_stays: NDArray[Any]) -> None:
        """Put back what `open_stays` held, all rows one after the other."""
        if self.levels:
            self.open_stays = open_stays.reshape(-1, self.levels)

    def _admit(self, devices: int) -> None:
        if devices > len(self.open_stays):
            grown = np.zeros((max(devices, 2 * len(self.open_stays)), self.levels), OPEN_STAY)
            grown[: len(self.open_stays)] = self.open_stays
            self.open_stays = grown


def _nesting(plan: StorePlan) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Return `around` and `leaf` as the kernel takes them."""
    leaf = np.ones(len(plan.zones), np.bool_)
    for outer in plan.around:
        leaf[list(outer)] = False
    chains = [[*reversed(outer), *([] if leaf[place] else [place])] for place, outer in enumerate(plan.around)]
    around = np.full((len(plan.zones), max(map(len, chains))), -1, np.int16)
    for place, chain in enumerate(chains):
        around[place, : len(chain)] = chain
    return around, leaf
