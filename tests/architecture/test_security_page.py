"""docs/security.md keeps its word: each requirement has a test that is there, a reason, or does not apply."""

import re
from collections import Counter
from pathlib import Path

import pytest

from storage.privacy.places import PLACES
from tests.privacy.page import PAGE, with_map

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| (\d) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
HELD = re.compile(r"^(test|reason|not here|open)\b")


def rows() -> list[tuple[str, ...]]:
    return ROW.findall((ROOT / "docs/security.md").read_text())


def test_every_requirement_is_held_by_something() -> None:
    found = rows()
    numbers = [number for number, *_ in found]
    assert len(numbers) == len(set(numbers)) > 190
    assert [number for number, _, _, held in found if not HELD.match(held)] == []
    assert {level for _, level, *_ in found} == {"1", "2"}


def test_the_figures_are_those_of_the_table() -> None:
    count = Counter(held.split(":")[0].strip().split(",")[0] for *_, held in rows())
    said = re.search(
        r"above (\d+) are held by a test, (\d+) by a reason, (\d+) do not apply, and (\d+) (?:is|are) open",
        (ROOT / "docs/security.md").read_text(),
    )
    assert said is not None
    assert [count[word] for word in ("test", "reason", "not here", "open")] == [int(one) for one in said.groups()]


def test_every_test_that_is_named_exists() -> None:
    missing = []
    for number, _, _, held in rows():
        for path, _, name in re.findall(r"(tests/[\w/]+(?:\.py)?)(::(\w+))?", held):
            place = ROOT / path
            if not place.exists() or (name and f"def {name}(" not in place.read_text()):
                missing.append((number, f"{path}::{name}"))
    assert missing == []


@pytest.mark.parametrize("name", ["threat-model", "privacy", "security", "protect"])
def test_every_file_that_a_page_names_exists(name: str) -> None:
    text = (ROOT / f"docs/{name}.md").read_text()
    gone = [
        path
        for path in re.findall(r"`((?:api|core|storage|tests|servers|deploy)/[\w/.-]+)`", text)
        if not (ROOT / path).exists()
    ]
    assert gone == []


def test_the_data_map_has_every_table() -> None:
    """tests/privacy/test_erasure.py compares the registry with the tables of a migrated database."""
    page = PAGE.read_text()
    assert page == with_map(page), "write it anew with python -m tests.privacy.page"
    assert page.count("| `") == len(PLACES)
