"""How many of a store's anchors work, hour by hour of data time."""

from typing import Final, NamedTuple

HOUR_US: Final = 3_600_000_000
GAP_MOST_US: Final = 7 * 24 * HOUR_US
"""Of a longer pause only the last week is told: nobody looks for coverage in a store that was closed for a season."""
HOURS_MOST: Final = 7 * 24 + 1
"""Hours that are kept until somebody has written them down: a week and the running one; then the oldest go."""


class CoveredHour(NamedTuple):
    """An hour of data time, as far as it is covered; `share` of the anchors worked, 0..1."""

    begins_us: int
    covered_us: int
    share: float


class Coverage:
    """Sums, over data time, how many anchors work and how many there are; whole numbers, so that sums are exact."""

    def __init__(self) -> None:
        self.until_us: int | None = None
        self.hours: dict[int, tuple[int, int, int]] = {}
        """By the hour since 1970: µs covered, µs times working anchors, µs times anchors."""

    def cover(self, until_us: int, working: int, anchors: int) -> None:
        """Say that since the last call so many anchors have worked; the first call only says where it begins."""
        if self.until_us is None:
            self.until_us = until_us
        begin_us = max(self.until_us, until_us - GAP_MOST_US)
        self.until_us = max(self.until_us, until_us)
        while begin_us < until_us:
            hour = begin_us // HOUR_US
            passed_us = min(until_us, (hour + 1) * HOUR_US) - begin_us
            covered, worked, possible = self.hours.get(hour, (0, 0, 0))
            self.hours[hour] = (covered + passed_us, worked + working * passed_us, possible + anchors * passed_us)
            begin_us += passed_us
        while len(self.hours) > HOURS_MOST:
            del self.hours[min(self.hours)]

    def told(self) -> list[CoveredHour]:
        """Return the hours that are kept, in their order."""
        return [
            CoveredHour(hour * HOUR_US, covered, worked / possible)
            for hour, (covered, worked, possible) in sorted(self.hours.items())
        ]

    def forget(self) -> None:
        """Let go of the hours that are over; the running one stays."""
        running = -1 if self.until_us is None else self.until_us // HOUR_US
        self.hours = {hour: sums for hour, sums in self.hours.items() if hour >= running}
