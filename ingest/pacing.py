"""How often ingest writes: presence as often as pages redraw, batches as they come, unless that costs too much.

What a write of presence costs grows with the people in a store, its signals a second and the number of stores; what
a commit costs depends little on how many batches are in it.
"""

from typing import Final

from ingest.settings import Settings

_NEWEST_SHARE: Final = 0.1
"""A store writes a few times a second: ten writes are the last seconds."""


class Pace:
    """The time between two writes of a store, and the time that a commit waits for more, from what the last took."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._took_s: dict[int, float] = {}
        self._commit_s = 0.0

    def took(self, store_no: int, seconds: float) -> None:
        """Take note of a write; a mean of the last counts, because presence is worked out afresh now and then."""
        before_s = self._took_s.get(store_no, seconds)
        self._took_s[store_no] = before_s + _NEWEST_SHARE * (seconds - before_s)

    @property
    def every_s(self) -> float:
        """Seconds between two writes of the same store, so that all stores' writes keep to their share."""
        wanted_s = sum(self._took_s.values()) / self._settings.derive_share
        return min(max(wanted_s, self._settings.derive_s), max(self._settings.derive_most_s, self._settings.derive_s))

    def committed(self, seconds: float) -> None:
        """Take note of a commit."""
        self._commit_s = seconds

    @property
    def gather_s(self) -> float:
        """Seconds that a commit waits for more messages, so that commits keep to their share."""
        wanted_s = self._commit_s * (1.0 / self._settings.commit_share - 1.0)
        return min(max(wanted_s, self._settings.gather_s), max(self._settings.gather_most_s, self._settings.gather_s))
