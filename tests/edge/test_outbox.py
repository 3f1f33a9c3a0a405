import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.errors import ConfigurationError, UnavailableError
from edge.outbox import ROW_BYTES, Dropped, Entry, Outbox, Row

BOOT = b"b" * 16
OTHER = b"o" * 16


def as_gap(dropped: Dropped) -> bytes:
    return f"gap {dropped.first}-{dropped.last} of {dropped.signals}".encode()


def entry(sequence: int, boot: bytes = BOOT, size: int = 20, signals: int = 3) -> Entry:
    payload = sequence.to_bytes(4) + bytes(size)
    return Entry(boot, sequence, payload, signals, 1_000 * sequence, 1_000 * sequence + 500)


def open_outbox(path: Path, most_bytes: int = 10**9) -> Outbox:
    return Outbox(path, as_gap, most_bytes)


def look_at(outbox: Outbox) -> list[Row]:
    """Return what waits; nothing of it counts as offered for having been looked at."""
    before = outbox._offered_to
    rows = outbox.after(0, 10_000)
    outbox._offered_to = before
    return rows


def test_rows_come_back_in_order_with_their_digest(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    digests = outbox.append([entry(1), entry(2), entry(1, OTHER)], at_ns=7)
    rows = outbox.after(0, 10)
    assert [(row.boot, row.sequence) for row in rows] == [(BOOT, 1), (BOOT, 2), (OTHER, 1)]
    assert [row.sha256 for row in rows] == digests == [sha256(row.payload).digest() for row in rows]
    assert [row.place for row in outbox.after(rows[0].place, 1)] == [rows[1].place]


def test_nobody_else_on_the_machine_reads_an_outbox(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        (tmp_path / "old").touch(mode=0o644)
        for name in ("new", "old"):
            outbox = open_outbox(tmp_path / name)
            outbox.append([entry(1)], at_ns=7)
            rights = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob(f"{name}*")}
            assert (rights[name], rights[f"{name}-wal"]) == (0o600, 0o600)
            outbox.close()
    finally:
        os.umask(before)


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """Killing a process cannot show this, only pulling the plug could."""
    database = open_outbox(tmp_path / "o")._database
    assert database.execute("pragma synchronous").fetchone() == (2,)  # FULL
    assert database.execute("pragma journal_mode").fetchone() == ("wal",)


def test_an_acknowledgement_takes_its_boot_only_and_up_to_its_sequence(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1), entry(2), entry(3), entry(1, OTHER), entry(2, OTHER)], at_ns=0)
    assert outbox.acknowledge(BOOT, 2) == 2
    assert outbox.acknowledge(BOOT, 2) == 0
    assert [(row.boot, row.sequence) for row in outbox.after(0, 9)] == [(BOOT, 3), (OTHER, 1), (OTHER, 2)]
    assert outbox.rows == 3
    assert outbox.signals == 9


def test_a_cursor_beyond_what_waits_removes_nothing(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1), entry(2)], at_ns=0)
    assert outbox.acknowledge(BOOT, 3) == 0
    assert outbox.acknowledge(OTHER, 1) == 0
    assert outbox.rows == 2


def test_of_a_boot_that_is_over_the_database_may_have_more_than_the_disk_that_lost_its_tail(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1), entry(2)], at_ns=0)
    outbox.close()
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1, OTHER)], at_ns=0)
    assert outbox.acknowledge(BOOT, 5) == 2
    assert [row.boot for row in outbox.after(0, 9)] == [OTHER]


def test_a_place_is_never_used_again(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1)], at_ns=0)
    (first,) = outbox.after(0, 1)
    outbox.acknowledge(BOOT, 1)
    outbox.append([entry(2)], at_ns=0)
    (second,) = outbox.after(first.place, 1)
    assert second.place > first.place


def test_a_full_outbox_makes_one_gap_of_the_oldest_that_were_never_offered(tmp_path: Path) -> None:
    size = 1000
    room = 10 * (size + 4 + ROW_BYTES)
    outbox = open_outbox(tmp_path / "o", room)
    outbox.append([entry(n, size=size) for n in range(1, 11)], at_ns=0)
    assert outbox.dropped == 0
    assert len(outbox.after(0, 2)) == 2
    outbox.append([entry(n, size=size) for n in range(11, 14)], at_ns=0)
    rows = look_at(outbox)
    assert [row.sequence for row in rows][:2] == [1, 2]  # they may be on their way
    assert rows[2].payload.startswith(b"gap 3-")
    last = rows[2].sequence
    assert [row.sequence for row in rows[3:]] == list(range(last + 1, 14))
    assert outbox.dropped == 3 * (last - 2)
    assert outbox.held_bytes <= room
    outbox.append([entry(n, size=size) for n in range(14, 24)], at_ns=0)
    rows = look_at(outbox)
    assert rows[2].payload == b"gap 3-%d of %d" % (rows[2].sequence, 3 * (rows[2].sequence - 2))  # grew, not doubled
    assert [row.sequence for row in rows[3:]] == list(range(rows[2].sequence + 1, 24))
    assert outbox.acknowledge(BOOT, rows[2].sequence) == 3


def test_a_gap_that_may_be_on_its_way_is_left_alone(tmp_path: Path) -> None:
    size = 1000
    outbox = open_outbox(tmp_path / "o", 4 * (size + 4 + ROW_BYTES))
    outbox.append([entry(n, size=size) for n in range(1, 6)], at_ns=0)
    gap = outbox.after(0, 1)[0]
    assert gap.payload.startswith(b"gap 1-")
    outbox.append([entry(n, size=size) for n in range(6, 12)], at_ns=0)
    rows = outbox.after(0, 9)
    assert rows[0] == gap
    assert rows[1].payload.startswith(b"gap %d-" % (gap.sequence + 1))


def test_gaps_of_two_boots_stay_two(tmp_path: Path) -> None:
    size = 1000
    outbox = open_outbox(tmp_path / "o", 3 * (size + 4 + ROW_BYTES))
    both = [entry(n, size=size) for n in (1, 2)] + [entry(n, OTHER, size=size) for n in (1, 2, 3, 4)]
    outbox.append(both, at_ns=0)
    rows = outbox.after(0, 9)
    assert rows[0].payload == b"gap 1-2 of 6"
    assert rows[0].boot == BOOT
    assert rows[1].payload.startswith(b"gap 1-")
    assert rows[1].boot == OTHER


def test_a_second_agent_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    with pytest.raises(ConfigurationError, match="Another agent uses the outbox"):
        open_outbox(tmp_path / "o")
    outbox.append([entry(1)], at_ns=0)
    outbox.close()
    assert open_outbox(tmp_path / "o").rows == 1


def test_a_file_that_is_no_outbox_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "o"
    path.write_bytes(b"something else entirely" * 200)
    outbox = open_outbox(path)
    outbox.append([entry(1)], at_ns=0)
    assert outbox.rows == 1
    assert (tmp_path / "o.damaged-0").read_bytes().startswith(b"something else")


def test_an_outbox_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    open_outbox(tmp_path / "o").close()
    with sqlite3.connect(tmp_path / "o") as database:
        database.execute("pragma user_version = 99")
        database.execute("alter table outbox add column later integer")  # else a disk has changed the number
    database.close()
    with pytest.raises(ConfigurationError, match="format 99"):
        open_outbox(tmp_path / "o")


def test_a_full_disk_keeps_nothing_of_the_append_and_loses_nothing_else(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1)], at_ns=0)
    outbox._database.execute("pragma max_page_count = 12")  # SQLite's own SQLITE_FULL, as from a full disk
    with pytest.raises(UnavailableError, match="cannot be used"):
        outbox.append([entry(n, size=5000) for n in range(2, 40)], at_ns=0)
    assert (outbox.rows, outbox.signals) == (1, 3)
    outbox._database.execute("pragma max_page_count = 100000")
    outbox.append([entry(2)], at_ns=0)
    assert [row.sequence for row in outbox.after(0, 9)] == [1, 2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB, which only root may make."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a disk of its own takes root")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)  # a test that failed has its outbox open


def test_a_disk_that_the_outbox_has_filled_is_emptied_again(small_disk: Path) -> None:
    outbox = open_outbox(small_disk / "o")
    kept = 0
    with contextlib.suppress(UnavailableError):
        while True:
            outbox.append([entry(kept + 1, size=50_000)], at_ns=0)
            kept += 1
    with contextlib.suppress(OSError), (small_disk / "others").open("wb", buffering=0) as others:
        while others.write(bytes(4096)):  # and others take what is left
            pass
    assert kept > 50
    assert outbox.acknowledge(BOOT, kept) == kept
    outbox.append([entry(kept + 1)], at_ns=0)
    assert [row.sequence for row in outbox.after(0, 9)] == [kept + 1]
    outbox.close()


def test_a_row_that_the_disk_has_changed_becomes_a_gap(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(n) for n in range(1, 4)], at_ns=0)
    outbox._database.execute("update outbox set payload = zeroblob(length(payload)) where sequence = 2")
    rows = outbox.after(0, 9)
    assert [row.payload for row in rows] == [entry(1).payload, b"gap 2-2 of 3", entry(3).payload]
    assert rows[1].sha256 == sha256(rows[1].payload).digest()
    assert outbox.dropped == 3
    outbox._database.execute("update outbox set payload = zeroblob(length(payload)) where sequence = 2")
    assert [row.payload for row in outbox.after(0, 9)] == [row.payload for row in rows], "a gap is told again"
    outbox.close()


def test_a_row_that_cannot_be_read_any_more_becomes_a_gap_and_holds_up_no_other(tmp_path: Path) -> None:
    """A payload of more than a page lies in a chain of pages; one of them is overwritten."""
    path = tmp_path / "o"
    outbox = open_outbox(path, most_bytes=200_000)
    outbox.append([Entry(BOOT, n, bytes([n]) * 9_000, 3, n, n + 1) for n in range(1, 9)], at_ns=0)
    outbox.acknowledge(BOOT, 1)
    outbox.close()
    content = bytearray(path.read_bytes())
    page = content.find(bytes([3]) * 4_000) // 4096  # the first page of its chain
    content[page * 4096 : (page + 1) * 4096] = bytes(4096)
    path.write_bytes(content)

    outbox = open_outbox(path, most_bytes=200_000)
    rows = outbox.after(0, 20)
    assert [row.sequence for row in rows] == [2, 3, 4, 5, 6, 7, 8]
    assert rows[1].payload == b"gap 3-3 of 3"
    assert [row.payload for row in rows[2:]] == [bytes([n]) * 9_000 for n in range(4, 9)]
    assert (outbox.rows, outbox.dropped) == (7, 3)
    assert (tmp_path / "o.damaged-0").exists()
    outbox.append([entry(9)], at_ns=1)
    assert outbox.after(rows[-1].place, 5)[0].place == rows[-1].place + 1, "places go on"
    assert outbox.acknowledge(BOOT, 9) == 8
    outbox.close()
    assert open_outbox(path).rows == 0


@pytest.mark.parametrize("what", ["acknowledge", "append"])
def test_damage_is_mended_wherever_it_is_met(tmp_path: Path, what: str) -> None:
    path = tmp_path / "o"
    outbox = open_outbox(path)
    outbox.append([Entry(BOOT, n, bytes([n]) * 9_000, 3, n, n + 1) for n in range(1, 9)], at_ns=0)
    outbox.close()
    content = bytearray(path.read_bytes())
    page = content.find(bytes([3]) * 4_000) // 4096
    content[page * 4096 : (page + 1) * 4096] = bytes([255]) * 4096
    path.write_bytes(content)
    outbox = open_outbox(path, most_bytes=60_000)
    if what == "acknowledge":
        assert outbox.acknowledge(BOOT, 4) == 4
        assert [row.sequence for row in outbox.after(0, 20)] == [5, 6, 7, 8]
    else:
        outbox.append([entry(9)], at_ns=1)  # there is room for six
        rows = outbox.after(0, 20)
        assert rows[0].payload.startswith(b"gap 1-")
        assert rows[-1].sequence == 9
    outbox.close()


def test_damage_that_only_the_rows_show_sets_the_file_aside(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(n, size=3_000) for n in range(1, 40)], at_ns=0)
    outbox.close()
    content = bytearray((tmp_path / "o").read_bytes())
    content[8 * 4096 : 20 * 4096] = bytes(12 * 4096)  # the header and the schema are whole
    (tmp_path / "o").write_bytes(content)
    again = open_outbox(tmp_path / "o")
    assert again.rows == 0
    assert len(list(tmp_path.glob("o.damaged-*"))) == 1
    again.close()


_APPENDER = """
import sys
from pathlib import Path
from edge.outbox import Entry, Outbox
outbox = Outbox(Path(sys.argv[1]), lambda dropped: b"")
sequence = 0
while True:
    entries = [Entry(b"b" * 16, sequence + n, bytes([n]) * 3000, 1, 0, 0) for n in range(1, 4)]
    outbox.append(entries, at_ns=0)
    sequence += len(entries)
    print(sequence, flush=True)
"""


@pytest.mark.parametrize("appends", [1, 7, 40])
def test_what_was_accepted_survives_kill_9(tmp_path: Path, appends: int) -> None:
    command = [sys.executable, "-c", _APPENDER, str(tmp_path / "o")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        accepted = 0
        for _ in range(appends):
            accepted = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        said = process.stdout.read().split("\n")  # what it still accepted before it died
        accepted = max([accepted, *(int(line) for line in said if line)])
    outbox = open_outbox(tmp_path / "o")
    rows = outbox.after(0, 100_000)
    sequences = [row.sequence for row in rows]
    assert sequences == list(range(1, len(rows) + 1))
    assert len(rows) >= accepted >= 3 * appends
    assert len(rows) % 3 == 0  # an append is kept whole or not at all
    assert all(row.sha256 == sha256(row.payload).digest() for row in rows)


class OutboxMachine(RuleBasedStateMachine):
    """Appends, acknowledgements, restarts and a bound, beside a list that does the obvious thing."""

    @initialize(most_rows=st.integers(2, 30))
    def begin(self, most_rows: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.most_bytes = most_rows * (104 + ROW_BYTES)
        self.outbox = open_outbox(self.folder / "o", self.most_bytes)
        self.boot = 0
        self.next = 1
        self.committed: dict[bytes, int] = {}
        self.appended: dict[bytes, int] = {}  # highest sequence
        self.signals = 0
        self.offered = 0
        self.delivered = 0  # signals that reached the database

    def _name(self) -> bytes:
        return self.boot.to_bytes(16)

    @rule(count=st.integers(1, 8))
    def append(self, count: int) -> None:
        boot = self._name()
        entries = [entry(self.next + n, boot, size=100) for n in range(count)]
        self.outbox.append(entries, at_ns=0)
        self.next += count
        self.appended[boot] = self.next - 1
        self.signals += 3 * count

    @rule(count=st.integers(1, 6))
    def offer(self, count: int) -> None:
        rows = self.outbox.after(self.offered, count)
        if rows:
            self.offered = rows[-1].place

    @precondition(lambda self: self.appended)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """Ingest commits some of the oldest rows that were offered."""
        rows = [row for row in look_at(self.outbox) if row.place <= self.offered]
        if rows:
            row = data.draw(st.sampled_from(rows))
            gone = [one for one in rows if one.boot == row.boot and one.sequence <= row.sequence]
            self.delivered += 3 * sum(not one.payload.startswith(b"gap") for one in gone)
            self.outbox.acknowledge(row.boot, row.sequence)
            self.committed[row.boot] = max(self.committed.get(row.boot, 0), row.sequence)

    @rule(data=st.data(), beyond=st.integers(1, 100))
    def hear_what_cannot_be(self, data: st.DataObject, beyond: int) -> None:
        """A word about a boot that is not ours, one that is gone, or about more than this one sent frees nothing."""
        waiting = {row.boot: row.sequence for row in look_at(self.outbox)}
        ours = [boot for boot in self.appended if boot == self._name() or boot not in waiting]
        boot = data.draw(st.sampled_from([OTHER, *ours]))
        before = look_at(self.outbox)
        assert self.outbox.acknowledge(boot, waiting.get(boot, 0) + beyond) == 0
        assert self.outbox.acknowledge(boot, self.committed.get(boot, 0)) == 0
        assert look_at(self.outbox) == before

    @rule(data=st.data(), beyond=st.integers(1, 100))
    def hear_that_the_database_has_more(self, data: st.DataObject, beyond: int) -> None:
        """Of a boot that is over, whose newest rows this disk lost: the rest of it is there too."""
        rows = [row for row in look_at(self.outbox) if row.boot != self._name()]
        if rows:
            boot = data.draw(st.sampled_from(rows)).boot
            gone = [row for row in rows if row.boot == boot]
            assert self.outbox.acknowledge(boot, self.appended[boot] + beyond) == len(gone)
            self.delivered += 3 * sum(not row.payload.startswith(b"gap") for row in gone)
            self.committed[boot] = self.appended[boot]

    @rule()
    def restart(self) -> None:
        self.outbox.close()
        self.outbox = open_outbox(self.folder / "o", self.most_bytes)
        self.offered = 0
        self.boot += 1
        self.next = 1

    @invariant()
    def every_sequence_is_committed_waits_or_is_in_a_gap(self) -> None:
        if not hasattr(self, "outbox"):
            return
        rows = look_at(self.outbox)
        assert self.outbox.rows == len(rows)
        reached = {boot: self.committed.get(boot, 0) for boot in self.appended}
        for row in rows:
            first = row.sequence
            if row.payload.startswith(b"gap"):
                first = int(row.payload.split()[1].split(b"-")[0])
            assert first <= reached[row.boot] + 1, "a sequence is missing, the cursor would stop"
            assert row.sequence > reached[row.boot]
            reached[row.boot] = row.sequence
        assert reached == self.appended
        waiting = 3 * sum(not row.payload.startswith(b"gap") for row in rows)
        assert self.delivered + waiting + self.outbox.dropped == self.signals
        gaps = sum(row.payload.startswith(b"gap") for row in rows)
        offered = sum(row.place <= self.offered for row in rows)
        # beyond the bound only by what may not be dropped: offered rows, a gap a boot, the newest append
        assert self.outbox.held_bytes <= self.most_bytes + (offered + gaps) * (104 + ROW_BYTES)

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
            shutil.rmtree(self.folder)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize(("byte", "bit"), [(60, 0), (61, 0), (62, 3), (63, 0), (63, 1)])
def test_a_changed_number_of_the_format_costs_nothing(tmp_path: Path, byte: int, bit: int) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1), entry(2)], at_ns=0)
    outbox.close()
    flip(tmp_path / "o", byte, bit)
    again = open_outbox(tmp_path / "o")
    assert again.acknowledge(BOOT, 1) == 1
    assert [row.sequence for row in again.after(0, 9)] == [2]
    again.close()
    assert not list(tmp_path.glob("o.damaged-*"))


def test_a_header_that_says_read_only_costs_nothing(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1), entry(2)], at_ns=0)
    outbox.close()
    flip(tmp_path / "o", 18, 7)
    again = open_outbox(tmp_path / "o")
    again.append([entry(3)], at_ns=1)
    assert again.acknowledge(BOOT, 1) == 1
    assert [row.sequence for row in again.after(0, 9)] == [2, 3]
    again.close()
    assert (tmp_path / "o.damaged-0").exists()


def test_a_header_of_an_unknown_kind_sets_the_file_aside(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "o")
    outbox.append([entry(1)], at_ns=0)
    outbox.close()
    flip(tmp_path / "o", 47, 7)
    again = open_outbox(tmp_path / "o")
    again.append([entry(2)], at_ns=1)
    assert [row.sequence for row in again.after(0, 9)] == [2]
    again.close()
    assert (tmp_path / "o.damaged-0").exists()


def flip(path: Path, byte: int, bit: int) -> None:
    """Change one bit of a file, as a disk may."""
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)
