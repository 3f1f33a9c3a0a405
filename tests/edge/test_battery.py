"""The battery of an edge's machine, from what Linux tells of power supplies."""

from pathlib import Path

import pytest

from edge.battery import battery_percent


@pytest.mark.parametrize(
    ("supplies", "left"),
    [
        ({}, None),
        ({"AC": {"type": "Mains"}}, None),
        ({"BAT0": {"type": "Battery", "capacity": "71"}, "BAT1": {"type": "Battery", "capacity": "64"}}, 64),
        ({"hid-mouse": {"type": "Battery", "scope": "Device", "capacity": "3"}}, None),
        ({"BAT0": {"type": "Battery", "capacity": "?"}, "BAT1": {"type": "Battery"}}, None),
        ({"BAT0": {"type": "Battery", "capacity": "101"}}, None),
    ],
)
def test_the_emptiest_battery_of_the_machine_itself_counts(
    supplies: dict[str, dict[str, str]], left: int | None, tmp_path: Path
) -> None:
    for name, said in supplies.items():
        (tmp_path / name).mkdir()
        for file, text in said.items():
            (tmp_path / name / file).write_text(text + "\n")
    assert battery_percent(tmp_path) == left
    assert battery_percent(tmp_path / "none") is None
