"""The doorway: what is refused, what is counted, in which order visits come."""

import numpy as np
import pytest

from core.dwell.engine import Part, StoreEngine
from core.dwell.settings import Settings
from core.errors import ConfigurationError, InputError
from core.records import APP_ENTER, APP_EXIT, SIGNAL, VISIT
from tests.dwell.scenes import Walk, grid_plan, pseudonyms, walk

pytestmark = pytest.mark.kernels
PLAN = grid_plan(6)


def engine_for(devices: int) -> StoreEngine:
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(devices))
    return engine


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("device", wrong) for wrong in (2, -1, 2**31 - 1, -(2**31))),
        *(("anchor", wrong) for wrong in (6, -1, 2**15 - 1, -(2**15))),
        *(("rssi_dbm", wrong) for wrong in (21, -121, 124, 127, 2**15 - 1, -(2**15))),
    ],
)
def test_a_signal_out_of_range_is_refused_and_nothing_is_taken_in(column: str, value: int) -> None:
    engine = engine_for(2)
    signals = walk(PLAN, 0)
    signals[column][-1] = value
    with pytest.raises(InputError, match=column):
        engine.push(signals)
    assert engine.counts.decoded == 0
    assert not len(engine.presence())


def test_the_words_of_apps_are_taken_in() -> None:
    engine = engine_for(2)
    signals = walk(PLAN, 0)
    signals["rssi_dbm"][:2] = APP_ENTER, APP_EXIT
    engine.push(signals)
    assert engine.counts.decoded == len(signals)


def test_signals_of_another_memory_layout_are_the_same_signals() -> None:
    """Every second row of an array, bytes that cannot be written, bytes at an odd address."""
    signals = walk(PLAN, 3)
    odd = np.frombuffer(b"x" + signals.tobytes(), SIGNAL, offset=1)
    found = []
    for same in (signals, np.repeat(signals, 2)[::2], np.frombuffer(signals.tobytes(), SIGNAL), odd):
        engine = engine_for(2)
        found.append(engine.push(same).tobytes() + engine.finish().tobytes())
    assert len(set(found)) == 1


def test_signals_may_name_devices_by_their_place_in_a_list() -> None:
    signals = walk(PLAN, 3)
    plain = engine_for(9)
    expected = plain.push(signals).tobytes() + plain.finish().tobytes()
    listed = engine_for(9)
    index = np.array([7, 1, 8, 0], np.int32)
    renamed = signals.copy()
    renamed["device"] = np.array([3, 1])[signals["device"]]
    assert listed.push(renamed, devices=index).tobytes() + listed.finish().tobytes() == expected


@pytest.mark.parametrize(("index", "named"), [([0, 9], 1), ([0, -1], 1), ([0, 1], 2)])
def test_a_device_that_is_not_in_the_list_or_not_known_is_refused(index: list[int], named: int) -> None:
    signals = walk(PLAN, 0)
    signals["device"] = named
    engine = engine_for(9)
    with pytest.raises(InputError, match="device"):
        engine.push(signals, devices=np.array(index, np.int32))
    assert engine.counts.decoded == 0


def test_a_push_is_cut_without_anybody_noticing(monkeypatch: pytest.MonkeyPatch) -> None:
    signals = walk(PLAN, 5, Walk(stays=10))
    whole = engine_for(2)
    visits = whole.push(signals)
    monkeypatch.setattr("core.dwell.engine._SIGNALS_AT_ONCE", 7)
    cut = engine_for(2)
    assert cut.push(signals).tobytes() == visits.tobytes()
    assert cut.finish().tobytes() == whole.finish().tobytes()


def test_parts_of_one_push_are_as_pushes_of_their_own() -> None:
    """To the last byte of state, what was late and what is covered included."""
    plan = grid_plan(6)
    signals = walk(plan, 4, Walk(devices=5, absences=True))
    rng = np.random.default_rng(4)
    behind = rng.exponential(2e9, len(signals)) * rng.choice([0, 1, 8], len(signals))
    signals = signals[np.argsort(signals["ts"] + behind.astype(np.int64), kind="stable")]
    one, other = (StoreEngine(plan, settings=Settings(lateness_ns=5 * 10**9)) for _ in range(2))
    for engine in (one, other):
        engine.device_index(pseudonyms(5))
    late = 0
    for number_of_push, some in enumerate(np.array_split(signals, 12)):
        cut = np.array_split(some, 7)
        parts = [Part(len(part), number % 3, int(some["ts"].max())) for number, part in enumerate(cut)]
        before = one.counts.late
        alone = [one.push(part, parts[number].source, parts[number].arrived_at) for number, part in enumerate(cut)]
        together, behind_by_part = other.push_parts(some, parts)
        assert sorted(map(bytes, np.concatenate(alone))) == sorted(map(bytes, together))
        assert sum(behind_by_part) == one.counts.late - before
        # only the hour in which was last looked for who can be forgotten is noted a push later
        assert number_of_push == 0 or one.snapshot() == other.snapshot()
        late += sum(behind_by_part)
    assert late > 0
    assert one.finish().tobytes() == other.finish().tobytes()
    with pytest.raises(InputError, match="do not add up"):
        one.push_parts(signals, [Part(1)])


def test_another_dtype_is_refused() -> None:
    with pytest.raises(InputError, match="SIGNAL"):
        engine_for(1).push(np.zeros(3, VISIT))


def test_an_empty_push_and_an_empty_engine_do_nothing() -> None:
    engine = StoreEngine(PLAN)
    assert engine.push(np.zeros(0, SIGNAL)).dtype == VISIT
    assert not len(engine.finish())
    assert not len(engine.presence())
    assert engine.decided_through == 0


def test_visits_come_in_order_of_entry_kind_zone_and_pseudonym() -> None:
    engine = engine_for(40)
    signals = walk(PLAN, 1, Walk(devices=40, stays=2))
    signals["ts"] -= signals["ts"] % (5 * 10**9)  # so that many enter at the same time
    parts = [engine.push(signals), engine.finish()]
    assert sum(map(len, parts)) > 80
    for part in parts:
        names = engine.pseudonyms(part["device"])
        keys = [
            (int(visit["entered_at"]), int(visit["kind"]), int(visit["zone"]), name.tobytes())
            for visit, name in zip(part, names, strict=True)
        ]
        assert keys == sorted(keys)


def test_counts_tell_what_became_of_the_signals() -> None:
    engine = engine_for(2)
    signals = walk(PLAN, 2)
    engine.push(signals)
    engine.push(signals[-5:])
    engine.push(signals[:3])
    engine.finish()
    counts = engine.counts
    assert counts.decoded == len(signals) + 8
    assert counts.repeated + counts.late == 8
    assert counts.late >= 3


def test_an_engine_goes_on_after_it_was_finished() -> None:
    engine = engine_for(2)
    signals = walk(PLAN, 2)
    engine.push(signals)
    engine.finish()
    later = signals.copy()
    later["ts"] += 3600 * 10**9
    again = np.concatenate([engine.push(later), engine.finish()])
    assert (again["kind"] == 1).sum() == 2
    assert engine.counts.late == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"step_ns": 0},
        {"silence_ns": 10**12},
        {"silence_max_ns": 3_600 * 10**9},
        {"lateness_ns": -1},
        {"evidence_weight": 1.5},
        {"doubt_nats": 0.0},
        {"undecided_stays": 7},
        {"gap_mean_ns": 0},
        {"offset_limit_db": -1},
        {"visit_max_ns": 10**9},
        {"visit_max_ns": 10**18},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        Settings(**wrong)
