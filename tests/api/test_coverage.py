"""Which anchors work: the route, and what a live page is told."""

from datetime import timedelta

import httpx
import pytest

from core.dwell.coverage import HOUR_US, CoveredHour
from storage.coverage import save_faults, save_hours
from storage.instants import to_ns
from storage.log.signals import save_gaps
from tests.api.seeding import gap_of
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def test_a_store_without_a_fault_is_covered(store: SeededStore, client: httpx.Client) -> None:
    answer = client.get("/v1/stores/marktplatz/coverage")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["store"], told["timezone"], told["share"], told["hours"]) == ("marktplatz", "Europe/Berlin", 1.0, [])
    assert told["now"] == {"anchor_count": 4, "working_count": 4, "faults": []}


def test_faults_and_hours_are_told(store: SeededStore, client: httpx.Client) -> None:
    since = store.now - timedelta(minutes=7)
    save_faults(store.connection, store.store_no, {"a4": "down", "a2": "deaf", "gone": "down"}, to_ns(since))
    save_faults(store.connection, store.store_no, {"a4": "down", "a2": "deaf", "gone": "down"}, to_ns(store.now))
    hour = to_ns(store.now) // 1000 // HOUR_US
    hours = [CoveredHour((hour - back) * HOUR_US, HOUR_US // 2, 1 / 3) for back in range(30)]
    save_hours(store.connection, store.store_no, hours)
    save_hours(store.connection, store.store_no, [hours[0]._replace(share=0.5)])
    told = client.get("/v1/stores/marktplatz/coverage").json()
    assert told["share"] == 0.5
    assert [(fault["anchor"], fault["zone"], fault["state"]) for fault in told["now"]["faults"]] == [
        ("a2", "women", "deaf"), ("a4", "shoes", "down"),
    ], "an anchor that the plan no longer has is left out"  # fmt: skip
    assert len({fault["since"] for fault in told["now"]["faults"]}) == 1
    assert told["now"]["faults"][0]["since"].startswith(since.strftime("%Y-%m-%dT%H:%M:%S")), "not the later word"
    assert len(told["hours"]) == 24
    assert told["hours"][-1] | {"begins_at": ""} == {
        "begins_at": "", "covered_s": 1800.0, "share": 0.5, "gap_signal_count": 0,
    }  # fmt: skip
    assert told["gaps"] == []
    assert told["hours"][0]["share"] == 0.3333
    assert len(client.get("/v1/stores/marktplatz/coverage?hours=2").json()["hours"]) == 2
    assert client.get("/v1/stores/marktplatz/coverage?hours=0").status_code == 422
    assert client.get("/v1/stores/nowhere/coverage").status_code == 404


def test_a_fault_that_is_mended_goes(store: SeededStore, client: httpx.Client) -> None:
    save_faults(store.connection, store.store_no, {"a4": "down"}, to_ns(store.now))
    save_faults(store.connection, store.store_no, {"a4": "deaf"}, to_ns(store.now))
    assert client.get("/v1/stores/marktplatz/coverage").json()["now"]["faults"][0]["state"] == "deaf"
    save_faults(store.connection, store.store_no, {}, None)
    assert client.get("/v1/stores/marktplatz/coverage").json()["now"]["working_count"] == 4


def test_hours_of_which_signals_were_dropped_say_so(store: SeededStore, client: httpx.Client) -> None:
    """Anchors worked, and an outbox was full: the hour is not as covered as its share says."""
    newest_us = to_ns(store.now) // 1000 // HOUR_US * HOUR_US
    begins_us = [newest_us - back * HOUR_US for back in range(4)]
    save_hours(store.connection, store.store_no, [CoveredHour(at, HOUR_US, 1.0) for at in begins_us])
    ns = [at * 1000 for at in begins_us]
    spans = [(ns[2] + 1000, ns[1], 500), (ns[1] - 1000, ns[1] - 1000, 7), (ns[3] - 10**9, ns[3] - 1000, 90)]
    save_gaps(
        store.connection,
        [
            gap_of(store.connection, store.store_no, begins, ends, signals=signals, last=last)
            for last, (begins, ends, signals) in enumerate(spans, start=1)
        ],
    )
    told = client.get("/v1/stores/marktplatz/coverage").json()
    assert [(hour["share"], hour["gap_signal_count"]) for hour in told["hours"]] == [
        (1.0, 0), (1.0, 507), (1.0, 500), (1.0, 0),
    ]  # fmt: skip
    assert [(gap["edge"], gap["signal_count"]) for gap in told["gaps"]] == [("north", 500), ("north", 7)]
    assert told["gaps"][0]["from_at"] < told["hours"][2]["begins_at"] == told["gaps"][0]["until_at"], (
        "reaches into it"
    )
    today = store.now.date()
    days = {"from": str(today - timedelta(days=2)), "to": str(today + timedelta(days=1))}
    before = {"from": str(today - timedelta(days=9)), "to": str(today - timedelta(days=3))}
    dropped = [
        client.get("/v1/stores/marktplatz/metrics/footfall", params=params).json()["gap_signal_count"]
        for params in (days, before)
    ]
    assert dropped == [597, 0]
    assert "597 signals" in client.get("/stores/marktplatz/traffic", params=days).text
    page = client.get("/stores/marktplatz/coverage").text
    assert "What edges had to drop" in page
    assert page.count("an edge dropped signals</title>") == 2
