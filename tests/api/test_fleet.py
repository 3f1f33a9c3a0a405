"""The fleet of a store: what edges said and sent, as figures and as alarms."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest

from core import wire
from storage.coverage import save_faults
from storage.fleet.alarms import KEPT, look_at_fleets
from storage.instants import to_ns
from storage.log.signals import LogEntry, append
from storage.stores import EdgeStatus, edge_numbers, save_statuses
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def say(store: SeededStore, edge: str, at: datetime, **status: Any) -> None:
    """Keep a status of an edge that was received then."""
    edge_numbers(store.connection, [(store.store_no, edge)])
    said = {"state": "online", "at_us": to_ns(at) // 1000} | status
    save_statuses(store.connection, [EdgeStatus(store.store_no, edge, said, to_ns(at))])
    store.connection.execute(
        "update edge set state = %s, state_at = %s where store_no = %s and id = %s",
        [said["state"], at, store.store_no, edge],
    )


def log(store: SeededStore, edge: str, sequence: int, at: datetime, anchors: list[str]) -> None:
    """Log a batch with one signal of each anchor."""
    number = edge_numbers(store.connection, [(store.store_no, edge)])[store.store_no, edge].edge_no
    count = len(anchors)
    batch = wire.encode(
        wire.Batch(
            boot=b"\7" * 16,
            sequence=sequence,
            anchors=tuple(anchors),
            devices=np.zeros((1, 16), np.uint8),
            ts=np.full(count, to_ns(at) // 1000 * 1000, np.int64),
            anchor=np.arange(count, dtype=np.uint16),
            device=np.zeros(count, np.uint16),
            rssi_dbm=np.full(count, -60, np.int16),
        )
    )
    entry = LogEntry(
        store_no=store.store_no, edge_no=number, boot=b"\7" * 16, sequence=sequence, received_at=to_ns(at),
        signals=count, first_ns=to_ns(at), last_ns=to_ns(at), sha256=sha256(batch).digest(), batch=batch,
    )  # fmt: skip
    append(store.connection, [entry])


def seed_fleet(store: SeededStore) -> list[str]:
    """Write one edge that fares well and one that does not; return the anchors of the store."""
    now, anchors = store.now, [anchor.id for anchor in store.plan.anchors]
    alive = {"v": 1, "every_s": 5.0, "at_us": {anchors[0]: to_ns(now) // 1000}}
    say(store, "north", now, anchors=anchors[:2], backlog=0, alive=alive, battery_percent={anchors[1]: 12})
    for sequence in range(1, 31):
        log(store, "north", sequence, now - timedelta(seconds=sequence), anchors[:1])
    log(store, "north", 31, now - timedelta(minutes=9), anchors[:2])
    for minutes, backlog in ((5, 10), (4, 20), (3, 20), (2, 90)):
        at = now - timedelta(minutes=minutes)
        say(
            store, "south", at, anchors=anchors[2:3], backlog=backlog, dropped=4, at_us=to_ns(at) // 1000 + 12_000_000
        )
    save_faults(store.connection, store.store_no, {anchors[2]: "down"}, to_ns(now))
    store.connection.commit()
    return anchors


def test_every_edge_and_anchor_is_told_with_its_figures_and_alarms(store: SeededStore, client: httpx.Client) -> None:
    empty = client.get("/v1/fleet/marktplatz").json()
    assert (empty["edges"], empty["coverage_share"], empty["alarms"]) == ([], None, [])
    anchors = seed_fleet(store)
    fleet = client.get("/v1/fleet/marktplatz").json()
    north, south = fleet["edges"]
    assert (north["edge"], north["state"], north["backlog_count"], north["clock_skew_s"]) == (
        "north",
        "online",
        0,
        0.0,
    )
    assert 0.3 <= north["rate_per_s"] <= 0.5
    assert south["clock_skew_s"] == 12.0
    assert (south["backlog_count"], south["dropped_count"], south["rate_per_s"], south["signals_at"]) == (
        90,
        4,
        0.0,
        None,
    )
    assert datetime.fromisoformat(south["backlog_growing_since"]) == store.now - timedelta(minutes=5)
    by_id = {anchor["anchor"]: anchor for anchor in fleet["anchors"]}
    assert list(by_id) == anchors, "every anchor of the plan"
    first, second, third = (by_id[anchor] for anchor in anchors[:3])
    assert first["rate_per_s"] == north["rate_per_s"]
    assert (first["edges"], first["state"], first["battery_percent"]) == (["north"], "works", None)
    assert datetime.fromisoformat(first["alive_at"]) == store.now
    assert (second["rate_per_s"], second["battery_percent"], second["alive_at"]) == (0.0, 12, None)
    assert datetime.fromisoformat(second["signals_at"]) == store.now - timedelta(minutes=9)
    assert (third["state"], third["edges"]) == ("down", ["south"])
    assert fleet["coverage_share"] == pytest.approx(1 - 1 / len(anchors))
    told = {(alarm["alarm"], alarm["edge"] or alarm["anchor"]) for alarm in fleet["alarms"]}
    assert told >= {
        ("edge_silent", "south"), ("clock_skew", "south"), ("backlog_growing", "south"), ("signals_dropped", "south"),
        ("battery_low", anchors[1]),
    }  # fmt: skip
    assert ("anchor_down", anchors[2]) not in told, "that its edge is silent says it"
    (silent,) = [alarm for alarm in fleet["alarms"] if alarm["alarm"] == "edge_silent"]
    assert silent["anchors"] == [anchors[2]]
    assert silent["says"].endswith("1 anchor is heard by no other edge.")
    assert not any(edge == "north" for _, edge in told)

    listed = {one["store"]: one for one in client.get("/v1/fleet").json()["stores"]}
    assert set(listed) == {"marktplatz", "quay"}
    assert {(one["alarm"], one["edge"] or one["anchor"]) for one in listed["marktplatz"]["alarms"]} == told
    assert (listed["marktplatz"]["backlog_count"], listed["quay"]["alarms"]) == (90, [])
    assert client.get("/v1/fleet/nowhere").status_code == 404
    assert client.get("/v1/fleet", params={"cursor": "x"}).status_code == 422


def test_the_end_of_a_certificate_is_told_a_month_before(store: SeededStore, client: httpx.Client) -> None:
    for edge, days in (("north", 29), ("south", 200)):
        ends = store.now + timedelta(days=days)
        say(store, edge, store.now, backlog=0, certificate_until_us=to_ns(ends) // 1000)
    store.connection.commit()
    fleet = client.get("/v1/fleet/marktplatz").json()
    assert [datetime.fromisoformat(one["certificate_until"]) - store.now for one in fleet["edges"]] == [
        timedelta(days=29), timedelta(days=200)
    ]  # fmt: skip
    assert [(one["alarm"], one["edge"]) for one in fleet["alarms"]] == [("certificate_ends", "north")]
    assert "Its certificate ends in 29 days." in client.get("/stores/marktplatz/fleet").text


def test_a_power_cut_is_told_once_for_each_edge(store: SeededStore, client: httpx.Client) -> None:
    anchors = [anchor.id for anchor in store.plan.anchors]
    for edge, heard in (("north", anchors[:3]), ("south", anchors[2:])):
        say(store, edge, store.now, anchors=heard, backlog=0, boot="07" * 16)
        say(store, edge, store.now, state="offline", boot="07" * 16)
    save_faults(store.connection, store.store_no, dict.fromkeys(anchors, "down"), to_ns(store.now))
    store.connection.commit()
    fleet = client.get("/v1/fleet/marktplatz").json()
    assert [(one["alarm"], one["edge"], one["anchors"]) for one in fleet["alarms"]] == [
        ("edge_gone", "north", sorted(anchors[:3])),
        ("edge_gone", "south", sorted(anchors[2:])),
    ]
    assert (fleet["coverage_share"], {one["state"] for one in fleet["anchors"]}) == (0.0, {"down"})
    assert [len(one["alarms"]) for one in client.get("/v1/fleet").json()["stores"]] == [2, 0]
    look_at_fleets(store.connection, store.now)
    assert look_at_fleets(store.connection, store.now + timedelta(minutes=5)) == 2
    assert f"{len(anchors[2:])} anchors are heard by no other edge." in client.get("/stores/marktplatz/fleet").text


@pytest.mark.parametrize(
    ("backlogs", "grows"),
    [
        ((0, 9), True),
        ((0, 9, 9), True),
        ((19, 14), False),
        ((0, 15, 0), False),
        ((9, 9), True),
        ((0, 8, 8), False),  # on their way, as of any edge
        ((0, 19, 8), False),
    ],
)
def test_a_backlog_grows_until_it_falls(store: SeededStore, backlogs: tuple[int, ...], grows: bool) -> None:
    for place, backlog in enumerate(backlogs):
        say(store, "e", store.now + timedelta(seconds=place), backlog=backlog)
    row = store.connection.execute("select backlog_growing_since is not null from edge").fetchone()
    assert row == (grows,)


def test_a_last_will_says_nothing_of_the_clock(store: SeededStore, client: httpx.Client) -> None:
    say(store, "e", store.now, state="offline", at_us=to_ns(store.now) // 1000 - 3_600_000_000)
    store.connection.commit()
    fleet = client.get("/v1/fleet/marktplatz").json()
    assert fleet["edges"][0]["clock_skew_s"] is None
    assert [alarm["alarm"] for alarm in fleet["alarms"]] == ["edge_gone"]


def test_what_an_edge_said_outlives_its_last_will(store: SeededStore, client: httpx.Client) -> None:
    anchor = store.plan.anchors[0].id
    began, last = store.now - timedelta(seconds=630), store.now - timedelta(seconds=30)
    for at, heard, state, backlog in (
        (began, began, "online", 0),
        (last, last, "online", 20),
        (store.now, began, "offline", 0),
    ):
        alive = {"v": 1, "every_s": 5, "at_us": {anchor: to_ns(heard) // 1000}}
        say(store, "e", at, state=state, boot="07" * 16, anchors=[anchor], backlog=backlog, alive=alive)
    store.connection.commit()
    fleet = client.get("/v1/fleet/marktplatz").json()
    assert fleet["edges"][0]["backlog_count"] == 20
    assert fleet["edges"][0]["backlog_growing_since"] is not None
    (found,) = [one for one in fleet["anchors"] if one["anchor"] == anchor]
    assert datetime.fromisoformat(found["alive_at"]) == last


def test_alarms_are_raised_once_they_hold_kept_and_told(store: SeededStore, client: httpx.Client) -> None:
    connection, now = store.connection, store.now
    hook = {"url": "https://example.com/hook", "event_types": ["fleet_alarm.opened", "fleet_alarm.closed"]}
    made = client.post("/v1/webhooks/subscriptions", json=hook, headers={"Idempotency-Key": str(UUID(int=9))})
    assert made.status_code in {200, 201}

    def speak(seconds: float, ahead_s: float, **more: Any) -> int:
        at = now + timedelta(seconds=seconds)
        said = {"at_us": to_ns(at) // 1000 + int(ahead_s * 1e6)} | more
        say(store, "south", at, **said)
        return look_at_fleets(connection, at)

    def log_of() -> list[tuple[str, bool]]:
        rows = client.get("/v1/fleet/marktplatz/alarms").json()["alarms"]
        return [(row["alarm"], row["closed_at"] is None) for row in rows]

    assert (speak(0, 6), speak(20, 1), speak(30, 6), speak(50, 6)) == (0, 0, 0, 0), "it has not held for 30 s"
    (live,) = client.get("/v1/fleet/marktplatz").json()["alarms"]
    assert (live["alarm"], live["opened_at"], log_of()) == ("clock_skew", None, [])
    assert speak(60, 6) == 1
    (live,) = client.get("/v1/fleet/marktplatz").json()["alarms"]
    assert datetime.fromisoformat(live["opened_at"]) == now + timedelta(seconds=60)
    assert (speak(70, 3), speak(200, 3)) == (0, 0), "between both bounds it stands"
    assert client.get("/v1/fleet/marktplatz").json()["alarms"][0]["alarm"] == "clock_skew"
    assert not client.get("/v1/fleet/marktplatz").json()["alarms"][0]["ending"]
    assert (speak(210, 1), speak(220, 6), speak(230, 1), speak(250, 1)) == (0, 0, 0, 0), "over for 30 s"
    (live,) = client.get("/v1/fleet/marktplatz").json()["alarms"]
    assert (live["alarm"], live["ending"]) == ("clock_skew", True), "as long as it is told as open it is shown"
    assert [one["ending"] for one in client.get("/v1/fleet").json()["stores"][0]["alarms"]] == [True]
    assert "It is not so at the moment" in client.get("/stores/marktplatz/fleet").text
    assert log_of() == [("clock_skew", True)]
    assert speak(260, 1) == 1
    assert log_of() == [("clock_skew", False)]
    assert speak(270, 0, dropped=4) == 1, "what is lost is told at once"
    assert look_at_fleets(connection, now + timedelta(seconds=300)) == 0, "not twice"
    assert log_of() == [("signals_dropped", True), ("clock_skew", False)]

    queued = connection.execute("select body::jsonb from webhook_message order by made_at").fetchall()
    told = [(row[0]["type"], row[0]["data"]["alarm"], row[0]["data"]["edge"]) for row in queued]
    assert told == [
        ("fleet_alarm.opened", "clock_skew", "south"),
        ("fleet_alarm.closed", "clock_skew", "south"),
        ("fleet_alarm.opened", "signals_dropped", "south"),
    ]
    assert queued[0][0]["data"] | {"alarm_no": 0} == {
        "store": "marktplatz", "alarm": "clock_skew", "edge": "south", "anchor": "", "alarm_no": 0,
        "says": "Its clock is 6 s ahead.", "hint": "Run NTP there.", "at": (now + timedelta(seconds=60)).isoformat(),
    }  # fmt: skip
    page = client.get("/v1/fleet/marktplatz/alarms", params={"limit": 1}).json()
    rest = client.get("/v1/fleet/marktplatz/alarms", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert (rest["alarms"][0]["alarm"], rest["next_cursor"]) == ("clock_skew", None)
    assert client.get("/v1/fleet/marktplatz/alarms", params={"cursor": "x"}).status_code == 422
    assert [row["alarm"] for row in client.get("/v1/fleet/marktplatz/alarms?open=true").json()["alarms"]] == [
        "signals_dropped"
    ]
    look_at_fleets(connection, now + KEPT + timedelta(hours=1))
    assert ("clock_skew", False) not in log_of(), "a year later it is forgotten"
