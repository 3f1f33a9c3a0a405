"""Rules, dashboard and scrape configuration name only what the code tells."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry

import api.app_presence.forward
import api.meters
import ingest.meters
import webhooks.meters
from edge import meters as edge_meters
from ingest.kafka.meters import BridgeMeters
from telemetry.exposition import make_registry

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
BY_PROMETHEUS = {"up"}
LABELS = {
    "sojourn-ingest": {"store", "reason"},
    "sojourn-api": {"method", "route", "status", "kind", "pool"},
    "sojourn-webhooks": {"outcome"},
    "sojourn-edge": {"anchor"},
    "sojourn-app-presence": {"job"},
    "sojourn-bridge": set(),
}


def told() -> set[str]:
    """Every name that some service tells, with the endings of counts and histograms."""
    ingest_registry, api_registry, webhook_registry = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
    ingest.meters.Meters(ingest_registry)
    api.meters.Meters(api_registry)
    webhooks.meters.Meters(webhook_registry)
    bridge_registry = BridgeMeters().registry
    names: set[str] = set()
    for registry in (ingest_registry, api_registry, webhook_registry, bridge_registry, make_registry("any")):
        for family in registry.collect():
            names |= _names(family.name, family.type)
    # what is told only while something is there to be looked at
    looked_at: set[str] = set()
    for module in (api.meters, edge_meters):
        source = Path(str(module.__file__)).read_text()
        looked_at |= {f"sojourn_api_{name}" for name in re.findall(r'_one\(\s*\w+, "(\w+)"', source)}
        looked_at |= {f"sojourn_edge_{name}" for name in re.findall(r'_gauge\("(\w+)"', source)}
        looked_at |= set(re.findall(r'"(sojourn_(?:api|edge)_\w+)"', source))
    apps = Path(str(api.app_presence.forward.__file__)).read_text()
    looked_at |= {f"sojourn_app_presence_{name}" for name in re.findall(r'f"{name}_(\w+)"', apps)}
    looked_at |= {f"sojourn_api_pool_{name}" for _, name, _, _ in api.meters._POOLS}
    looked_at |= {f"sojourn_edge_{name}" for name in edge_meters._HEARD}
    return names | looked_at | {f"{name}_total" for name in looked_at}


def _names(name: str, kind: str) -> set[str]:
    endings = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(kind, ("",))
    return {name + ending for ending in endings}


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    loaded = json.loads((DEPLOY / "grafana/dashboards/services/operation.json").read_text())
    return [panel for panel in loaded["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_can_be_read_and_names_what_there_is(where: str, expression: str) -> None:
    parsed = promql_parser.parse(expression)
    assert parsed is not None
    named = set(re.findall(r"\b((?:sojourn|process|python)_\w+|up)\b(?!\s*\()", re.sub(r'"[^"]*"', "", expression)))
    assert named, where
    assert named <= told() | BY_PROMETHEUS, f"{where}: {named - told() - BY_PROMETHEUS}"


def test_what_does_not_exist_would_be_found() -> None:
    assert "sojourn_ingest_batches_total" in told()
    assert "sojourn_ingest_commit_seconds_bucket" in told()
    assert {"sojourn_ingest_made_up_total", "sojourn_ingest_batches"} & told() == set()


def test_every_alert_says_what_to_do_and_who_is_called() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "do"} <= rule["annotations"].keys()
        assert re.fullmatch(r"Sojourn[A-Za-z]+", rule["alert"])
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_the_labels_of_annotations_are_there() -> None:
    allowed = set.union(*LABELS.values()) | {"instance"}
    for rule in rules():
        used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        assert used <= allowed


def test_every_job_that_is_asked_for_is_scraped() -> None:
    jobs = {job["job_name"] for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]}
    assert jobs == set(LABELS)
    asked = set(re.findall(r'job="([^"]+)"', " ".join(expression for _, expression in expressions())))
    assert asked <= jobs


def test_a_service_that_is_gone_is_told_by_another_than_itself() -> None:
    missed = {job for rule in rules() for job in re.findall(r'up\{job="([^"]+)"\}', rule["expr"])}
    assert missed == set(LABELS)


def test_the_dashboards_panels_do_not_lie_on_each_other() -> None:
    seen: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & seen, panel["title"]
        assert place["x"] + place["w"] <= 24
        seen |= cells
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/sojourn.yaml").read_text())["datasources"]
    uids = {source["uid"] for source in sources}
    assert {panel["datasource"]["uid"] for panel in panels()} <= uids


def test_promtool_takes_both() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on this machine (Debian: package prometheus)")
    subprocess.run([promtool, "check", "rules", PROMETHEUS / "rules.yml"], check=True)
    subprocess.run([promtool, "check", "config", PROMETHEUS / "prometheus.yml"], check=True)
