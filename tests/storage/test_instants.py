"""Days that a person writes on a command line."""

import pytest

from core.errors import ConfigurationError
from core.limits import NS_PER_S
from storage.instants import read_days

DAY = 86_400 * NS_PER_S


def test_days_are_whole_ones_of_utc() -> None:
    assert read_days("1970-01-01", " 1970-01-02 ") == (0, 2 * DAY)
    begin, end = read_days("1970-01-01", "2261-12-31")
    assert (begin, end % DAY) == (0, 0)
    assert end < 2**63


@pytest.mark.parametrize(
    ("begin", "last"),
    [("0001-01-01", "2026-01-01"), ("2026-01-01", "9999-12-31"), ("2026-01-02", "2026-01-01"), ("x", "2026-01-01")],
)
def test_what_is_no_day_of_signals_is_said_in_a_sentence(begin: str, last: str) -> None:
    with pytest.raises(ConfigurationError):
        read_days(begin, last)
