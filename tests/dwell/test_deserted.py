"""An anchor that alone hears its people and dies makes nobody leave, though no edge says so."""

from collections.abc import Sequence

import numpy as np
import pytest

from core.dwell import watch_kernels as kernels
from core.dwell.decoder import Decoder
from core.dwell.emission import tables
from core.dwell.engine import StoreEngine
from core.dwell.model import prior_model
from core.dwell.settings import Settings
from core.floorplan import StorePlan
from core.records import APP_EXIT, SIGNAL, ClosedBy, SignalArray, VisitArray, VisitKind
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms
from tests.oracle.deserted import Stood, deserted

pytestmark = pytest.mark.kernels
PLAN = grid_plan(9)
APART = (0, 2, 6, 8)  # anchors at the corners: who stands before one is heard by no other here
S = 10**9
OFF = (600, 1200)


def before(
    anchor: int,
    devices: int,
    spells: Sequence[tuple[float, float]],
    *,
    first: int = 0,
    every_s: float = 1.0,
    loss: float = 0.2,
) -> SignalArray:
    """Devices that stand before one anchor and that it alone hears, from second to second."""
    rng = np.random.default_rng([anchor, first, 5])
    rows = []
    for device in range(first, first + devices):
        for begin, end in spells:
            at = np.arange(begin, end, every_s)
            at = at[rng.random(len(at)) >= loss] + rng.uniform(0, every_s / 2)
            rows += [
                (START_NS + int(second * S), device, anchor, int(level))
                for second, level in zip(at, -65 + rng.normal(0, 3, len(at)), strict=True)
            ]
    return np.array(rows, SIGNAL)


def decoded(*parts: SignalArray, settings: Settings | None = None, plan: StorePlan = PLAN) -> VisitArray:
    signals = np.concatenate(parts)
    signals = signals[np.argsort(signals["ts"], kind="stable")]
    engine = StoreEngine(plan, settings=settings or Settings())
    engine.device_index(pseudonyms(int(signals["device"].max()) + 1))
    return np.concatenate([*(engine.push(part) for part in np.array_split(signals, 40)), engine.finish()])


def stores(visits: VisitArray, devices: range) -> list[tuple[int, int, ClosedBy]]:
    own = visits[(visits["kind"] == VisitKind.STORE) & np.isin(visits["device"], devices)]
    return [
        (
            (int(visit["entered_at"]) - START_NS) // S,
            (int(visit["left_at"]) - START_NS) // S,
            ClosedBy(visit["closed_by"]),
        )
        for visit in np.sort(own, order=["device", "entered_at"])
    ]


AROUND = [(0, OFF[0]), (OFF[1], 1800)]


@pytest.mark.parametrize(("devices", "every_s"), [(3, 1.0), (4, 1.0), (12, 1.0), (5, 10.0), (12, 10.0)])
@pytest.mark.parametrize("others", [True, False], ids=["others are heard elsewhere", "it is the only one"])
def test_a_gateway_that_alone_hears_its_people_is_off_for_ten_minutes_and_nobody_leaves(
    devices: int, every_s: float, others: bool
) -> None:
    elsewhere = before(8, 2, [(0, 1800)], first=devices)
    own = before(0, devices, AROUND, every_s=every_s)
    visits = decoded(own, elsewhere) if others else decoded(own)
    assert len(stores(visits, range(devices))) == devices
    zones = visits[(visits["kind"] == VisitKind.ZONE) & (visits["device"] < devices)]
    assert zones["zone"].tolist() == [0] * devices


def test_all_gateways_are_off_at_once_each_with_too_few_people_to_tell() -> None:
    visits = decoded(*(before(anchor, 1, AROUND, first=place) for place, anchor in enumerate(APART)))
    assert len(stores(visits, range(4))) == 4


def test_some_gateways_are_off_at_once_each_with_too_few_people_to_tell() -> None:
    dead = [before(anchor, 2, AROUND, first=2 * place) for place, anchor in enumerate(APART[:3])]
    visits = decoded(*dead, before(8, 3, [(0, 1800)], first=6))
    assert len(stores(visits, range(6))) == 6


SIXTEEN = grid_plan(16)


_LONG = pytest.mark.compiled
"""A third of a million signals: forty seconds without the compiler, through no other lines than a tenth of them."""


@pytest.mark.parametrize(
    ("gateways", "every_s", "others"),
    [pytest.param(3, 1.0, 200, marks=_LONG), pytest.param(5, 1.0, 200, marks=_LONG), (5, 10.0, 20), (5, 10.0, 200)],
)
def test_a_busy_store_hides_no_outage_of_many_gateways(gateways: int, every_s: float, others: int) -> None:
    """So many others may leave in the meantime that ten people are few; that each gateway lost all of its is not."""
    dead = [
        before(anchor, 2, AROUND, first=2 * place, every_s=every_s)
        for place, anchor in enumerate((0, 2, 6, 8, 12)[:gateways])
    ]
    crowd = before(14, others, [(0, 1800)], first=2 * gateways, every_s=every_s)
    visits = decoded(*dead, crowd, plan=SIXTEEN)
    assert len(stores(visits, range(2 * gateways))) == 2 * gateways


@pytest.mark.parametrize("devices", [1, 2])
def test_one_or_two_may_as_well_have_left(devices: int) -> None:
    visits = decoded(before(0, devices, AROUND, loss=0), before(8, 9, [(0, 1800)], first=devices))
    assert [left for _, left, _ in stores(visits, range(devices))] == [599, 1799] * devices


def test_people_who_leave_one_by_one_are_not_waited_for() -> None:
    leaving = [before(0, 1, [(0, 300 + 20 * place)], first=place, loss=0) for place in range(6)]
    visits = decoded(*leaving, before(8, 2, [(0, 1800)], first=6))
    assert {why for _, _, why in stores(visits, range(6))} == {ClosedBy.SILENCE}


def test_who_left_while_nobody_heard_has_left_when_it_was_last_heard_and_its_bound_says_until_when_it_may_have() -> (
    None
):
    comes_back = before(0, 3, AROUND)
    goes = before(0, 2, [(0, OFF[0])], first=3, loss=0)
    visits = decoded(comes_back, goes, before(8, 2, [(0, 1800)], first=5))
    assert len(stores(visits, range(3))) == 3
    assert [row[1:] for row in stores(visits, range(3, 5))] == [(599, ClosedBy.ANCHOR_DOWN)] * 2
    gone = visits[np.isin(visits["device"], [3, 4]) & (visits["kind"] == VisitKind.STORE)]
    latest_s = (gone["left_latest"] - START_NS) / S
    assert (latest_s > OFF[1]).all()
    assert (latest_s < OFF[1] + 65).all(), "as long as any other from when the anchor hears somebody again"
    assert (gone["left_earliest"] == gone["left_at"]).all()


def test_everybody_is_gone_at_once_and_is_not_kept_for_ever() -> None:
    """People leave a building within seconds: as far as signals tell, it might be the gateway."""
    visits = decoded(before(0, 8, [(0, 600)]), before(8, 2, [(0, 4000)], first=8))
    assert {(left // 5, why) for _, left, why in stores(visits, range(8))} <= {
        (119, ClosedBy.ANCHOR_DOWN), (120, ClosedBy.ANCHOR_DOWN)
    }  # fmt: skip
    gone = visits[(visits["device"] < 8) & (visits["kind"] == VisitKind.STORE)]
    assert np.ptp(gone["left_latest"] - gone["left_at"]) == 0
    assert gone["left_latest"][0] - gone["left_at"][0] == Settings().silence_max_ns


def test_a_deserted_anchor_counts_nothing_until_it_hears_somebody_or_nobody_is_waited_for() -> None:
    signals = np.concatenate([before(0, 4, [(0, 600), (2400, 2500)], loss=0), before(8, 2, [(0, 2500)], first=4)])
    signals = signals[np.argsort(signals["ts"], kind="stable")]
    engine = StoreEngine(grid_plan(9), settings=Settings(lateness_ns=0))
    engine.device_index(pseudonyms(6))
    silent = {}
    for second in range(0, 2500, 10):
        inside = (signals["ts"] >= START_NS + second * S) & (signals["ts"] < START_NS + (second + 10) * S)
        engine.push(signals[inside])
        silent[second + 10] = bool(engine.anchor_weights[0] == 0)
        assert not engine.anchors_deaf[0], "everybody may have left it together: no alarm"
    assert [silent[at] for at in (600, 620, 640, 1400, 1520, 2000, 2440)] == [
        False, False, True, True, False, False, False
    ]  # fmt: skip


def test_an_app_that_said_it_left_is_no_witness_and_is_not_waited_for() -> None:
    said = before(0, 3, [(600, 601)], loss=0)
    said["rssi_dbm"] = APP_EXIT
    visits = decoded(before(0, 3, [(0, 600)], loss=0), said, before(8, 2, [(0, 1800)], first=3))
    assert {why for _, _, why in stores(visits, range(3))} == {ClosedBy.APP_EXIT}


def test_it_can_be_switched_off() -> None:
    visits = decoded(before(0, 5, AROUND), settings=Settings(deaf_nats=0))
    assert len(stores(visits, range(5))) == 10


def test_an_outage_does_not_teach_a_device_that_it_is_heard_seldom() -> None:
    visits = decoded(
        before(0, 4, AROUND, loss=0),
        before(0, 1, [(0, 600), (1200, 1206), (1346, 1500)], first=4, loss=0),
        before(8, 2, [(0, 1800)], first=5),
    )
    assert len(stores(visits, range(4, 5))) == 2, "140 s of silence of a device that sends every second"


@pytest.mark.parametrize("seed", range(40))
def test_anchors_are_found_deserted_as_the_oracle_finds_them(seed: int) -> None:
    rng = np.random.default_rng([seed, 8])
    settings = Settings()
    decoder = Decoder(tables(prior_model(PLAN), settings), settings)
    count = int(rng.choice([4, 12, 60, 300]))
    decoder.admit(count)
    tick = 1000
    lane_of = {int(anchor): lane for lane, anchor in enumerate(decoder.tables.main[:9])}
    heard_last = {
        anchor: tick - int(rng.choice([0, 0, 0, 1, 30, 858, 859])) for anchor in lane_of if rng.random() < 0.9
    }
    for anchor, last in heard_last.items():
        decoder.watch[kernels.LAST, anchor] = last
    spread_us = float(rng.choice([1e6, 1e7, 1e8]))
    devices = []
    for place in range(count):
        anchor = int(rng.choice(list(lane_of)))
        stood = Stood(
            anchor,
            int(rng.exponential(spread_us / 3)),
            tick * 2**20 + int(rng.choice([0, 2**20 - 1, 2**20, -rng.exponential(spread_us)])),
            int(rng.choice([1, 9, 9, 9])),
            bool(rng.random() < 0.1),
        )
        devices.append(stood)
        record = decoder.state[place]
        record["open"], record["best"], record["gap_mean"] = 1, lane_of[anchor], stood.gap_us
        record["last_at"], record["exited"] = stood.last_at, stood.said_that_it_left
        record["timeout"] = settings.silence_max_ns // 1000
        record["heard"], record["step_signals"] = stood.adverts, 1
    kernels._find_deserted(tick, decoder.state, decoder.tables, decoder.rules[0], decoder.watch)
    found = set(np.flatnonzero(decoder.watch[kernels.DESERTED]).tolist())
    assert found == deserted(devices, heard_last, tick)
