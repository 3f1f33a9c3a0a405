from hashlib import sha256

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigurationError
from core.records import SIGNAL
from simulators.recordings.visits import VISITS_SCHEMA
from simulators.store import START_NS, StoreSimulation, edge_of_anchor, generate, member_identity
from tests.simulators.demo_plan import demo_store

PLAN = demo_store()


def digest(simulation: StoreSimulation, cuts: list[float], until_s: float) -> str:
    pieces = [simulation.readings(cut) for cut in [*sorted(cuts), until_s]]
    heard = np.concatenate([np.zeros(0, SIGNAL), *pieces])
    assert (np.diff(heard["ts"]) >= 0).all()
    devices = b"".join(simulation.identities)
    return sha256(heard.tobytes() + devices).hexdigest()


@given(cuts=st.lists(st.floats(0, 120), max_size=8))
@settings(max_examples=15, deadline=None)
def test_readings_do_not_depend_on_how_time_is_cut(cuts: list[float]) -> None:
    whole = digest(StoreSimulation(PLAN, 3, shoppers=20, members=2), [], 120.0)
    assert digest(StoreSimulation(PLAN, 3, shoppers=20, members=2), cuts, 120.0) == whole


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    first, same, other = (generate(PLAN, seed, 90, 30) for seed in (4, 4, 5))
    assert first.signals.equals(same.signals)
    assert first.truth.equals(same.truth)
    assert not first.signals.equals(other.signals)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short, long = generate(PLAN, 4, 60, 30), generate(PLAN, 4, 120, 30)
    end = START_NS + 60 * 10**9
    begin = long.signals.filter(pl.col("ts") < end)
    assert begin.sort("ts", "anchor", "device").equals(short.signals.sort("ts", "anchor", "device"))


def test_the_store_is_as_full_as_asked_from_the_first_second() -> None:
    result = generate(PLAN, 9, 600, 150)
    for at_s in (5, 150, 300, 450, 590):
        at = START_NS + at_s * 10**9
        inside = result.truth.filter(
            (pl.col("kind") == "store") & (pl.col("entered_at") <= at) & (pl.col("left_at") > at)
        )
        assert 130 <= inside.height <= 150
        heard = result.signals.filter(pl.col("ts").is_between(at, at + 10 * 10**9))["device"].n_unique()
        assert 130 <= heard <= 165


def test_signals_and_truth_fit_the_contract() -> None:
    result = generate(PLAN, 2, 300, 40)
    signals, truth = result
    assert signals.schema == {
        "ts": pl.Int64, "store": pl.String, "anchor": pl.String, "device": pl.String, "rssi_dbm": pl.Float64
    }  # fmt: skip
    assert signals.null_count().sum_horizontal().item() == 0
    assert (signals["ts"] % 1000 == 0).all()
    assert signals["rssi_dbm"].is_between(-120, 20).all()
    assert signals["device"].str.len_bytes().unique().to_list() == [32]
    assert set(signals["anchor"]) == set(PLAN.anchor_index)
    assert truth.schema == VISITS_SCHEMA
    assert set(truth["device"]) <= set(signals["device"])
    assert (truth["left_at"] - truth["entered_at"] >= 5 * 10**9).all()
    assert truth["dwell_s"].to_list() == pytest.approx(((truth["left_at"] - truth["entered_at"]) / 1e9).to_list())
    zones = truth.filter(pl.col("kind") == "zone")
    assert set(PLAN.zone_index) - {"stockroom"} <= set(zones["zone"]) <= set(PLAN.zone_index)


def test_zone_visits_of_a_device_follow_each_other_within_its_store_visit() -> None:
    truth = generate(PLAN, 2, 900, 40).truth
    for device in truth["device"].unique():
        own = truth.filter(pl.col("device") == device)
        store = own.filter(pl.col("kind") == "store")
        zones = own.filter(pl.col("kind") == "zone").sort("entered_at")
        assert store.height == 1  # nobody is a member here
        assert (zones["entered_at"] >= store["entered_at"].item()).all()
        assert (zones["left_at"] <= store["left_at"].item()).all()
        assert (zones["entered_at"][1:] >= zones["left_at"][:-1]).all()
        assert zones["signals"].sum() <= store["signals"].item()


def test_rows_arrive_as_edges_send_them() -> None:
    signals = generate(PLAN, 2, 60, 60).signals
    late_s = (signals["ts"].cum_max() - signals["ts"]) / 1e9
    assert late_s.max() < 2.0  # type: ignore[operator]
    assert (late_s > 0).mean() > 0.2  # type: ignore[operator]  # neighbouring edges interleave
    edge_of = {anchor.id: edge for anchor, edge in zip(PLAN.anchors, edge_of_anchor(PLAN).tolist(), strict=True)}
    for edge in range(4):
        own = signals.filter(pl.col("anchor").replace_strict(edge_of) == edge)["ts"]
        assert own.is_sorted()


def test_members_keep_their_tag_and_come_back() -> None:
    simulation = StoreSimulation(PLAN, 6, shoppers=30, members=5)
    simulation.readings(3600)
    known = [simulation.identities.index(member_identity(6, member)) for member in range(5)]
    names = [str(number) for number in range(len(simulation.identities))]
    truth = simulation.true_visits(START_NS, START_NS + 3600 * 10**9, names)
    visits = truth.filter(pl.col("kind") == "store")["device"].value_counts()
    often = dict(visits.iter_rows())
    assert all(often[str(device)] >= 2 for device in known)
    assert len(set(simulation.identities)) == len(simulation.identities)


def test_the_start_moves_everything_and_changes_nothing_else() -> None:
    early, late = generate(PLAN, 4, 60, 20), generate(PLAN, 4, 60, 20, start_ns=START_NS + 7 * 10**9)
    assert (late.signals["ts"] - early.signals["ts"]).unique().to_list() == [7 * 10**9]
    assert late.signals.drop("ts").equals(early.signals.drop("ts"))


def test_more_members_than_shoppers_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="9 members do not fit among 7 shoppers"):
        StoreSimulation(PLAN, 1, shoppers=8, members=9)


def test_every_edge_has_its_share_of_anchors() -> None:
    assert sorted(np.bincount(edge_of_anchor(PLAN)).tolist()) == [4, 4, 4, 5]
