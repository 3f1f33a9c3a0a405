import pytest

from ingest.pacing import Pace
from ingest.settings import Settings


def test_writes_come_as_often_as_pages_redraw_until_they_would_take_more_than_their_share() -> None:
    pace = Pace(Settings(derive_s=0.2, derive_share=0.2, derive_most_s=10.0))
    assert pace.every_s == 0.2
    pace.took(1, 0.03)
    assert pace.every_s == 0.2
    pace.took(2, 0.07)  # both together: a tenth of a second every half second
    assert pace.every_s == 0.5
    pace.took(1, 0.01)
    assert 0.2 < pace.every_s < 0.5
    pace.took(3, 60.0)
    assert pace.every_s == 10.0
    assert Pace(Settings(derive_s=30.0)).every_s == 30.0


def test_a_commit_that_takes_long_waits_for_more_messages() -> None:
    pace = Pace(Settings(commit_share=0.1, gather_s=0.01, gather_most_s=0.1))
    assert pace.gather_s == 0.01
    pace.committed(0.005)  # five of fifty milliseconds
    assert pace.gather_s == pytest.approx(0.045)
    pace.committed(0.000_1)
    assert pace.gather_s == 0.01
    pace.committed(5.0)
    assert pace.gather_s == 0.1
