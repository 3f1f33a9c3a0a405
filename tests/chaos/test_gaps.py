"""What a full outbox lets go of, as the checker judges it: the real one passes, each wrong way is caught."""

from pathlib import Path
from typing import Final
from unittest.mock import patch

import pytest

from core.wire import decode, encode
from edge.agent import gap_payload
from edge.outbox import Entry, Outbox
from tests.chaos.checker import Logged, LoggedGap, check_log
from tests.chaos.edge_process import JournaledOutbox
from tests.chaos.journal import Journal, Writer, read_journal
from tests.edge.outbox_mutants import MUTANTS
from tests.ingest.world import S, batch

_BOOTS: Final = (b"\1" * 16, b"\2" * 16)
_BATCHES: Final = 12
_CAUGHT: Final = {
    "drops_with_room": "though no outbox was full",
    "drops_the_newest": "is not of the oldest that had to give way",
    "gaps_of_another_time": "does not say what was dropped",
    "gaps_too_narrow": "does not say what was dropped",
}


def _filled(folder: Path, boot: bytes, *, read_out: int = 0) -> JournaledOutbox:
    """Return an outbox with room for ten batches, of which a start of an edge has kept twelve."""
    outbox = JournaledOutbox("north", Writer(folder / "north.journal"), folder / "outbox", gap_payload, 10 * 310)
    for sequence in range(1, _BATCHES + 1):
        one = batch(sequence, boot=boot, ts=[(10_000 + sequence) * S, (10_000 + sequence) * S + 500_000_000])
        payload = encode(one)
        times = (int(one.ts.min()) // 1_000, int(one.ts.max()) // 1_000)
        outbox.append([Entry(boot, sequence, payload, len(one), *times)], sequence)
        if sequence == read_out:
            outbox.after(0, read_out)
    return outbox


def _delivered(folder: Path, outbox: Outbox) -> tuple[Journal, Logged]:
    """Return the journal, and a log that holds whatever the outbox held in the end."""
    journal, found = read_journal(folder), Logged()
    for row in outbox.after(0, 100):
        identity = ("north", row.boot, row.sequence)
        found.rows.append((identity, row.sha256))
        found.cursors["north", row.boot] = row.sequence
        gap = decode(row.payload).gap
        if gap is not None:
            found.gaps[identity] = LoggedGap(gap.first, gap.signals, gap.from_ns, gap.until_ns, found.looked_at_ns)
    return journal, found


@pytest.mark.parametrize("read_out", [0, 1, 4])
def test_a_full_outbox_passes(tmp_path: Path, read_out: int) -> None:
    outbox = _filled(tmp_path, _BOOTS[0], read_out=read_out)
    journal, found = _delivered(tmp_path, outbox)
    assert found.gaps
    assert min(gap.first for gap in found.gaps.values()) == read_out + 1
    assert check_log(journal, found) == []


def test_an_outbox_that_fills_over_two_starts_passes(tmp_path: Path) -> None:
    _filled(tmp_path, _BOOTS[0]).close()
    journal, found = _delivered(tmp_path, _filled(tmp_path, _BOOTS[1]))
    assert {boot for _, boot, _ in found.gaps} == set(_BOOTS)
    assert check_log(journal, found) == []


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_checker_catches(tmp_path: Path, mutant: str) -> None:
    attribute, other = MUTANTS[mutant]
    with patch.object(Outbox, attribute, other):
        journal, found = _delivered(tmp_path, _filled(tmp_path, _BOOTS[0]))
    assert found.gaps
    assert any(_CAUGHT[mutant] in said for said in check_log(journal, found))
