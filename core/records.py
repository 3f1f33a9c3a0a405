"""The dtypes of every stage; one record type crosses each wall of the house.

All times are int64 nanoseconds since the Unix epoch, UTC, always a whole number of microseconds: that is
what the wire and the database keep, so that live and offline runs see the same numbers.
"""

from enum import IntEnum
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

SIGNAL: Final = np.dtype(
    [
        ("ts", "<i8"),  # ns, arrival at the anchor (or at the phone)
        ("device", "<i4"),  # dense index, see core.dwell.devices
        ("anchor", "<i2"),  # index into StorePlan.anchors
        ("rssi_dbm", "<i2"),  # whole dBm, RSSI_MIN_DBM..RSSI_MAX_DBM, or APP_ENTER, APP_EXIT
    ],
)
"""One reading of one device at one anchor of one store: 16 bytes."""

VISIT: Final = np.dtype(
    [
        ("entered_at", "<i8"),  # ns, best estimate
        ("left_at", "<i8"),  # ns, best estimate; never later than what the signals support
        ("entered_earliest", "<i8"),  # ns, bounds of a 95% interval
        ("entered_latest", "<i8"),
        ("left_earliest", "<i8"),
        ("left_latest", "<i8"),
        ("device", "<i4"),  # dense index
        ("signals", "<u4"),  # readings that support the stay
        ("confidence", "<f4"),  # 0..1, probability that the zone is right (store visit: its weighted mean)
        ("zone", "<i2"),  # index into StorePlan.zones; NO_ZONE on a store visit
        ("kind", "u1"),  # VisitKind
        ("closed_by", "u1"),  # ClosedBy
        ("revision", "<u2"),  # 0 as first reported, +1 with each correction
        ("forced", "u1"),  # 1 if the path was decided by the bound rather than by agreement
        ("role", "u1"),  # Role, as it was known when the visit was decided
        ("reserved", "V4"),
    ],
)
"""One zone visit or store visit: 72 bytes."""

PRESENCE: Final = np.dtype(
    [
        ("arrived_at", "<i8"),  # ns, start of the running store visit
        ("in_zone_since", "<i8"),  # ns, start of the running stay
        ("last_signal_at", "<i8"),  # ns
        ("device", "<i4"),  # dense index
        ("confidence", "<f4"),  # 0..1
        ("zone", "<i2"),  # index into StorePlan.zones
        ("role", "u1"),  # Role
        ("reserved", "V5"),
    ],
)
"""Where one device is thought to be now; provisional, replaced by visits once they are decided: 40 bytes."""

NO_ZONE: Final = -1

APP_ENTER: Final = 125
"""In `rssi_dbm`: no reading, an app's word that it entered the region of a beacon."""
APP_EXIT: Final = 126
"""In `rssi_dbm`: an app's word that it left the region of a beacon; systems give it 20 to 30 s late, or never.

Not 127: radios say that where they could not measure (Bluetooth Core, HCI LE Advertising Report)."""

SignalArray: TypeAlias = NDArray[Any]
"""One-dimensional array of dtype SIGNAL."""
VisitArray: TypeAlias = NDArray[Any]
"""One-dimensional array of dtype VISIT."""
PresenceArray: TypeAlias = NDArray[Any]
"""One-dimensional array of dtype PRESENCE."""


class VisitKind(IntEnum):
    """What a row of VISIT speaks of."""

    ZONE = 0
    STORE = 1

    @property
    def word(self) -> str:
        """The word used in files, SQL and URLs."""
        return self.name.lower()


class Role(IntEnum):
    """Who carries a device: who stays for most of a day is no visitor."""

    VISITOR = 0
    FIXTURE = 1  # never leaves its zone: a tag on a shelf
    STAFF = 2

    @property
    def word(self) -> str:
        """The word used in files, SQL and URLs."""
        return self.name.lower()


class ClosedBy(IntEnum):
    """Why a visit ended; the words stand in files, SQL, URLs and pages."""

    MOVED_ON = 0
    SILENCE = 1
    ANCHOR_DOWN = 2
    APP_EXIT = 3
    STORE_CLOSED = 4
    END_OF_RECORDING = 5

    @property
    def word(self) -> str:
        """The word used in files, SQL and URLs."""
        return self.name.lower()
