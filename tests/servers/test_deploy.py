import re
import socket
import subprocess
import sys
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


def extended(service: dict[str, Any]) -> dict[str, Any]:
    """Return a service with what it extends; of two mappings both, of anything else its own."""
    if "extends" not in service:
        return service
    shared = yaml.safe_load((DEPLOY / "compose.project.yaml").read_text())["services"]
    whole = extended(shared[service["extends"]["service"]])
    merged = {name: whole[name] | service[name] for name in ("environment",) if name in whole and name in service}
    return whole | service | merged


def test_every_file_it_names_is_there() -> None:
    services = compose()["services"]
    assert (DEPLOY / services["broker"]["volumes"][0].split(":")[0]).is_file()
    build = services["certificates"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_one_service_that_is_always_there_builds_the_image_for_all() -> None:
    """Built by each, it was built once a service at the same time, and left all but one of them without a name."""
    kafka = yaml.safe_load((DEPLOY / "compose.kafka.yaml").read_text())["services"]
    all_of_them = {name: extended(one) for name, one in (compose()["services"] | kafka).items()}
    assert [name for name, one in all_of_them.items() if "build" in one] == ["certificates"]
    assert {one["image"] for one in all_of_them.values() if one["image"].startswith("sojourn")} == {
        all_of_them["certificates"]["image"]
    }


def test_what_runs_all_day_says_that_it_is_well_and_keeps_its_kernels() -> None:
    kafka = yaml.safe_load((DEPLOY / "compose.kafka.yaml").read_text())["services"]
    all_day = {
        name: extended(one)
        for name, one in (compose()["services"] | kafka).items()
        if one.get("extends", {}).get("service") == "service"
    }
    assert all_day.keys() == {"ingest", "api", "webhooks", "app-presence", "bridge", "kafka-ingest"}
    project = yaml.safe_load((DEPLOY / "compose.project.yaml").read_text())["services"]["service"]
    assert project["volumes"] == ["cache:/var/cache/sojourn"], "compose adds a service's volumes to these"
    for name, one in all_day.items():
        assert one["environment"]["SOJOURN_HOME"] == "/var/cache/sojourn", name
        program = one["healthcheck"]["test"][3]
        compile(program, name, "exec")
        assert one["environment"]["SOJOURN_METRICS"].startswith("0.0.0.0:")
        assert ("SOJOURN_METRICS" in program) == (name != "api")
        assert (one["read_only"], one["restart"]) == (True, "unless-stopped")


def test_a_healthcheck_fails_where_nobody_listens() -> None:
    service = yaml.safe_load((DEPLOY / "compose.project.yaml").read_text())["services"]["service"]
    command = [sys.executable, *service["healthcheck"]["test"][2:]]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert subprocess.run(command, check=False, env={"SOJOURN_METRICS": address}).returncode == 0
    refused = subprocess.run(command, check=False, env={"SOJOURN_METRICS": address}, capture_output=True)
    assert refused.returncode == 1


def test_the_database_does_not_depend_on_the_locale_of_its_image() -> None:
    words = compose()["services"]["database"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert "--encoding=UTF8" in words, "without it initdb refuses C.UTF-8 where LANG is not set"


def test_everybody_mounts_their_own_credentials_and_nobody_but_one_the_authority() -> None:
    services = compose()["services"]
    mounts = {
        name: dict(str(volume).split(":")[:2] for volume in service.get("volumes", []))
        for name, service in services.items()
    }
    assert [name for name, volumes in mounts.items() if "authority" in volumes] == ["certificates"]
    made = mounts["certificates"]
    assert services["certificates"]["environment"]["SOJOURN_AUTHORITY"] == made["authority"], "also for `edge sign`"
    assert mounts["broker"]["broker-credentials"] == "/mosquitto/credentials"
    assert made["broker-credentials"] == "/authority/broker"
    with_kafka = yaml.safe_load((DEPLOY / "compose.kafka.yaml").read_text())["services"]["bridge"]
    assert made["kafka-bridge-credentials"] == "/credentials/kafka-bridge"
    assert with_kafka["volumes"] == ["kafka-bridge-credentials:/credentials/kafka-bridge:ro"], (
        "one identity is one connection"
    )
    for service in set(RUNNING) - {"kafka-bridge"}:
        assert made[f"{service}-credentials"] == f"/credentials/{service}"
        folder = mounts[service][f"{service}-credentials"]
        assert folder == services[service]["environment"]["SOJOURN_MQTT_CREDENTIALS"], "doctor reads it too"
        # a new volume takes what the image has in that folder: another place would bring its neighbours along
        assert folder == made[f"{service}-credentials"]
        others = {name for name in mounts[service] if name.endswith("-credentials")}
        assert others == {f"{service}-credentials"}


def test_the_broker_reads_what_the_authority_writes(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, datetime.now(UTC))
    command = compose()["services"]["certificates"]["command"]
    hosts = command[2 : command.index("--out")]
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
