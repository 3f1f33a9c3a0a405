"""Signals of days as Parquet: whole or not there, as often as new rows come, decoded as the log is, erasable."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from core.errors import InputError
from core.privacy.suppression import subject_hash
from simulators.recordings.reading import open_recording
from simulators.recordings.rows import TypedRows
from storage.archive.partitions import fetch, partitions
from storage.archive.places import Place
from storage.connect import Connection, connect, in_transaction
from storage.log.signals import tally
from storage.privacy.keys import Entry, PrivacyFolder
from storage.privacy.suppression import suppress
from tests.api.serving import free_port, wait_for
from tests.ingest.conftest import Store
from tests.ingest.late_store import BEGIN, HERE, OTHER, SHOPPER, Heard, LateStore, S, batches, in_pieces
from tests.ingest.test_recompute import bring, command, otherwise

pytestmark = pytest.mark.servers


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    with connect(store.url) as connection:
        yield connection


def held(place: Place) -> pl.DataFrame:
    """All that an archive holds, checked against its manifests."""
    frames = []
    for one in partitions(place):
        path = Path(place.target, one.part)
        fetch(place, one, path.with_suffix(".copy"))
        frames.append(pl.read_parquet(path))
    return pl.concat(frames)


def test_an_archive_is_whole_grows_is_decoded_as_the_log_is_and_can_be_erased(
    store: Store, connection: Connection, tmp_path: Path
) -> None:
    bring(connection, store)
    otherwise(connection, store)
    words = ("archive", "--to", str(tmp_path / "a"), "--retain", "signals=4000d", "--quiet")
    assert "3 days of stores written" in command(store, *words)
    assert "0 days of stores written" in command(store, *words)
    place = Place(str(tmp_path / "a"))
    assert [one.day.isoformat() for one in partitions(place)] == ["2026-03-02", "2026-03-03", "2026-03-04"]
    once = held(place)
    assert len(once) == tally(connection, store.id).signals
    assert not list(tmp_path.rglob("*#*")), "no half of a file is left"
    # decoded again from the archive it gives what the log gives
    recompute = (
        "recompute",
        "--from",
        "2026-03-02",
        "--to",
        "2026-03-04",
        "--model",
        "latest",
        "--quiet",
        "--dry-run",
    )
    found = []
    for more in (["--archive", str(tmp_path / "a")], ["--afresh"]):
        command(store, *recompute, *more)
        found.append(connection.execute("select * from recompute_change order by visit_id, revision").fetchall())
    strip = [[row[2:] for row in rows] for rows in found]
    assert len(strip[0]) > 6
    assert strip[0] == strip[1]
    # what comes late is added to the day it belongs to
    late = batches(b"\7" * 16, in_pieces([Heard(SHOPPER, "a0", 700, 720)]), HERE)
    LateStore(connection, store.no).bring("e9", late, arrived_s=61 * 3600)
    assert "1 days of stores written" in command(store, *words)
    now = held(place)
    assert len(now) == len(once) + 80 // 2
    assert now.filter(pl.col("log_no") <= once["log_no"].max()).equals(once)
    # a partition is a recording
    path = Path(place.target, partitions(place)[0].part)
    typed = [rows for rows in open_recording(path).rows() if isinstance(rows, TypedRows)]
    assert sum(len(rows.frame) for rows in typed) == len(pl.read_parquet(path))
    # whoever is erased is gone from every day, whoever is not stays
    assert "2 days of stores" in command(store, "archive", "erase", "--to", place.target, "--device", SHOPPER.hex())
    left = held(place)
    assert left.equals(now.filter(pl.col("device") != SHOPPER.hex()))
    assert 0 < len(left) < len(now)
    # and so is who is on the suppression list, for as long as the device was hers, once
    folder = PrivacyFolder(tmp_path / "privacy")
    before = BEGIN + 300 * S
    entry = Entry("device", subject_hash(folder.key, "device", OTHER), None, before // 1000, BEGIN // 1000)
    in_transaction(connection, lambda connection: suppress(connection, folder, [entry]))
    erased = command(store, *words, "--privacy", str(folder.folder))
    hers = (pl.col("device") == OTHER.hex()) & (pl.col("ts") < before)
    assert f"{len(left.filter(hers))} signals of people who were erased" in erased
    assert 0 < len(left.filter(hers)) < len(left.filter(pl.col("device") == OTHER.hex()))
    assert held(place).equals(left.filter(~hers))
    assert "0 signals of people" in command(store, *words, "--privacy", str(folder.folder))
    # what is damaged is said, and made anew from the log
    one = partitions(place)[1]
    Path(place.target, one.part).write_bytes(b"PAR1")
    with pytest.raises(InputError, match="damaged"):
        fetch(place, one, tmp_path / "copy")
    # and what is older than the policy is gone
    assert "3 older than 30 days are gone" in command(
        store, "archive", "--to", place.target, "--privacy", str(folder.folder), "--quiet"
    )
    assert partitions(place) == []
    assert not list(Path(place.target).rglob("*.parquet"))


def test_a_write_that_was_cut_off_leaves_what_can_be_read(
    store: Store, connection: Connection, tmp_path: Path
) -> None:
    bring(connection, store)
    words = ("archive", "--to", str(tmp_path), "--retain", "signals=4000d", "--quiet")
    command(store, *words)
    place = Place(str(tmp_path))
    one = partitions(place)[0]
    manifest, part = (Path(place.target, name).read_bytes() for name in (one.manifest, one.part))
    command(store, "archive", "erase", "--to", place.target, "--device", SHOPPER.hex())
    after = json.loads(Path(place.target, one.manifest).read_bytes())
    # killed before or after the new file took its place: the manifest of both stands there
    both = json.dumps(json.loads(manifest) | {"next": after}).encode()
    place.write(one.manifest, both)
    assert fetch(place, one, tmp_path / "copy").rows == after["rows"]
    place.write(one.part, part)
    assert fetch(place, one, tmp_path / "copy").rows == json.loads(manifest)["rows"]
    # a first file without its manifest counts for nothing and is made anew
    place.remove(one.manifest)
    assert one not in partitions(place)
    assert "1 days of stores written" in command(store, *words)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A bucket of an S3 that runs on this machine."""
    port = free_port()
    with (tmp_path / "s3.log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=log, stderr=log)
    monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    try:
        import httpx  # noqa: PLC0415

        def made() -> bool:
            try:
                return httpx.put(f"http://127.0.0.1:{port}/chain").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(made, "a bucket", seconds=60)
        yield "s3://chain/signals"
    finally:
        server.terminate()
        server.wait()


def test_s3_holds_an_archive_as_a_folder_does(
    store: Store, connection: Connection, bucket: str, tmp_path: Path
) -> None:
    bring(connection, store)
    words = ("--retain", "signals=4000d", "--quiet")
    assert "3 days of stores written" in command(store, "archive", "--to", bucket, *words)
    command(store, "archive", "--to", str(tmp_path / "a"), *words)
    remote, local = Place(bucket), Place(str(tmp_path / "a"))
    assert partitions(remote) == partitions(local)
    for one in partitions(remote):
        rows = fetch(remote, one, tmp_path / "remote").rows
        assert pl.read_parquet(tmp_path / "remote").equals(pl.read_parquet(Path(local.target, one.part)))
        assert rows > 0
    assert "2 days" in command(store, "archive", "erase", "--to", bucket, "--device", SHOPPER.hex())
    assert "3 older" in command(store, "archive", "--to", bucket, "--quiet")
    assert list(remote.names("")) == []
