"""The live stream as a browser gets it, from the real service on a real database."""

import threading
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.access import HEADERS, cookies, log_in
from tests.api.seeding import add_visit, announce, database_now, device, set_people
from tests.api.serving import PATIENCE_S, Served, events, wait_for
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def next_state(stream: Any) -> dict[str, Any]:
    for name, data in stream:
        if name == "state":
            state: dict[str, Any] = data
            return state
    raise AssertionError("the stream ended")


def test_what_ingest_wrote_is_on_the_stream_at_once(store: SeededStore, served: Served) -> None:
    wait_for(lambda: "ok" in httpx.get(f"{served.url}/v1/ready").json()["checks"][-1]["state"], "listening")
    with httpx.stream(
        "GET", f"{served.url}/v1/stores/marktplatz/live", timeout=PATIENCE_S, headers=HEADERS
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] in {"no-cache", "no-store"}
        stream = events(answer)
        assert next_state(stream)["total"] == 0
        at = database_now(store.connection)
        name = add_visit(
            store.connection, store.plan, store.store_no, pseudonym=device(1),
            entered_at=at - timedelta(seconds=60), dwell_s=40, zone="women",
        )  # fmt: skip
        set_people(store.connection, store.plan, store.store_no, {"shoes": 3, "men": 1}, at=at)
        began = time.monotonic()
        announce(store.connection, "marktplatz", at=at, visits=1)
        state = next_state(stream)
        assert time.monotonic() - began < 1.0
    assert state["store"] == "marktplatz"
    assert state["total"] == 4
    assert {row["zone"]: row["people"] for row in state["occupancy"]}["shoes"] == 3
    assert len(state["occupancy"]) == 12
    assert [visit["visit_id"] for visit in state["newest_visits"]] == [str(name)]
    assert state["sampled_signal_at_us"] == [state["as_of_us"]]
    assert "device" not in str(state)
    # the same store at the same time, for somebody who may not read single visits
    log_in(store.connection, "Olga", "o" * 43, "operations")
    olga = {cookie["name"]: cookie["value"] for cookie in cookies("o" * 43, "Olga")}
    with httpx.stream("GET", f"{served.url}/v1/stores/marktplatz/live", timeout=PATIENCE_S, cookies=olga) as answer:
        state = next_state(events(answer))
    assert state["total"] == 4
    assert state["newest_visits"] == []
    for path in (f"visits/{name}/revisions", "visits", "visits?kind=store"):
        assert httpx.get(f"{served.url}/v1/stores/marktplatz/{path}", cookies=olga).status_code == 403
    page = httpx.get(f"{served.url}/stores/marktplatz?zone=women", cookies=olga)
    assert page.status_code == 200
    assert str(name) not in page.text


def test_a_reconnecting_browser_gets_the_whole_state(served: Served) -> None:
    for last in ("1795266191250000", "nonsense", "\u00e4"):
        headers = {b"Last-Event-ID": last.encode(), b"Authorization": HEADERS["Authorization"].encode()}
        with httpx.stream("GET", f"{served.url}/v1/stores/quay/live", headers=headers, timeout=PATIENCE_S) as answer:
            assert answer.status_code == 200
            assert next_state(events(answer))["store"] == "quay"


def test_it_stops_within_two_seconds_though_pages_are_open(served: Served) -> None:
    ended: list[bool] = []

    def watch() -> None:
        with httpx.stream(
            "GET", f"{served.url}/v1/stores/marktplatz/live", timeout=PATIENCE_S, headers=HEADERS
        ) as answer:
            for number, _ in enumerate(events(answer)):
                if number == 0:  # a page that hears a second event must not stand for one that is not there yet
                    connected.release()
        ended.append(True)

    connected = threading.Semaphore(0)
    pages = [threading.Thread(target=watch) for _ in range(5)]
    for page in pages:
        page.start()
    for _ in pages:
        assert connected.acquire(timeout=PATIENCE_S)
    assert served.stop() < 2.0
    for page in pages:
        page.join(PATIENCE_S)
    assert len(ended) == 5, "streams end in order, not by a cut"
    assert "Traceback" not in served.log()


def test_a_page_that_goes_away_is_forgotten(store: SeededStore, served: Served) -> None:
    def backends() -> int:
        row = store.connection.execute(
            "select count(*) from pg_stat_activity where application_name like 'sojourn api%%'"
            " and datname = current_database()"
        ).fetchone()
        assert row is not None
        return int(row[0])

    for _ in range(30):
        with httpx.stream(
            "GET", f"{served.url}/v1/stores/marktplatz/live", timeout=PATIENCE_S, headers=HEADERS
        ) as answer:
            next_state(events(answer))
    assert backends() <= 9, "at most the pool and the one that listens"
    assert served.stop() < 2.0
