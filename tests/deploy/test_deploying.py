"""Units, containers and manifests: nothing that they name is missing, nothing runs with rights it does not need."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import sojourn
from authority.access import MEMBERS
from authority.house import GROUP

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "deploy"
UNITS = sorted([*(DEPLOY / "systemd").glob("*.service"), DEPLOY / "sojourn-edge.service"])
KUBERNETES = DEPLOY / "kubernetes"
MOST_EXPOSURE = 20
"""Tenths; the services have 1.3, an edge, which needs the system bus, 1.6. systemd calls everything below 2 safe."""


def words() -> set[str]:
    line = typer.main.get_command(sojourn.app)
    assert isinstance(line, typer.core.TyperGroup)
    return set(line.commands)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_word_and_keeps_its_rights_small(unit: Path) -> None:
    text = unit.read_text()
    (start,) = re.findall(r"^ExecStart=\S+/sojourn (\S+)", text, re.MULTILINE)
    assert start in words()
    assert re.search(r"^User=sojourn$", text, re.MULTILINE)
    assert not re.search(r"PASSWORD|SECRET|postgresql://", text), "secrets are in the environment file"
    if re.search(r"^Restart=", text, re.MULTILINE):
        assert re.search(rf"^RestartPreventExitStatus={os.EX_CONFIG}$", text, re.MULTILINE)
        assert os.EX_UNAVAILABLE not in {2, os.EX_CONFIG}, "a server that was away is waited for"
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        threshold = ["security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit)]
        rated = subprocess.run([analyze, *threshold], check=False, capture_output=True, text=True)
        assert rated.returncode == 0, rated.stdout[-400:]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not on this machine")
    for unit in UNITS:  # the program, its user and its settings are of another machine
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^(User|SupplementaryGroups|EnvironmentFile)=.*\n", "", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    told = subprocess.run(
        [analyze, "verify", *map(str, sorted(tmp_path.glob("*.service")))],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_the_steps_make_what_the_units_read() -> None:
    """A unit whose certificate is not there ends with 78, and nobody starts it again."""
    steps = (TOP / "docs/deploy.md").read_text()
    made = re.search(r"for service in ([a-z -]+); do", steps)
    started = re.search(r"enable --now (.+)", steps)
    assert made is not None
    assert started is not None
    units = "".join((DEPLOY / "systemd" / f"{unit}.service").read_text() for unit in started[1].split())
    assert set(made[1].split()) == set(re.findall(r"/etc/sojourn/credentials/([a-z-]+)", units))
    assert "chown -R sojourn: /etc/sojourn/credentials" in steps


def test_the_environment_file_is_an_example_without_a_secret() -> None:
    text = (DEPLOY / "systemd/sojourn.env").read_text()
    assert "CHANGE-ME" in text
    assert set(re.findall(r"^(\w+)=", text, re.MULTILINE)) == {"SOJOURN_DATABASE_URL", "SOJOURN_MQTT_URL"}


@pytest.mark.parametrize("name", ["compose.kafka.yaml", "compose.watch.yaml"])
def test_what_is_laid_over_the_compose_file_fits_it(name: str) -> None:
    base = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    over = yaml.safe_load((DEPLOY / name).read_text())
    both = base["services"].keys() | over["services"].keys()
    volumes = (base["volumes"] or {}).keys() | (over.get("volumes") or {}).keys()
    for service in over["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert set(service.get("depends_on", {})) <= both
        if "extends" in service:
            assert service["command"][0] in words()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in volumes or (DEPLOY / source).exists()
    assert all({"image", "extends"} & set(service) for service in over["services"].values())
    assert "9464" not in str([service.get("ports") for service in over["services"].values()])


def manifests(name: str) -> list[dict[str, Any]]:
    kubectl = shutil.which("kubectl")
    if kubectl is not None:
        built = subprocess.run(
            [kubectl, "kustomize", KUBERNETES / name], check=True, capture_output=True, text=True
        ).stdout
        return [one for one in yaml.safe_load_all(built) if one]
    files = [path for path in (KUBERNETES / name).glob("*.yaml") if path.name != "kustomization.yaml"]
    return [one for path in files for one in yaml.safe_load_all(path.read_text()) if one]


@pytest.mark.parametrize("name", ["base", "kafka"])
def test_pods_have_no_rights_that_they_do_not_need(name: str) -> None:
    deployments = [one for one in manifests(name) if one["kind"] == "Deployment"]
    assert deployments
    for one in deployments:
        template = one["spec"]["template"]
        pod = template["spec"]
        labels = template["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["args"][0] in words()
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"] is True
            assert allowed["allowPrivilegeEscalation"] is False
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert "cpu" in container["resources"]["requests"]
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            assert mounts <= {volume["name"] for volume in pod["volumes"]}
            assert not any(
                "PASSWORD" in str(pair) or "postgresql://" in str(pair) for pair in container.get("env", [])
            )


@pytest.mark.parametrize("way", ["systemd", "compose", "kubernetes"])
def test_ingest_api_and_webhooks_share_a_privacy_folder_that_is_copied(way: str) -> None:
    """Without it nobody can be erased for good; without a copy elsewhere a lost machine brings the erased back."""
    if way == "systemd":
        said = {
            name: (DEPLOY / f"systemd/sojourn-{name}.service").read_text() for name in ("ingest", "api", "webhooks")
        }
        copied = (DEPLOY / "systemd/sojourn-privacy-copy.service").read_text()
        folder = "SOJOURN_PRIVACY=/var/lib/sojourn/privacy"
        assert all(folder in text and "StateDirectory=sojourn" in text for text in (*said.values(), copied))
        assert "sojourn suppress copy /mnt/" in copied
        assert "OnCalendar=hourly" in (DEPLOY / "systemd/sojourn-privacy-copy.timer").read_text()
        return
    if way == "compose":
        services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
        for name in ("ingest", "api", "webhooks"):
            assert services[name]["environment"]["SOJOURN_PRIVACY"] == "/privacy/folder"
            assert "privacy:/privacy" in services[name]["volumes"]
        assert "suppress copy /copy/" in (DEPLOY / "compose.yaml").read_text()
        return
    built = manifests("base")
    for name in ("ingest", "api", "webhooks"):
        pod = next(one for one in built if (one["kind"], one["metadata"]["name"]) == ("Deployment", name))
        (container,) = pod["spec"]["template"]["spec"]["containers"]
        assert {"name": "SOJOURN_PRIVACY", "value": "/privacy/folder"} in container["env"]
    (job,) = [one for one in built if one["kind"] == "CronJob"]
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    claims = {one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"] if "persistentVolumeClaim" in one}
    assert claims == {"sojourn-privacy", "sojourn-privacy-copy"}
    assert pod["containers"][0]["args"][:2] == ["suppress", "copy"]
    assert claims <= {one["metadata"]["name"] for one in built if one["kind"] == "PersistentVolumeClaim"}


def test_services_and_policies_point_at_pods() -> None:
    built = manifests("base")
    kinds = {one["kind"] for one in built}
    assert {"Deployment", "Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"} <= kinds
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in built if one["kind"] == "Deployment"]
    ports = {
        port["name"]
        for one in built
        if one["kind"] == "Deployment"
        for container in one["spec"]["template"]["spec"]["containers"]
        for port in container.get("ports", [])
    }
    for one in built:
        spec = one.get("spec", {})
        selector = spec.get("selector") if one["kind"] == "Service" else spec.get("podSelector")
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= labels.items() for labels in pods), one["metadata"]["name"]
        if one["kind"] == "Service":
            assert {port["targetPort"] for port in spec["ports"]} <= ports


def test_with_kafka_the_ingests_are_a_group_and_there_is_one_bridge() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on this machine")
    found = {one["metadata"]["name"]: one["spec"] for one in manifests("kafka") if one["kind"] == "Deployment"}
    (ingest,) = found["ingest"]["template"]["spec"]["containers"]
    assert (ingest["args"], found["ingest"]["replicas"]) == (["ingest", "--source", "kafka"], 3)
    assert (found["bridge"]["replicas"], found["bridge"]["strategy"]) == (1, {"type": "Recreate"})
    (shared,) = (one for one in found["ingest"]["template"]["spec"]["volumes"] if one["name"] == "credentials")
    secrets = [source["secret"] for source in shared["projected"]["sources"]]
    folders = [{item["path"].split("/")[0] for item in secret["items"]} for secret in secrets]
    surge = found["ingest"]["strategy"]["rollingUpdate"]["maxSurge"]
    assert folders == [{name} for name in MEMBERS[: found["ingest"]["replicas"] + surge]], "an identity for each pod"


def test_replicas_on_kafka_have_an_identity_each() -> None:
    base = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["certificates"]
    ingest = yaml.safe_load((DEPLOY / "compose.kafka.yaml").read_text())["services"]["kafka-ingest"]
    folder = ingest["environment"]["SOJOURN_MQTT_CREDENTIALS"]
    words = base["command"]
    assert folder == f"{words[words.index('--out') + 1]}/{GROUP}"
    assert int(words[words.index("--kafka-ingests") + 1]) > ingest["deploy"]["replicas"]
    (volume,) = {one.split(":")[0] for one in ingest["volumes"] if f":{folder}" in one}
    assert f"{volume}:{folder}" in base["volumes"]
    assert folder in (DEPLOY / "Dockerfile").read_text(), "whose owner a new volume takes"


def test_the_image_is_built_in_two_stages_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    build, image = re.split(r"(?m)^FROM ", text)[1:]
    assert "AS build" in build.splitlines()[0]
    assert "pip" not in image
    (user,) = re.findall(r"(?m)^USER (\S+)", image)
    assert user.isdecimal(), "a number: Kubernetes' runAsNonRoot looks at it"
    assert int(user) > 0
    # mosquitto's own image has 1883 for both; a file of another group it will refuse one day, and warns of today
    assert f"groupadd --gid {user} sojourn" in image
    assert f"useradd --uid {user} --gid {user} " in image
    for lock in re.findall(r"requirements/([a-z.]+lock)", build):
        assert (TOP / "requirements" / lock).is_file()
    extras = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, wanted in extras.items():  # what EXTRAS names is installed from its lock
        locked = (TOP / f"requirements/{extra}.lock").read_text()
        for requirement in wanted:
            assert f"\n{requirement.partition('>')[0]}==" in locked, requirement
    project = yaml.safe_load((DEPLOY / "compose.project.yaml").read_text())["services"]["project"]
    assert (project["read_only"], project["cap_drop"]) == (True, ["ALL"])
