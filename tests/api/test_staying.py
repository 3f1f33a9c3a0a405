"""A live stream is open for as long as whoever asked for it may ask, and no longer."""

from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from uuid import UUID

import httpx
import pytest

from api.access import staying
from storage.access.accounts import disable_account, end_sessions
from storage.access.keys import add_key, revoke_key
from storage.access.secrets import digest
from storage.connect import Connection
from storage.cues.log import CHANNEL
from tests.access import cookies, log_in
from tests.api.seeding import announce, database_now
from tests.api.serving import PATIENCE_S, events
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
SESSION = "c" * 43
KEY = "sjk_" + "c" * 43
MORE = 4
"""What was under way may still come; heartbeats would make this many in a quarter of a minute."""
STREAMS = ("cues/live", "live")


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staying, "LOOK_EVERY_S", 0.0)


@pytest.fixture
def carl(store: SeededStore) -> UUID:
    log_in(store.connection, "Carl", SESSION, "crm")
    row = store.connection.execute("select account_id from account where name = 'carl'").fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def wake(store: SeededStore) -> None:
    store.connection.execute("select pg_notify(%s, 'marktplatz')", [CHANNEL])
    announce(store.connection, "marktplatz", at=database_now(store.connection), visits=1)


def ends(store: SeededStore, site: str, path: str, headers: dict[str, str], deed: Callable[[], object]) -> bool:
    """Follow a stream, let something happen, and say whether it has ended after the next news."""
    with httpx.stream("GET", f"{site}/v1/stores/marktplatz/{path}", headers=headers, timeout=PATIENCE_S) as answer:
        assert answer.status_code == 200
        stream = events(answer)
        for _ in range(2):
            wake(store)
            assert next(stream), "it goes on"
        deed()
        wake(store)
        return len(list(islice(stream, MORE))) < MORE


def of_carl() -> dict[str, str]:
    return {"Cookie": "; ".join(f"{one['name']}={one['value']}" for one in cookies(SESSION, "Carl"))}


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize(
    "deed",
    [
        end_sessions,
        lambda connection, account: disable_account(connection, account, disabled=True),
        lambda connection, account: connection.execute(
            "update account set roles = '{operations}' where account_id = %s", [account]
        ),
        lambda connection, account: connection.execute(
            "update account set stores = '{quay}' where account_id = %s", [account]
        ),
        lambda connection, account: connection.execute(
            "update account_session set seen_at = now() - interval '9 hours' where account_id = %s", [account]
        ),
    ],
    ids=["logout", "shut out", "another role", "other stores", "unused for a shift"],
)
def test_a_stream_ends_with_the_login_it_began_with(
    store: SeededStore, site: str, carl: UUID, path: str, deed: Callable[[Connection, UUID], object]
) -> None:
    assert ends(store, site, path, of_carl(), lambda: deed(store.connection, carl))


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_ends_with_the_key_it_began_with(store: SeededStore, site: str, path: str) -> None:
    number = add_key(
        store.connection, digest(KEY), prefix="sjk_cccccc", name="screen", roles=["crm"], stores=None,
        made_by="tests", holds_for=timedelta(days=1),
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {KEY}"}
    assert ends(store, site, path, headers, lambda: revoke_key(store.connection, number))
    assert httpx.get(f"{site}/v1/stores/marktplatz/{path}", headers=headers).status_code == 401


def test_a_stream_is_no_use_of_a_session(store: SeededStore, site: str, carl: UUID) -> None:
    def seen() -> object:
        return store.connection.execute(
            "select seen_at from account_session where account_id = %s", [carl]
        ).fetchone()

    def age() -> None:
        store.connection.execute(
            "update account_session set seen_at = now() - interval '7 hours' where account_id = %s", [carl]
        )

    def age_it() -> None:
        age()
        aged.append(seen())

    aged: list[object] = []
    assert not ends(store, site, "cues/live", of_carl(), age_it)
    assert [seen()] == aged, "a card left open would hold the session for its seven days"
