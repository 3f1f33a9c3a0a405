"""Each sentence of the checker is said when its promise is broken, and none when all hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.checker import Logged, check_log, differences
from tests.chaos.journal import Journal, Line, Writer, read_journal

_BOOT: Final = b"\1" * 16


def _sound() -> tuple[Journal, Logged]:
    """Six batches, of which the third and fourth gave way to a gap."""
    journal, found = Journal(), Logged()
    for sequence in range(1, 7):
        payload = bytes([sequence])
        journal.accept("north", _BOOT, sequence, payload, signals=10, at_ns=sequence)
        if sequence not in (3, 4):
            found.rows.append((("north", _BOOT, sequence), journal.accepted["north", _BOOT, sequence].sha256))
    gap = Line(kind="gap", edge="north", boot=_BOOT, sequence=4, first=3, sha256=b"gap", signals=20, at_ns=5)
    journal.add(gap)
    found.rows.insert(2, (gap.identity, b"gap"))
    found.gaps[gap.identity] = (3, 20)
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


def _understate(_journal: Journal, found: Logged) -> None:
    found.gaps["north", _BOOT, 4] = (3, 19)


def _drop_silently(_journal: Journal, found: Logged) -> None:
    del found.rows[2], found.gaps["north", _BOOT, 4]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_lose, "accepted and not logged"),
        (_invent, "logged and never attempted"),
        (_repeat, "logged more than once"),
        (_change, "logged with another content"),
        (_swap, "stands behind"),
        (_run_ahead, "the cursor says"),
        (_understate, "does not say what was dropped"),
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
