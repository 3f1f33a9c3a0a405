"""The commands of `python -m benchmarks` at a size of seconds; numbers are not judged, only that they are there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as entry
from benchmarks import beside, dwell, results
from benchmarks.measured import Asked, Measured
from benchmarks.workload import workload

ROOT = Path(__file__).parents[2]
TINY = Asked(
    signals=40_000,
    sizes=(40_000,),
    devices=100,
    device_counts=(1_000, 2_000),
    rounds=1,
    peers=["sojourn", "polars", "python", "pandas"],
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    with pytest.MonkeyPatch.context() as patch:
        # the ordinary environment, which has polars and Python, and no pandas
        patch.setattr(beside, "PEERS_PYTHON", tmp_path_factory.mktemp("none") / "python")
        return dwell.run(TINY, lambda _: None)


def test_the_json_has_what_it_promises(measured: Measured) -> None:
    told: dict[str, Any] = json.loads(json.dumps(measured.told))
    for name in ("read_limit_ns", "decoder_ns", "engine_ns", "engine_ids_ns"):
        assert told[name] > 0, name
    assert told["c_reference_ns"] is None or told["c_reference_ns"] > 0
    assert ("c_reason" in told) == (told["c_reference_ns"] is None)
    assert list(told["devices"]) == list(told["touch_ns"]) == ["1000", "2000"]
    assert told["growth"] == pytest.approx(told["devices"]["2000"] / told["devices"]["1000"], abs=0.01)
    assert told["device_bytes"] > 0
    assert 0 < told["cold_start"]["cpu_s"] <= told["cold_start"]["wall_s"] * 2
    assert told["threads"]["speed_up"] > 0
    assert told["chunk_signals"] == 65_536
    assert told["machine"]["numba"]


def test_peers_do_the_same_job_and_one_that_is_not_there_says_why(measured: Measured) -> None:
    peers = measured.told["peers"]
    assert list(peers) == ["polars", "pandas", "python"]
    assert peers["polars"]["sessions"] == peers["python"]["sessions"] > 100
    for name in ("polars", "python"):
        assert peers[name]["ratio_to_engine"] == pytest.approx(
            peers[name]["ns"] / measured.told["engine_ns"], rel=0.01, abs=0.01
        )
        assert peers[name]["signals"] == 40_000
        assert peers[name]["peak_mb"] > 10
    assert peers["pandas"]["ns"] is None
    assert peers["pandas"]["ratio_to_engine"] is None
    assert "make setup-bench" in peers["pandas"]["reason"]
    assert measured.told["engine_process"]["sessions"] > 100


def test_tables_and_pictures_are_written_and_the_rest_of_the_file_stays(measured: Measured, tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text("# Benchmark results\n\n## Accuracy\n\nother people's numbers\n")
    for _ in range(2):  # the second time it replaces its own part
        results.write(measured, file, ["python", "-m", "benchmarks", "dwell"])
    text = file.read_text()
    assert text.count("other people's numbers") == text.count("## Speed") == 1
    for said in ("**decoder**", "touch floor", "State per device", "| polars", "make setup-bench"):
        assert said in text
    for name in ("speed.svg", "growth.svg"):
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")


@pytest.mark.servers
def test_postgresql_does_the_same_job(installed: object) -> None:
    del installed  # fetched
    stores = workload(40_000, 2, devices=100)
    found = beside.beside(stores, 1, lambda _: None, quick=True, names=["postgresql", "python"])
    assert found["postgresql"].reason is None
    assert found["postgresql"].sessions == found["python"].sessions > 100
    assert found["postgresql"].peak_bytes > 5e6


@pytest.mark.skipif(not beside.PEERS_PYTHON.exists(), reason="`make setup-bench` has not been run here")
def test_all_that_are_given_the_same_job_find_the_same() -> None:
    names = ["polars", "duckdb", "pandas", "python", "bytewax", "movingpandas", "trackintel"]
    found = beside.beside(workload(40_000, 2, devices=100), 1, lambda _: None, quick=True, names=names)
    assert {name: one.reason for name, one in found.items() if one.reason} == {}
    assert found["polars"].sessions > 100
    assert {found[name].sessions for name in names[:4]} == {found["polars"].sessions}
    for name in names[4:]:  # stops and windows of their own making
        assert found[name].sessions > 30, name


def test_a_peer_that_breaks_is_a_reason_and_not_the_end(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho 'ValueError: no' >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beside, "PEERS_PYTHON", tmp_path / "python")
        found = beside.beside(workload(20_000, 1, devices=40), 1, lambda _: None, quick=True, names=["polars"])
    assert found["polars"].reason == "failed: ValueError: no"


def test_the_last_line_of_stdout_is_the_json_and_nothing_else_is_there() -> None:
    options = ["--json", "--signals", "20000", "--rounds", "1", "--most-devices", "1000", "--peers", "none"]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "dwell", *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (line,) = run.stdout.splitlines()
    assert {"read_limit_ns", "c_reference_ns", "decoder_ns", "engine_ns", "devices", "peers"} <= set(json.loads(line))
    assert "two threads" in run.stderr


def test_commands_are_found_and_others_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main([]) == 2
    assert entry.main(["nothing"]) == 2
    assert entry.main(["--help"]) == 0
    assert "accuracy" in capsys.readouterr().err
    assert entry.main(["dwell", "--signals", "5"]) == 2
