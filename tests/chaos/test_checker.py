"""Each sentence of the checker is said when its promise is broken, and none when all hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from core.wire import encode
from tests.chaos.checker import Logged, LoggedGap, check_log, differences
from tests.chaos.journal import Journal, Line, Writer, read_journal
from tests.edge.watched_outbox import Kept, Look
from tests.ingest.world import S, batch

_BOOT: Final = b"\1" * 16
_GAP: Final = ("north", _BOOT, 4)


def _rows(*, offered: int) -> tuple[Kept, ...]:
    return tuple(Kept(_BOOT, place, place, False, 100, place <= offered) for place in range(1, 6))


def _sound() -> tuple[Journal, Logged]:
    """Six batches of two signals; the third and fourth, the oldest that were not offered, gave way to a gap."""
    journal, found = Journal(), Logged()
    batches = {
        sequence: batch(sequence, boot=_BOOT, ts=[sequence * S, sequence * S + 5_000]) for sequence in range(1, 7)
    }
    for sequence, one in batches.items():
        journal.accept("north", _BOOT, sequence, encode(one), signals=2, at_ns=sequence)
        if sequence not in (3, 4):
            found.rows.append((("north", _BOOT, sequence), journal.accepted["north", _BOOT, sequence].sha256))
    look = Look(_rows(offered=2), most_bytes=400)  # 500 are held: what makes 380 of it gives way, two rows
    gap = Line(
        kind="gap", edge="north", boot=_BOOT, sequence=4, first=3, sha256=b"gap", signals=4, at_ns=5_000, look=look
    )
    journal.add(gap)
    found.rows.insert(2, (gap.identity, b"gap"))
    found.gaps[gap.identity] = LoggedGap(3, 4, 3 * S, 4 * S + 5_000, received_at=6_000)
    found.cursors["north", _BOOT] = 6
    return journal, found


def test_a_sound_log_is_sound() -> None:
    assert check_log(*_sound()) == []


def _lose(_journal: Journal, found: Logged) -> None:
    del found.rows[-1]
    found.cursors["north", _BOOT] = 5


def _invent(journal: Journal, _found: Logged) -> None:
    del journal.accepted["north", _BOOT, 6], journal.attempts["north", _BOOT, 6]


def _repeat(_journal: Journal, found: Logged) -> None:
    found.rows.append(found.rows[-1])


def _change(_journal: Journal, found: Logged) -> None:
    found.rows[0] = (found.rows[0][0], b"other")


def _swap(_journal: Journal, found: Logged) -> None:
    found.rows[0], found.rows[1] = found.rows[1], found.rows[0]


def _run_ahead(_journal: Journal, found: Logged) -> None:
    found.cursors["north", _BOOT] = 7


def _say(**other: int) -> Callable[[Journal, Logged], None]:
    def damage(_journal: Journal, found: Logged) -> None:
        found.gaps[_GAP] = found.gaps[_GAP]._replace(**other)

    return damage


def _have(**other: Any) -> Callable[[Journal, Logged], None]:
    """Let the outbox have been another one when the gap was made."""

    def damage(journal: Journal, _found: Logged) -> None:
        (line,) = journal.gaps[_GAP]
        look = None if line.look is None or not other else replace(line.look, **other)
        journal.gaps[_GAP] = [replace(line, look=look)]

    return damage


def _drop_silently(_journal: Journal, found: Logged) -> None:
    del found.rows[2], found.gaps[_GAP]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_lose, "accepted and not logged"),
        (_invent, "logged and never attempted"),
        (_repeat, "logged more than once"),
        (_change, "logged with another content"),
        (_swap, "stands behind"),
        (_run_ahead, "the cursor says"),
        (_say(signals=3), "does not say what was dropped"),
        (_say(from_ns=3 * S - 1_000), "does not say what was dropped"),
        (_say(until_ns=4 * S), "does not say what was dropped"),
        (_say(first=4), "is not of the oldest that had to give way"),
        (_say(received_at=4_000), "was received at"),
        (_say(received_at=2**62), "was received at"),
        (_have(), "though no outbox was full"),
        (_have(most_bytes=500), "though no outbox was full"),
        (_have(most_bytes=499), "is not of the oldest that had to give way"),
        (_have(most_bytes=300), "is not of the oldest that had to give way"),
        (_have(rows=_rows(offered=1)), "is not of the oldest that had to give way"),
        (_drop_silently, "accepted and not logged"),
    ],
)
def test_what_is_broken_is_said(damage: Callable[[Journal, Logged], None], sentence: str) -> None:
    journal, found = _sound()
    damage(journal, found)
    assert any(sentence in said for said in check_log(journal, found))


def test_one_digit_of_a_dwell_is_a_difference() -> None:
    assert differences("the other", {"dwell": "0 2 61.5\n1 1 7"}, {"dwell": "0 2 61.5\n1 1 7"}) == []
    (said,) = differences("the other", {"dwell": "0 2 61.5\n1 1 7"}, {"dwell": "0 2 61.6\n1 1 7"})
    assert "0 2 61.5" in said
    assert "0 2 61.6" in said


def test_a_line_that_a_kill_cut_short_is_passed_over(tmp_path: Path) -> None:
    journal, _ = _sound()
    writer = Writer(tmp_path / "north.journal")
    for line in journal.accepted.values():
        writer.write(line)
    whole = (tmp_path / "north.journal").read_bytes()
    (tmp_path / "north.journal").write_bytes(whole[:-5])
    assert [line.sequence for line in read_journal(tmp_path).accepted.values()] == [1, 2, 3, 4, 5]
