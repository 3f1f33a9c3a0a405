"""A whole chain: the same bytes every time, people who keep to the gaps in walls, truth and orders that fit."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import sojourn
from api.inputs.models import ProfileIn
from api.inputs.rows import read_csv
from core.errors import RecordingError
from core.floorplan import load
from simulators.chain.day import StoreDay, simulate_day, store_of
from simulators.chain.faults import FAULTS, FaultSettings
from simulators.chain.settings import ChainSettings
from simulators.chain.visitors import visitors
from simulators.chain.ways import Manner, Way
from simulators.chain.writing import write_chain
from simulators.replay.running import replay
from simulators.score.scoring import score_files

SMALL = ChainSettings(seed=5, stores=4, days=2, visits=3, members=12, staff=0)
SMALL_SHA256 = "9e7a35e76b5da8f97d1486b81c5d9494d98c7c63c1364727c30c9825ca664fa0"
"""Of everything in `SMALL`. It is the same on every machine; if a change is meant to alter it, count FORMAT up."""
MONDAY, SUNDAY = date(2026, 1, 5), date(2026, 1, 11)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    assert write_chain(SMALL, folder, jobs=1).content_sha256 == SMALL_SHA256
    return folder


@pytest.fixture(scope="module")
def full() -> StoreDay:
    return simulate_day(ChainSettings(seed=2, stores=1, visits=60, faults=FAULTS["none"]), 0, MONDAY)


def test_equal_seeds_give_equal_bytes_in_every_file_and_process(folder: Path, tmp_path: Path) -> None:
    again = CliRunner().invoke(
        sojourn.app,
        ["simulate", "--stores", "4", "--days", "2", "--seed", "5", "--visits", "3", "--members", "12", "--staff",
         "0", "--jobs", "2", "--quiet", "--out", str(tmp_path)],
    )  # fmt: skip
    assert again.exit_code == 0, again.output
    assert SMALL_SHA256 in again.output
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    assert write_chain(replace(SMALL, seed=6), tmp_path / "six").content_sha256 != SMALL_SHA256
    with pytest.raises(RecordingError, match="holds another chain"):
        write_chain(replace(SMALL, seed=6), tmp_path)
    assert (tmp_path / "orders.csv").read_bytes() == (folder / "orders.csv").read_bytes()


def test_the_replay_finds_the_true_visits(folder: Path, tmp_path: Path) -> None:
    visits = tmp_path / "visits.parquet"
    report = replay(folder / "recording.parquet", folder / "plan.json", visits, calibrate=False)
    assert not report.rejected
    assert not report.late
    found = score_files(visits, folder / "truth.parquet", shortest_s=30)
    assert found.store.recall is not None
    assert found.store.recall > 0.95
    assert found.zone.time_right is not None
    assert found.zone.time_right > 0.85


def test_orders_are_paid_during_true_visits_and_looked_for_before(folder: Path) -> None:
    truth = pl.read_parquet(folder / "truth.parquet")
    tills = {
        (store.id, zone.id)
        for store in load((folder / "plan.json").read_bytes()).stores
        for zone in store.zones
        if zone.kind == "checkout"
    }
    devices = {
        profile["identifiers"][0]["value"]: profile["devices"][0]
        for profile in map(json.loads, (folder / "profiles.jsonl").read_text().splitlines())
    }
    orders = pl.read_csv(folder / "orders.csv").filter(pl.col("kind") == "ordered")
    assert len(orders) > 5
    for order in orders.iter_rows(named=True):
        paid_at = int(datetime.fromisoformat(order["occurred_at"]).timestamp()) * 10**9
        during = truth.filter(
            (pl.col("device") == devices[order["customer_id"]])
            & (pl.col("entered_at") <= paid_at)
            & (pl.col("left_at") >= paid_at)
            & (pl.col("kind") == "zone")
        )
        assert {(row["store"], row["zone"]) for row in during.iter_rows(named=True)} & tills
    for given_input in ("orders", "online", "app"):
        read = read_csv(given_input, (folder / f"{given_input}.csv").read_bytes(), datetime.now(UTC))
        assert (read.malformed, read.left_out) == ([], ()), "the imports of the API take them"
    for line in (folder / "profiles.jsonl").read_text().splitlines():
        assert ProfileIn.model_validate_json(line).devices
    online = pl.read_csv(folder / "online.csv")
    assert {"searched", "product_viewed"} <= set(online["kind"])


def test_shops_are_shut_on_some_sundays_and_fuller_on_saturdays() -> None:
    settings = ChainSettings(seed=1, stores=12, members=0, staff=0)
    hours = [store_of(settings, number).opening.hours(SUNDAY) for number in range(12)]
    assert any(hour is None for hour in hours)
    assert any(hour is not None for hour in hours)
    shut = next(number for number, hour in enumerate(hours) if hour is None)
    assert simulate_day(settings, shut, SUNDAY).people == []

    def parties(day: date) -> int:
        counted = 0
        for number in range(12):
            store = store_of(settings, number)
            opens = store.opening.hours(day)
            counted += len({one.party for one in visitors(settings, store.ground, store.plan.id, day, opens)})
        return counted

    assert parties(date(2026, 1, 10)) > 1.3 * parties(MONDAY)


def test_nobody_walks_through_a_wall() -> None:
    settings = ChainSettings(seed=4, stores=6, visits=10)
    for number in range(6):
        store = store_of(settings, number)
        people = visitors(settings, store.ground, store.plan.id, MONDAY, store.opening.hours(MONDAY))
        for person in people:
            assert not _crossings(person.way, np.array(store.plan.walls))


def test_everybody_is_there(full: StoreDay) -> None:
    columns = ["store", "person", "party", "manner", "member", "device", "from", "until"]
    people = pl.DataFrame(full.people, schema=columns, orient="row")
    assert set(people["manner"]) == {manner.value for manner in Manner}
    sizes = people.filter(manner="group").group_by("party").agg(pl.col("person").n_unique())
    assert sizes["person"].min() >= 2  # type: ignore[operator]  # a number
    passing = set(people.filter(manner="passer_by")["device"])
    true = {row[2] for row in full.truth}
    heard = {full.devices[index] for index in np.unique(full.arrived.signals["device"])}
    assert passing & heard
    assert not passing & true
    turned = people.filter(pl.col("device").n_unique().over("person") > 1)  # phones with a new address
    assert len(turned)
    for row in turned.iter_rows(named=True):
        visits = [visit for visit in full.truth if visit[2] == row["device"]]
        assert all(row["from"] <= visit[4] and visit[5] <= row["until"] for visit in visits)


def test_faults_do_what_they_say(full: StoreDay) -> None:
    always = FaultSettings(outage=1, outage_s=(7200, 7200), skew=1, skew_s=(2, 2), drift=0, delayed=0.2, replayed=0.2)
    bad = simulate_day(ChainSettings(seed=2, stores=1, visits=60, faults=always), 0, MONDAY)
    skews = {row[1]: round(row[3] * 1e9) for row in bad.faults if row[2] == "skew"}
    outages = {row[1]: (row[4], row[5]) for row in bad.faults if row[2] == "outage"}
    names = [anchor.id for anchor in bad.plan.anchors]
    assert set(skews) == set(outages) == set(names)
    for place, name in enumerate(names):
        stamps = bad.arrived.signals["ts"][bad.arrived.signals["anchor"] == place] - skews[name]
        begins, ends = outages[name]
        assert not np.any((stamps >= begins) & (stamps < ends))
    rows = bad.arrived.signals
    assert len(np.unique(rows)) < 0.9 * len(rows)  # messages that came again
    late_ns = np.maximum.accumulate(rows["ts"]) - rows["ts"]
    assert late_ns.max() > 10e9
    calm = full.arrived.signals
    assert np.max(np.maximum.accumulate(calm["ts"]) - calm["ts"]) < 2e9
    assert len(np.unique(calm)) > 0.99 * len(calm)


def test_a_plan_of_ones_own_is_walked_in(tmp_path: Path) -> None:
    demo = Path(__file__).parents[3] / "simulators" / "plans" / "demo.json"
    done = CliRunner().invoke(
        sojourn.app,
        ["simulate", "--floorplan", str(demo), "--visits", "2", "--members", "0", "--staff", "0", "--quiet", "--out",
         str(tmp_path)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert set(pl.read_parquet(tmp_path / "truth.parquet")["store"]) == {"marktplatz"}


def _crossings(way: Way, walls: "np.ndarray[tuple[int, int, int], np.dtype[np.float64]]") -> int:
    """How often a way and walls cross, ends that only touch left aside."""
    begin, end = np.stack([way.x[:-1], way.y[:-1]], 1)[:, None], np.stack([way.x[1:], way.y[1:]], 1)[:, None]
    one, other = walls[None, :, 0], walls[None, :, 1]

    def side(a: Any, b: Any, p: Any) -> Any:
        return (b[..., 0] - a[..., 0]) * (p[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (p[..., 0] - a[..., 0])

    apart = side(one, other, begin) * side(one, other, end) < -1e-9
    between = side(begin, end, one) * side(begin, end, other) < -1e-9
    return int(np.count_nonzero(apart & between))
