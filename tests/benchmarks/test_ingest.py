"""What the benchmark of the whole way is made of; that it runs, and finds what is lost, is tested on real servers."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ingest.air import HEARD_BY, SIGNALS, ZONES, StoreAir, nothing, plan_text
from benchmarks.ingest.checking import check
from benchmarks.ingest.cost import Moment, cost_between, cpu_s
from benchmarks.ingest.machine import Servers, on_servers
from benchmarks.ingest.measuring import Asked, measure_product
from benchmarks.ingest.report import flat
from benchmarks.ingest.stacks import shares
from core.floorplan import load
from core.wire import decode, encode
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres

SECOND = 1_000_000_000


def test_what_edges_hear_is_unique_in_order_and_strongest_where_the_device_is() -> None:
    air = StoreAir(0, devices=300, edges=4)
    heard = air.hear(2_000, 1_800_000_000 * SECOND, 1_800_000_010 * SECOND)
    ts = np.concatenate([edge.ts for edge in heard])
    device = np.concatenate([edge.device for edge in heard])
    anchor = np.concatenate([edge.anchor + 4 * number for number, edge in enumerate(heard)])
    level = np.concatenate([edge.rssi_dbm for edge in heard])
    assert len(ts) % HEARD_BY == 0
    assert len(np.unique(np.stack([ts, anchor, device]), axis=1).T) == len(ts)
    assert all((np.diff(edge.ts) >= 0).all() for edge in heard)
    near = level > -66
    assert near.mean() == pytest.approx(1 / HEARD_BY, abs=0.02)
    stays = {(d, a) for d, a in zip(device[near].tolist(), anchor[near].tolist(), strict=True)}
    assert len(stays) < 1.6 * len({d for d, _ in stays})  # in ten seconds hardly anybody changes zones
    assert len(load(plan_text(2)).stores[1].anchors) == ZONES


def test_a_batch_of_it_survives_the_wire() -> None:
    air = StoreAir(1, devices=50, edges=2)
    heard = nothing()
    while len(heard) < SIGNALS:
        heard = heard.then(air.hear(200, 1_800_000_000 * SECOND, 1_800_000_001 * SECOND)[0])
    batch = decode(encode(air.batch(heard.rows(slice(0, SIGNALS)), 0, bytes(16), 1)))
    assert len(batch) == SIGNALS
    assert set(batch.anchors) == set(air.anchors(0))


def test_cost_counts_a_process_with_what_it_started_and_what_has_ended() -> None:
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    script = (
        f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}])"
        "; print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert cpu_s(process.pid) >= 0.3
        process.send_signal(signal.SIGKILL)
    assert cpu_s(process.pid) == 0.0


def test_rates_are_signals_to_wall_time_and_to_all_cpu() -> None:
    moments = [
        Moment(2.0 * n, 1_000 * n, {"worker": 0.5 * n, "database": 0.25 * n}, {"worker": 50.0 + n, "database": 70.0})
        for n in range(10)
    ]
    cost = cost_between(moments)
    assert cost.per_second == pytest.approx(500)
    assert cost.per_core_second == pytest.approx(9_000 / (4.5 + 2.25))
    assert cost.peak_mb["worker"] == 59.0
    assert flat(moments)["rate"] == pytest.approx(1.0)


def test_a_stack_counts_for_the_part_it_was_in() -> None:
    lines = [
        "run (ingest/worker.py:1);commit (ingest/commit.py:3);append (storage/log/signals.py:4) 6",
        "run (ingest/worker.py:1);push (ingest/feed.py:2);StoreEngine.push_parts (core/dwell/engine.py:4) 3",
        "bootstrap (threading.py:1);_thread_main (paho/mqtt/client.py:4523) 1",
    ]
    found = shares(lines)
    assert found == {"log: COPY": 0.6, "engine: signals to visits": 0.3, "receive: paho's thread": 0.1}


@pytest.mark.servers
def test_a_short_run_is_green_and_the_checker_finds_what_is_missing_or_changed(
    tmp_path: Path, database_server: Postgres, database_url: str, broker: Mosquitto
) -> None:
    servers = Servers(database_server, broker, database_url, broker.url)
    asked = Asked(seconds=3, settle_s=1, stores=1, edges=2, devices=100, rate=4_000, profile=False)
    with on_servers(tmp_path, servers, stores=1, edges=2, devices=100) as running:
        product = measure_product(running, asked)
        assert product.checked.wrong == ()
        assert product.left == 0
        assert product.checked.sent == product.checked.logged == product.checked.decoded > 5_000
        assert product.cost.per_core_second > 1_000
        # of decisions the first of a state counts, of signals any: neither has to be the longer one
        assert product.delays["decision_to_page"][0] > 0
        assert product.delays["signal_to_page"][0] > 0
        running.connection.execute("update signal_log set sha256 = '\\x00' where sequence = 1")
        running.connection.execute("delete from signal_log where sequence = 2 and edge_no = 1")
        found = check(running.connection, product.sent)
    assert sorted(line.split(":")[0] for line in found.wrong)[:2] == ["store-0/edge-0", "store-0/edge-1"]
