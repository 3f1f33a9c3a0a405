"""When the stores of a chain are open and how busy they are."""

from datetime import UTC, date, datetime, time
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from core.limits import NS_PER_S
from simulators.chain.draws import Draws

_BUSY_BY_DAY: Final = (0.80, 0.85, 0.90, 1.00, 1.20, 1.55, 0.90)
"""Monday to Sunday: town-centre footfall counts rise to Saturday; the size of the steps is ours."""
_BUSY_BY_HOUR: Final = (1, 1, 1, 1, 1, 1, 1, 2, 3, 5, 8, 10, 11, 10, 9, 9, 10, 11, 9, 6, 3, 1, 1, 1)
"""By local hour: a peak at noon and one after work."""
_DAY_SIGMA: Final = 0.15  # weather, and whatever else makes one Tuesday unlike another


class Place(NamedTuple):
    """A town with its time zone, and whether shops are shut on Sundays there."""

    town: str
    timezone: str
    shut_on_sunday: bool


PLACES: Final = (
    Place("Berlin", "Europe/Berlin", True),
    Place("Hamburg", "Europe/Berlin", True),
    Place("Wien", "Europe/Vienna", True),
    Place("London", "Europe/London", False),
    Place("Leeds", "Europe/London", False),
    Place("Lisboa", "Europe/Lisbon", False),
    Place("Helsinki", "Europe/Helsinki", False),
    Place("New York", "America/New_York", False),
    Place("Chicago", "America/Chicago", False),
    Place("Sydney", "Australia/Sydney", False),
)


class Hours(NamedTuple):
    """One day's opening, ns since the epoch; `cumulated` is the share of people who came by the end of each hour."""

    opens_at: int
    closes_at: int
    cumulated: tuple[float, ...]


class Opening:
    """The opening hours of one store: weekdays, Saturday, Sunday.

    Parameters
    ----------
    place : Place
    draws : Draws
    """

    def __init__(self, place: Place, draws: Draws) -> None:
        self._zone = ZoneInfo(place.timezone)
        begins, ends = 8 + draws.below(3), 19 + draws.below(3)
        sunday = None if place.shut_on_sunday else (11, 17)
        self.by_weekday: tuple[tuple[int, int] | None, ...] = (*[(begins, ends)] * 5, (begins, ends - 1), sunday)

    def hours(self, day: date) -> Hours | None:
        """Return when the store is open on a local day; None when it is shut."""
        hours = self.by_weekday[day.weekday()]
        if hours is None:
            return None
        begins, ends = hours
        weights = _BUSY_BY_HOUR[begins:ends]
        total = sum(weights)
        cumulated = tuple(sum(weights[: count + 1]) / total for count in range(len(weights)))
        return Hours(self._at(day, begins), self._at(day, ends), cumulated)

    def _at(self, day: date, hour: int) -> int:
        local = datetime.combine(day, time(hour), self._zone)
        return int((local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * NS_PER_S


def busy(day: date, draws: Draws) -> float:
    """Return how many people a day brings, as a share of the usual day."""
    return draws.log_normal(_BUSY_BY_DAY[day.weekday()], _DAY_SIGMA)


def arrival(hours: Hours, draws: Draws) -> int:
    """Return when somebody arrives, ns since the epoch, whole microseconds."""
    drawn = draws.uniform()
    hour = next(hour for hour, share in enumerate(hours.cumulated) if drawn < share)
    before = hours.cumulated[hour - 1] if hour else 0.0
    within = (drawn - before) / (hours.cumulated[hour] - before)
    begins = hours.opens_at + hour * 3600 * NS_PER_S
    return begins + int(within * 3600e6) * 1000
