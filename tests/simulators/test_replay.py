"""The contract of `sojourn replay`: what goes in, what comes out, and that nothing but the signals matters."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.errors import FloorPlanError, ModelError, RecordingError
from core.floorplan import load_store
from simulators.recordings import csv as recordings_csv
from simulators.recordings import parquet as recordings_parquet
from simulators.recordings.visits import read_visits
from simulators.replay import calibrate as replay_calibrate
from simulators.replay.calibrate import calibrate_recording
from simulators.replay.report import print_report, shown
from simulators.replay.running import ReplayReport, replay
from simulators.score.scoring import score
from simulators.store import generate

CONTRACT = {
    "kind": pl.String,
    "store": pl.String,
    "device": pl.String,
    "zone": pl.String,
    "entered_at": pl.Int64,
    "left_at": pl.Int64,
    "entered_earliest": pl.Int64,
    "entered_latest": pl.Int64,
    "left_earliest": pl.Int64,
    "left_latest": pl.Int64,
    "dwell_s": pl.Float64,
    "confidence": pl.Float64,
    "signals": pl.Int64,
    "closed_by": pl.String,
    "role": pl.String,
}
CLOSED_BY = {"moved_on", "silence", "anchor_down", "app_exit", "store_closed", "end_of_recording"}
DEMO_PLAN = Path(__file__).parents[2] / "simulators" / "plans" / "demo.json"


class Folder:
    """A simulated recording of two stores with its plan, and replays of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        stores = json.loads(DEMO_PLAN.read_text())["stores"][:1]
        other = stores[0] | {"id": "second", "timezone": "Pacific/Auckland"}
        self.plan = path / "plan.json"
        self.plan.write_text(json.dumps({"stores": [stores[0], other]}))
        made = [
            generate(load_store(json.dumps(store)), seed, 900.0, shoppers=20)
            for seed, store in enumerate([stores[0], other], start=1)
        ]
        # the same device string in two stores is two devices
        self.signals = pl.concat([part.signals for part in made]).sort("ts", maintain_order=True)
        self.truth = pl.concat([part.truth for part in made])

    def write(self, signals: pl.DataFrame, name: str) -> Path:
        path = self.path / name
        if name.endswith(".csv"):
            signals.write_csv(path)
        else:
            signals.write_parquet(path, row_group_size=20_000)
        return path

    def replay(self, recording: Path, *, out: str = "visits.csv", **options: object) -> tuple[bytes, ReplayReport]:
        report = replay(recording, self.plan, self.path / out, **options)  # type: ignore[arg-type]
        return (self.path / out).read_bytes(), report


def cut_into(rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have recordings read in batches of about so many rows."""
    parquet, table = recordings_parquet.ParquetRecording.__init__, recordings_csv.CsvRecording.__init__
    monkeypatch.setattr(parquet, "__kwdefaults__", {"rows_at_a_time": rows_at_a_time})
    monkeypatch.setattr(table, "__kwdefaults__", {"block_bytes": 100 * rows_at_a_time})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def recording(folder: Folder) -> Path:
    return folder.write(folder.signals, "recording.parquet")


@pytest.fixture(scope="module")
def expected(folder: Folder, recording: Path) -> bytes:
    return folder.replay(recording, out="expected.csv")[0]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_visits_have_the_columns_and_types_of_the_contract(folder: Folder, recording: Path, ending: str) -> None:
    out = folder.path / f"typed.{ending}"
    report = replay(recording, folder.plan, out)
    visits = pl.read_parquet(out) if ending == "parquet" else pl.read_csv(out, schema_overrides=CONTRACT)
    assert dict(visits.schema) == CONTRACT
    if ending == "csv":
        visits = visits.with_columns(pl.col("zone").fill_null(""))
    assert set(visits["kind"]) == {"zone", "store"}
    assert set(visits["closed_by"]) <= CLOSED_BY
    assert set(visits["store"]) == set(folder.signals["store"])
    assert set(visits["device"]) <= set(folder.signals["device"])
    assert not visits.null_count().sum_horizontal().item()
    of_store = visits["kind"] == "store"
    assert ((visits["zone"] == "") == of_store).all()
    plan = json.loads(folder.plan.read_text())
    assert set(visits.filter(~of_store)["zone"]) <= {zone["id"] for zone in plan["stores"][0]["zones"]}
    for earlier, later in [
        ("entered_earliest", "entered_at"),
        ("entered_at", "entered_latest"),
        ("left_earliest", "left_at"),
        ("left_at", "left_latest"),
        ("entered_at", "left_at"),
    ]:
        assert (visits[earlier] <= visits[later]).all(), (earlier, later)
    assert visits["confidence"].is_between(0, 1).all()
    np.testing.assert_allclose(visits["dwell_s"], (visits["left_at"] - visits["entered_at"]) / 1e9, rtol=0, atol=1e-9)
    assert (visits["signals"] > 0).all()
    assert report.zone_visits == int((~of_store).sum())
    assert report.store_visits == int(of_store.sum())
    assert report.rows == report.signals == len(folder.signals)


def test_visits_stand_in_a_fixed_order(expected: bytes, folder: Folder) -> None:
    order = ["store", "entered_at", "device", "kind", "zone", "left_at"]
    visits = read_visits(folder.path / "expected.csv")
    assert visits.equals(visits.sort(order, maintain_order=True))
    assert visits.select(order).is_unique().all()


def test_csv_and_parquet_give_the_same_bytes(folder: Folder, expected: bytes) -> None:
    as_csv = folder.write(folder.signals, "recording.csv")
    assert folder.replay(as_csv)[0] == expected
    folder.replay(as_csv, out="visits.parquet")
    assert read_visits(folder.path / "visits.parquet").equals(read_visits(folder.path / "expected.csv"))


@pytest.mark.parametrize("rows_at_a_time", [4_001, 30_000])
def test_the_size_of_batches_does_not_matter(
    folder: Folder, recording: Path, expected: bytes, rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        recordings_parquet.ParquetRecording.__init__, "__kwdefaults__", {"rows_at_a_time": rows_at_a_time}
    )
    monkeypatch.setattr(recordings_csv.CsvRecording.__init__, "__kwdefaults__", {"block_bytes": 50 * rows_at_a_time})
    assert folder.replay(recording)[0] == expected
    assert folder.replay(folder.write(folder.signals, "cut.csv"))[0] == expected


def test_a_sample_for_calibration_does_not_depend_on_batches(
    folder: Folder, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_calibrate, "SIGNALS_AT_LEAST", 2_000)
    monkeypatch.setattr(replay_calibrate, "SIGNALS_IN_ALL", 4_000)
    models = []
    for rows_at_a_time in (1_009, 30_000):
        cut_into(rows_at_a_time, monkeypatch)
        report = calibrate_recording(recording, folder.plan, folder.path / "sampled.model")
        assert all(0 < used <= 2_000 for used in report.used.values())
        models.append((folder.path / "sampled.model").read_bytes())
    assert models[0] == models[1]


def test_stores_do_not_touch_each_other(folder: Folder, expected: bytes) -> None:
    pieces = []
    for store in folder.signals["store"].unique().sort().to_list():
        alone = folder.write(folder.signals.filter(pl.col("store") == store), "alone.parquet")
        folder.replay(alone, out="alone.csv")
        pieces.append(read_visits(folder.path / "alone.csv"))
    assert pl.concat(pieces).equals(read_visits(folder.path / "expected.csv"))


def test_the_names_of_devices_do_not_matter(folder: Folder, expected: bytes) -> None:
    names = {name: f"kunde {place}, 北京" for place, name in enumerate(folder.signals["device"].unique().sort())}
    renamed = folder.signals.with_columns(pl.col("device").replace_strict(names))
    folder.replay(folder.write(renamed, "renamed.csv"), out="renamed-visits.csv")
    back = {new: old for old, new in names.items()}
    visits = read_visits(folder.path / "renamed-visits.csv").with_columns(pl.col("device").replace_strict(back))
    assert set(visits.rows()) == set(read_visits(folder.path / "expected.csv").rows())


def test_time_zones_of_plan_and_machine_do_not_matter(
    folder: Folder, recording: Path, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = folder.path / "elsewhere.json"
    plan.write_text(folder.plan.read_text().replace("Pacific/Auckland", "America/New_York"))
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        replay(recording, plan, folder.path / "elsewhere.csv")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (folder.path / "elsewhere.csv").read_bytes() == expected


def test_repeated_rows_and_disorder_within_the_bound_do_not_matter(folder: Folder, expected: bytes) -> None:
    seed = 7
    rng = np.random.default_rng(seed)
    twice = pl.concat([folder.signals, folder.signals.sample(fraction=0.1, seed=seed)])
    arrived = twice["ts"].to_numpy() + rng.integers(0, 20_000_000_000, len(twice))  # 30 s are allowed
    shaken = folder.write(twice[np.argsort(arrived, kind="stable")], "shaken.parquet")
    visits, report = folder.replay(shaken, out="shaken.csv")
    assert visits == expected, f"seed {seed}"
    assert report.late == 0
    assert report.repeated >= len(twice) - len(folder.signals)


def test_a_model_from_calibrate_gives_what_self_calibration_gives(
    folder: Folder, recording: Path, expected: bytes
) -> None:
    report = calibrate_recording(recording, folder.plan, folder.path / "stores.model")
    assert report.used == dict(folder.signals["store"].value_counts().iter_rows())
    visits, replayed = folder.replay(recording, model=folder.path / "stores.model")
    assert visits == expected
    assert not replayed.calibrated


def test_without_calibration_priors_are_used(folder: Folder, recording: Path, expected: bytes) -> None:
    visits, report = folder.replay(recording, calibrate=False)
    assert not report.calibrated
    assert visits != expected


def test_visits_agree_with_the_truth_of_the_simulation(folder: Folder, expected: bytes) -> None:
    found = score(read_visits(folder.path / "expected.csv"), folder.truth)
    assert found.zone.f1 is not None
    assert found.zone.f1 > 0.7, found.zone
    assert found.store.f1 is not None
    assert found.store.f1 > 0.8, found.store


def test_bad_rows_never_stop_a_run_and_change_nothing(folder: Folder, expected: bytes) -> None:
    good = folder.signals.with_columns(pl.col("ts").cast(pl.String), pl.col("rssi_dbm").cast(pl.String))
    first = good.row(0, named=True)
    changes = {
        "unreadable_row": {"ts": "yesterday"},
        "unknown_store": {"store": "elsewhere"},
        "unknown_anchor": {"anchor": "elsewhere"},
        "empty_device": {"device": ""},
        "missing_rssi": {"rssi_dbm": "NaN"},
        "impossible_rssi": {"rssi_dbm": "42"},
        "impossible_time": {"ts": "4000000000000000000"},
    }
    bad = pl.DataFrame([first | change for change in changes.values()])
    pieces = [good[:1_000], bad, good[1_000:]]
    recording = folder.write(pl.concat(pieces), "spoiled.csv")
    visits, report = folder.replay(recording, rejects=folder.path / "rejects.csv")
    assert visits == expected
    assert {reason.value: count for reason, count in report.rejected.items()} == dict.fromkeys(changes, 1)
    rejects = pl.read_csv(folder.path / "rejects.csv", infer_schema=False)
    assert dict(rejects.select("reason", "line").iter_rows()) == {
        reason: str(1_002 + place) for place, reason in enumerate(changes)
    }


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_empty_recording_gives_empty_visits(folder: Folder, ending: str) -> None:
    recording = folder.write(folder.signals[:0], f"empty.{ending}")
    _, report = folder.replay(recording, out="none.csv")
    assert (report.rows, report.zone_visits, report.store_visits, report.first_at) == (0, 0, 0, None)
    header = (folder.path / "none.csv").read_text()
    assert header == ",".join(CONTRACT) + "\n"
    folder.replay(recording, out="none.parquet")
    assert dict(pl.read_parquet_schema(folder.path / "none.parquet")) == CONTRACT


def test_what_cannot_be_read_or_written_is_one_sentence_and_leaves_the_old_visits(
    folder: Folder, recording: Path, expected: bytes
) -> None:
    out = folder.path / "kept.csv"
    out.write_text("old")
    broken = folder.path / "broken.csv"
    broken.write_text("ts,store\n")
    with pytest.raises(RecordingError, match="no column 'anchor'"):
        replay(broken, folder.plan, out)
    with pytest.raises(FloorPlanError, match="floor plan cannot be read"):
        replay(recording, folder.path / "nowhere.json", out)
    with pytest.raises(ModelError, match="This is not a model"):
        replay(recording, folder.plan, out, model=folder.plan)
    with pytest.raises(ModelError, match="model cannot be read"):
        replay(recording, folder.plan, out, model=folder.path / "nowhere.model")
    assert out.read_text() == "old"
    with pytest.raises(RecordingError, match=r"End it with \.csv or \.parquet"):
        replay(recording, folder.plan, folder.path / "visits.txt")
    with pytest.raises(RecordingError, match="would be overwritten"):
        replay(recording, folder.plan, recording)
    with pytest.raises(RecordingError, match="would be overwritten"):
        replay(recording, folder.plan, out, rejects=out)
    with pytest.raises(RecordingError, match="cannot be written"):
        replay(recording, folder.plan, folder.path / "nowhere" / "visits.csv")


def test_a_model_of_another_plan_is_refused(folder: Folder, recording: Path, expected: bytes) -> None:
    calibrate_recording(recording, folder.plan, folder.path / "fitting.model")
    plan = json.loads(folder.plan.read_text())
    plan["stores"][1]["zones"].append({"id": "annex"})
    changed = folder.path / "changed.json"
    changed.write_text(json.dumps(plan))
    with pytest.raises(ModelError, match="Calibrate again"):
        replay(recording, changed, folder.path / "never.csv", model=folder.path / "fitting.model")
    plan["stores"][1]["id"] = "third"
    changed.write_text(json.dumps(plan))
    with pytest.raises(ModelError, match="no store 'third'"):
        replay(recording, changed, folder.path / "never.csv", model=folder.path / "fitting.model")


def test_progress_goes_up_to_one(folder: Folder, recording: Path) -> None:
    told: dict[str, list[float]] = {}
    folder.replay(recording, progress=lambda step, share: told.setdefault(step, []).append(share))
    assert list(told) == ["calibrate", "replay"]
    for shares in told.values():
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_the_report_says_what_is_most_likely_wrong(
    folder: Folder, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_device = folder.signals.sort("device", "ts")
    _, report = folder.replay(folder.write(by_device, "by-device.parquet"))
    print_report(report, None)
    assert "in order of arrival" in capsys.readouterr().err
    row = folder.signals.with_row_index("row")
    wrong = row.with_columns(pl.col("ts") + pl.when(pl.col("row") == 4_000).then(3 * 86_400 * 10**9).otherwise(0))
    _, report = folder.replay(folder.write(wrong.drop("row"), "one-wrong.csv"), calibrate=False)
    print_report(report, None)
    hint = capsys.readouterr().err
    assert "line 4,002 (" in hint
    assert "lies 3.0 days ahead of the rows around it" in hint
    assert "Sort it" not in hint
    seconds = folder.signals.with_columns(pl.col("ts") // 1_000_000_000)
    _, report = folder.replay(folder.write(seconds, "seconds.parquet"))
    print_report(report, None)
    assert "Was another unit meant?" in capsys.readouterr().err
    elsewhere = folder.signals[:10].with_columns(pl.lit("elsewhere").alias("store"))
    with shown() as progress:
        _, report = folder.replay(folder.write(elsewhere, "elsewhere.parquet"), progress=progress)
    print_report(report, folder.path / "rejects.csv")
    told = capsys.readouterr()
    assert "do the floor plan and the recording belong together?" in told.err
    assert "unknown_store: 10" in told.err
    assert told.out == ""


def test_memory_stays_bounded(tmp_path: Path, folder: Folder) -> None:
    """A recording of 3 million rows (200 MB as a table) is replayed within 150 MB above a small one."""
    script = (
        "import resource, sys, pathlib\n"
        "from simulators.replay.running import replay\n"
        "replay(*map(pathlib.Path, sys.argv[1:4]), calibrate=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for times in (1, 3_000_000 // len(folder.signals)):
        span = int(np.ptp(folder.signals["ts"].to_numpy())) + 1_000_000_000
        path = tmp_path / f"{times}.csv"
        with path.open("wb") as file:
            folder.signals[:0].write_csv(file)
            for turn in range(times):
                folder.signals.with_columns(pl.col("ts") + turn * span).write_csv(file, include_header=False)
        run = subprocess.run(
            [sys.executable, "-c", script, str(path), str(folder.plan), str(tmp_path / "visits.parquet")],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(DEMO_PLAN.parents[2])},
        )
        peaks.append(int(run.stdout))
    assert peaks[1] - peaks[0] < 150 * 1024, f"peak memory {peaks} KiB"
