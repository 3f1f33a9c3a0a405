"""What an edge tells of itself, on an address or in a file."""

from pathlib import Path

import pytest

from edge.agent import Agent, AgentSettings
from edge.broker import Broker
from edge.meters import Meters, telling
from edge.readings import ReadingQueue
from tests.telemetry.scraping import read_exposition, scraped, value


@pytest.fixture
def meters(tmp_path: Path) -> Meters:
    settings = AgentSettings(
        store="shop",
        edge="edge-1",
        anchors=("a01",),
        broker=Broker.from_url("mqtt://127.0.0.1:1"),
        keys=tmp_path / "keys",
        outbox=tmp_path / "outbox.sqlite3",
    )
    meters = Meters(Agent(settings, ReadingQueue()))
    meters.adapters = {
        "a01": {"adapter": "hci0", "state": "listening", "reason": "", "adverts": 12, "signals": 5, "not_ours": 7},
        "a02": {"reason": "no such adapter", "adverts": 0},
    }
    return meters


def test_adapters_outbox_and_broker(meters: Meters) -> None:
    series = scraped(meters.registry)
    assert value(series, "sojourn_edge_adverts_total", anchor="a01") == 12
    assert value(series, "sojourn_edge_signals_total", anchor="a01") == 5
    assert value(series, "sojourn_edge_adapter_away", anchor="a01") == 0
    assert value(series, "sojourn_edge_adapter_away", anchor="a02") == 1
    assert value(series, "sojourn_edge_connected") == value(series, "sojourn_edge_outbox_messages") == 0
    assert value(series, "sojourn_edge_gap_signals_total") == 0


def test_it_is_served_or_written(meters: Meters, tmp_path: Path) -> None:
    file = tmp_path / "sojourn.prom"
    with telling(meters, str(file)) as told:
        told.rewrite()
        written = read_exposition(file.read_text())
        meters.adapters = {}
        told.rewrite()
        assert not [name for name, _ in read_exposition(file.read_text()) if name == "sojourn_edge_adverts_total"]
    assert value(written, "sojourn_edge_adverts_total", anchor="a01") == 12
    with telling(meters, str(tmp_path / "nowhere" / "sojourn.prom")) as told:
        told.rewrite()  # said once in the log; an edge does not end for it
    with telling(meters, "127.0.0.1:0") as told:
        told.rewrite()
