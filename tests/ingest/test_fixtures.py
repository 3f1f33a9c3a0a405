"""Recorded from a real broker, played back through it: a fixture gives the same visits live and offline."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import msgspec
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import sojourn
from commands.running import stop_on_signals
from core.errors import ConfigurationError, RecordingError, UnavailableError
from core.wire import decode
from edge.broker import Broker
from servers.mosquitto import Mosquitto
from simulators.fixtures import player
from simulators.fixtures.pacing import Pacer
from simulators.fixtures.pieces import measure
from simulators.fixtures.recorder import Recorder
from simulators.fixtures.recording import record
from simulators.fixtures.sealing import check_seal, provenance_of
from storage.connect import connect
from storage.log.signals import tally
from tests.ingest import world
from tests.ingest.conftest import Store, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.world import walks

pytestmark = pytest.mark.servers
BOOT = b"\7" * 16


def sojourn_says(*words: str) -> str:
    done = CliRunner().invoke(sojourn.app, list(words))
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Commands that run for long take the process's signals; give them back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def fixture(store: Store, mqtt_url: str, edge: EdgeDouble, tmp_path: Path) -> Path:
    """Ten minutes of twelve shoppers, recorded while an edge sends them; one message is no batch."""
    sent = list(walks(3, BOOT, batches=60))
    stop, out = threading.Event(), tmp_path / "fixture.parquet"
    asked = threading.Event()

    def told(recorder: Recorder) -> None:
        if not asked.is_set():  # the recorder listens by now
            asked.set()
            edge.publish("signals", b"no batch")
            for payload in [*sent[:10], *sent[12:20], *sent[10:]]:  # two are late, and eight come again
                edge.publish("signals", payload)
        if recorder.messages == len(sent) + 9:
            stop.set()

    made = record(Broker.from_url(mqtt_url), out, stop, stores=[store.id], for_s=30, told=told)
    assert (made.messages, made.unreadable, made.rows, made.stores) == (69, 1, 3600, (store.id,))
    assert made.repeated == 8
    heard = pl.read_parquet(out)
    batches = [decode(payload) for payload in sent]
    assert heard["ts"].to_list() == np.concatenate([batch.ts for batch in batches]).tolist()
    before = [batch.devices[place].tobytes().hex() for batch in batches for place in batch.device]
    pairs = set(zip(before, heard["device"].to_list(), strict=True))
    assert len(pairs) == 12, "each device has one new name, and no two the same"
    assert not {old for old, _ in pairs} & {new for _, new in pairs}
    return out


def test_a_fixture_gives_the_same_visits_live_and_offline(
    fixture: Path, store: Store, mqtt_url: str, tmp_path: Path
) -> None:
    plan, out = tmp_path / "plan.json", tmp_path / "visits.parquet"
    plan.write_bytes(msgspec.json.encode(world.floor_plan(store.id)))
    asked = ("replay", str(fixture), "--floorplan", str(plan), "--quiet")
    sojourn_says(*asked, "--out", str(out), "--no-calibration")
    with ingesting(store.url, mqtt_url):
        said = sojourn_says(*asked, "--live", "--speed", "1000", "--mqtt-url", mqtt_url)
    assert "3,600 signals of 1 stores" in said
    moved_ns = int(said.split("moved by ")[1].split(" ns")[0])

    with connect(store.url) as connection:
        rows = connection.execute(
            "select 'zone', device, zone.id, entered_at, left_at, signals"
            " from zone_visit join zone using (store_no, zone_no)"
            " union all select 'store', device, '', entered_at, left_at, signals from store_visit"
        ).fetchall()
    live = {
        (kind, UUID(str(device)).hex, zone, _us(entered) - moved_ns // 1000, _us(left) - moved_ns // 1000, signals)
        for kind, device, zone, entered, left, signals in rows
    }
    offline = pl.read_parquet(out)
    found = {
        (row["kind"], row["device"], row["zone"], row["entered_at"] // 1000, row["left_at"] // 1000, row["signals"])
        for row in offline.iter_rows(named=True)
        if row["closed_by"] != "end_of_recording"  # live, nobody knows that no more will come
    }
    assert len(found) > 20
    assert live == found


def test_a_broker_that_goes_away_leaves_a_hole_that_the_fixture_tells(own_broker: Mosquitto, tmp_path: Path) -> None:
    sent, out, stop = list(walks(3, BOOT, batches=40)), tmp_path / "fixture.parquet", threading.Event()
    edge = EdgeDouble(own_broker.url, "shop")
    phases = iter(("listens", "lost", "back", "over"))
    phase = [next(phases)]
    away: list[str] = []

    def told(recorder: Recorder) -> None:
        if phase[0] == "listens":
            for payload in sent[:10]:
                edge.publish("signals", payload)
            phase[0] = next(phases)
        elif phase[0] == "lost" and recorder.messages == 10:
            own_broker.stop()
            phase[0] = next(phases)
        elif recorder.away is not None:
            away.append(recorder.away)
            if not own_broker.running:
                own_broker.start()
        elif phase[0] == "back" and away:
            for payload in sent[12:]:
                edge.publish("signals", payload)
            phase[0] = next(phases)
        elif recorder.messages >= 38:
            stop.set()

    made = record(Broker.from_url(own_broker.url), out, stop, stores=["shop"], for_s=30, told=told)
    edge.close()
    assert stop.is_set()
    assert "broker cannot be used" in away[0]
    assert (made.rows, made.missing, made.torn, len(made.holes)) == (38 * 60, 2, "", 1)
    assert made.recorded_from < made.holes[0].since < made.holes[0].until < made.recorded_until
    assert check_seal(out) == made
    told_of = made.lacks()
    assert len(told_of) == 2
    assert "was away" in told_of[0]
    assert told_of[1].startswith("2 batches")
    heard = pl.read_parquet(out)["ts"].to_list()
    assert heard == np.concatenate([decode(payload).ts for payload in [*sent[:10], *sent[12:]]]).tolist()


def test_a_terminal_that_is_closed_ends_a_command_but_not_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    stop = stop_on_signals()
    os.kill(os.getpid(), signal.SIGHUP)
    assert stop.wait(5)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_on_signals()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


_LOOKING = """
from commands.running import stop_on_signals
stop = stop_on_signals()
print("looks", flush=True)
while not stop.wait(0):
    pass
"""


def test_a_command_that_looks_whether_to_stop_is_stopped_at_any_moment() -> None:
    """They look without a pause: the signal meets about half of them where they hold the event's own lock."""
    looking = [
        subprocess.Popen([sys.executable, "-c", _LOOKING], stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    try:
        for one in looking:
            assert one.stdout is not None
            assert one.stdout.readline() == "looks\n"
            one.terminate()
        assert [one.wait(30) for one in looking] == [0] * len(looking)
    finally:
        for one in looking:
            one.kill()
            one.communicate()


def test_what_cannot_be_reached_at_first_leaves_no_file(tmp_path: Path) -> None:
    kept = tmp_path / "kept.parquet"
    kept.write_bytes(b"an older one")
    with pytest.raises(UnavailableError):
        record(Broker.from_url("mqtt://127.0.0.1:1"), kept, threading.Event(), for_s=5)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.parquet"]
    assert kept.read_bytes() == b"an older one"


def test_an_ingest_that_starts_late_gets_everything(
    fixture: Path, store: Store, mqtt_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "_AGAIN_S", 0.5)
    plan = tmp_path / "plan.json"
    plan.write_bytes(msgspec.json.encode(world.floor_plan(store.id)))
    measured = measure(fixture, world.floor_plan(store.id))
    played: list[player.Played] = []

    def work() -> None:
        broker, pacer = Broker.from_url(mqtt_url), Pacer(1000, time.monotonic)
        played.append(player.play(fixture, plan, broker, threading.Event(), pacer, measured=measured, speed=1000))

    playing = threading.Thread(target=work)
    playing.start()
    with ingesting(store.url, mqtt_url):
        playing.join(60)
    assert [one.signals for one in played] == [3600]
    with connect(store.url) as connection:
        assert tally(connection, store.id).signals == 3600


def test_a_fixture_that_was_changed_is_refused(fixture: Path, tmp_path: Path) -> None:
    provenance = provenance_of(fixture)
    assert check_seal(fixture) == provenance
    assert provenance is not None
    changed = tmp_path / "changed.parquet"
    rows = pl.read_parquet(fixture).with_columns(pl.col("rssi_dbm") + (pl.col("ts") == pl.col("ts").max()))
    rows.write_parquet(changed, metadata={"sojourn.fixture": msgspec.json.encode(provenance).decode()})
    with pytest.raises(RecordingError, match="checksum does not fit"):
        check_seal(changed)
    learnt = tmp_path / "learnt.model"
    asked = ["calibrate", str(changed), "--floorplan", str(changed), "--out", str(learnt)]
    assert "checksum does not fit" in str(CliRunner().invoke(sojourn.app, asked).exception)
    rows.write_parquet(changed)
    assert check_seal(changed) is None, "without a seal it is a recording as any other"


def test_without_an_ingest_the_player_says_so(
    fixture: Path, store: Store, mqtt_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "_AGAIN_S", 0.1)
    monkeypatch.setattr(player, "_SILENCE_S", 0.3)
    plan = tmp_path / "plan.json"
    plan.write_bytes(msgspec.json.encode(world.floor_plan(store.id)))
    asked = ["replay", str(fixture), "--floorplan", str(plan), "--quiet", "--live", "--speed", "1000", "--mqtt-url"]
    nobody = CliRunner().invoke(sojourn.app, [*asked, mqtt_url])
    assert isinstance(nobody.exception, UnavailableError)
    assert "no ingest has committed any" in str(nobody.exception)
    nowhere = CliRunner().invoke(sojourn.app, [*asked, "mqtt://127.0.0.1:1"])
    assert isinstance(nowhere.exception, UnavailableError)
    old = pl.read_parquet(fixture).with_columns(pl.col("ts") - 30 * 86_400 * 10**9)
    old.write_parquet(tmp_path / "old.parquet")
    asked[1] = str(tmp_path / "old.parquet")
    too_old = CliRunner().invoke(sojourn.app, [*asked, mqtt_url, "--times", "recorded"])
    assert isinstance(too_old.exception, ConfigurationError)
    assert "Use --times now" in str(too_old.exception)


def _us(instant: object) -> int:
    return round(instant.timestamp() * 1e6)  # type: ignore[attr-defined,no-any-return]  # a datetime
