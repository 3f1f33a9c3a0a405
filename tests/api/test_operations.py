"""What operations work with beside formulas: exclusions, cells as pages and files, heatmap, alerts, orders."""

import io
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import polars as pl
import psycopg
import pytest

from api.metrics.models import MetricRowOut
from api.operations.today import by_clock
from core.records import Role
from storage.alerts.looking import look
from storage.coverage import save_faults
from storage.instants import to_ns
from storage.page_cursors import write_cursor
from storage.rollups.keeping import refresh
from storage.rollups.sources import hour_begins
from tests.api.seeding import add_customers, device, set_people
from tests.fix_api import SeededStore
from tests.metrics.visiting import Stay, insert, shoppers

pytestmark = pytest.mark.servers
SATURDAY = date(2026, 10, 24)
DAYS = {"from": "2026-10-24", "to": "2026-10-25"}
WHO = {"Sojourn-Operator": "Ida"}
HERE = "/v1/stores/marktplatz"


@pytest.fixture
def seeded(store: SeededStore) -> list[Stay]:
    at = datetime(2026, 10, 24, 8, tzinfo=UTC)
    stays = [
        *shoppers(store.plan, SATURDAY, 90, seed=1),
        *shoppers(store.plan, date(2026, 10, 25), 40, seed=2, first_number=10_000),
        *(Stay(70_000 + n, 30_000 + n, None, at + timedelta(minutes=n), 20.0) for n in range(12)),  # only pass by
        *(Stay(71_000 + n, 31_000 + n, None, at, 9 * 3600.0) for n in range(11)),  # stay all day
    ]
    insert(store.connection, store.store_no, stays)
    refresh(store.connection, most_days=10)
    return stays


def metric(client: httpx.Client, formula: str, **query: Any) -> Any:
    answer = client.get(f"{HERE}/metrics/{formula}", params=DAYS | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_exclusions_are_shown_changed_taken_back_and_written_down(
    seeded: list[Stay], client: httpx.Client, store: SeededStore
) -> None:
    before = metric(client, "footfall")
    assert before["total"]["value"] == 90 + 40 + 12, "who stays nine hours is no visitor"
    assert before["excluded"]["long_stay_visit_count"] == 11
    rules = client.get(f"{HERE}/exclusions").json()["rules"]
    week = [{"opens_min": 600, "closes_min": 1200}] * 6 + [None]
    asked = {"rules": rules | {"passer_by_s": 30, "long_stay_s": None, "opening_hours": week}, "reason": "as agreed"}
    changed = client.put(f"{HERE}/exclusions", json=asked, headers=WHO).json()
    assert [(row["operator"], row["reason"], row["holds"]) for row in changed["changes"]] == [
        ("Ida", "as agreed", True)
    ]
    for _ in range(2):  # before and after the counts are made anew
        after = metric(client, "footfall")
        opened = sum(
            stay.zone is None and stay.device < 30_000 and stay.entered_at.day == 24 and stay.entered_at.hour >= 8
            and stay.dwell_s >= 30 for stay in seeded
        )  # fmt: skip
        assert after["total"]["value"] in range(opened, opened + 13)
        assert after["excluded"]["passer_by_visit_count"] >= 12
        assert after["excluded"]["closed_visit_count"] >= 30, "closed on Sundays"
        refresh(store.connection, most_days=10)
    restored = client.post(f"{HERE}/exclusions/0/restore", json={"reason": "wrong store"}, headers=WHO).json()
    assert restored["rules"] == rules
    assert [row["holds"] for row in restored["changes"]] == [True, False]
    again = metric(client, "footfall")
    assert (again["rows"], again["total"], again["excluded"]) == (before["rows"], before["total"], before["excluded"])
    assert client.post(f"{HERE}/exclusions/99/restore", json={"reason": "x"}, headers=WHO).status_code == 404
    wrong = {"rules": rules | {"passer_by_s": 9, "long_stay_s": 5}, "reason": "x"}
    assert "Everybody" in client.put(f"{HERE}/exclusions", json=wrong, headers=WHO).json()["detail"]
    for statement in ("delete from exclusion_change", "truncate exclusion_change"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            store.connection.execute(statement)


def test_cells_come_in_pages_and_as_streams_that_hold_the_same(seeded: list[Stay], client: httpx.Client) -> None:
    cells, cursor, pages = [], None, 0
    while True:
        asked = DAYS | {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"{HERE}/cells", params=asked).json()
        cells += page["cells"]
        cursor, pages = page["next_cursor"], pages + 1
        if cursor is None:
            break
    assert pages == 2
    assert [(one["id"], one["version"]) for one in page["formulas"]] == [
        ("footfall", 1), ("people", 1), ("dwell_mean", 1)
    ]  # fmt: skip
    assert page.keys() >= {"coverage", "freshness", "excluded", "no_data_count", "k_people"}
    store_cells = [cell for cell in cells if cell["zone"] is None]
    assert [cell["visit_count"] for cell in store_cells] == [102, 40]
    assert all((cell["visit_count"] is None) == (cell["state"] == "hidden") for cell in cells)
    with client.stream("GET", f"{HERE}/cells", params=DAYS | {"format": "csv"}) as answer:
        assert "content-length" not in answer.headers, "it is a stream"
        text = answer.read()
    rows = pl.read_csv(io.BytesIO(text))
    frame = pl.read_parquet(io.BytesIO(client.get(f"{HERE}/cells", params=DAYS | {"format": "parquet"}).content))
    assert rows["visit_count"].to_list() == frame["visit_count"].to_list() == [cell["visit_count"] for cell in cells]
    assert set(rows["formulas"]) == set(frame["formulas"]) == {"footfall 1;people 1;dwell_mean 1"}
    other = client.get(f"{HERE}/cells", params={"from": "2026-10-24", "to": "2026-10-24", "cursor": "x"})
    assert other.status_code == 422
    assert client.get(f"{HERE}/cells", params=DAYS | {"by": "hour", "limit": 31}).json()["cells"]


def test_the_heatmap_has_every_zone_with_its_outline(seeded: list[Stay], client: httpx.Client) -> None:
    found = client.get(f"{HERE}/heatmap", params=DAYS).json()
    assert len(found["zones"]) == 12
    assert max(zone["heat"] for zone in found["zones"]) == 6
    assert found["zones"][2]["outline_m"]
    assert found["formula"]["id"] == "footfall"
    assert client.get(f"{HERE}/heatmap", params=DAYS | {"of": "flow"}).status_code == 422


def test_queues_sections_and_now(seeded: list[Stay], client: httpx.Client, store: SeededStore) -> None:
    of_till = [stay.dwell_s for stay in seeded if stay.zone == 9 and stay.dwell_s >= 30]
    abandoned = metric(client, "queue_abandoned", zone="checkout", bucket="whole")
    assert abandoned["total"]["value"] == pytest.approx(sum(one < 60 for one in of_till) / len(of_till), abs=1e-6)
    assert metric(client, "queue_wait", zone="checkout", bucket="whole")["total"]["value"] > 30
    rows = metric(client, "queue_wait", by="zone", bucket="whole")["rows"]
    assert {row["zone"] for row in rows} == {"checkout", "service"}
    assert "checkout or service" in client.get(f"{HERE}/metrics/queue_wait?zone=women").json()["detail"]
    assert client.get(f"{HERE}/metrics/queue_wait").status_code == 422
    went_on = {
        (stay.device, stay.entered_at.date()) for stay in seeded if stay.zone == 2
        and any(o.zone == 9 and o.device == stay.device and o.entered_at > stay.entered_at for o in seeded)
    }  # fmt: skip
    all_there = {(stay.device, stay.entered_at.date()) for stay in seeded if stay.zone == 2}
    converted = metric(client, "section_conversion", zone="women", bucket="whole")["total"]
    assert converted["state"] == "told" or converted["hidden_count"]
    assert converted["value"] is None or abs(converted["value"] - len(went_on) / len(all_there)) < 0.2
    assert client.get(f"{HERE}/metrics/section_conversion?zone=women&bucket=hour").status_code == 422
    set_people(store.connection, store.plan, store.store_no, {"women": 3, "new": 2}, at=store.now)
    here = client.get(f"{HERE}/metrics/occupancy_now").json()
    assert (here["rows"][0]["value"], here["first_day"]) == (5, here["last_day"])
    each = client.get(f"{HERE}/metrics/occupancy_now", params={"by": "zone"}).json()["rows"]
    assert sum(row["value"] for row in each) == 5


def test_orders_are_joined_with_looks_and_other_stores(client: httpx.Client, store: SeededStore) -> None:
    connection, monday = store.connection, datetime(2026, 10, 19, 9, tzinfo=UTC)
    add_customers(connection, store.plan, store.store_no, now=store.now)
    profiles = []
    for number in range(12):
        row = connection.execute("insert into profile (display_name) values ('x') returning profile_id").fetchone()
        assert row is not None
        profiles.append(row[0])
        connection.execute(
            "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
            " values (%s, 'in_store_journey', 'granted', 'app', '1', '2026-01-01')", row,
        )  # fmt: skip
        connection.execute(
            "insert into device_link (device, profile_id, valid_from) values (%s, %s, '2026-01-01')",
            [UUID(bytes=device(80_000 + number)), row[0]],
        )
        for place, begin in ((None, 0), (5, 60), (5, 400)):
            stay = Stay(
                90_000 + number * 10 + begin % 7,
                80_000 + number,
                place,
                monday + timedelta(seconds=begin),
                30.0 + number,
            )
            insert(connection, store.store_no, [stay])
        quay = connection.execute("select store_no from store where id = 'quay'").fetchone()
        assert quay is not None
        if number < 3:
            insert(
                connection, quay[0], [Stay(95_000 + number, 80_000 + number, None, monday - timedelta(days=2), 60.0)]
            )
        for key, online in (("till", False), ("web", True))[: 1 + number % 2]:
            connection.execute(
                "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at,"
                " store_no, detail) values (gen_random_uuid(), 0, %s, 'ordered', 'pos', %s, %s, %s, %s::jsonb)",
                [row[0], f"{key}-{number}", monday + timedelta(minutes=20), None if online else store.store_no,
                 '{"product": "boot"}'],
            )  # fmt: skip
    week = {"from": "2026-10-18", "to": "2026-10-25"}
    assert client.put(f"{HERE}/shelf-items", json={"items": {"boot": "attic"}}, headers=WHO).status_code == 422
    assert client.put(f"{HERE}/shelf-items", json={"items": {"boot": "shoes"}}, headers=WHO).status_code == 200
    assert client.get(f"{HERE}/shelf-items").json() == {"items": {"boot": "shoes"}, "holds_from": None}
    (shelf,) = metric(client, "shelf_view", **week)["rows"]
    assert (shelf["zone"], shelf["value"], shelf["visit_count"]) == ("shoes", 2 * 35.5, 12)
    online = metric(client, "online_share", **week)["rows"][0]
    assert (online["value"], online["visit_count"]) == (pytest.approx(6 / 18), 18)
    part = client.get(f"{HERE}/metrics/shelf_view", params={"from": "2026-10-19", "to": "2026-10-24"})
    assert part.status_code == 422, "a part of a week would tell a day by subtraction"
    longer = week | {"to": "2026-10-31"}
    assert metric(client, "shelf_view", **longer)["rows"] == [shelf], "nor is one added to a whole week"
    elsewhere = metric(client, "cross_store", **week, bucket="whole")["rows"][0]
    assert elsewhere["value"] == pytest.approx(3 / 12)
    assert metric(client, "new_customers", **week, bucket="whole")["rows"][0]["value"] == 1.0
    for taken, state in ((2, "told"), (1, "hidden")):  # ten customers are left, then nine
        for profile in profiles[:taken]:
            connection.execute("delete from customer_event where profile_id = %s", [profile])
        profiles = profiles[taken:]
        for formula in ("shelf_view", "online_share"):
            told = metric(client, formula, **week)
            (row,) = told["rows"]
            assert (told["state"], row["state"], row["value"] is None) == (state, state, state == "hidden"), formula
            assert (told["hidden_count"], row["visit_count"] is None) == (int(state == "hidden"), state == "hidden")


def test_alerts_open_once_close_once_and_are_told(client: httpx.Client, store: SeededStore) -> None:
    connection, now = store.connection, store.now
    made = client.post(f"{HERE}/alert-rules", json={"kind": "occupancy", "opens_at": 20, "for_s": 10}, headers=WHO)
    assert (made.status_code, made.json()["clears_at"]) == (201, 18)
    client.post(f"{HERE}/alert-rules", json={"kind": "queue_wait", "zone": "checkout", "for_s": 0}, headers=WHO)
    client.post(f"{HERE}/alert-rules", json={"kind": "anchor_down", "for_s": 0}, headers=WHO)
    for wrong in ({"kind": "queue_wait"}, {"kind": "occupancy", "opens_at": 5, "clears_at": 6}, {"kind": "flood"}):
        assert client.post(f"{HERE}/alert-rules", json=wrong, headers=WHO).status_code == 422
    url = {"url": "https://example.com/hook", "event_types": ["alert.opened", "alert.closed"]}
    assert client.post(
        "/v1/webhooks/subscriptions", json=url, headers={"Idempotency-Key": str(UUID(int=7))}
    ).status_code in {200, 201}

    def told() -> list[tuple[str, bool]]:
        return [(row["kind"], row["closed_at"] is None) for row in client.get(f"{HERE}/alerts").json()["alerts"]]

    set_people(connection, store.plan, store.store_no, {"women": 25}, at=now)
    look(connection, now)
    assert told() == [], "not yet: it must stay so for ten seconds"
    assert look(connection, now + timedelta(seconds=10)) == 1
    save_faults(connection, store.store_no, dict.fromkeys(("a1", "a2", "a3", "a4"), "down"), to_ns(now))
    set_people(connection, store.plan, store.store_no, {}, at=now)
    look(connection, now + timedelta(seconds=12))
    look(connection, now + timedelta(seconds=18))
    assert told() == [("anchor_down", True), ("occupancy", True)], "without an anchor nobody knows who is there"
    save_faults(connection, store.store_no, {}, to_ns(now))
    look(connection, now + timedelta(seconds=19))
    set_people(connection, store.plan, store.store_no, {"women": 19}, at=now)
    assert [look(connection, now + timedelta(seconds=at)) for at in (20, 40)] == [0, 0], "between the bounds"
    assert told() == [("anchor_down", False), ("occupancy", True)]
    set_people(connection, store.plan, store.store_no, {"checkout": 4}, at=now)
    save_faults(connection, store.store_no, {"a4": "down"}, to_ns(now))
    look(connection, now + timedelta(minutes=4))
    look(connection, now + timedelta(minutes=5))
    assert told()[:2] == [("anchor_down", True), ("queue_wait", True)]
    assert told()[2:] == [("anchor_down", False), ("occupancy", False)]
    queued = connection.execute("select event_type from webhook_message order by 1").fetchall()
    assert [row[0] for row in queued] == [*["alert.closed"] * 2, *["alert.opened"] * 4]
    page = client.get(f"{HERE}/alerts", params={"limit": 1}).json()
    first = page["rules"][-1]["rule_no"]
    assert client.delete(f"{HERE}/alert-rules/{first}", headers=WHO).status_code == 204
    assert told()[0] == ("anchor_down", False), "what is not watched any more is over"


NONSENSE = (
    ("alerts", {"remove": "nan"}), ("alerts", {"remove": "inf"}), ("alerts", {"remove": "1.7"}),
    ("alerts", {"remove": "-1"}), ("alerts", {"remove": "1e30"}), ("alerts", {"remove": "9" * 5000}),
    ("alerts", {"kind": "nope"}), ("alerts", {"kind": "occupancy", "opens_at": "inf"}),
    ("alerts", {"kind": "occupancy", "clears_at": "nan"}), ("alerts", {"kind": "occupancy", "opens_at": "1e400"}),
    ("exclusions", {"restore": "nan"}), ("exclusions", {"restore": "inf"}), ("exclusions", {"restore": "-5"}),
    ("exclusions", {"staff_zone_min": "inf"}), ("exclusions", {"staff_zone_min": "nan"}),
    ("exclusions", {"long_stay_h": "1e308"}), ("exclusions", {"passer_by_s": "-1e308"}),
    ("exclusions", {"hours_on": "1", "opens_0": "\N{SUPERSCRIPT TWO}:00", "closes_0": "20:00"}),
    ("exclusions", {"hours_on": "1", "opens_0": "9" * 5000 + ":00", "closes_0": "20:00"}),
    ("exclusions", {"hours_on": "1", "opens_0": "09:00", "closes_0": "24:15"}),
)  # fmt: skip


def submit(client: httpx.Client, page: str, form: dict[str, str]) -> httpx.Response:
    return client.post(page, data=form, headers={"Sec-Fetch-Site": "same-origin"} | WHO)


def test_nonsense_in_a_form_is_a_problem_of_whoever_sent_it(client: httpx.Client) -> None:
    for page, form in NONSENSE:
        answer = submit(client, f"/stores/marktplatz/{page}", form | {"reason": "r"})
        assert answer.status_code == 422, (form, answer.text)
        assert "A fault of ours" not in answer.text
    assert client.get(f"{HERE}/exclusions").json()["changes"] == []


def test_a_form_that_removes_what_is_not_there_says_so(client: httpx.Client) -> None:
    kept = client.post(f"{HERE}/alert-rules", json={"kind": "occupancy", "opens_at": 20}, headers=WHO).json()
    assert submit(client, "/stores/marktplatz/alerts", {"remove": "999"}).status_code == 404
    assert submit(client, "/stores/marktplatz/exclusions", {"restore": "999", "reason": "r"}).status_code == 404
    assert [rule["rule_no"] for rule in client.get(f"{HERE}/alerts").json()["rules"]] == [kept["rule_no"]]
    assert submit(client, "/stores/marktplatz/alerts", {"remove": str(kept["rule_no"])}).status_code == 303


def test_a_shop_is_open_until_midnight_and_each_change_says_its_hours(client: httpx.Client) -> None:
    page = "/stores/marktplatz/exclusions"
    rules = {"staff": "on", "fixtures": "on", "staff_zone_min": "10", "long_stay_h": "8", "hours_on": "on"}
    week = {f"opens_{day}": "9:00" for day in range(6)} | {f"closes_{day}": "24:00" for day in range(6)}
    changed = submit(client, page, rules | week | {"reason": "until midnight"})
    assert changed.status_code == 303, changed.text
    held = client.get(f"{HERE}/exclusions").json()["rules"]["opening_hours"]
    assert held == [{"opens_min": 540, "closes_min": 1440}] * 6 + [None]
    shown = client.get(page).text
    assert "outside Mon\N{EN DASH}Sat 09:00\N{EN DASH}24:00, Sun closed" in shown
    fields = dict(re.findall(r'name="((?:opens|closes)_\d)" value="([^"]*)"', shown))
    again = submit(client, page, rules | fields | {"passer_by_s": "20", "reason": "what the page shows can be sent"})
    assert again.status_code == 303, again.text
    assert client.get(f"{HERE}/exclusions").json()["rules"]["opening_hours"] == held


def test_a_cursor_that_anybody_can_write_opens_no_day_beyond_its_question(
    seeded: list[Stay], client: httpx.Client
) -> None:
    for day in ("9999-12-31", "0001-01-01", "2020-01-01", "2026-10-24", "2026-10-26", "abc"):
        cursor = write_cursor(day, ["cells", *DAYS.values(), "day"])
        answer = client.get(f"{HERE}/cells", params=DAYS | {"cursor": cursor})
        assert (answer.status_code, "cursor" in answer.json()["detail"]) == (422, True), day


def test_a_week_in_which_nobody_listened_has_no_share_of_orders(client: httpx.Client) -> None:
    told = metric(client, "online_share", **{"from": "2026-10-19", "to": "2026-10-25"})
    (row,) = told["rows"]
    assert (told["state"], row["state"], row["value"], row["no_data_count"]) == ("no_data", "no_data", None, 7)


def test_of_a_store_that_nobody_heard_nothing_is_said_to_be_hidden_or_fine(
    store: SeededStore, client: httpx.Client
) -> None:
    assert client.get(f"{HERE}/presets", params=DAYS).json()["state"] == "no_data"
    compared = client.get("/stores/marktplatz/compare").text
    assert "These days have no data" in compared
    assert "<strong>hidden</strong>" not in compared
    assert "<strong>no data</strong>" in compared
    wording = {
        "never": ("no signal has come from this store yet", "no signal has come yet from its"),
        "late": ("worked when the newest signal came", "anchors worked at the newest signal"),
        "now": ("Nothing is wrong", "All of them worked at the newest signal."),
    }
    for heard, ago_s in (("never", None), ("late", 3600), ("now", 0)):
        if ago_s is not None:
            set_people(
                store.connection, store.plan, store.store_no, {"women": 3},
                at=datetime.now(UTC) - timedelta(seconds=ago_s),
            )  # fmt: skip
        today = client.get("/stores/marktplatz/today").text
        (shown,) = re.findall(r'<p data-heard="(\w+)">', today)
        assert (shown, f'data-state="{"fine" if heard == "now" else "unknown"}"' in today) == (heard, True)
        assert wording[heard][0] in today
        assert wording[heard][1] in client.get("/stores/marktplatz/coverage").text
    assert "Today has no data yet" in today


def test_what_is_not_asked_for_is_refused_and_what_is_not_possible_says_what_is(client: httpx.Client) -> None:
    for address in (
        "/stores/marktplatz/alerts?x=1",
        "/stores/marktplatz/alerts?cursor=1&cursor=2",
        "/formulas?x=1",
        "/stores/marktplatz/compare?store=marktplatz",
        f"{HERE}/metrics/footfall?compare_store=marktplatz",
    ):
        assert client.get(address).status_code == 422, address
    assert client.get("/stores/marktplatz/alerts?cursor=1").status_code == 200
    traffic, before = "/stores/marktplatz/traffic", "from=2026-10-24&to=2026-10-25"
    referer = {"Referer": f"{str(client.base_url).rstrip('/')}{traffic}?{before}"}
    for headers, back in (({}, traffic), (referer, f"{traffic}?{before.replace('&', '&amp;')}")):
        problem = client.get(f"{traffic}?from=2026-10-25&to=2026-10-01", headers=headers)
        assert f'href="{back}">Back to the form</a>' in problem.text
    assert client.get("/stores/marktplatz/compare?store=marktplatz&compare=previous").status_code == 200
    refused = client.post(f"{HERE}/metrics/footfall")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert client.delete(f"{HERE}/exclusions").headers["allow"] == "GET, PUT"


def test_a_form_with_a_mistake_leads_back_to_itself(client: httpx.Client) -> None:
    page = f"{client.base_url}/stores/marktplatz/alerts".replace("//stores", "/stores")
    wrong = {"kind": "occupancy", "zone": "", "opens_at": "100", "clears_at": "120"}
    sent = {"Origin": str(client.base_url).rstrip("/"), "Accept": "text/html"}
    answer = client.post("/stores/marktplatz/alerts", data=wrong, headers=sent | {"Referer": page} | WHO)
    assert answer.status_code == 422
    assert '<a class="button main-button" href="/stores/marktplatz/alerts">Back to the form</a>' in answer.text
    elsewhere = sent | {"Referer": "https://away.test/stores"}
    answer = client.post("/stores/marktplatz/alerts", data=wrong, headers=elsewhere | WHO)
    assert (answer.status_code, "Back to the form" in answer.text) == (422, False)


def test_unusual_dwell_is_told_beside_the_same_hour_of_earlier_weeks(
    store: SeededStore, client: httpx.Client
) -> None:
    hour = store.now.astimezone(ZoneInfo(store.plan.timezone)).replace(minute=0, second=0, microsecond=0)
    hour -= timedelta(hours=1)  # on the store's clocks, so that weeks back are the same hour of the week
    for week in range(7):
        usual = 600.0 if week == 0 else 60.0 + week
        insert(
            store.connection, store.store_no,
            [
                Stay(week * 100 + n, week * 100 + n, None, hour - timedelta(weeks=week, minutes=-n), usual + n)
                for n in range(24)
            ],
        )  # fmt: skip
    long_ago = [  # more weeks than the eight that count: with them 600 s would be usual
        Stay(
            10_000 + week * 100 + n,
            10_000 + week * 100 + n,
            None,
            hour - timedelta(weeks=week, minutes=-n),
            600.0 + n,
        )
        for week in range(9, 20)
        for n in range(24)
    ]
    insert(store.connection, store.store_no, long_ago)
    refresh(store.connection, most_days=30)
    client.post(f"{HERE}/alert-rules", json={"kind": "unusual_dwell"}, headers=WHO)
    assert look(store.connection, store.now) == 1
    assert client.get(f"{HERE}/alerts", params={"open": True}).json()["alerts"][0]["value"] > 3.5
    nobody_came = hour + timedelta(hours=2)
    assert look(store.connection, nobody_came + timedelta(minutes=10)) == 0, "visits may still be under way"
    assert look(store.connection, nobody_came + timedelta(minutes=40)) == 1, "it does not stay open all night"
    assert client.get(f"{HERE}/alerts", params={"open": True}).json()["alerts"] == []


def test_hours_that_clocks_repeat_stand_beside_one_hour_each() -> None:
    """On the day of 25 hours the second 02 has no partner in the week before; a week later it is the other way."""

    def rows(day: date) -> list[MetricRowOut]:
        none: dict[str, Any] = dict.fromkeys(MetricRowOut.model_fields)
        counts = {"state": "told", "hidden_count": 0, "no_data_count": 0}
        return [
            MetricRowOut.model_validate(none | counts | {"begins_at": at}) for at in hour_begins(day, "Europe/Berlin")
        ]

    long, usual = (by_clock(rows(day), "Europe/Berlin") for day in (date(2026, 10, 25), date(2026, 10, 18)))
    assert (len(long), len(usual)) == (25, 24)
    assert [clock for clock in long if clock not in usual] == [(2, 1)]
    begins = [long[2, time].begins_at for time in (0, 1)]
    assert begins == [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1)]


def test_role_of_staff_is_a_rule_too(store: SeededStore, client: httpx.Client) -> None:
    at = datetime(2026, 10, 24, 10, tzinfo=UTC)
    insert(store.connection, store.store_no, [Stay(n, n, None, at, 900.0, Role.STAFF) for n in range(10)])
    assert metric(client, "footfall")["total"]["value"] == 0
    rules = client.get(f"{HERE}/exclusions").json()["rules"]
    client.put(f"{HERE}/exclusions", json={"rules": rules | {"staff": False}, "reason": "a training"}, headers=WHO)
    assert metric(client, "footfall")["total"]["value"] == 10


def test_the_same_days_under_every_preset_with_its_bands(seeded: list[Stay], client: httpx.Client) -> None:
    answer = client.get(f"{HERE}/presets", params=DAYS).json()
    assert answer.keys() >= {"coverage", "freshness", "excluded", "no_data_count", "k_people"}
    assert {(one["id"], one["version"]) for one in answer["formulas"]} >= {("bounce", 2), ("engaged", 2)}
    found = {row["id"]: row for row in answer["presets"]}
    store_s = [stay.dwell_s for stay in seeded if stay.zone is None and stay.dwell_s < 8 * 3600]
    one_day = client.get(f"{HERE}/presets", params=DAYS | {"to": DAYS["from"]}).json()["presets"]
    of_day = {row["id"]: row["figures"]["footfall"] for row in one_day}
    that_day_s = [
        stay.dwell_s
        for stay in seeded
        if stay.zone is None and stay.dwell_s < 8 * 3600 and stay.entered_at.date() == SATURDAY
    ]
    for name, least_s in (("aruba", 300), ("mist", 60), ("palexy", 60), ("sojourn", 0)):
        counted = sum(one >= least_s for one in store_s)
        assert found[name]["figures"]["footfall"] in {counted, None if least_s else counted}
        assert of_day[name] == sum(one >= least_s for one in that_day_s)
        assert metric(client, "footfall", preset=name, bucket="whole")["total"]["value"] == counted
    counted_s = [one for one in store_s if one >= 60]
    bounce = pytest.approx(sum(one < 300 for one in counted_s) / len(counted_s), abs=1e-6)
    assert metric(client, "bounce", preset="mist", bucket="whole")["total"]["value"] == bounce, "of what it counts"
    assert found["mist"]["figures"]["bounce"] in (None, bounce)
    assert "bounce" not in found["aruba"]["figures"], "who is shorter than its visits is no visit to it"
    for formula, more in (
        ("people", {}), ("dwell_mean", {}), ("bounce", {}), ("engaged", {}), ("footfall", {"zone": "women"})
    ):  # fmt: skip
        refused = client.get(f"{HERE}/metrics/{formula}", params=DAYS | more | {"preset": "aruba"})
        assert (refused.status_code, "does not define" in refused.text) == (422, True), formula
    assert client.get(f"{HERE}/metrics/bounce", params=DAYS | {"visit_s": 300}).status_code == 422
    assert [band["title"] for band in found["mist"]["bands"]][1:] == ["Bounced", "Engaged", "Stationed", "Assets"]
    told = [band["visit_count"] for band in found["purple"]["bands"]]
    by_hand = [sum(low <= one < high for one in store_s) for low, high in ((0, 180), (180, 900), (900, 1e9))]
    assert all(
        count in {None, real} and (count is None or not 0 < count < 10)
        for count, real in zip(told, by_hand, strict=True)
    )


def test_a_threshold_that_few_reach_hides_the_figure(seeded: list[Stay], client: httpx.Client) -> None:
    long = sum(stay.zone is None and 1800 <= stay.dwell_s < 8 * 3600 for stay in seeded)
    assert 0 < long < 20
    answer = metric(client, "footfall", visit_s=1800)
    for row in answer["rows"]:
        assert row["value"] is None or row["value"] == 0 or row["value"] >= 10
    assert answer["total"]["value"] in {None, 0} or answer["total"]["value"] >= 10
