"""What a chain is like."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from core.errors import ConfigurationError
from core.floorplan import StorePlan
from core.limits import STORES_PER_PLAN
from simulators.chain.air import AirSettings
from simulators.chain.faults import FAULTS, FaultSettings

DAYS_MOST: Final = 366
"""A year of a chain is asked for in parts: a day of 200 stores is 120 MB."""
FIRST_DAY: Final = date(2026, 1, 5)
"""A Monday; recordings begin there unless told otherwise, so that equal seeds give equal bytes."""


@dataclass(frozen=True, kw_only=True)
class ChainSettings:
    """How many stores, for how long, how busy.

    Raises
    ------
    ConfigurationError
        If a number is out of its bounds.
    """

    seed: int = 1
    stores: int = 10
    days: int = 1
    first_day: date = FIRST_DAY
    visits: int = 40
    """Parties that come to a store of usual size on a usual day, members not counted."""
    members: int = 30
    """Consented customers of each store, who come back with the same tag."""
    staff: int = 2
    """People at work in a store at a time."""
    air: AirSettings = field(default_factory=AirSettings)
    faults: FaultSettings = FAULTS["usual"]
    plans: tuple[StorePlan, ...] = ()
    """Stores of one's own instead of invented ones; `stores` is then their number."""

    def __post_init__(self) -> None:
        for what, value, most in (
            ("stores", self.stores, STORES_PER_PLAN),
            ("days", self.days, DAYS_MOST),
            ("visits", self.visits, 5000),
        ):
            if not 1 <= value <= most:
                raise ConfigurationError(f"A chain has 1 to {most} {what}, not {value}.")
        for what, value in (("members", self.members), ("staff", self.staff)):
            if not 0 <= value <= 1000:
                raise ConfigurationError(f"A store of a chain has 0 to 1000 {what}, not {value}.")
