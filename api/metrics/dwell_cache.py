"""How long visits to each store take, kept for a while: every profile of a store is compared with the same ones."""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

import msgspec

from core.journey.shoppers import DwellKinds, dwell_kinds
from storage.connect import Connection
from storage.profiles.understanding import store_dwells

_KEPT_FOR: Final = timedelta(minutes=15)
"""A quarter of an hour changes the middle of 2,000 visits by less than a second."""
_STORES: Final = 64
"""As many as one CRM desk looks at in a quarter of an hour; a store takes 64 KiB."""


class StoreDwells(msgspec.Struct, frozen=True):
    """The newest dwells of a store in seconds, and the two kinds among them if there are two."""

    dwells_s: list[float]
    kinds: DwellKinds | None


class DwellCache:
    """Dwells by store; may be used from several threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, tuple[datetime, StoreDwells]] = OrderedDict()
        self._lock = Lock()

    def get(self, connection: Connection, store_no: int, *, now: datetime) -> StoreDwells:
        """Return the dwells of a store, at most _KEPT_FOR old."""
        with self._lock:
            held = self._held.get(store_no)
        if held is not None and now - held[0] < _KEPT_FOR:
            return held[1]
        dwells = store_dwells(connection, store_no)
        found = StoreDwells(dwells, dwell_kinds(dwells))
        with self._lock:
            self._held[store_no] = (now, found)
            self._held.move_to_end(store_no)
            while len(self._held) > _STORES:
                self._held.popitem(last=False)
        return found
