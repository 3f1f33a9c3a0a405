"""A database URL that cannot be read is a setting to mend. Nothing of it is told: the part may be the password."""

import pytest
from typer.testing import CliRunner

import sojourn
from core.errors import ConfigurationError
from storage.connect import read_url

WRONG = (
    "nonsense",
    "host=127.0.0.1 password=Geh eim1",
    *(f"postgresql://sojourn:{unquoted}@127.0.0.1:1/sojourn" for unquoted in ("Geh%eim1", "Geh@eim1", "Geh/eim1")),
)
COMMANDS = (
    ["migrate"], ["ingest", "--mqtt-url", "mqtt://127.0.0.1:1"], ["app-presence", "--mqtt-url", "mqtt://127.0.0.1:1"],
    ["api"], ["webhooks"], ["backup", "folder"], ["access", "reset", "admin"], ["retain"], ["model", "list", "shop"],
    ["audit", "verify"],
)  # fmt: skip


@pytest.mark.parametrize("url", WRONG)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_no_command_repeats_a_url_that_cannot_be_read(
    words: list[str], url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", url)
    done = CliRunner().invoke(sojourn.app, words)
    assert isinstance(done.exception, ConfigurationError), f"{done.exception!r}: {done.output}"
    said = f"{done.output} {done.exception} {done.exception.__context__} {capsys.readouterr()}"
    assert "eim1" not in said
    assert "%25" in done.exception.hint


def test_a_url_that_can_be_read_is_read() -> None:
    given = read_url(f"postgresql://sojourn:{'Geh%25eim%401'}@a:1,b,[::1]:2/sojourn?sslmode=require")
    assert (given["password"], given["host"], given["port"]) == ("Geh%eim@1", "a,b,::1", "1,,2")
    assert read_url("service=shop")["service"] == "shop"
    assert read_url("host=/run/postgresql dbname=sojourn")["host"] == "/run/postgresql"
