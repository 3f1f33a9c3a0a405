"""Visits of a store: filters, pages that neither repeat nor forget, honest bounds."""

import random
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from core.records import ClosedBy
from tests.api.seeding import add_visit, device
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

PATH = "/v1/stores/marktplatz/visits"


def add(store: SeededStore, number: int, minutes_ago: float, dwell_s: float = 60, **more: Any) -> str:
    more.setdefault("zone", "shoes")
    entered_at = store.now - timedelta(minutes=minutes_ago)
    return str(
        add_visit(
            store.connection, store.plan, store.store_no,
            pseudonym=device(number), entered_at=entered_at, dwell_s=dwell_s, **more,
        )
    )  # fmt: skip


def ids(client: httpx.Client, **params: Any) -> list[str]:
    answer = client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    return [visit["visit_id"] for visit in answer.json()["visits"]]


def iso(at: datetime) -> str:
    return at.isoformat()


def test_one_visit_with_all_that_is_known(store: SeededStore, client: httpx.Client) -> None:
    name = add(store, 1, 10, 252.25, slack_s=4.0, confidence=0.93)
    entered, left = store.now - timedelta(minutes=10), store.now - timedelta(minutes=10) + timedelta(seconds=252.25)
    slack = timedelta(seconds=4)
    found = client.get(PATH).json()
    assert found["timezone"] == "Europe/Berlin"
    assert found["next_cursor"] is None
    (visit,) = found["visits"]
    named = ("entered_at", "left_at", "entered_earliest", "entered_latest", "left_earliest", "left_latest")
    times = {key: datetime.fromisoformat(visit.pop(key)) for key in named}
    assert times == {
        "entered_at": entered, "left_at": left,
        "entered_earliest": entered - slack, "entered_latest": entered + slack,
        "left_earliest": left - slack, "left_latest": left + slack,
    }  # fmt: skip
    assert visit == {
        "visit_id": name, "kind": "zone", "zone": "shoes", "dwell_s": 252.25, "dwell_at_least_s": 244.25,
        "dwell_at_most_s": 260.25, "confidence": 0.93, "signals": 252, "closed_by": "moved_on", "revision": 0,
        "model_version": 0, "role": "visitor",
    }  # fmt: skip


def test_the_least_dwell_is_never_negative(store: SeededStore, client: httpx.Client) -> None:
    add(store, 1, 10, 3, slack_s=20.0)
    (visit,) = client.get(PATH).json()["visits"]
    assert (visit["dwell_at_least_s"], visit["dwell_at_most_s"]) == (0.0, 43.0)


def test_every_filter_alone_and_together(store: SeededStore, client: httpx.Client) -> None:
    a = add(store, 1, 50)
    b = add(store, 2, 40, zone="women")
    c = add(store, 3, 30, closed_by=ClosedBy.SILENCE)
    d = add(store, 4, 20, 1800, closed_by=ClosedBy.ANCHOR_DOWN)
    whole = add(store, 5, 45, 1200, zone=None, closed_by=ClosedBy.SILENCE)
    assert ids(client) == [d, c, b, a]
    assert ids(client, order="left_at") == [d, c, b, a]
    assert ids(client, kind="store") == [whole]
    assert ids(client, zone="women") == [b]
    assert ids(client, closed_by="silence") == [c]
    begin, end = store.now - timedelta(minutes=40), store.now - timedelta(minutes=20)
    assert ids(client, **{"from": iso(begin), "to": iso(end)}) == [c, b], "from counts, to does not"
    assert ids(client, zone="shoes", closed_by="moved_on", to=iso(end)) == [a]


def test_the_order_of_ending_differs_from_that_of_entering(store: SeededStore, client: httpx.Client) -> None:
    long = add(store, 1, 50, 45 * 60)
    short = add(store, 2, 40, 60)
    assert ids(client) == [short, long]
    assert ids(client, order="left_at") == [long, short]


@pytest.mark.parametrize("order", ["entered_at", "left_at"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pages_neither_repeat_nor_forget_while_visits_arrive(
    store: SeededStore, client: httpx.Client, order: str, seed: int
) -> None:
    chance = random.Random(seed)
    number = 0

    def arrive(count: int) -> set[str]:
        nonlocal number
        made = set()
        for _ in range(count):
            number += 1
            # whole minutes, so that many share one time and the id must decide
            made.add(add(store, number, chance.randint(0, 12), 60 * chance.randint(0, 3)))
        return made

    there = arrive(60)
    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while True:
        params: dict[str, Any] = {"limit": chance.randint(1, 9), "order": order}
        if cursor is not None:
            params["cursor"] = cursor
        page = client.get(PATH, params=params).json()
        seen += [visit["visit_id"] for visit in page["visits"]]
        pages += 1
        cursor = page["next_cursor"]
        if cursor is None:
            break
        arrive(chance.randint(0, 3))
    assert pages > 6, f"seed {seed}"
    assert len(seen) == len(set(seen)), "a visit stands on two pages"
    assert there <= set(seen), "a visit that was there is on no page"


def test_pages_come_in_order_over_chunks_of_weeks(store: SeededStore, client: httpx.Client) -> None:
    expected = [add(store, number, 60 * 24 * 5 * number) for number in range(8)]
    seen: list[str] = []
    cursor = None
    while len(seen) < 8:
        params: dict[str, Any] = {"limit": 3} | ({"cursor": cursor} if cursor is not None else {})
        page = client.get(PATH, params=params).json()
        seen += [visit["visit_id"] for visit in page["visits"]]
        cursor = page["next_cursor"]
    assert seen == expected
    assert cursor is None


def test_a_cursor_belongs_to_its_filters_and_store(store: SeededStore, client: httpx.Client) -> None:
    for number in range(3):
        add(store, number, number)
    cursor = client.get(PATH, params={"limit": 1}).json()["next_cursor"]
    other = client.get(PATH, params={"limit": 1, "zone": "shoes", "cursor": cursor})
    assert other.status_code == 422
    assert "other filters" in other.json()["detail"]
    assert client.get("/v1/stores/quay/visits", params={"cursor": cursor}).status_code == 422


def test_a_value_that_cannot_be_used_is_a_problem_and_never_an_empty_list(client: httpx.Client) -> None:
    for params in (
        {"limit": "0"}, {"limit": "501"}, {"limit": "many"}, {"kind": "both"}, {"closed_by": "boredom"},
        {"zone": "nowhere"}, {"zone": "\x00"}, {"kind": "store", "zone": "shoes"}, {"from": "yesterday"},
        {"from": "2026-11-21T09:00:00"}, {"from": "2026-11-21T09:00:00Z", "to": "2026-11-21T09:00:00Z"},
        {"cursor": "!"}, {"cursor": "AAAA"}, {"cursor": "\u00e4"}, {"cursor": "A" * 5000}, {"order": "dwell"},
        {"form": "2026-11-21T09:00:00Z"},
    ):  # fmt: skip
        answer = client.get(PATH, params=params)
        assert answer.status_code == 422, (params, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == "urn:sojourn:problem:value"
        assert problem["detail"]
        assert problem["hint"]
