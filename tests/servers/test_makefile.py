import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.servers.machines import path_with

TOP = Path(__file__).parents[2]


def make(*words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))}
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(["make", "-C", TOP, *words], check=False, capture_output=True, text=True, env=environment)


def test_alone_it_lists_its_words() -> None:
    shown = make().stdout
    listed = set(re.findall(r"^  make ([a-z-]+)", shown, re.MULTILINE))
    assert {"setup", "demo", "test", "check", "kernels-nojit", "lock", "clean", "help"} <= listed


def test_the_readme_names_words_that_are_there() -> None:
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", (TOP / "README.md").read_text()))
    listed = set(re.findall(r"^  make ([a-z-]+)", make().stdout, re.MULTILINE))
    assert {"demo", "test"} <= named <= listed


@pytest.mark.parametrize("python", [{}, {"python3": "exit 1"}])
def test_without_a_python_in_range_it_says_what_to_do(tmp_path: Path, python: dict[str, str]) -> None:
    path = path_with(tmp_path / "bin", "sh", "echo", "test", "make", **python)
    done = make("setup", path=path)
    assert done.returncode != 0
    assert done.stderr.startswith("Sojourn needs Python 3.11, 3.12 or 3.13")
    assert "make PYTHON=" in done.stderr
