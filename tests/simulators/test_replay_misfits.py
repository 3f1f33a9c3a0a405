"""Plans, models and surveys that do not fit: one sentence or a stated fallback, never a wrong visit."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from simulators.recordings.visits import read_visits
from simulators.replay.calibrate import calibrate_recording
from simulators.replay.running import replay

HOUSE = Path(__file__).parents[2]
BEGIN = 1_700_000_000_000_000_000
ZONES = [{"id": "a"}, {"id": "b"}]
ANCHORS = [{"id": "g1", "zone": "a"}, {"id": "g2", "zone": "b"}]
SKEW_NS = 12_000_000_000


def write_plan(path: Path, zones: list[dict[str, Any]], anchors: list[dict[str, Any]], stores: int = 1) -> Path:
    store = {"timezone": "UTC", "zones": zones, "anchors": anchors}
    path.write_text(json.dumps({"stores": [store | {"id": f"s{number}"} for number in range(1, stores + 1)]}))
    return path


def write_recording(path: Path, ahead_ns: int = 0) -> Path:
    """Five people stay two minutes beside g1, then two beside g2, whose clock may be ahead; sorted by their times."""
    rng = np.random.default_rng(1)
    rows = []
    for person in range(5):
        at = BEGIN + person * 1_200_000_000
        for second in range(240):
            at += int(rng.integers(1_000_000, 1_011_000)) * 1000
            near, far = (-50, -80) if second < 120 else (-80, -50)
            stamps = at + rng.integers(0, 5_000, 2) * 1000
            rows.append((int(stamps[0]), "s1", "g1", f"p{person}", near + int(rng.integers(-3, 4))))
            rows.append((int(stamps[1]) + ahead_ns, "s1", "g2", f"p{person}", far + int(rng.integers(-3, 4))))
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["ts", "store", "anchor", "device", "rssi_dbm"])
        out.writerows(sorted(rows))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("misfits")
    write_recording(folder / "good.csv")
    write_recording(folder / "skewed.csv", SKEW_NS)
    write_plan(folder / "plan.json", ZONES, ANCHORS)
    write_plan(folder / "two.json", ZONES, ANCHORS, stores=2)
    write_plan(folder / "more.json", ZONES, [*ANCHORS, {"id": "g3", "zone": "b"}])
    write_plan(folder / "fewer.json", ZONES, ANCHORS[:1])
    write_plan(folder / "bare.json", [*ZONES, {"id": "c"}], ANCHORS)
    write_plan(folder / "one.json", ZONES[:1], [{"id": "g1", "zone": "a"}, {"id": "g2", "zone": "a"}])
    for name, metres in (("placed", 8), ("moved", 20)):
        at = [anchor | {"x": metres * place, "y": 0} for place, anchor in enumerate(ANCHORS)]
        write_plan(folder / f"{name}.json", ZONES, at)
    heap = [anchor | {"x": 0, "y": 0} for anchor in ANCHORS]
    write_plan(folder / "heap.json", ZONES, heap)
    write_plan(folder / "homeless.json", ZONES, [ANCHORS[0], {"id": "g2"}])
    write_plan(folder / "elsewhere.json", ZONES, [ANCHORS[0], {"id": "g2", "zone": "c"}])
    write_plan(folder / "no-anchors.json", ZONES, [])
    write_plan(folder / "no-zones.json", [], ANCHORS)
    calibrate_recording(folder / "good.csv", folder / "plan.json", folder / "good.model")
    calibrate_recording(folder / "good.csv", folder / "placed.json", folder / "placed.model")
    packed = msgspec.msgpack.decode((folder / "good.model").read_bytes())
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(packed["stores"]["s1"]) | {"version": 1})
    (folder / "old.model").write_bytes(msgspec.msgpack.encode(packed | {"stores": {"s1": old}}))
    (folder / "newer.model").write_bytes(msgspec.msgpack.encode(packed | {"sojourn_models": 2}))
    changed = msgspec.msgpack.encode(msgspec.msgpack.decode(packed["stores"]["s1"]) | {"spread_db": 5.0})
    (folder / "changed.model").write_bytes(msgspec.msgpack.encode(packed | {"stores": {"s1": changed}}))
    (folder / "torn.model").write_bytes((folder / "good.model").read_bytes()[:-40])
    return folder


def sojourn(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(HOUSE / "sojourn.py"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def zones_of(path: Path) -> list[tuple[str, str]]:
    visits = read_visits(path)
    return sorted(visits.filter(kind="zone").select("device", "zone").iter_rows())


USUAL = sorted((f"p{person}", zone) for person in range(5) for zone in "ab")


@pytest.mark.parametrize(
    ("plan", "model", "sentence"),
    [
        ("more.json", "good.model", "good.model: The model was made for another floor plan than store 's1' has now."),
        ("bare.json", "good.model", "The model was made for another floor plan"),
        ("two.json", "good.model", "The model has no store 's2'"),
        ("plan.json", "old.model", "old.model: The model is of version 1, not 3. Calibrate again."),
        ("plan.json", "changed.model", "changed.model: The model was damaged or changed since it was written"),
        (
            "moved.json",
            "placed.model",
            "placed.model: Since the model was made, anchors of store 's1' have moved: g2 by 12.0 m. Calib",
        ),
        ("plan.json", "newer.model", "The model is of version 2, version 1 is read here"),
        ("plan.json", "torn.model", "torn.model: This is not a model."),
        ("plan.json", "plan.json", "This is not a model"),
        ("homeless.json", None, "missing required field `zone`"),
        ("homeless.json", None, "Every anchor names the zone it stands in."),
        ("elsewhere.json", None, "elsewhere.json: store 's1': Anchor 'g2' names the unknown zone 'c'."),
        ("no-anchors.json", None, "A store has 1 to 1024 anchors, this one 0."),
        ("no-zones.json", None, "A store has 1 to 256 zones, this one 0."),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_no_visits(
    folder: Path, plan: str, model: str | None, sentence: str
) -> None:
    out = folder / "never.csv"
    words = ("--model", model) if model is not None else ()
    done = sojourn(folder, "replay", "good.csv", "--floorplan", plan, "--out", out.name, *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def test_a_zone_without_anchor_is_never_reported_and_that_is_said(folder: Path) -> None:
    done = sojourn(folder, "replay", "good.csv", "--floorplan", "bare.json", "--out", "bare.csv", "--quiet")
    assert done.returncode == 0
    assert "s1: zone c is never reported" in done.stderr
    assert zones_of(folder / "bare.csv") == USUAL
    checked = sojourn(folder, "floorplan", "check", "bare.json")
    assert "zone c has no anchor and no outline" in checked.stdout
    assert "no anchor" not in sojourn(folder, "floorplan", "check", "plan.json").stdout


def test_anchors_all_at_one_place_are_pointed_out_once_with_what_to_do(folder: Path) -> None:
    done = sojourn(folder, "replay", "good.csv", "--floorplan", "heap.json", "--out", "heap.csv", "--quiet")
    told = "s1: the floor plan lets zones a, b sound the same, so that nothing tells visits to them apart: give each"
    assert done.stderr.count(told) == 1
    assert sojourn(folder, "floorplan", "check", "heap.json").stdout.count(told) == 1
    for plan in ("plan.json", "placed.json", "one.json"):
        assert "sound the same" not in sojourn(folder, "floorplan", "check", plan).stdout


def test_with_one_zone_every_visit_is_to_it(folder: Path) -> None:
    replay(folder / "good.csv", folder / "one.json", folder / "one.csv")
    assert zones_of(folder / "one.csv") == [(f"p{person}", "a") for person in range(5)]


def test_anchors_that_the_plan_lacks_are_counted_and_pointed_out(folder: Path) -> None:
    done = sojourn(folder, "replay", "good.csv", "--floorplan", "fewer.json", "--out", "fewer.csv", "--quiet")
    assert done.returncode == 0
    assert "unknown_anchor: 1,200" in done.stderr
    assert "Many rows name an anchor that the floor plan lacks" in done.stderr
    assert {zone for _, zone in zones_of(folder / "fewer.csv")} == {"a"}


def test_a_store_that_was_not_heard_keeps_what_the_plan_suggests_and_that_is_said(folder: Path) -> None:
    done = sojourn(folder, "calibrate", "good.csv", "--floorplan", "two.json", "--out", "two.model", "--quiet")
    assert done.returncode == 0
    assert "s2: no reading in the recording" in done.stderr
    assert replay(folder / "good.csv", folder / "two.json", folder / "t.csv", model=folder / "two.model").zone_visits


@pytest.mark.parametrize("words", ["g7,p0,-60", "g1,p0,126"], ids=["unknown anchors alone", "words of apps alone"])
def test_a_recording_without_a_single_reading_calibrates_nothing_and_that_is_said(folder: Path, words: str) -> None:
    rows = [f"{BEGIN + second * 1_000_000_000},s1,{words}" for second in range(100)]
    (folder / "nothing.csv").write_text("\n".join(["ts,store,anchor,device,rssi_dbm", *rows]) + "\n")
    done = sojourn(folder, "calibrate", "nothing.csv", "--floorplan", "plan.json", "--out", "n.model", "--quiet")
    assert done.returncode == 0
    assert "s1: no reading in the recording, the floor plan alone counts" in done.stderr
    assert "calibrated on" not in done.stderr


def test_a_clock_that_is_off_is_found_told_and_corrected(folder: Path) -> None:
    plan = folder / "plan.json"
    told = sojourn(folder, "calibrate", "good.csv", "--floorplan", "plan.json", "--out", "g.model", "--quiet")
    assert "clocks: all 2 agree within 0.1 s" in told.stderr
    told = sojourn(folder, "calibrate", "skewed.csv", "--floorplan", "plan.json", "--out", "s.model", "--quiet")
    assert "clock of g" in told.stderr
    assert "12.0" in told.stderr
    done = sojourn(
        folder, "replay", "skewed.csv", "--floorplan", "plan.json", "--out", "skewed-visits.csv", "--quiet"
    )
    assert "The clocks of 1 anchor were off and are corrected" in done.stderr
    assert zones_of(folder / "skewed-visits.csv") == USUAL
    replay(folder / "skewed.csv", plan, folder / "again.csv", model=folder / "s.model")
    assert (folder / "again.csv").read_bytes() == (folder / "skewed-visits.csv").read_bytes()
    replay(folder / "good.csv", plan, folder / "good-visits.csv")
    mended, good = (
        read_visits(folder / name).sort("device", "entered_at") for name in ("again.csv", "good-visits.csv")
    )
    away = (mended["dwell_s"] - good["dwell_s"]).abs().max()
    assert isinstance(away, float)
    assert away < 3


def test_clocks_as_far_apart_as_can_be_found_lose_no_signal(folder: Path) -> None:
    write_recording(folder / "far.csv", 45_000_000_000)
    report = replay(folder / "far.csv", folder / "plan.json", folder / "far-visits.csv")
    assert report.clocks_off == 1
    assert report.late == 0
    assert zones_of(folder / "far-visits.csv") == USUAL


# --- survey files -----------------------------------------------------------------------------

HEADER = "store,device,zone,from,to"
FROM, TO = BEGIN + 10**10, BEGIN + 7 * 10**10


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["store,device,zone,from"], "There is no column 'to'"),
        ([HEADER], "The survey has no rows"),
        ([HEADER, f"s1,p0,a,{FROM},{TO}", f"s9,p0,a,{FROM},{TO}"], "line 3: The floor plan has no store 's9'"),
        ([HEADER, f"s1,p0,z,{FROM},{TO}"], "line 2: Store 's1' has no zone 'z'"),
        ([HEADER, f"s1,,a,{FROM},{TO}"], "line 2: The device is missing"),
        ([HEADER, f"s1,p0,a,yesterday,{TO}"], "line 2: from is 'yesterday', which is no time"),
        ([HEADER, f"s1,p0,a,{FROM}"], "line 2: to is '', which is no time"),
        ([HEADER, f"s1,p0,a,{TO},{FROM}"], "line 2: A survey point ends after it begins"),
        ([HEADER, f"s1,p0,a,{FROM},{TO}", f"s1,p0,b,{TO - 1},{TO + 9}"], "line 3: Device 'p0' is still elsewhere"),
        ([HEADER, f"s1,nobody,a,{FROM},{TO}"], "line 2: The recording has no device 'nobody'"),
        ([HEADER, f"s1,p0,a,{FROM + 10**13},{TO + 10**13}"], "line 2: Device 'p0' was not heard at that time"),
    ],
)
def test_a_bad_survey_row_is_told_with_its_line(folder: Path, lines: list[str], sentence: str) -> None:
    (folder / "survey.csv").write_text("\n".join(lines) + "\n")
    words = ("--floorplan", "plan.json", "--out", "never.model", "--survey", "survey.csv")
    done = sojourn(folder, "calibrate", "good.csv", *words, "--quiet")
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "never.model").exists()


def test_a_survey_may_be_written_in_either_form_of_time(folder: Path) -> None:
    (folder / "ns.csv").write_text(f"{HEADER}\ns1,p0,a,{FROM},{TO}\n")
    (folder / "iso.csv").write_text(
        f"zone,{HEADER.replace('zone,', '')},who\na,s1,p0,2023-11-14T22:13:30,2023-11-15T00:14:30+02:00,me\n"
    )
    for name in ("ns", "iso"):
        words = ("--floorplan", "plan.json", "--out", f"{name}.model", "--survey", f"{name}.csv", "--quiet")
        done = sojourn(folder, "calibrate", "good.csv", *words)
        assert done.returncode == 0, done.stderr
        assert "of them at survey points" in done.stderr
    assert (folder / "ns.model").read_bytes() == (folder / "iso.model").read_bytes()
