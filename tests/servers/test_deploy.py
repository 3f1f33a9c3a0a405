import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer
import yaml

import sojourn
from authority.authority import Authority
from authority.house import RUNNING, WATCH, equip

DEPLOY = Path(__file__).parents[2] / "deploy"


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def test_without_a_profile_it_is_the_two_servers_and_their_certificates() -> None:
    services = compose()["services"]
    assert {name for name, service in services.items() if "profiles" not in service} == {
        "database",
        "broker",
        "certificates",
    }


def test_every_port_is_on_loopback() -> None:
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_file_it_names_is_there() -> None:
    services = compose()["services"]
    assert (DEPLOY / services["broker"]["volumes"][0].split(":")[0]).is_file()
    for name in ("migrate", "ingest", "api"):
        base = services[name]["extends"]
        project = yaml.safe_load((DEPLOY / base["file"]).read_text())["services"][base["service"]]
        assert (DEPLOY / project["build"]["context"] / project["build"]["dockerfile"]).is_file()


def test_everybody_mounts_their_own_credentials_and_nobody_but_one_the_authority() -> None:
    services = compose()["services"]
    mounts = {
        name: dict(str(volume).split(":")[:2] for volume in service.get("volumes", []))
        for name, service in services.items()
    }
    assert [name for name, volumes in mounts.items() if "authority" in volumes] == ["certificates"]
    made = mounts["certificates"]
    assert mounts["broker"]["broker-credentials"] == "/mosquitto/credentials"
    assert made["broker-credentials"] == "/authority/broker"
    with_kafka = yaml.safe_load((DEPLOY / "compose.kafka.yaml").read_text())["services"]["bridge"]
    assert made["kafka-bridge-credentials"] == "/credentials/kafka-bridge"
    assert with_kafka["volumes"] == ["kafka-bridge-credentials:/credentials:ro"], "one identity is one connection"
    for service in set(RUNNING) - {"kafka-bridge"}:
        assert made[f"{service}-credentials"] == f"/credentials/{service}"
        assert mounts[service][f"{service}-credentials"] in services[service]["command"]
        others = {name for name in mounts[service] if name.endswith("-credentials")}
        assert others == {f"{service}-credentials"}


def test_the_broker_reads_what_the_authority_writes(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, datetime.now(UTC))
    command = compose()["services"]["certificates"]["command"]
    hosts = command[2 : command.index("--authority")]
    equip(authority, hosts, tmp_path / "out", datetime.now(UTC))
    asked = set(re.findall(r"/mosquitto/credentials/([\w.]+)", (DEPLOY / "mosquitto.conf").read_text()))
    written = {path.name for path in authority.broker_folder.iterdir()}
    assert asked == written - {WATCH}
    project = yaml.safe_load((DEPLOY / "compose.project.yaml").read_text())["services"]["project"]
    assert urlsplit(project["environment"]["SOJOURN_MQTT_URL"]).hostname in hosts


def test_its_commands_are_words_of_the_command_line() -> None:
    line = typer.main.get_command(sojourn.app)
    assert isinstance(line, typer.core.TyperGroup)
    asked = {service["command"][0] for service in compose()["services"].values() if "command" in service}
    assert asked <= set(line.commands)
