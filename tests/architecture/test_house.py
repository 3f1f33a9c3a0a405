"""The house of design.md, held by import-linter and a few looks at the files themselves."""

import re
import subprocess
import sys
from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.rooms import ROOMS

ROOT = Path(__file__).parents[2]
SQL = re.compile(
    r"\b(select\s.+\sfrom|insert\s+into|delete\s+from|update\s+\w+\s+set|create\s+table)\b", re.IGNORECASE | re.DOTALL
)


def test_no_import_runs_against_the_floors() -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS


def test_only_storage_writes_sql() -> None:
    strings = re.compile(r'("""|\'\'\'|")(.*?)\1', re.DOTALL)
    outside = [
        f"{path.relative_to(ROOT)}: {found.group(2)[:60]!r}"
        for room in ROOMS
        if room not in {"storage", "benchmarks"}
        for path in (ROOT / room).rglob("*.py")
        # its rows are a file of the edge's own, on a machine without our database
        if path not in {ROOT / "edge" / name for name in ("outbox.py", "outbox_salvage.py")}
        for found in strings.finditer(path.read_text())
        if SQL.search(found.group(2))
    ]
    assert outside == []


def test_no_room_is_called_after_nothing() -> None:
    vague = {"utils", "helpers", "common", "manager", "misc"}
    assert [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.stem in vague] == []


def test_lock_files_name_no_host() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert not re.search(r"https?://|^--(index|find)", lock.read_text(), re.MULTILINE), lock.name


def test_help_loads_no_room() -> None:
    script = "import sojourn, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    heavy = {"numpy", "numba", "polars", "psycopg", "fastapi", "paho.mqtt.client", "bleak"}
    assert heavy & set(loaded.stdout.split()) == set()
