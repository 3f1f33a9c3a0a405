"""What a running ingest tells of itself, by counts and by traces."""

import json
import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from core.limits import NS_PER_S
from core.wire import decode, encode
from ingest.commit import Committed
from ingest.meters import REASONS, STORES_TOLD, Meters, StoreState
from ingest.worker import _Worker
from storage.connect import connect
from storage.stores import save_plan
from tests.ingest.conftest import QUICK, Store, client_id, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.world import batch, floor_plan, walks
from tests.telemetry.scraping import Series, in_memory, parents, scraped, value

BOOT = b"\7" * 16
NEWEST = "sojourn_ingest_newest_signal_timestamp_seconds"


@pytest.mark.servers
def test_counts_and_traces_of_a_run(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    registry, stop = CollectorRegistry(), threading.Event()
    tracing, exporter = in_memory()
    settings = replace(QUICK, client_id=client_id(store.url))
    worker = _Worker(store.url, mqtt_url, stop, settings, meters=Meters(registry), tracing=tracing)
    thread = threading.Thread(target=worker.run, name="ingest that is measured")
    with ExitStack() as ending:
        ending.callback(thread.join, 60)
        ending.callback(stop.set)
        thread.start()
        sent = list(walks(1, BOOT, batches=60))
        edge.send(*sent)
        edge.drain()
        edge.publish("signals", b"nonsense")
        edge.publish("signals", sent[3])
        edge.publish("signals", encode(batch(63, boot=BOOT)))  # two are missing before it
        edge.await_acknowledged(63)
        while (
            value(series := scraped(registry), "sojourn_ingest_parked_batches") != 1
            or value(series, "sojourn_ingest_engine_lag_seconds", store=store.id) <= 0
        ):
            stop.wait(0.02)
    assert value(series, "sojourn_ingest_batches_total") == 60
    assert value(series, "sojourn_ingest_signals_total") == 3600
    assert value(series, "sojourn_ingest_duplicate_batches_total") == 1
    assert (
        value(series, "sojourn_ingest_dead_letters_total", reason="encoding")
        + value(series, "sojourn_ingest_dead_letters_total", reason="zstd")
        + value(series, "sojourn_ingest_dead_letters_total", reason="size")
        == 1
    )
    assert value(series, "sojourn_ingest_dead_letters_total", reason="other") == 0
    assert value(series, "sojourn_ingest_coverage_ratio", store=store.id) == 1
    assert value(series, "sojourn_ingest_broker_connected") == value(series, "sojourn_ingest_database_connected") == 1
    assert value(series, "sojourn_ingest_commit_seconds_count") > 0
    assert value(series, "sojourn_ingest_signal_lag_seconds_count") == 60
    with connect(store.url) as connection:
        (visits,) = connection.execute(
            "select (select count(*) from zone_visit) + (select count(*) from store_visit)"
        ).fetchone() or (0,)
    assert visits > 12
    assert value(scraped(registry), "sojourn_ingest_visits_total") >= visits

    spans = exporter.get_finished_spans()
    assert parents(spans) >= {
        ("decode", "batch receive"),
        ("commit", "batch receive"),
        ("feed engines", "batch receive"),
        ("visits", "batch receive"),
        ("live event", "visits"),
    }
    told = json.dumps([dict(span.attributes or {}) for span in spans])
    assert BOOT.hex() not in told
    assert {name for span in spans for name in span.attributes or ()} == {
        "messages", "batches", "dead_letters", "visits", "store", "snapshot",
    }  # fmt: skip


@pytest.mark.servers
def test_a_store_that_fell_silent_before_is_told_after_a_restart_too(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    sent = list(walks(2, BOOT, batches=20))
    newest_s = max(int(decode(one).ts.max()) for one in sent) / NS_PER_S
    with ingesting(store.url, mqtt_url):
        edge.send(*sent)
        edge.drain()
    told = told_in_silence(store, mqtt_url)
    assert value(told, NEWEST, store=store.id) == pytest.approx(newest_s, abs=1e-3)
    assert value(told, "sojourn_ingest_engine_lag_seconds", store=store.id) > 0
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:  # its engine begins afresh, in silence
        save_plan(connection, floor_plan(store.id, zones=5))
        while connection.execute(
            "select max(plan_version) from adopted_plan where store_no = %s", [store.no]
        ).fetchone() != (2,):
            time.sleep(0.01)
    told = told_in_silence(store, mqtt_url)
    assert value(told, NEWEST, store=store.id) == pytest.approx(newest_s, abs=1e-3)


def told_in_silence(store: Store, mqtt_url: str) -> Series:
    """What a fresh ingest tells, to which nothing comes."""
    registry, stop = CollectorRegistry(), threading.Event()
    settings = replace(QUICK, client_id=client_id(store.url))
    worker = _Worker(store.url, mqtt_url, stop, settings, meters=Meters(registry))
    thread = threading.Thread(target=worker.run, name="ingest of a silent store")
    with ExitStack() as ending:
        ending.callback(thread.join, 60)
        ending.callback(stop.set)
        thread.start()
        begun_s = time.monotonic()
        while not value(scraped(registry), "sojourn_ingest_broker_connected"):
            assert time.monotonic() < begun_s + 60
            stop.wait(0.02)
        stop.wait(3 * QUICK.status_s)
        return scraped(registry)


def test_labels_are_bounded_whatever_comes() -> None:
    registry = CollectorRegistry()
    meters = Meters(registry)
    meters.committed(Committed(reasons={"rssi": 2, "what an edge made up": 3}), 0.01)
    one = StoreState(
        store="", newest_at=5_000_000_000, decided_through=2_000_000_000, late=4, anchors=4, anchors_away=1,
        snapshot_age_s=7.0,
    )  # fmt: skip
    meters.stores([replace(one, store=f"s{n}") for n in range(STORES_TOLD + 3)])
    series = scraped(registry)
    assert value(series, "sojourn_ingest_dead_letters_total", reason="rssi") == 2
    assert value(series, "sojourn_ingest_dead_letters_total", reason="other") == 3
    assert value(series, "sojourn_ingest_stores_untold") == 3
    assert value(series, "sojourn_ingest_engine_lag_seconds", store="s0") == 3
    assert value(series, "sojourn_ingest_coverage_ratio", store="s0") == 0.75
    assert value(series, "sojourn_ingest_late_signals_total", store="s0") == 4
    assert len({name for name in series if name[0] == "sojourn_ingest_coverage_ratio"}) == STORES_TOLD
    assert {dict(labels)["reason"] for name, labels in series if name == "sojourn_ingest_dead_letters_total"} == (
        REASONS | {"other"}
    )
