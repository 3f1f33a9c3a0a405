"""Commands that are given nonsense: each says which file is meant and what to do; none ends in a traceback."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import typer

from core.errors import InputError, SojournError
from sojourn import app
from tests.simulators.test_replay_commands import BASE, PLAN

ANYTHING = {
    "nowhere": None,
    "a-folder": None,
    "empty": b"",
    "noise": Random(4).randbytes(5000),
    "words": b"hello there\nthis is no table\n",
    "json": b'{"stores": 3}',
    "latin": "ts,störe\n1,ä\n".encode("latin-1"),
    "parquet": b"PAR1" + Random(5).randbytes(300) + b"PAR1",
    "header": b"ts,store,anchor\n1,2,3\n",
}
"""What may stand where a file is asked for."""
_COMMANDS = (
    ("replay", "X", "--floorplan", "plan.json", "--out", "visits.csv"),
    ("replay", "sound.csv", "--floorplan", "X", "--out", "visits.csv"),
    ("replay", "sound.csv", "--floorplan", "plan.json", "--out", "visits.csv", "--model", "X"),
    ("calibrate", "sound.csv", "--floorplan", "plan.json", "--out", "models", "--survey", "X"),
    ("score", "X", "truth.csv"),
    ("score", "truth.csv", "X"),
    ("convert", "csv", "X", "--out", "made.csv", "--column", "ts=when"),
    ("convert", "salrb", "X", "--out", "made"),
    ("convert", "tetam", "X", "--out", "made"),
    ("floorplan", "check", "X"),
    ("floorplan", "draw", "X", "--out", "plan.svg"),
    ("edge", "run", "X", "--check"),
)
_SETTINGS = (
    (("replay", "sound.csv", "--floorplan", "plan.json"), "--out visits.csv"),
    (("replay", "sound.csv", "--floorplan", "plan.json", "--out", "visits.doc"), "End it with .csv or .parquet"),
    (("replay", "sound.csv", "--floorplan", "plan.json", "--out", "no/where.csv"), "Is the folder there"),
    (("replay", "sound.csv", "--floorplan", "plan.json", "--out", "sound.csv"), "Write to another one"),
    (("replay", "sound.csv", "--floorplan", "plan.json", "--out", "v.csv", "--rejects", "no/r.csv"), "Is the folder"),
    (("replay", "sound.csv", "--floorplan", "plan.json", "--live"), "Add --mqtt-url"),
    (("convert", "csv", "sound.csv", "--out", "made.csv", "--column", "when"), "ts=when"),
    (("convert", "csv", "sound.csv", "--out", "made.csv", "--column", "when=ts"), "Its columns are"),
    (("floorplan", "draw", "plan.json", "--out", "no/where.svg"), "Is the folder there"),
    (("floorplan", "draw", "plan.json", "--out", "p.svg", "--store", "s9"), "Add --store"),
    (("record", "made.csv", "--mqtt-url", "mqtt://127.0.0.1:1"), "Call it made.parquet"),
    (("record", "made.parquet", "--mqtt-url", "127.0.0.1:1"), "mqtts://host:port"),
    (("record", "made.parquet", "--mqtt-url", "mqtt://127.0.0.1:1", "--for", "soon"), "90s, 15m"),
    (
        ("record", "made.parquet", "--mqtt-url", "mqtt://127.0.0.1:1"),
        "nobody listens at 127.0.0.1:1; start the broker",
    ),
    (("record", "made.parquet", "--mqtt-url", "mqtt://127.0.0.1:1", "--store", "a/b"), "as in the floor plan"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("nonsense")
    for name, content in ANYTHING.items():
        if content is not None:
            (folder / f"{name}.csv").write_bytes(content)
    (folder / "a-folder.csv").mkdir()
    (folder / "plan.json").write_text(json.dumps(PLAN))
    (folder / "sound.csv").write_text(f"ts,store,anchor,device,rssi_dbm\n{BASE},s1,g1,anna,-60\n")
    (folder / "truth.csv").write_text(
        f"kind,store,device,zone,entered_at,left_at\nstore,s1,anna,,{BASE},{BASE + 10**9}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("SOJOURN_MQTT_URL", raising=False)
        yield folder


def run(*words: str) -> int:
    """Run a command as the front door does, but for its last resort."""
    return int(typer.main.get_command(app)(list(words), standalone_mode=False) or 0)


def refusal(*words: str) -> SojournError | None:
    """Return what a command says of nonsense; None where it names each place itself and ends with 2."""
    try:
        assert run(*words) == 2
    except SojournError as error:
        return error
    return None


@pytest.mark.parametrize("command", _COMMANDS, ids=" ".join)
def test_a_file_that_is_something_else_is_refused_with_what_to_do(
    folder: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for what in ANYTHING:
        error = refusal(*(f"{what}.csv" if word == "X" else word for word in command))
        if error is None:
            assert command[:2] == ("floorplan", "check")
            assert f"{what}.csv:1:" in capsys.readouterr().err
            continue
        said = str(error)
        assert what in said, "which file is meant"
        assert error.hint, f"what to do: {said}"
        assert len(said) < 500, said
        assert not isinstance(error, InputError) or error.where, said


@pytest.mark.parametrize(("command", "hint"), _SETTINGS)
def test_a_setting_that_cannot_be_is_refused_with_what_to_do(
    folder: Path, command: tuple[str, ...], hint: str
) -> None:
    with pytest.raises(SojournError) as refused:
        run(*command)
    assert hint in str(refused.value)
