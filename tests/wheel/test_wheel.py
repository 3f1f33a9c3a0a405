"""The wheel, in an environment that holds nothing but the wheel and the locked runtime dependencies.

The dependencies are linked from this environment, distribution by distribution as `requirements/runtime.lock` names
them: installing 560 MB once more would take 20 s, and `make setup` has just shown that the lock installs. What only
tests and checks need is not linked, so the service cannot lean on it unseen.
"""

import csv
import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rooms import ROOMS

TOP = Path(__file__).parents[2]
VISIT_COLUMNS = (
    "kind,store,device,zone,entered_at,left_at,entered_earliest,entered_latest,left_earliest,left_latest,"
    "dwell_s,confidence,signals,closed_by,role"
)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(TOP)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1580601600"}
    run = subprocess.run(build, check=False, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and the runtime dependencies; its `bin` folder."""
    venv = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python3.*/site-packages")
    for entry in runtime_entries():
        (site / entry.name).symlink_to(entry)
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin/python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    return venv / "bin"


def runtime_entries() -> Iterator[Path]:
    """Give the files and folders that the locked runtime distributions put into site-packages."""
    seen: set[Path] = set()
    lock = (TOP / "requirements/runtime.lock").read_text()
    for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE):
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another operating system
        for file in distribution.files or ():
            first = file.parts[0]
            entry = Path(str(distribution.locate_file(first)))
            if first not in {"..", "__pycache__"} and entry not in seen:
                seen.add(entry)
                yield entry


def run(program: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder away from the project, with an environment that does not point back to it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SOJOURN"))}
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True, cwd=folder, env=clean)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_same_sources_give_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    """As `make wheel-twice`: another folder, other times and rights of files, another order on disk."""
    copy = tmp_path / "copy"
    tracked = subprocess.run(["git", "-C", str(TOP), "ls-files", "-z"], check=True, capture_output=True, text=True)
    for name in sorted(tracked.stdout.split("\0"), reverse=True):
        if (source := TOP / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(source.read_bytes())
            (copy / name).chmod(0o600)
    # with the words of the container file
    (words,) = re.findall(r"bin/pip (wheel .*) --wheel-dir /wheels \.", (TOP / "deploy/Dockerfile").read_text())
    pip = [sys.executable, "-m", "pip", *words.split(), "--quiet", "--disable-pip-version-check"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1580601600", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
    subprocess.run([*pip, "--wheel-dir", str(tmp_path), str(copy)], check=True, env=environment)
    (again,) = tmp_path.glob("*.whl")
    assert again.name == wheel.name
    assert hashlib.sha256(again.read_bytes()).hexdigest() == hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_it_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    expected = {
        str(path.relative_to(TOP))
        for room in ROOMS
        for path in (TOP / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected | {"sojourn.py"}


def test_it_cannot_be_uploaded_by_mistake(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert "Classifier: Private :: Do Not Upload" in archive.read(name).decode()


def test_the_names_are_ours(environment: Path, tmp_path: Path) -> None:
    script = (
        "import importlib, importlib.metadata as m, json, sys\n"
        "owners = m.packages_distributions()\n"
        "print(json.dumps({n: [owners.get(n), importlib.import_module(n).__file__] for n in sys.argv[1:]}))"
    )
    names = [*sorted(ROOMS), "sojourn"]
    found = json.loads(run(environment / "python", "-c", script, *names, folder=tmp_path).stdout)
    for name in names:
        owners, file = found[name]
        assert owners == ["sojourn"], name
        assert Path(file).is_relative_to(environment.parent), name


def test_what_only_tests_need_is_not_there(environment: Path, tmp_path: Path) -> None:
    script = (
        "import importlib.util as u; print([n for n in ('pytest', 'playwright', 'hypothesis') if u.find_spec(n)])"
    )
    assert run(environment / "python", "-c", script, folder=tmp_path).stdout.strip() == "[]"


def test_help(environment: Path, tmp_path: Path) -> None:
    shown = run(environment / "sojourn", "--help", folder=tmp_path).stdout
    for word in ("demo", "migrate", "ingest", "api", "replay", "calibrate"):
        assert re.search(rf"\b{word}\b", shown), word


def test_an_offline_replay(environment: Path, tmp_path: Path) -> None:
    anchors = {"a1": "a", "b1": "b"}
    plan = {
        "stores": [
            {
                "id": "shop",
                "timezone": "Europe/Berlin",
                "zones": [{"id": "a", "kind": "entrance"}, {"id": "b", "kind": "department"}],
                "anchors": [{"id": anchor, "zone": zone} for anchor, zone in anchors.items()],
                "adjacent": [["a", "b"]],
            }
        ]
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    started, minute, second = 1_760_000_000_000_000_000, 60_000_000_000, 1_000_000_000
    with (tmp_path / "recording.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ts", "store", "anchor", "device", "rssi_dbm"])
        for tick in range(600):  # five minutes beside a1, then five beside b1
            near = "a1" if tick < 300 else "b1"
            for anchor in anchors:
                level = (-52 if anchor == near else -85) + tick % 5
                rows.writerow([started + tick * second, "shop", anchor, "tag-1", level])
    command = ("replay", "recording.csv", "--floorplan", "plan.json", "--out", "visits.csv", "--no-calibration")
    run(environment / "sojourn", *command, folder=tmp_path)
    with (tmp_path / "visits.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        assert ",".join(reader.fieldnames or ()) == VISIT_COLUMNS
        visits = list(reader)
    zones = [visit for visit in visits if visit["kind"] == "zone"]
    assert [(visit["store"], visit["device"], visit["zone"]) for visit in zones] == [
        ("shop", "tag-1", "a"),
        ("shop", "tag-1", "b"),
    ]
    for visit in zones:
        assert 4 * 60 < float(visit["dwell_s"]) < 6 * 60
        assert started <= int(visit["entered_at"]) < int(visit["left_at"]) <= started + 10 * minute
    assert sum(visit["kind"] == "store" for visit in visits) == 1
