from pathlib import Path
from typing import Any

import typer
import yaml

import sojourn

DEPLOY = Path(__file__).parents[2] / "deploy"


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def test_without_a_profile_it_is_the_two_servers() -> None:
    services = compose()["services"]
    assert {name for name, service in services.items() if "profiles" not in service} == {"database", "broker"}


def test_every_port_is_on_loopback() -> None:
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_file_it_names_is_there() -> None:
    services = compose()["services"]
    assert (DEPLOY / services["broker"]["volumes"][0].split(":")[0]).is_file()
    for name in ("migrate", "ingest", "api"):
        base = services[name]["extends"]
        project = yaml.safe_load((DEPLOY / base["file"]).read_text())["services"][base["service"]]
        assert (DEPLOY / project["build"]["context"] / project["build"]["dockerfile"]).is_file()


def test_its_commands_are_words_of_the_command_line() -> None:
    line = typer.main.get_command(sojourn.app)
    assert isinstance(line, typer.core.TyperGroup)
    asked = {service["command"][0] for service in compose()["services"].values() if "command" in service}
    assert asked <= set(line.commands)
