import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from servers import bootstrap
from servers.errors import MachineError
from servers.process import free_port
from tests.servers.machines import path_with

TOP = Path(__file__).parents[2]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A project folder with a lock file of its own."""
    (tmp_path / "requirements").mkdir()
    for name in ("runtime.lock", "dev.lock", "bench.lock"):
        (tmp_path / "requirements" / name).write_text("rich==15.0.0 --hash=sha256:" + "0" * 64 + "\n")
    shutil.copy(TOP / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package index that cannot be reached, whatever this machine's pip is told elsewhere."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free_port()}/simple")


def stand_in(top: Path, kind: str) -> Path:
    """Make an environment that looks finished."""
    venv = top / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    (venv / "bin/sojourn").touch()
    (venv / f".sojourn-{kind}").write_text(bootstrap._fingerprint(top, kind))
    return venv


def refuse(*_arguments: Any) -> None:
    raise AssertionError("nothing had to be done")


def test_what_is_current_is_left_alone(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(top, "runtime")
    monkeypatch.setattr(bootstrap, "_make_venv", refuse)
    bootstrap.set_up(top, "runtime")


def test_the_benchmarks_peers_stay_out_of_the_products_environment(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = stand_in(top, "runtime")
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        raise MachineError("that is enough")

    monkeypatch.setattr(bootstrap, "_make_venv", make)
    with pytest.raises(MachineError, match="that is enough"):
        bootstrap.set_up(top, "bench")
    assert made == [top / ".cache/bench"]
    assert (venv / ".sojourn-runtime").exists()


@pytest.mark.parametrize("change", ["runtime.lock", "pyproject", "python gone", "command gone"])
def test_what_changed_is_done_again(top: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    venv = stand_in(top, "runtime")
    if change == "python gone":
        (venv / "bin/python").unlink()
        (venv / "bin/python").symlink_to("/nowhere/python3")
    elif change == "command gone":
        (venv / "bin/sojourn").unlink()
    else:
        changed = top / ("pyproject.toml" if change == "pyproject" else f"requirements/{change}")
        changed.write_text(changed.read_text() + "# changed\n")
    monkeypatch.setattr(bootstrap, "_make_venv", refuse)
    with pytest.raises(AssertionError, match="nothing had to be done"):
        bootstrap.set_up(top, "runtime")


def test_a_linked_environment_is_somebody_else_s(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "elsewhere").mkdir()
    (top / ".venv").symlink_to(top / "elsewhere")
    monkeypatch.setattr(bootstrap, "_make_venv", refuse)
    bootstrap.set_up(top, "dev")


def test_the_up_to_date_word_takes_less_than_a_second(top: Path) -> None:
    """The best of three: others may be at work on the machine."""
    stand_in(top, "runtime")
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    taken_s = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "servers.bootstrap", "runtime"], cwd=top, env=environment, check=True)
        taken_s.append(time.perf_counter() - started)
    assert min(taken_s) < 1


def test_it_needs_nothing_but_the_standard_library() -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import servers.bootstrap"
    subprocess.run([sys.executable, "-I", "-S", "-c", script, str(TOP)], check=True)


@pytest.mark.parametrize("version", [(3, 10, 12), (3, 14, 0)])
def test_a_python_out_of_range(top: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "version", ".".join(map(str, version)) + " (main)")
    with pytest.raises(MachineError, match=r"needs Python 3\.11 to 3\.13.* apt install .*make PYTHON="):
        bootstrap.set_up(top, "runtime")


def test_no_ensurepip_and_no_apt(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else real(name))
    monkeypatch.setattr(bootstrap, "_WHEELS", Path("nowhere"))
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin", "sh"))
    with pytest.raises(MachineError, match=r"has no pip\. Install it: `sudo apt install python3-venv`"):
        bootstrap.set_up(top, "runtime")


@pytest.mark.usefixtures("away")
def test_no_package_index(top: Path) -> None:
    with pytest.raises(MachineError, match=r"package index cannot be reached.*runtime\.lock.*Check the network"):
        bootstrap.set_up(top, "runtime")
    assert not list((top / ".venv").glob(".sojourn-*"))


@pytest.mark.usefixtures("away")
def test_a_package_that_was_not_locked_like_this(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = top / "wheels"
    wheels.mkdir()
    (wheels / "rich-15.0.0-py3-none-any.whl").write_bytes(b"not what was locked")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    with pytest.raises(MachineError, match=r"not the one that was locked.* Do not go on"):
        bootstrap.set_up(top, "runtime")


def test_no_room(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "NEEDED_BYTES", 10**18)
    with pytest.raises(MachineError, match=r"The environment needs \d+ MB"):
        bootstrap.set_up(top, "runtime")
