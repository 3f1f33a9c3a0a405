"""How often visits and presence are written: as often as pages redraw, unless ingest then could not take in.

What a write costs grows with what the engine holds (half a minute of a store's signals) and the number of stores.
"""

from ingest.settings import Settings


class Pace:
    """The time between two writes of a store, from how long the last write of each store took."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._took_s: dict[int, float] = {}

    def took(self, store_no: int, seconds: float) -> None:
        """Take note of a write."""
        self._took_s[store_no] = seconds

    @property
    def every_s(self) -> float:
        """Seconds between two writes of the same store, so that all stores' writes keep to their share."""
        wanted_s = sum(self._took_s.values()) / self._settings.derive_share
        return min(max(wanted_s, self._settings.derive_s), max(self._settings.derive_most_s, self._settings.derive_s))
