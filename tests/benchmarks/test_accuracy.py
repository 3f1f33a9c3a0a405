import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import accuracy
from benchmarks.accuracy_methods import given, methods, ours
from benchmarks.accuracy_report import BEGIN, END, METHODS, replace_section
from benchmarks.accuracy_scenes import DIMENSIONS, WORKLOADS, Point, Size, grid, make, make_still, seed_of
from benchmarks.accuracy_score import MEASURES, score
from core.dwell.model import prior_model
from core.records import VisitKind
from simulators.store import START_NS

TINY = Size(shoppers=6, lasts_s=300.0, stayers=5, still=12, still_s=300.0)
SEED_USUAL = 122673249971357
POINTS = [Point(workload=workload) for workload in WORKLOADS]


@pytest.mark.parametrize("point", [*POINTS, Point(outages=True, skew_s=20.0)])
def test_equal_seeds_give_equal_bytes_and_others_do_not(point: Point) -> None:
    one, same, other = (make(point, seed, TINY) for seed in (7, 7, 8))
    assert one.signals.tobytes() == same.signals.tobytes()
    assert one.truth.tobytes() == same.truth.tobytes()
    assert one.signals.tobytes() != other.signals.tobytes()
    assert make_still(point, 7, TINY).signals.tobytes() == make_still(point, 7, TINY).signals.tobytes()


def test_every_point_and_every_number_has_a_seed_of_its_own() -> None:
    seeds = {
        seed_of(point, number, 1) for workload in WORKLOADS for _, point in grid(workload) for number in range(3)
    }
    points = sum(len(values) - 1 for values in DIMENSIONS.values()) + 1
    assert len(seeds) == 3 * points * len(WORKLOADS)


def test_a_point_keeps_its_scenes_when_the_grid_gets_another_dimension() -> None:
    assert seed_of(Point(), 0, 20_261) == SEED_USUAL


@pytest.mark.parametrize("point", POINTS)
def test_devices_at_rest_are_heard_besides_and_what_is_said_of_them_does_not_count(point: Point) -> None:
    alone, scene = make(point, 3, TINY), make(replace(point, at_rest_db=-12.0), 3, TINY)
    assert scene.truth.tobytes() == alone.truth.tobytes()
    at_rest = scene.signals["device"] > alone.truth["device"].max()
    for name in ("signals", "zone", "sent_at"):
        assert getattr(scene, name)[~at_rest].tobytes() == getattr(alone, name).tobytes()
    numbers, zone = scene.signals["device"][at_rest], scene.zone[at_rest]
    assert len(set(zip(numbers.tolist(), zone.tolist(), strict=True))) == len(np.unique(numbers)) == 12
    until = scene.truth["left_at"].max()
    assert START_NS <= scene.signals["ts"][at_rest].min() <= START_NS + 5 * 10**9
    assert until - 5 * 10**9 <= scene.signals["ts"][at_rest].max() < until
    visits = ours(scene, prior_model(scene.plan)).visits
    assert visits["device"].max() > alone.truth["device"].max()
    told = score(scene.truth, visits).measures
    of_others = score(scene.truth, visits[visits["device"] <= alone.truth["device"].max()]).measures
    assert told == pytest.approx(of_others, nan_ok=True)


@pytest.mark.parametrize("point", POINTS)
def test_signals_lie_in_the_true_stay_of_their_zone(point: Point) -> None:
    scene = make(point, 3, TINY)
    stays = scene.truth[scene.truth["kind"] == VisitKind.ZONE]
    for place in range(0, len(scene.signals), 97):
        signal, zone = scene.signals[place], scene.zone[place]
        own = stays[(stays["device"] == signal["device"]) & (stays["zone"] == zone)]
        # a gateway stamps up to 5 ms after the advert, by when somebody may have crossed
        inside = (own["entered_at"] - 5_000_000 <= signal["ts"]) & (signal["ts"] <= own["left_at"] + 5_000_000)
        assert inside.any(), place


def test_the_oracle_is_not_misled_by_clocks() -> None:
    scene = make(replace(POINTS[1], skew_s=20.0), 3, TINY)
    assert np.abs(scene.signals["ts"] - scene.sent_at).max() > 5 * 10**9
    oracle, _ = methods(scene)["oracle"]
    assert score(scene.truth, oracle(given(scene)).visits).measures["precision"] == 1


def test_true_stays_of_a_device_follow_each_other_without_a_gap() -> None:
    truth = make(POINTS[1], 3, TINY).truth
    for device in range(TINY.stayers):
        own = truth[(truth["device"] == device) & (truth["kind"] == VisitKind.ZONE)]
        assert len(own) == 8
        assert (own["entered_at"][1:] == own["left_at"][:-1]).all()
        assert (np.diff(own["zone"]) != 0).all()
        assert (own["left_at"] - own["entered_at"] >= 4_999_999_000).all()


def test_one_gateway_after_another_is_off_for_ten_minutes() -> None:
    point, size = Point(outages=True), replace(TINY, lasts_s=1600.0, shoppers=12)
    scene, whole = make(point, 3, size), make(replace(point, outages=False), 3, size)
    lost = len(whole.signals) - len(scene.signals)
    assert 0.03 < lost / len(whole.signals) < 0.2
    second = (scene.signals["ts"] - START_NS) // 10**9
    silent: list[set[int]] = [
        set(range(12)) - set(scene.signals["anchor"][second // 60 == minute].tolist()) for minute in range(26)
    ]
    first, second_off = set.intersection(*silent[5:15]), set.intersection(*silent[15:25])
    assert first
    assert second_off
    assert first.isdisjoint(second_off)


def test_device_numbers_of_the_engine_are_those_of_the_scene() -> None:
    scene = make(POINTS[1], 3, TINY)
    reported = ours(scene, prior_model(scene.plan))
    assert score(scene.truth, reported.visits).measures["f1"] > 0.7
    assert reported.late_share == 0


def test_a_tiny_grid_runs_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "QUICK", TINY)
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\nbefore\n", encoding="utf-8")
    words = ["--quick", "--only", "usual", "--only", "outages", "--seeds", "1", "--processes", "1", "--no-recordings"]
    told = tmp_path / "accuracy.json"
    for _ in range(2):  # the second replaces what the first wrote
        assert accuracy.main([*words, "--results", str(results), "--json", str(told)]) == 0
    result = json.loads(told.read_text(encoding="utf-8"))
    assert [(row["workload"], row["dimension"]) for row in result["points"]] == [
        (workload, dimension) for workload in WORKLOADS for dimension in ("usual", "outages")
    ]
    for row in result["points"]:
        assert list(row["methods"]) == list(METHODS)
        assert all(list(of["measures"]) == list(MEASURES) for of in row["methods"].values())
        assert row["methods"]["oracle"]["measures"]["precision"]["mean"] == 1
    text = results.read_text(encoding="utf-8")
    assert text.startswith("# Results\n\nbefore\n")
    assert text.count(BEGIN) == text.count(END) == 1
    assert str(tmp_path) not in text
    for drawing in tmp_path.glob("*.svg"):
        assert f"]({drawing.name})" in text
    assert len(list(tmp_path.glob("*.svg"))) == 2


def test_only_the_own_section_is_replaced() -> None:
    before = replace_section("# Results\n\nspeed\n", f"{BEGIN}\nold\n{END}\n") + "\nmore\n"
    after = replace_section(before, f"{BEGIN}\nnew\n{END}\n")
    assert after == f"# Results\n\nspeed\n\n{BEGIN}\nnew\n{END}\n\nmore\n"


def test_every_method_decodes_devices_that_stand_still() -> None:
    scene, still = make(POINTS[0], 5, TINY), make_still(POINTS[0], 5, TINY)
    found = {name: decode_still(given(still)).visits for name, (_, decode_still) in methods(scene).items()}
    assert list(found) == list(METHODS)
    for visits in found.values():
        assert set(visits["device"].tolist()) == set(range(12))
