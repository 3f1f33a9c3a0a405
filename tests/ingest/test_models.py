"""Models in a live store: loaded, learnt, adopted and let go, with what was decoded under them."""

import itertools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import structlog.testing
from typer.testing import CliRunner

import sojourn
from core.dwell.model import dump
from core.errors import ModelError
from core.limits import NS_PER_S
from core.wire import Batch, decode, encode
from ingest.learning import learn, signals_least
from ingest.refresh import period
from simulators.replay.calibrate import calibrate_recording
from simulators.replay.running import replay
from storage.connect import Connection, connect
from storage.models import LogSpan, adopted_models, model_use, newest_span, stored_models
from storage.stores import adopted_plans, save_plan
from tests.ingest import world
from tests.ingest.conftest import QUICK, Store, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.world import cold_replay, stored_visits, walks

pytestmark = pytest.mark.servers
BOOT = b"\6" * 16


def write_recording(payloads: list[bytes], store: str, path: Path) -> None:
    parts = []
    for payload in payloads:
        batch = decode(payload)
        devices = [device.tobytes().hex() for device in batch.devices]
        parts.append(
            pl.DataFrame(
                {
                    "ts": batch.ts,
                    "store": [store] * len(batch),
                    "anchor": [batch.anchors[place] for place in batch.anchor.tolist()],
                    "device": [devices[place] for place in batch.device.tolist()],
                    "rssi_dbm": batch.rssi_dbm.astype(np.float64),
                }
            )
        )
    pl.concat(parts).write_parquet(path)


def command(store: Store, *words: str) -> str:
    result = CliRunner().invoke(
        sojourn.app, ["model", *words], env={"SOJOURN_DATABASE_URL": store.url, "COLUMNS": "200"}
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def await_adopted(connection: Connection, store: Store, version: int) -> None:
    while not (found := adopted_models(connection, store.no)) or found[-1].version != version:
        time.sleep(0.01)


def forget_derived(connection: Connection) -> None:
    for table in ("engine_snapshot", "zone_visit", "store_visit", "presence", "engine_progress"):
        connection.execute(f"delete from {table}")


def await_visits(connection: Connection, store: Store, expected: set[tuple[object, ...]]) -> None:
    until = time.monotonic() + 60
    while stored_visits(connection, store.no) != expected:
        assert time.monotonic() < until, "the visits did not come again"
        time.sleep(0.05)


def test_live_and_offline_visits_are_equal_under_the_same_model(
    store: Store, mqtt_url: str, edge: EdgeDouble, tmp_path: Path
) -> None:
    sent = list(walks(21, BOOT, batches=90))
    recording, plan, model = tmp_path / "day.parquet", tmp_path / "plan.json", tmp_path / "store.model"
    write_recording(sent, store.id, recording)
    with connect(store.url) as connection:
        (text,) = connection.execute("select plan::text from store where id = %s", [store.id]).fetchone() or ("",)
    plan.write_text(f'{{"stores": [{text}]}}')
    calibrate_recording(recording, plan, model)
    assert "version 1" in command(store, "load", str(model), "--adopt")
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        await_adopted(connection, store, 1)
        edge.send(*sent)
        edge.drain()
    replay(recording, plan, tmp_path / "visits.parquet", model=model)
    replay(recording, plan, tmp_path / "priors.parquet", calibrate=False)
    columns = "entered_at, left_at, entered_earliest, entered_latest, left_earliest, left_latest"
    instants = ", ".join(f"(extract(epoch from {name}) * 1000000)::bigint" for name in columns.split(", "))
    with connect(store.url) as connection:
        live = set(
            connection.execute(
                f"select zone.id, {instants}, signals, word from zone_visit join zone using (store_no, zone_no)"
                " join closed_by on code = zone_visit.closed_by"
            ).fetchall()
        )
        versions = connection.execute("select distinct model_version from zone_visit").fetchall()
        row = connection.execute("select decided_through from engine_progress").fetchone()
    assert versions == [(1,)]
    assert row is not None
    decided_us = int(row[0].timestamp() * 1e6)

    def offline(name: str) -> set[tuple[object, ...]]:
        frame = pl.read_parquet(tmp_path / name).filter(pl.col("kind") == "zone")
        times = [pl.col(column) // 1000 for column in columns.split(", ")]
        return set(frame.select("zone", *times, "signals", "closed_by").iter_rows())

    assert len(live) > 20
    assert live <= offline("visits.parquet")
    ended = {row for row in offline("visits.parquet") if isinstance(row[2], int) and row[2] < decided_us}
    assert ended <= live
    assert not live <= offline("priors.parquet"), "the model does make a difference here"


def test_a_model_learnt_and_adopted_while_visits_are_open_is_replayed_at_its_place(
    store: Store, mqtt_url: str, edge: EdgeDouble, tmp_path: Path
) -> None:
    sent = list(walks(22, BOOT, batches=120))
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        edge.send(*sent[:80])
        edge.drain()
        said = command(store, "learn", store.id, "--last", "1h", "--adopt", "--quiet")
        assert "version 1, learnt on" in said
        await_adopted(connection, store, 1)
        edge.send(*sent[80:])
        edge.drain()
    with connect(store.url) as connection:
        found = stored_visits(connection, store.no)
        assert found == cold_replay(connection, store.no)
        versions = "select model_version, count(*) from zone_visit group by 1 order by 1"
        counts = connection.execute(versions).fetchall()
        assert [row[0] for row in counts] == [0, 1], "each visit tells under which model it was decided"
        assert model_use(connection, store.no).in_use == 1
        listed = command(store, "list", store.id)
        assert "in use" in listed
        # the same from a snapshot in between, and from none
        (newest,) = connection.execute("select max(log_no) from engine_snapshot").fetchone() or (0,)
        assert connection.execute(
            "select model_version from engine_snapshot where log_no = %s", [newest]
        ).fetchone() == (1,)
        forget_derived(connection)
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        await_visits(connection, store, found)
        assert connection.execute(versions).fetchall() == counts
    command(store, "save", store.id, "1", "--out", str(tmp_path / "kept.model"))
    assert "version 2" in command(store, "load", str(tmp_path / "kept.model"))
    with connect(store.url) as connection:
        one, two = connection.execute("select model from model order by version").fetchall()
        assert one == two
        assert len(adopted_models(connection, store.no)) == 1, "loading alone adopts nothing"


def test_ingest_goes_on_from_a_snapshot_under_a_model(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    sent = list(walks(23, BOOT, batches=120))
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        edge.send(*sent[:80])
        edge.drain()
        command(store, "learn", store.id, "--adopt", "--quiet")
        await_adopted(connection, store, 1)
        edge.send(*sent[80:100])
        edge.drain()
    with structlog.testing.capture_logs() as logs, ingesting(store.url, mqtt_url):
        edge.send(*sent[100:])
        edge.drain()
    assert not [line for line in logs if "snapshot" in line["event"]], "the snapshot fits its model"
    with connect(store.url) as connection:
        assert stored_visits(connection, store.no) == cold_replay(connection, store.no)


def test_a_changed_plan_lets_the_model_go_and_says_so_once(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    sent = list(walks(24, BOOT, batches=100))
    with structlog.testing.capture_logs() as logs, ingesting(store.url, mqtt_url), connect(store.url) as connection:
        edge.send(*sent[:80])
        edge.drain()
        command(store, "learn", store.id, "--adopt", "--quiet")
        await_adopted(connection, store, 1)
        save_plan(connection, world.floor_plan(store.id, zones=5))
        while len(adopted_plans(connection, store.no)) < 2:
            time.sleep(0.01)
        edge.send(*sent[80:])
        edge.drain()
    told = [line for line in logs if line["event"].startswith("the model does not fit the changed floor plan")]
    assert [line["model"] for line in told] == [1]
    with connect(store.url) as connection:
        assert model_use(connection, store.no).in_use == 0
    listed = command(store, "list", store.id)
    assert "was in use until the floor plan changed, does not fit the floor plan" in listed
    with pytest.raises(ModelError, match="another floor plan"):
        command(store, "adopt", store.id, "1")


def test_what_cannot_be_used_is_refused_with_a_sentence(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no version 7"):
        command(store, "adopt", store.id, "7")
    with pytest.raises(ModelError, match="holds no signal"):
        command(store, "learn", store.id, "--quiet")
    (tmp_path / "torn").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="not a model"):
        command(store, "load", str(tmp_path / "torn"))
    assert "priors" in command(store, "list", store.id)


def test_too_few_signals_make_no_model_and_the_same_log_the_same_one(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    sent = list(walks(25, BOOT, batches=90))
    with ingesting(store.url, mqtt_url):
        edge.send(*sent)
        edge.drain()
    with connect(store.url) as connection:
        plan = adopted_plans(connection, store.no)[0].plan
        span = newest_span(connection, store.no)
        assert span is not None
        told: list[float] = []
        one = learn(connection, store.no, plan, span, progress=told.append)
        two = learn(connection, store.no, plan, span)
        assert one is not None
        assert two is not None
        assert dump(one) == dump(two)
        assert told[-1] == 1.0
        assert learn(connection, store.no, plan, span, stopped=lambda: True) is None
        few = LogSpan(span.through - 3, span.through, 0, 0, 180)
        with pytest.raises(ModelError, match=f"needs {signals_least(4)}"):
            learn(connection, store.no, plan, few)


def test_a_long_log_is_read_in_pieces(
    store: Store, mqtt_url: str, edge: EdgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = list(walks(26, BOOT, batches=120))
    with ingesting(store.url, mqtt_url):
        edge.send(*sent)
        edge.drain()
    with connect(store.url) as connection:
        plan = adopted_plans(connection, store.no)[0].plan
        span = newest_span(connection, store.no)
        assert span is not None
        assert span.signals == 7200
        monkeypatch.setattr("ingest.learning.SIGNALS_READ", 3600)
        monkeypatch.setattr("ingest.learning.PIECES", 4)
        taken: list[int] = []

        def noted(payload: bytes) -> Batch:
            taken.append(decode(payload).sequence)
            return decode(payload)

        monkeypatch.setattr("ingest.learning.decode", noted)
        learn(connection, store.no, plan, span)
    assert taken == [*range(1, 16), *range(31, 46), *range(61, 76), *range(91, 106)]


def test_a_model_is_learnt_by_itself_once_a_period_of_the_data(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    sent = list(walks(27, BOOT, batches=120))  # twenty minutes
    every_s = 600
    with (
        ingesting(store.url, mqtt_url, replace(QUICK, calibrate_every_s=every_s)),
        connect(store.url) as connection,
    ):
        # the first row's arrival counts as the period that is done, so the data has to reach the next one
        edge.send(*sent)
        edge.drain()
        assert stored_models(connection, store.no) == []
        connection.execute("update signal_log set received_at = received_at - interval '1 hour'")
        late = decode(sent[-1])
    with (
        ingesting(store.url, mqtt_url, replace(QUICK, calibrate_every_s=every_s)),
        connect(store.url) as connection,
    ):
        edge.send(encode(world.batch(121, boot=BOOT, ts=[int(late.ts.max())])))
        edge.drain()
        await_adopted(connection, store, 1)
        (model,) = stored_models(connection, store.no)
        assert model.origin == "learnt"
        assert model.span is not None
        plan = adopted_plans(connection, store.no)[0].plan
        again = learn(connection, store.no, plan, model.span)
        kept = connection.execute("select model from model").fetchone()
    assert again is not None
    assert kept is not None
    assert dump(again) == bytes(kept[0]), "the same log gives the same model"
    with connect(store.url) as connection:
        assert stored_visits(connection, store.no) == cold_replay(connection, store.no)


def test_periods_begin_at_three_by_the_clock_on_the_stores_wall() -> None:
    def at(text: str) -> int:
        return int(np.datetime64(text, "ns").astype(np.int64))

    day_s = 24 * 3600
    for timezone, three in (("UTC", "2026-03-01T03:00"), ("Asia/Tokyo", "2026-02-28T18:00")):
        assert period(at(three), timezone, day_s) == period(at(three) - 1, timezone, day_s) + 1
    # summer time: the night of 29 March has no hour from two to three in Berlin
    stamps = [at("2026-03-28T12:00") + hour * 3600 * NS_PER_S for hour in range(48)]
    periods = [period(stamp, "Europe/Berlin", day_s) for stamp in stamps]
    assert all(two - one in (0, 1) for one, two in itertools.pairwise(periods))
    assert periods[-1] - periods[0] == 2
