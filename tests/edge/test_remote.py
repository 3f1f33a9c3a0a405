import json
from pathlib import Path
from typing import Any

import pytest

from core.advertisement import Rule
from edge.remote import CONFIG_BYTES, RemoteControl
from edge.scanner import Listening
from edge.settings import EdgeSettings, read_settings
from tests.edge.listening import OURS
from tests.edge.test_settings import SOUND

OTHER = Rule(kind="eddystone_uid")


@pytest.fixture
def settings(tmp_path: Path) -> EdgeSettings:
    path = tmp_path / "edge.toml"
    path.write_text(SOUND)
    return read_settings(path)


class Control:
    """A remote control and what it told."""

    def __init__(self, settings: EdgeSettings, folder: Path) -> None:
        self.changes: list[Listening] = []
        self.kept = folder / "kept.json"
        self.control = RemoteControl(settings, self.kept, self.changes.append)

    def take(self, **config: Any) -> dict[str, Any]:
        self.control.take(json.dumps(config).encode())
        return self.status

    @property
    def status(self) -> dict[str, Any]:
        return self.control.status()


def test_what_is_told_is_used_and_the_rest_stays(settings: EdgeSettings, tmp_path: Path) -> None:
    one = Control(settings, tmp_path)
    assert one.control.listening == Listening("active", 15, OURS)
    assert one.status == {"version": 0}
    assert one.take(version=3, scanning="passive") == {"version": 3}
    assert one.take(version=4, hear=[{"kind": "eddystone_uid"}]) == {"version": 4}
    assert one.changes == [Listening("passive", 15, OURS), Listening("active", 15, (OTHER,))]
    assert Control(settings, tmp_path).control.listening == Listening("active", 15, (OTHER,))


def test_an_older_one_is_passed_over_and_the_same_version_with_other_content_is_told(
    settings: EdgeSettings, tmp_path: Path
) -> None:
    one = Control(settings, tmp_path)
    one.take(version=3, silence_s=20)
    assert one.take(version=2, silence_s=30) == {"version": 3}
    assert one.take(version=3, silence_s=20) == {"version": 3}
    said = one.take(version=3, silence_s=30)
    assert said["version"] == 3
    assert "count up" in said["refused"].reason
    assert len(one.changes) == 1


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"version": 9, "hear": []}, "Nothing would be heard"),
        ({"version": 9, "hear": [{"kind": "ibeacon", "namespace": "1"}]}, "32 hexadecimal digits"),
        ({"version": 9, "hear": [{"kind": "private_address"}]}, "Set irks"),
        ({"version": 9, "hear": [{"kind": "ibeacon"}] * 2}, "Keep one"),
        ({"version": 9, "silence_s": 0}, "silence_s"),
        ({"version": 9, "broker": {"url": "mqtt://elsewhere"}}, "unknown field `broker`"),
        ({"version": 0}, "version"),
        ({"silence_s": 20}, "missing required field `version`"),
    ],
)
def test_what_is_invalid_is_refused_and_nothing_changes(
    settings: EdgeSettings, tmp_path: Path, config: dict[str, Any], sentence: str
) -> None:
    one = Control(settings, tmp_path)
    one.take(version=1, silence_s=20)
    kept = one.kept.read_bytes()
    said = one.take(**config)
    assert said["version"] == 1
    assert said["refused"].version == config.get("version")
    assert sentence in said["refused"].reason
    assert len(one.changes) == 1
    assert one.kept.read_bytes() == kept
    assert one.take(version=10, silence_s=25) == {"version": 10}


def test_bytes_that_are_no_configuration_are_refused(settings: EdgeSettings, tmp_path: Path) -> None:
    one = Control(settings, tmp_path)
    for payload in (b"\xff", b"[" * 100, b'{"version": 1e400}', b" " * (CONFIG_BYTES + 1)):
        one.control.take(payload)
        assert one.status["refused"].version is None
    one.control.take(b"")  # a cleared topic
    assert not one.changes
    assert not one.kept.exists()


def test_a_kept_one_that_cannot_be_used_any_more_leaves_the_edges_own(settings: EdgeSettings, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_bytes(b'{"version": 5, "hear": [{"kind": "private_address"}]}')
    one = Control(settings, tmp_path)
    assert one.control.listening.rules == OURS
    assert one.status["refused"].version == 5
