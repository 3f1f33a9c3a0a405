"""Signals of days as Parquet: whole or not there, as often as new rows come, decoded as the log is, erasable."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from core.errors import ConfigurationError, InputError, UnavailableError
from core.privacy.suppression import subject_hash
from simulators.recordings.reading import open_recording
from simulators.recordings.rows import TypedRows
from storage.archive.partitions import Partition, fetch, partitions
from storage.archive.places import Place
from storage.archive.workspace import Workspace
from storage.connect import Connection, connect, in_transaction
from storage.log.signals import tally
from storage.privacy.erasing import begin_job, work_all
from storage.privacy.keys import Entry, PrivacyFolder
from storage.privacy.suppression import suppress
from storage.recompute.runs import open_run
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
    # a file without its manifest counts for nothing and is made anew; a manifest without its file is
    for name in (one.manifest, one.part):
        place.remove(name)
        assert one in partitions(place)
        with pytest.raises(InputError, match="damaged"):
            fetch(place, one, tmp_path / "copy")
        assert "1 days of stores written" in command(store, *words)
        assert fetch(place, one, tmp_path / "copy").rows == json.loads(manifest)["rows"]


def parts(place: Place) -> list[Path]:
    """Whatever holds signals, under its own name or that of a draft."""
    return sorted(path for path in Path(place.target).rglob("*") if "parquet" in path.name)


_KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from storage.archive import keeping
from storage.archive.partitions import Manifest, Partition, put
from storage.archive.places import Place

class Killed(Place):
    left = int(sys.argv[3])
    def done(self):
        Killed.left -= 1
        if not Killed.left:
            os.kill(os.getpid(), signal.SIGKILL)
    def remove(self, path):
        super().remove(path)
        self.done()
    def write(self, path, content):
        super().write(path, content)
        self.done()

place = Killed(sys.argv[2])
if sys.argv[1] == "drop":
    keeping.drop_before(place, date(2026, 12, 1))
else:
    one = next(iter(keeping.partitions(place)))
    manifest = keeping.read_manifest(place, one)
    place.fetch(one.part, Path(sys.argv[4]))
    Place.remove(place, one.part)
    Place.remove(place, one.manifest)
    put(place, one, Path(sys.argv[4]), manifest, None)
"""


def killed(place: Place, what: str, after: int, copy: Path) -> None:
    """Let a process drop all days, or write a first one anew, and be killed after so many changes of the archive."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, what, place.target, str(after), str(copy)],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == -9


@pytest.mark.parametrize(("what", "after"), [("drop", 1), ("drop", 2), ("put", 1), ("put", 2), ("put", 3)])
def test_whoever_is_killed_between_two_steps_leaves_no_signals_that_policy_and_erasure_do_not_find(
    store: Store, connection: Connection, tmp_path: Path, what: str, after: int
) -> None:
    bring(connection, store)
    words = ("archive", "--to", str(tmp_path / "a"), "--quiet")
    command(store, *words, "--retain", "signals=4000d")
    place = Place(str(tmp_path / "a"))
    killed(place, what, after, tmp_path / "copy")
    assert all(path.with_name("manifest.json").exists() for path in parts(place)), "none stands without its manifest"
    connection.execute("delete from signal_log")  # the log drops the days before the next run
    command(store, "archive", "erase", "--to", place.target, "--device", SHOPPER.hex())
    assert not [path for path in parts(place) if SHOPPER.hex() in pl.read_parquet(path)["device"].to_list()]
    command(store, *words)
    assert not [path for path in Path(place.target).rglob("*") if path.is_file()]


def test_what_older_versions_left_without_a_manifest_and_drafts_go(
    store: Store, connection: Connection, tmp_path: Path
) -> None:
    bring(connection, store)
    words = ("archive", "--to", str(tmp_path / "a"), "--quiet", "--retain", "signals=4000d")
    command(store, *words)
    place = Place(str(tmp_path / "a"))
    one, other, _ = partitions(place)
    place.remove(other.manifest)
    Path(place.target, f"{one.part}#1").write_bytes(Path(place.target, one.part).read_bytes())  # as obstore names it
    Path(place.target, one.folder).chmod(0o755)
    Path(place.target, one.part).chmod(0o644)
    assert "1 days of stores written" in command(store, *words)
    assert len(held(place)) == tally(connection, store.id).signals
    assert [path.name for path in parts(place)] == ["part.parquet"] * 3 or "copy" in parts(place)[0].name
    assert not list(Path(place.target).rglob("*#*"))
    assert (Path(place.target, one.part).stat().st_mode & 0o777, Path(place.target, one.folder).stat().st_mode) == (
        0o600,
        0o40700,
    )
    # the log has it no more: who is in it is not known, so all of it goes, and the day is known as lost
    place.remove(other.manifest)
    connection.execute("delete from signal_log")
    with pytest.raises(InputError, match=other.folder):
        command(store, *words)
    assert place.size(other.part) is None
    with pytest.raises(InputError, match="is lost"):
        fetch(place, other, tmp_path / "copy")
    assert "0 days of stores written" in command(store, *words), "said once"


def test_files_of_an_archive_are_their_owner_s_alone(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        place = Place(str(tmp_path / "up" / "a"), make=True)
        place.write("store=s/day=2026-03-02/part.parquet", b"signals")
        (tmp_path / "copy").write_bytes(b"signals")
        place.write("store=s/day=2026-03-03/part.parquet", tmp_path / "copy")
    finally:
        os.umask(mask)
    found = list(tmp_path.joinpath("up").rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in found if path.is_dir()} == {0o700}
    assert [path.stat().st_mode & 0o777 for path in found if path.is_file()] == [0o600] * 2


def damage(place: Place, one: Partition) -> None:
    """Change bytes of a file in place, as a disk does."""
    with Path(place.target, one.part).open("r+b") as file:
        file.seek(100)
        file.write(b"\xff\0\xff\0")


def test_a_damaged_day_keeps_nobody_s_erasure_from_the_others_and_is_made_anew(
    store: Store, connection: Connection, tmp_path: Path
) -> None:
    bring(connection, store)
    words = ("archive", "--to", str(tmp_path / "a"), "--quiet", "--retain", "signals=4000d")
    command(store, *words)
    place = Place(str(tmp_path / "a"))
    first, *others = partitions(place)
    late = bytes([5]) * 16  # of the two days after
    # looked for, it is made anew from the log
    damage(place, first)
    assert "1 days of stores written" in command(store, *words, "--check")
    assert "0 days of stores written" in command(store, *words, "--check")
    assert len(held(place)) == tally(connection, store.id).signals
    # by hand, without a database: she is gone from the others, and the damaged one with whoever is in it
    damage(place, first)
    erased = command(store, "archive", "erase", "--to", place.target, "--device", late.hex())
    assert "taken out of 2 days" in erased
    assert f"went as a whole, whoever was in them: {first.folder}" in erased
    assert place.size(first.part) is None
    for one in others:
        assert late.hex() not in pl.read_parquet(Path(place.target, one.part))["device"].to_list()
    assert "1 days of stores written" in command(store, *words), "the log has that day"
    # every night, with the list: what is damaged is made anew, without her
    folder = PrivacyFolder(tmp_path / "privacy")

    def listed(device: bytes) -> None:
        entry = Entry("device", subject_hash(folder.key, "device", device), None, None, BEGIN // 1000)
        in_transaction(connection, lambda connection: suppress(connection, folder, [entry]))

    nightly = (*words, "--privacy", str(folder.folder))
    damage(place, first)
    listed(OTHER)
    assert "1 days of stores written" in command(store, *nightly)
    now = held(place)
    assert len(now.filter(pl.col("device") == SHOPPER.hex())) > 0
    assert not len(now.filter(pl.col("device") == OTHER.hex()))
    # where the log has it no more it goes, and that is said when the others are done
    damage(place, first)
    connection.execute("delete from signal_log")
    listed(SHOPPER)
    with pytest.raises(InputError, match=f"not in the signal log any more: {first.folder}"):
        command(store, *nightly)
    assert place.size(first.part) is None
    left = pl.concat([pl.read_parquet(Path(place.target, one.part)) for one in others])
    assert not len(left.filter(pl.col("device") == SHOPPER.hex()))
    assert len(left)
    # nobody came on that day? it is not known, so nothing is decoded from it
    otherwise(connection, store)
    recompute = ("recompute", "--from", "2026-03-02", "--to", "2026-03-02", "--model", "latest", "--quiet")
    with pytest.raises(InputError, match="is lost"):
        command(store, *recompute, "--archive", place.target, "--privacy", str(folder.folder))


def test_rows_that_come_after_an_erasure_are_gone_through_too(
    store: Store, connection: Connection, tmp_path: Path
) -> None:
    bring(connection, store)
    folder = PrivacyFolder(tmp_path / "privacy")
    entry = Entry("device", subject_hash(folder.key, "device", SHOPPER), None, None, BEGIN // 1000)
    in_transaction(connection, lambda connection: suppress(connection, folder, [entry]))
    words = ("archive", "--to", str(tmp_path / "a"), "--quiet", "--retain", "signals=4000d")
    nightly = (*words, "--privacy", str(folder.folder))
    assert " 0 signals of people" not in command(store, *nightly)
    # as an ingest logs them that has not taken the list into use yet
    late = batches(b"\7" * 16, in_pieces([Heard(SHOPPER, "a0", 700, 720)]), HERE)
    LateStore(connection, store.no).bring("e9", late, arrived_s=61 * 3600)
    assert " 40 signals of people" in command(store, *nightly)
    assert SHOPPER.hex() not in held(Place(str(tmp_path / "a")))["device"].to_list()


def test_a_day_that_cannot_be_read_now_is_said_after_the_others(
    store: Store, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(connection, store)
    command(store, "archive", "--to", str(tmp_path / "a"), "--retain", "signals=4000d", "--quiet")
    place = Place(str(tmp_path / "a"))
    first, *others = partitions(place)
    whole = Place.fetch

    def failing(self: Place, path: str, into: Path) -> bool:
        if path == first.part:
            raise UnavailableError("A bad sector.")
        return whole(self, path, into)

    monkeypatch.setattr(Place, "fetch", failing)
    late = bytes([5]) * 16
    with pytest.raises(UnavailableError, match="bad sector"):
        command(store, "archive", "erase", "--to", place.target, "--device", late.hex())
    assert place.size(first.part), "it may come back"
    for one in others:
        assert late.hex() not in pl.read_parquet(Path(place.target, one.part))["device"].to_list()


def test_a_work_folder_of_a_killed_process_is_swept_and_one_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os, signal; from storage.archive.workspace import Workspace; w = Workspace();"
        " (w.folder / 'held').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], env=environment, check=False)
    (left,) = tmp_path.iterdir()
    with Workspace() as mine:
        assert not left.exists()
        with Workspace() as other:
            assert mine.exists()
        assert not other.exists()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nobody_who_was_erased_comes_back_from_an_archive(
    store: Store, connection: Connection, tmp_path: Path, workers: str
) -> None:
    if workers != "1":
        pytest.importorskip("distributed", reason="the extra sojourn[dask]")
    bring(connection, store)
    otherwise(connection, store)
    place = str(tmp_path / "a")
    command(store, "archive", "--to", place, "--retain", "signals=4000d", "--quiet")
    folder = PrivacyFolder(tmp_path / "privacy")
    hers = "select count(*) from {} where device = %s"
    tables = ("zone_visit", "store_visit", "visit_revision")
    erasure = in_transaction(
        connection,
        lambda connection: begin_job(connection, [("device", UUID(bytes=SHOPPER))], asked_by="Ada", source="request"),
    )
    assert erasure is not None
    assert connection.execute(hers.format("zone_visit"), [UUID(bytes=SHOPPER)]).fetchone() != (0,)
    assert work_all(connection, folder, lambda: datetime.now(UTC), stopped=lambda: False) == "idle"
    words = (
        "recompute",
        "--from",
        "2026-03-02",
        "--to",
        "2026-03-04",
        "--model",
        "latest",
        "--quiet",
        "--workers",
        workers,
    )
    with pytest.raises(ConfigurationError, match="the key of their list is not here"):
        command(store, *words, "--archive", place)
    assert open_run(connection) is None
    assert "were revised" in command(store, *words, "--archive", place, "--privacy", str(folder.folder))
    assert [connection.execute(hers.format(table), [UUID(bytes=SHOPPER)]).fetchone() for table in tables] == [
        (0,)
    ] * 3


def test_without_an_archive_or_signals_nothing_is_made_and_it_is_said(
    store: Store, connection: Connection, tmp_path: Path
) -> None:
    bring(connection, store)
    words = ("--model", "0", "--quiet", "--dry-run")
    days = ("--from", "2026-03-02", "--to", "2026-03-04")
    for again in (("recompute", *days, *words, "--archive"), ("archive", "erase", "--device", "ab" * 16, "--to")):
        with pytest.raises(ConfigurationError, match="There is no archive at"):
            command(store, *again, str(tmp_path / "typo"))
        assert not (tmp_path / "typo").exists()
        with pytest.raises(InputError, match="There is no archive at"):
            command(store, *again, str(tmp_path))
    with pytest.raises(InputError, match="It has those of 2026-03-02 to 2026-03-04"):
        command(store, "recompute", "--from", "2027-01-01", "--to", "2027-01-02", *words)
    with pytest.raises(InputError, match=f"store {store.id}: There is no version 99"):
        command(store, "recompute", *days, "--model", "99", "--quiet")
    assert open_run(connection) is None, "nothing keeps anybody from another recomputation"
    # a part of the range, and nothing that would change
    some = command(store, "recompute", "--from", "2026-02-27", "--to", "2026-03-04", *words)
    assert "more that were asked for there are no signals" in some
    assert "Nothing would change" in some
    assert open_run(connection) is None


@pytest.mark.parametrize("target", ["s3://", "S3://chain/signals", "s3:///signals", "gs://chain"])
def test_what_is_no_place_for_an_archive_is_said_in_a_sentence(target: str) -> None:
    with pytest.raises(ConfigurationError, match="is no place for an archive") as refused:
        Place(target)
    assert "\n" not in str(refused.value)


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
