import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.identity import pseudonym
from core.limits import NS_PER_S
from edge.clock import Clock
from edge.pseudonyms import LATE_S, KeyRing, Pseudonyms, read_consented, write_consented

DAY = 20_000
IDENTITY = b"\xd4\x36\x39\x01\x02\x03"


@dataclass
class Hand:
    """A clock that is set by hand."""

    now_ns: int = DAY * 86_400 * NS_PER_S

    def clock(self) -> Clock:
        return Clock(lambda: self.now_ns, lambda: self.now_ns / NS_PER_S)

    def next_day(self) -> None:
        self.now_ns += 86_400 * NS_PER_S


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    ring.stable()
    ring.of_day(DAY)
    assert stat.S_IMODE(ring.folder.stat().st_mode) == 0o700
    files = sorted(ring.folder.iterdir())
    assert [file.name for file in files] == ["day-2024-10-04.key", "stable-1.key"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_a_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        KeyRing(tmp_path / "keys")


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    (ring.folder / "stable-1.key").write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="5 bytes"):
        ring.stable()


def test_agents_that_start_together_share_one_key(tmp_path: Path) -> None:
    found: list[bytes] = []
    rings = [KeyRing(tmp_path / "keys") for _ in range(16)]
    together = threading.Barrier(len(rings))

    def ask(ring: KeyRing) -> None:
        together.wait()
        found.append(ring.of_day(DAY))

    threads = [threading.Thread(target=ask, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["day-2024-10-04.key"]  # no drafts left


def test_yesterday_cannot_be_linked_after_its_key_is_destroyed(tmp_path: Path) -> None:
    hand = Hand()
    names = Pseudonyms(KeyRing(tmp_path / "keys"), hand.clock())
    first = names.of(IDENTITY, DAY)
    hand.next_day()
    names.refresh()
    assert names.of(IDENTITY, DAY) == first  # what arrives late from yesterday keeps its name
    second = names.of(IDENTITY, DAY + 1)
    assert second != first
    hand.now_ns += LATE_S * NS_PER_S
    names.refresh()
    assert not (tmp_path / "keys" / "day-2024-10-04.key").exists()
    assert names.of(IDENTITY, DAY) is None  # neither remembered nor made again
    # with every key that is left, nobody computes the first day's pseudonym
    left = [file.read_bytes() for file in (tmp_path / "keys").glob("*.key")]
    assert first not in [pseudonym(IDENTITY, key) for key in left]
    hand.now_ns -= 86_400 * NS_PER_S + LATE_S * NS_PER_S  # even if the clock goes back, the key does not
    names.refresh()
    assert names.of(IDENTITY, DAY) not in (None, first)


def test_a_restart_destroys_what_is_overdue(tmp_path: Path) -> None:
    hand = Hand()
    ring = KeyRing(tmp_path / "keys")
    for day in (DAY - 2, DAY - 1, DAY):
        ring.of_day(day)
    Pseudonyms(ring, hand.clock())
    assert sorted(file.name for file in ring.folder.glob("day-*")) == ["day-2024-10-03.key", "day-2024-10-04.key"]
    hand.now_ns += LATE_S * NS_PER_S
    Pseudonyms(ring, hand.clock())
    assert [file.name for file in ring.folder.glob("day-*")] == ["day-2024-10-04.key"]


def test_days_far_away_get_no_key(tmp_path: Path) -> None:
    names = Pseudonyms(KeyRing(tmp_path / "keys"), Hand().clock())
    assert names.of(IDENTITY, DAY + 1) is not None  # a clock a little ahead at midnight
    assert names.of(IDENTITY, DAY + 2) is None
    assert names.of(IDENTITY, DAY - 2) is None
    assert len(list((tmp_path / "keys").glob("day-*"))) == 1


def test_consent_gives_the_stable_pseudonym_and_withdrawal_takes_it(tmp_path: Path) -> None:
    hand = Hand()
    ring = KeyRing(tmp_path / "keys")
    names = Pseudonyms(ring, hand.clock())
    stable = pseudonym(IDENTITY, ring.stable()[0])
    before = names.of(IDENTITY, DAY)
    assert before != stable
    write_consented(ring.folder, [stable])
    names.refresh()
    assert names.of(IDENTITY, DAY) == names.of(IDENTITY, DAY + 1) == stable
    assert names.of(b"somebody else", DAY) != names.of(b"somebody else", DAY + 1)
    write_consented(ring.folder, [])
    names.refresh()
    assert names.of(IDENTITY, DAY) == before


def test_a_link_made_under_an_older_key_still_holds(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    old = pseudonym(IDENTITY, ring.stable()[0])
    write_consented(ring.folder, [old])
    assert ring.rotate() == 2
    assert ring.stable()[0] != ring.stable()[1]
    assert Pseudonyms(ring, Hand().clock()).of(IDENTITY, DAY) == old


def test_a_damaged_consent_list_recognises_nobody(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    stable = pseudonym(IDENTITY, ring.stable()[0])
    write_consented(ring.folder, [stable])
    names = Pseudonyms(ring, Hand().clock())
    assert names.of(IDENTITY, DAY) == stable
    (ring.folder / "consented").write_text(stable.hex()[:-1])
    names.refresh()
    assert names.of(IDENTITY, DAY) != stable
    with pytest.raises(ConfigurationError, match="damaged"):
        read_consented(ring.folder)
    (ring.folder / "consented").write_text("abcd")
    with pytest.raises(ConfigurationError, match="32 hexadecimal digits"):
        read_consented(ring.folder)
