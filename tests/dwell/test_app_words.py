"""What an app's words of entering and leaving do to a visit, told by hand."""

import numpy as np
import pytest

from core.dwell.engine import StoreEngine
from core.dwell.model import prior_model
from core.limits import NS_PER_S
from core.records import APP_ENTER, APP_EXIT, SIGNAL, ClosedBy, SignalArray, VisitArray, VisitKind
from tests.dwell.comparing import rows_of, run, told
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms

pytestmark = pytest.mark.kernels

PLAN = grid_plan(3)
STAY_S = 60


def scene(*words: tuple[float, int]) -> SignalArray:
    """A phone that heard beacon 0 for a minute, somebody else long after, and words (second, which) of beacon 0."""
    rows: list[tuple[float, int, int, int]] = [(second, 0, 0, -60) for second in range(STAY_S + 1)]
    rows += [(at_s, 0, 0, word) for at_s, word in words]
    rows += [(4000 + second, 1, 1, -60) for second in range(20)]
    rows.sort(key=lambda row: row[0])
    return np.array([(START_NS + round(at_s * NS_PER_S), *rest) for at_s, *rest in rows], SIGNAL)


def time_kept(begin_s: int, end_s: int) -> SignalArray:
    """Somebody else, heard all the time, so that departures are looked for."""
    return np.array([(START_NS + second * NS_PER_S, 1, 1, -60) for second in range(begin_s, end_s)], SIGNAL)


def visits_of(*words: tuple[float, int]) -> VisitArray:
    """The first phone's visits, which are the oracle's too."""
    signals = scene(*words)
    model = prior_model(PLAN)
    visits = run(PLAN, signals, model)
    assert rows_of(visits, 0) == told(PLAN, signals, model, 0)
    own: VisitArray = visits[visits["device"] == 0]
    return own


def left_s(visits: VisitArray, kind: VisitKind) -> float:
    (row,) = visits[visits["kind"] == kind]
    return float(row["left_at"] - START_NS) / NS_PER_S


@pytest.mark.parametrize("late_s", [0.5, 20, 25, 29.9, 30])
def test_a_late_exit_closes_the_visit_at_its_last_reading(late_s: float) -> None:
    visits = visits_of((STAY_S + late_s, APP_EXIT))
    assert set(visits["closed_by"].tolist()) == {ClosedBy.APP_EXIT}
    assert left_s(visits, VisitKind.ZONE) == left_s(visits, VisitKind.STORE) == STAY_S


def test_an_exit_that_comes_later_than_systems_are_late_carries_the_stay_on_to_thirty_seconds_before_it() -> None:
    visits = visits_of((STAY_S + 50, APP_EXIT))
    assert left_s(visits, VisitKind.STORE) == STAY_S + 20


@pytest.mark.parametrize("late_s", [0, 5, 20, 30])
@pytest.mark.parametrize("slept_s", [0, 11, 25])
def test_the_bounds_of_a_word_hold_the_truth_however_late_it_comes(late_s: float, slept_s: float) -> None:
    """A phone that slept for its last seconds in the store, and whose system waits before it says that it left."""
    gone_s = STAY_S + slept_s
    for visit in visits_of((gone_s + late_s, APP_EXIT)):
        bounds_s = [(int(visit[bound]) - START_NS) / NS_PER_S for bound in ("left_earliest", "left_latest")]
        assert bounds_s[0] <= gone_s <= bounds_s[1]


def test_an_exit_long_after_everybody_was_gone_says_nothing() -> None:
    assert visits_of((STAY_S + 1800, APP_EXIT)).tolist() == visits_of().tolist()


@pytest.mark.parametrize("late_s", [59, 60, 60.001, 75, 89, 90, 91])
@pytest.mark.parametrize("words", [1, 2])
def test_an_exit_after_the_timeout_says_nothing_however_signals_are_cut(late_s: float, words: int) -> None:
    """Swept or not, the silence has ended the visit; one of two words that came in time counts."""
    first = [(STAY_S + 15, APP_EXIT)] if words == 2 else []
    signals = np.concatenate([scene(*first, (STAY_S + late_s, APP_EXIT)), time_kept(STAY_S, 400)])
    signals = signals[np.argsort(signals["ts"], kind="stable")]
    whole = run(PLAN, signals)
    swept = run(PLAN, signals, cuts=list(range(5, len(signals), 5)))
    assert np.sort(whole).tobytes() == np.sort(swept).tobytes()
    heard = late_s <= 60
    own = whole[whole["device"] == 0]
    assert left_s(own, VisitKind.STORE) == (STAY_S + late_s - 30 if heard else STAY_S)
    assert set(own["closed_by"].tolist()) == {ClosedBy.APP_EXIT if heard or words == 2 else ClosedBy.SILENCE}


def test_presence_hears_a_word_no_longer_than_the_timeout_either() -> None:
    """What is decoded and what is still held are told alike: at 30 s of lateness all of it is held."""
    signals = scene((STAY_S + 75, APP_EXIT))
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(2))
    engine.push(signals[signals["ts"] < START_NS + 3000 * NS_PER_S])
    assert len(engine.presence()) == 0


def test_an_exit_that_never_comes_keeps_no_visit_open() -> None:
    visits = visits_of((0.5, APP_ENTER), (30.5, APP_ENTER))
    assert set(visits["closed_by"].tolist()) == {ClosedBy.SILENCE}
    assert left_s(visits, VisitKind.STORE) == STAY_S


def test_who_enters_and_sleeps_at_once_is_waited_for() -> None:
    """The app is woken by a region, says so and may not range; ten minutes later it ranges again."""
    rows = [(second, 0, 0, -60) for second in range(30)] + [(30, 0, 0, APP_ENTER)]
    rows += [(630 + second, 0, 0, -60) for second in range(30)]
    signals = np.array([(START_NS + at_s * NS_PER_S, *rest) for at_s, *rest in rows], SIGNAL)
    model = prior_model(PLAN)
    visits = run(PLAN, signals, model)
    assert rows_of(visits, 0) == told(PLAN, signals, model, 0)
    assert left_s(visits, VisitKind.STORE) == 659


def test_a_reading_after_an_exit_takes_the_word_back() -> None:
    visits = visits_of((20.5, APP_EXIT))
    assert set(visits["closed_by"].tolist()) == {ClosedBy.SILENCE}
    assert left_s(visits, VisitKind.STORE) == STAY_S
