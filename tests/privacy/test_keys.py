"""Keys over time: rotation loses nobody, yesterday cannot be linked, randomised addresses never return."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.addresses import is_randomised
from core.advertisement import Advertisement, Identities, Rule
from core.identity import pseudonym
from core.limits import NS_PER_S
from edge.clock import Clock
from edge.pseudonyms import LATE_S, KeyRing, Pseudonyms, read_consented, read_renamed, write_consented
from sojourn import app
from storage.privacy.subjects import find_subject
from storage.profiles.profiles import create_profile
from storage.profiles.understanding import clientele
from storage.profiles.visits import profile_visits
from tests.api.seeding import add_visit
from tests.fix_api import SeededStore

DAY = 20_000
TAG, STRANGER = b"ibeacon:aa:00010002", b"address:d4000000beef"


class Hand:
    """A clock that is set by hand."""

    day = DAY
    second = 0

    def clock(self) -> Clock:
        return Clock(lambda: (self.day * 86_400 + self.second) * NS_PER_S, lambda: float(self.day * 86_400))


@pytest.mark.servers
def test_a_rotation_loses_nobody(store: SeededStore, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    first = pseudonym(TAG, ring.stable()[0])
    unheard = pseudonym(b"ibeacon:aa:00010003", ring.stable()[0])
    write_consented(ring.folder, [first, unheard])
    ago = store.now - timedelta(days=30)
    profile = create_profile(store.connection, display_name="Her", devices=[first], granted_at=ago)
    create_profile(store.connection, display_name="Other", devices=[unheard], granted_at=ago)
    add_visit(store.connection, store.plan, store.store_no, pseudonym=first, entered_at=store.now, dwell_s=60)
    names = Pseudonyms(ring, Hand().clock())

    def sojourn(*words: str) -> str:
        done = CliRunner().invoke(app, ["keys", *words], env={"SOJOURN_DATABASE_URL": store.database_url})
        return done.output + str(done.exception or "")

    assert "no key folder" in sojourn("rotate", str(tmp_path / "mistyped"))
    assert not (tmp_path / "mistyped").exists()
    assert "Version 2" in sojourn("rotate", str(ring.folder))
    names.refresh()
    assert names.of(TAG, DAY) == first, "until it is linked it keeps its name"
    assert names.of(STRANGER, DAY) not in {first, None}
    names.refresh()
    assert [(one.before_version, one.version, one.before) for one in read_renamed(ring.folder)] == [(1, 2, first)]
    assert "1 devices linked anew" in sojourn("relink", str(ring.folder))
    names.refresh()
    second = names.of(TAG, DAY)
    assert second == pseudonym(TAG, ring.stable()[0]) != first
    assert read_consented(ring.folder) == {first, unheard, second}
    add_visit(store.connection, store.plan, store.store_no, pseudonym=second,
              entered_at=store.now + timedelta(seconds=90), dwell_s=60)  # fmt: skip
    found = profile_visits(store.connection, profile, limit=10)
    assert len(found.visits) == 2, "under both names, on one profile"
    subject = find_subject(store.connection, profile)
    assert subject is not None
    assert {device.bytes for device, _, _ in subject.devices} == {first, second}, "erasure reaches both"
    assert "would be strangers" in sojourn("retire", str(ring.folder), "1")
    assert "is destroyed" in sojourn("retire", str(ring.folder), "1", "--lose")
    assert list(ring.versions()) == [2]
    assert read_consented(ring.folder) == {second}
    names.refresh()
    assert names.of(TAG, DAY) == second
    assert len(profile_visits(store.connection, profile, limit=10).visits) == 2


def test_stable_keys_come_as_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "credentials"
    given.mkdir()
    (given / "sojourn-stable-3.key").write_bytes(b"k" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    ring = KeyRing(tmp_path / "keys")
    assert ring.stable() == [b"k" * 32]
    assert list(ring.folder.iterdir()) == []


def test_nothing_on_disk_links_yesterday(tmp_path: Path) -> None:
    hand, ring = Hand(), KeyRing(tmp_path / "keys")
    write_consented(ring.folder, [pseudonym(TAG, ring.stable()[0])])
    names = Pseudonyms(ring, hand.clock())
    seen = names.of(STRANGER, DAY)
    hand.day, hand.second = DAY + 1, LATE_S
    names.refresh()
    again = names.of(STRANGER, hand.day)
    kept = [path.read_bytes() for path in ring.folder.iterdir()]
    assert seen != again
    assert seen not in {pseudonym(STRANGER, key) for key in kept if len(key) == 32}, "no key is left that tells"
    assert names.of(STRANGER, DAY) is None, "and none is made anew"
    assert not any(STRANGER in one or (seen or b"-") in one or (seen or b"-").hex().encode() in one for one in kept)


@pytest.mark.servers
@pytest.mark.parametrize("address", ["5b1122334455", "0b1122334455"], ids=["resolvable", "non-resolvable"])
def test_a_randomised_address_never_returns(store: SeededStore, tmp_path: Path, address: str) -> None:
    """Not by a rule of addresses, not beside a beacon's frame, not on the list of the consented."""
    frame = bytes.fromhex("0215" + "aa" * 16 + "00010002c5")
    heard = Advertisement(bytes.fromhex(address), True, {0x4C: frame}, {})
    assert Identities([Rule(kind="address", namespace=address[:6])]).of(heard) is None
    identity = Identities([Rule(kind="ibeacon", device="address")]).of(heard)
    assert identity is not None
    assert is_randomised(identity)
    hand, ring = Hand(), KeyRing(tmp_path / "keys")
    write_consented(ring.folder, [pseudonym(identity, ring.stable()[0])])
    names = Pseudonyms(ring, hand.clock())
    for days in range(3):
        hand.day = DAY + days
        names.refresh()
        given = names.of(identity, hand.day)
        assert given is not None
        add_visit(store.connection, store.plan, store.store_no, pseudonym=given,
                  entered_at=store.now - timedelta(days=3 - days), dwell_s=60)  # fmt: skip
    devices = store.connection.execute("select count(distinct device) from store_visit").fetchone()
    assert devices == (3,)
    assert clientele(store.connection, through=datetime.now(UTC)) == []
