"""Devices that never leave: tags on shelves, and staff who carry a device all day.

They are no visitors. Who is one shows only with time, so a visit tells what was known when it was decided.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.dwell import residents_kernels as kernels
from core.dwell.settings import Settings
from core.floorplan import StorePlan
from core.limits import NS_PER_US

MEMORY: Final = np.dtype(
    [
        ("since", "<i8"),  # µs, begin of the day that sums tell of: the first stay after the day before
        ("until", "<i8"),  # µs, end of the last stay
        ("stayed", "<i8"),  # µs in stays
        ("credit", "<i8"),  # µs: of `main_zone` more than of all others together, while it leads
        ("main_zone", "<i4"),
        ("role", "<i4"),  # by the day before
        ("first", "<i8"),  # µs: of the two zones that lead, what is left when time elsewhere is taken off both
        ("second", "<i8"),
        ("first_zone", "<i4"),
        ("second_zone", "<i4"),
    ],
)
"""What is known of a device: 64 bytes."""


class Residents:
    """Judges devices by how long they stay, and where.

    Parameters
    ----------
    plan : StorePlan
    settings : Settings
    """

    def __init__(self, plan: StorePlan, settings: Settings) -> None:
        # zones that lie side by side in one share its number; any other has one of its own
        outside = [len(plan.zones) + place for place in range(len(plan.zones))]
        self._family = np.array([around[0] if around else outside[at] for at, around in enumerate(plan.around)])
        self._resident_us = settings.resident_ns // NS_PER_US
        self._forget_us = settings.forget_ns // NS_PER_US
        self.memory: NDArray[Any] = np.zeros(0, MEMORY)

    def judge(self, stays: NDArray[Any], devices: int) -> None:
        """Write `role` into stays (core.dwell.decoder.STAY), those of a device in order of time."""
        self._admit(devices)
        kernels.judge(stays, self.memory, self._family, self._resident_us, self._forget_us)

    def roles(
        self,
        index: NDArray[Any],
        entered_us: NDArray[np.int64],
        running_us: NDArray[np.int64],
        in_zone_us: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Return the roles of devices in the store now: int64, shape (k,).

        index : shape (k,), of devices
        entered_us : int64 (k,), when their running stays began
        running_us, in_zone_us : int64 (k,), how long their store visits and their stays have run
        """
        self._admit(int(index.max(initial=-1)) + 1)
        roles = np.zeros(len(index), np.int64)
        kernels.roles_now(
            self.memory[index],
            entered_us,
            running_us,
            in_zone_us,
            self._family,
            self._resident_us,
            self._forget_us,
            roles,
        )
        return roles

    def rows(self, devices: int) -> NDArray[Any]:
        """Return what is known of so many devices: MEMORY; for snapshots."""
        self._admit(devices)
        return self.memory[:devices]

    def forget(self, index: NDArray[Any]) -> None:
        """Know nothing of these devices."""
        self.memory[index[index < len(self.memory)]] = np.zeros(1, MEMORY)

    def _admit(self, devices: int) -> None:
        if devices > len(self.memory):
            grown = np.zeros(max(devices, 2 * len(self.memory)), MEMORY)
            grown[: len(self.memory)] = self.memory
            self.memory = grown
