"""The commands as a person types them: exit codes, and what goes to stdout and stderr."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
BASE = 1_700_000_000_000_000_000
PLAN = {
    "stores": [
        {
            "id": "s1",
            "timezone": "Europe/Berlin",
            "zones": [{"id": "a"}, {"id": "b"}],
            "anchors": [{"id": "g1", "zone": "a"}, {"id": "g2", "zone": "b"}],
        }
    ]
}


def sojourn(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(HOUSE / "sojourn.py"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody stays a minute beside g1, then a minute beside g2; in milliseconds, with two bad rows."""
    folder = tmp_path_factory.mktemp("commands")
    rows = ["when;gateway;tag;level"]
    for second in range(120):
        near, far = ("g1", "g2") if second < 60 else ("g2", "g1")
        rows += [
            f"{BASE // 1_000_000 + second * 1000};{gateway};anna;{level}"
            for gateway, level in ((near, -50), (far, -80))
        ]
    rows[10:10] = ["1700000000000;g9;anna;-50", "1700000000000;g1;anna;42"]
    (folder / "mine.csv").write_text("\n".join(rows) + "\n")
    (folder / "plan.json").write_text(json.dumps(PLAN))
    times = [BASE + second * 1_000_000_000 for second in (0, 60, 119)]
    (folder / "truth.csv").write_text(
        "kind,store,device,zone,entered_at,left_at\n"
        f"zone,s1,anna,a,{times[0]},{times[1]}\nzone,s1,anna,b,{times[1]},{times[2]}\nstore,s1,anna,,{times[0]},{times[2]}\n"
    )
    return folder


def test_from_a_table_of_ones_own_to_a_score(folder: Path) -> None:
    columns = ["ts=when", "anchor=gateway", "device=tag", "rssi_dbm=level"]
    mapping = [word for column in columns for word in ("--column", column)]
    made = sojourn(
        folder,
        "convert",
        "csv",
        "mine.csv",
        "--out",
        "recording.csv",
        "--store",
        "s1",
        "--unit",
        "ms",
        "--separator",
        ";",
        *mapping,
    )
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "242 rows: recording.csv\n")
    plan = ("--floorplan", "plan.json")
    done = sojourn(
        folder,
        "replay",
        "recording.csv",
        *plan,
        "--out",
        "visits.csv",
        "--rejects",
        "rejects.csv",
        "--no-calibration",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "2 rows were no signals, see rejects.csv" in done.stderr
    assert "unknown_anchor: 1" in done.stderr
    assert "impossible_rssi: 1" in done.stderr
    assert "2 zone visits, 1 store visit" in done.stderr
    assert [line.split(",")[:2] for line in (folder / "rejects.csv").read_text().splitlines()] == [
        ["line", "reason"],
        ["11", "unknown_anchor"],
        ["12", "impossible_rssi"],
    ]
    told = sojourn(folder, "score", "visits.csv", "truth.csv", "--json")
    assert (told.returncode, told.stderr) == (0, "")
    score = json.loads(told.stdout)
    assert score["zone"]["matched"] == score["zone"]["truth"] == score["zone"]["reported"] == 2
    assert score["store"]["f1"] == 1
    table = sojourn(folder, "score", "visits.csv", "truth.csv")
    assert "time in the right zone" in table.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["replay", "nowhere.csv", "--floorplan", "plan.json", "--out", "v.csv"], "There is no such file"),
        (["replay", "mine.csv", "--floorplan", "plan.json", "--out", "v.csv"], "There is no column 'ts'"),
        (["replay", "mine.csv", "--floorplan", "plan.json", "--out", "v.txt"], "End it with .csv or .parquet"),
        (["replay", "mine.csv", "--floorplan", "truth.csv", "--out", "v.csv"], "The floor plan cannot be read"),
        (["score", "nowhere.csv", "truth.csv"], "There is no such file"),
        (["convert", "csv", "mine.csv", "--out", "r.csv", "--column", "when"], "Write the recording's name first"),
        (["convert", "salrb", ".", "--out", "new"], "There is neither"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_an_exit_code(folder: Path, words: list[str], sentence: str) -> None:
    done = sojourn(folder, *words)
    assert done.returncode == (os.EX_CONFIG if "--column" in words else 2), "a setting, or an input"
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
