"""Attacks on small counts, as somebody of operations can make them over the API: what is left over is never a few."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from api.access.asking import FORM_FIELD, FORM_HEADER, form_token
from core.metrics.disclosure import K_PEOPLE
from core.metrics.exclusions import CHANGES_A_DAY
from core.records import Role
from storage.alerts.looking import look
from storage.connect import Connection
from storage.identity.consents import ConsentWord, withdraw_everywhere
from storage.migrate import migrations
from storage.privacy.keys import PrivacyFolder
from storage.profiles.profiles import PURPOSE, create_profile
from storage.rollups.keeping import refresh
from storage.shelf_items import replace_items
from storage.stores import load_plans
from tests.access import cookies, log_in
from tests.api.seeding import add_presence, device, set_people
from tests.fix_api import SeededStore
from tests.metrics.visiting import Stay, insert, shoppers
from tests.privacy.test_erasure import erase

pytestmark = pytest.mark.servers
DAY = date(2026, 10, 20)
NEXT = DAY + timedelta(days=1)
_SESSION = "o" * 43


def at(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
    return datetime(2026, 10, 20, hour, minute, tzinfo=UTC) + timedelta(days=days)


@pytest.fixture
def olga(store: SeededStore, client: httpx.Client) -> Iterator[httpx.Client]:
    """Somebody of operations."""
    log_in(store.connection, "Olga", _SESSION, "operations")
    jar = {cookie["name"]: cookie["value"] for cookie in cookies(_SESSION, "Olga")}
    with httpx.Client(base_url=client.base_url, cookies=jar, timeout=30) as asking:
        yield asking


def ask(asking: httpx.Client, formula: str, **query: Any) -> list[dict[str, Any]]:
    answer = asking.get(f"/v1/stores/marktplatz/metrics/{formula}", params={"from": str(DAY), "to": str(DAY)} | query)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["value"]]


def test_one_person_of_many_hours_does_not_come_out_by_subtraction(store: SeededStore, olga: httpx.Client) -> None:
    """A regular comes once in each of ten hours: that is one person, not ten."""
    number = count()
    stays = [Stay(next(number), 100 + who, zone, at(8, who), 600) for who in range(12) for zone in (None, 2)]
    stays += [Stay(next(number), 777, zone, at(hour, 5), 100 + hour) for hour in range(9, 19) for zone in (None, 2)]
    insert(store.connection, store.store_no, stays)
    for asked in ({}, {"zone": "women"}):
        (day,) = ask(olga, "footfall", bucket="day", **asked)
        assert day["value"] == 22
        for formula in ("footfall", "people", "dwell_mean"):
            assert told(ask(olga, formula, bucket="hour", **asked)) == [], "with one told hour the rest is hers"


def test_the_last_to_leave_is_not_told_by_the_crowd_of_the_day(store: SeededStore, olga: httpx.Client) -> None:
    """In hours in which nobody began a visit the crowd is of who is still there: maybe one."""
    stays = [Stay(who, who, None, at(8, who), 600) for who in range(29)]
    insert(store.connection, store.store_no, [*stays, Stay(29, 29, None, at(8, 29), 8220)])
    (day,) = ask(olga, "occupancy", bucket="day")
    hours = ask(olga, "occupancy", bucket="hour")
    assert day["value"] > 0
    assert told(hours) == []
    assert sum(row["state"] == "hidden" for row in hours) == 3
    # as many as can be told among those who stay: the hour that began full is told again
    insert(
        store.connection,
        store.store_no,
        [Stay(100 + who, 100 + who, None, at(8, 30), 3600) for who in range(2 * K_PEOPLE)],
    )
    assert [row["begins_at"][11:13] for row in told(ask(olga, "occupancy", bucket="hour"))] == ["08"]


def test_what_a_single_person_did_otherwise_is_told_by_no_path_and_no_move(
    store: SeededStore, olga: httpx.Client
) -> None:
    number = count()
    stays = []
    for days, others in ((0, 12), (1, 1)):
        for who in range(40):
            begin = at(8, days=days) + timedelta(minutes=who)
            zones = (2, 5, 9) if who < others else (1, 2)
            stays.append(Stay(next(number), 1000 * days + who, None, begin, 600))
            stays += [
                Stay(next(number), 1000 * days + who, zone, begin + timedelta(seconds=100 * step), 100)
                for step, zone in enumerate(zones)
            ]
    insert(store.connection, store.store_no, stays)
    ranges: tuple[dict[str, str], ...] = ({}, {"from": str(NEXT), "to": str(NEXT)}, {"to": str(NEXT)})
    first, second, both = ({(*row["path"],): row["value"] for row in ask(olga, "paths", **asked)} for asked in ranges)
    assert sorted(first.values()) == [12, 28]
    assert second == {}, "39 of 40 would tell of the one"
    assert both == first
    for formula in ("paths", "flow"):
        left_out = {(row["state"], row["hidden_count"]) for row in ask(olga, formula, to=str(NEXT))}
        assert left_out == {("partly_hidden", 1)}, "on a day some are left out, and which they are is not said"
    moves = [{(row["zone"], row["to_zone"]): row["value"] for row in ask(olga, "flow", **asked)} for asked in ranges]
    assert moves[0] == {("new", "women"): 28, ("women", "shoes"): 12, ("shoes", "checkout"): 12}
    assert moves[1] == {}, "39 of the 40 visits of women began in new: one came otherwise"
    assert moves[2] == moves[0]


def test_rules_do_not_change_by_a_visit_nor_all_day_long(store: SeededStore, olga: httpx.Client) -> None:
    """Figures under two rules differ by the visits between them: steps are coarse, and changes few."""
    address = "/v1/stores/marktplatz/exclusions"

    def put(**rules: Any) -> httpx.Response:
        return olga.put(
            address,
            json={"rules": rules, "reason": "x"},
            headers={FORM_HEADER: form_token(_SESSION), "Sec-Fetch-Site": "same-origin"},
        )

    hours = [{"opens_min": 604, "closes_min": 1440}] * 7
    for wrong in (
        {"opening_hours": hours},
        {"long_stay_s": 28_801},
        {"staff_zone_s": 61},
        {"passer_by_s": 5},
        {"passer_by_s": 301},
    ):
        refused = put(**wrong)
        assert refused.status_code == 422, wrong
        assert "multiples" in refused.json()["hint"] or "Give" in refused.json()["hint"]
    for number in range(CHANGES_A_DAY):
        answer = put(passer_by_s=60 * (number + 1))
        assert answer.status_code == 200, answer.text
    again = put(passer_by_s=600)
    assert again.status_code == 422
    assert "tomorrow" in again.json()["hint"]
    assert put(passer_by_s=60 * CHANGES_A_DAY).status_code == 200, "the same rules are no change"


def test_operations_let_no_group_of_few_into_the_figures(
    store: SeededStore, client: httpx.Client, olga: httpx.Client
) -> None:
    """One employee among 400 shoppers: figures with her and without her, subtracted, would be her shift."""
    insert(store.connection, store.store_no, shoppers(store.plan, DAY, 400, seed=5))
    shift = [Stay(1_000_000, 99_999, None, at(8), 7 * 3600, Role.STAFF)]
    shift += [
        Stay(1_000_001 + nth, 99_999, zone, at(8 + 2 * nth), 60 * minutes, Role.STAFF)
        for nth, (zone, minutes) in enumerate(((2, 37), (9, 55), (2, 11)))
    ]
    insert(store.connection, store.store_no, shift)
    address = "/v1/stores/marktplatz/exclusions"

    def cells() -> list[dict[str, Any]]:
        days = {"from": str(DAY), "to": str(DAY), "by": "hour"}
        found: list[dict[str, Any]] = olga.get("/v1/stores/marktplatz/cells", params=days).json()["cells"]
        return found

    def put(**rules: Any) -> httpx.Response:
        return olga.put(address, json={"rules": rules, "reason": "x"}, headers=_form())

    before = cells()
    for switched in ({"staff": False}, {"fixtures": False}, {"staff_zone_s": None}, {"long_stay_s": None}):
        refused = put(**switched)
        assert refused.status_code == 403, switched
        assert refused.json()["type"].endswith(":role")
        assert next(iter(switched)) in refused.json()["detail"]
    page = "/stores/marktplatz/exclusions"
    token = {FORM_FIELD: form_token(_SESSION), "reason": "x"}
    crafted = olga.post(page, data=token | {"staff": ""}, headers={"Sec-Fetch-Site": "same-origin"})
    assert crafted.status_code == 403
    plain = olga.post(page, data=token | {"passer_by_s": "20"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert plain.status_code == 303, "fields that are disabled are not sent, and stay"
    rules = olga.get(address).json()["rules"]
    assert rules == {**rules, "staff": True, "fixtures": True, "staff_zone_s": 600, "long_stay_s": 28_800}
    assert rules["passer_by_s"] == 20
    assert olga.post(f"{address}/0/restore", json={"reason": "x"}, headers=_form()).status_code == 200
    assert cells() == before

    # an admin counts staff for a training, and takes it back: neither is for operations, whatever it is called
    asked = {"rules": {"staff": False}, "reason": "a training"}
    changed = client.put(address, json=asked)
    assert changed.status_code == 200, changed.text
    number = changed.json()["changes"][0]["change_no"]
    assert olga.post(f"{address}/0/restore", json={"reason": "x"}, headers=_form()).status_code == 403
    assert put(staff=False, passer_by_s=30).status_code == 200, "what stays as it is needs no admin"
    back = client.put(address, json={"rules": {}, "reason": "it is over"})
    assert back.status_code == 200
    assert olga.post(f"{address}/{number}/restore", json={"reason": "x"}, headers=_form()).status_code == 403
    shown = olga.get(page).text
    assert 'name="staff" value="on" checked disabled' in shown
    assert "an admin restores them" in shown
    assert cells() == before


def test_no_band_of_one_product_comes_out_beside_another(store: SeededStore, olga: httpx.Client) -> None:
    """One visit from 20 min on: Sojourn's bands hide it, and Purple's row beside them must not give it."""
    lengths = [100] * 94 + [600] * 266 + [1500]
    insert(store.connection, store.store_no, [Stay(who, who, None, at(8), s) for who, s in enumerate(lengths)])
    days = {"from": str(DAY), "to": str(DAY)}
    presets = olga.get("/v1/stores/marktplatz/presets", params=days).json()["presets"]
    known = {0: 361.0}  # visits at least so long
    for preset in presets:
        for name, threshold in (("bounce", "bounce_s"), ("engaged", "engage_s"), ("capture_dwell", "capture_s")):
            share = preset["figures"].get(name)  # of visits from a minute at most, which all of them are
            if share is not None and threshold in preset["parameters"]:
                part = round(share * 361)
                known[preset["parameters"][threshold]] = 361 - part if name == "bounce" else part
    for preset in presets:
        for band in preset["bands"]:
            assert band["visit_count"] is None or band["visit_count"] == 0 or band["visit_count"] >= K_PEOPLE
            if band["visit_count"] is not None and band["to_s"] is None:
                known[band["from_s"]] = band["visit_count"]
    told = sorted(set(known.values()))
    assert 94 + 266 + 1 - 94 in told
    assert all(later - earlier >= K_PEOPLE for earlier, later in pairwise(told))
    page = olga.get("/stores/marktplatz/compare", params=days)
    assert page.status_code == 200
    assert "<strong>hidden</strong>" in page.text


def test_what_one_table_of_a_page_hides_stands_in_no_other(store: SeededStore, olga: httpx.Client) -> None:
    """Eight of 361 visits are shorter than 30 s: the share of engaged ones would give them."""
    lengths = [20] * 8 + [600] * 353
    for days in (0, -1):
        first = 1000 * (days + 1)
        stays = [Stay(first + who, first + who, None, at(8, days=days), s) for who, s in enumerate(lengths)]
        insert(store.connection, store.store_no, stays)
    page = olga.get("/stores/marktplatz/compare", params={"from": str(DAY), "to": str(DAY)}).text
    (row,) = re.findall(
        r'<tr role="row"><td role="cell" class="cell-name"><a href="/formulas#engaged">.*?</tr>', page, re.DOTALL
    )
    assert re.findall(r'class="number" data-label="(?:These|Others)">(.*?)</td>', row) == ["hidden", "hidden"]
    assert "97.8%" not in page


def test_ranges_that_overlap_tell_no_single_visit(store: SeededStore, olga: httpx.Client) -> None:
    """Eleven short visits and a long one on the next day: with thirty of the day before, no bar may give the one."""
    first = [Stay(who, who, None, at(8, who), 100 + 60 * who) for who in range(30)]
    second = [Stay(100 + who, 100 + who, None, at(8, who, days=1), 100 + who) for who in range(11)]
    insert(store.connection, store.store_no, [*first, *second, Stay(200, 200, None, at(9, days=1), 5000)])
    ranges: tuple[dict[str, str], ...] = ({}, {"from": str(NEXT), "to": str(NEXT)}, {"to": str(NEXT)})

    def lasted(asked: dict[str, str]) -> dict[float, float]:
        """Visits of at least so long, as far as any answer tells."""
        curve = {row["from_s"]: row["visit_count"] for row in ask(olga, "dwell_curve", **asked)}
        bars = ask(olga, "dwell_histogram", **asked)
        beyond = {bar["from_s"]: sum(one["value"] for one in bars if one["from_s"] >= bar["from_s"]) for bar in bars}
        assert curve == beyond, "bars begin where the curve has a point"
        days = {"from": str(DAY), "to": str(DAY)} | asked
        presets = olga.get("/v1/stores/marktplatz/presets", params=days).json()["presets"]
        bands = [band for one in presets for band in one["bands"] if band["visit_count"] is not None]
        assert all(band["visit_count"] == 0 or band["visit_count"] >= K_PEOPLE for band in bands)
        return curve | {band["from_s"]: band["visit_count"] for band in bands if band["to_s"] is None}

    before, alone, both = map(lasted, ranges)
    assert set(alone.values()) == {0, 12}, "that all of them lasted a minute and none of them a day is no secret"
    assert len(set(before.values())) > 2
    assert set(both.values()) == {0, 42}, "more than a tenth of the visits lie on a day that tells no other length"
    for earlier in before.keys() & both.keys():
        for later in before.keys() & both.keys():
            difference = (both[earlier] - both[later]) - (before[earlier] - before[later])
            assert difference == 0 or abs(difference) >= K_PEOPLE


def test_a_curve_tells_no_length_that_few_reach(store: SeededStore, olga: httpx.Client) -> None:
    stays = [Stay(who, who, None, at(8, who), 700 if who < 40 else 2000) for who in range(49)]
    insert(store.connection, store.store_no, stays)
    points = {row["from_s"]: row["visit_count"] for row in ask(olga, "dwell_curve")}
    assert points[600] == 49
    assert set(points.values()) == {49}, "nine stayed from 12 min on: neither they nor the forty others stand out"
    insert(store.connection, store.store_no, [Stay(60, 60, None, at(9), 2000)])
    points = {row["from_s"]: row["visit_count"] for row in ask(olga, "dwell_curve")}
    assert (points[600], points[1200], points[1800]) == (50, 10, 10)


def test_flow_says_after_an_erasure_that_some_is_hidden(
    store: SeededStore, olga: httpx.Client, tmp_path: Path
) -> None:
    insert(store.connection, store.store_no, shoppers(store.plan, DAY, 200, seed=5))
    profile = create_profile(
        store.connection, display_name="N5", devices=[device(5)], granted_at=at(0) - timedelta(days=80)
    )
    refresh(store.connection, most_days=20)
    before = {name: ask(olga, name) for name in ("flow", "paths")}
    assert {(row["state"], row["hidden_count"]) for row in before["flow"]} == {("partly_hidden", 1)}
    erase(store.connection, PrivacyFolder(tmp_path / "privacy"), profile)
    assert {name: ask(olga, name) for name in before} == before
    small = store.connection.execute("select distinct moves, people from flow_rollup where people < 10").fetchall()
    assert small == [(1, 1)], "what is not told is not kept either, but that it was"


def test_who_withdraws_or_is_erased_does_not_change_what_days_tell_of_customers(
    store: SeededStore, olga: httpx.Client, tmp_path: Path
) -> None:
    """Two of fourteen came back: the figures of that day are the same when one has withdrawn and one is erased."""
    profiles = [
        create_profile(
            store.connection, display_name=f"N{who}", devices=[device(who)], granted_at=at(0) - timedelta(days=80)
        )
        for who in range(15)
    ]
    stays = [Stay(who, who, None, at(8, who), 600) for who in range(14)]
    insert(
        store.connection,
        store.store_no,
        [*stays, *(Stay(50 + who, who, None, at(8, who, days=-5), 600) for who in (3, 4))],
    )
    refresh(store.connection, most_days=20)

    def told() -> list[tuple[Any, ...]]:
        asked = {"from": str(DAY - timedelta(days=6)), "bucket": "day"}
        names = ("footfall", "returning", "new_customers", "cross_store")
        return [
            (name, row["value"], row["state"], row["visit_count"])
            for name in names
            for row in ask(olga, name, **asked)
        ]

    before = told()
    assert ("returning", round(2 / 14, 6), "told", 14) in before
    word = ConsentWord(
        purpose=PURPOSE, status="withdrawn", source="desk", wording="no more", occurred_at=datetime.now(UTC)
    )
    with store.connection.transaction():
        withdraw_everywhere(store.connection, profiles[4], word)
    assert told() == before
    erase(store.connection, PrivacyFolder(tmp_path / "privacy"), profiles[3])
    assert told() == before
    assert store.connection.execute("select customers, returned from customer_day order by day").fetchall() == [
        (1, 0), (14, 2),
    ]  # fmt: skip


def test_no_told_move_or_path_leaves_few_people(store: SeededStore, olga: httpx.Client) -> None:
    """Days of random shoppers, counted one by one: who is left of a zone or a day is nobody or many."""
    zones = [zone.id for zone in store.plan.zones]
    told_days = 0
    for number, shopping in enumerate((15, 40, 60, 90, 150)):
        day = DAY - timedelta(days=number)
        stays = shoppers(store.plan, day, shopping, seed=number, first_number=10_000 * number)
        insert(store.connection, store.store_no, stays)
        of_device: dict[int, list[Stay]] = defaultdict(list)
        for stay in sorted((one for one in stays if one.zone is not None), key=lambda one: one.entered_at):
            of_device[stay.device].append(stay)
        asked = {"from": str(day), "to": str(day)}
        moves = {(zones.index(row["zone"]), zones.index(row["to_zone"])) for row in ask(olga, "flow", **asked)}
        left: dict[tuple[str, int | None], set[int]] = defaultdict(set)
        for who, walk in of_device.items():
            pairs = [(one.zone, other.zone) for one, other in pairwise(walk)]
            for zone, pair in zip((one.zone for one in walk), [*pairs, (None, None)], strict=True):
                if pair not in moves:
                    left["from", zone].add(who)
            for zone, pair in zip((one.zone for one in walk), [(None, None), *pairs], strict=True):
                if pair not in moves:
                    left["to", zone].add(who)
        for begin, end in moves:
            assert len(left["from", begin]) in {0, *range(K_PEOPLE, 1000)}, (shopping, begin)
            assert len(left["to", end]) in {0, *range(K_PEOPLE, 1000)}, (shopping, end)
        rest = len(of_device) - sum(row["value"] for row in ask(olga, "paths", **asked))
        assert rest in {0, len(of_device)} or rest >= K_PEOPLE
        told_days += bool(moves)
    assert told_days >= 2, "and something is told where many came"


def _form() -> dict[str, str]:
    return {FORM_HEADER: form_token(_SESSION), "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def hooked(client: httpx.Client) -> None:
    """Another system hears of alerts."""
    hook = {"url": "https://example.com/hook", "event_types": ["alert.opened", "alert.closed"]}
    answer = client.post("/v1/webhooks/subscriptions", json=hook, headers={"Idempotency-Key": str(UUID(int=7))})
    assert answer.status_code in {200, 201}


def sent_values(connection: Connection) -> list[float | None]:
    rows = connection.execute("select body from webhook_message order by made_at").fetchall()
    return [json.loads(row[0])["data"]["value"] for row in rows]


@pytest.mark.usefixtures("hooked")
def test_an_alert_of_a_queue_tells_nobodys_wait(store: SeededStore, olga: httpx.Client) -> None:
    """The median of three is one person's time: a step is told of it, in the log, the view and the webhook."""
    connection, now = store.connection, store.now
    for number, wait_s in enumerate((35, 777, 5000)):
        since = now - timedelta(seconds=wait_s)
        add_presence(
            connection, store.plan, store.store_no, pseudonym=device(900 + number), zone="checkout",
            arrived_at=since, in_zone_since=since, last_signal_at=now,
        )  # fmt: skip
    rule = {"kind": "queue_wait", "zone": "checkout", "for_s": 0}
    assert olga.post("/v1/stores/marktplatz/alert-rules", json=rule, headers=_form()).status_code == 201
    assert look(connection, now) == 1, "three long waits are a queue"
    assert look(connection, now + timedelta(seconds=300)) == 0
    (alert,) = olga.get("/v1/stores/marktplatz/alerts").json()["alerts"]
    assert (alert["value"], alert["worst"]) == (600, 900)
    assert connection.execute("select value, worst from reporting.alert").fetchall() == [(600, 900)]
    assert sent_values(connection) == [600]
    assert "at least 10 min" in olga.get("/stores/marktplatz/today").text


def test_limits_of_a_queue_cannot_be_set_around_one_person(olga: httpx.Client) -> None:
    """Limits of every second beside each other would find the second; a limit of one person logs when she came."""
    asked = [
        ({"kind": "queue_wait", "zone": "checkout", "opens_at": limit} | more, expected)
        for limit, more, expected in (
            (600, {}, 201), (601, {}, 422), (60, {}, 201), (30, {}, 422), (1e5, {}, 422),
            (600, {"clears_at": 599}, 422),
        )
    ] + [
        ({"kind": "occupancy", "zone": "women", "opens_at": limit} | more, expected)
        for limit, more, expected in (
            (1, {"clears_at": 0}, 422), (10, {"clears_at": 0}, 422), (10, {}, 201), (1e9, {}, 422),
        )
    ] + [
        ({"kind": kind, "opens_at": limit}, 422)
        for kind in ("unusual_dwell", "anchor_down")
        for limit in (0.01, 1e5)
    ]  # fmt: skip
    for rule, expected in asked:
        answer = olga.post("/v1/stores/marktplatz/alert-rules", json=rule, headers=_form())
        assert answer.status_code == expected, (rule, answer.text)
    assert olga.get("/v1/stores/marktplatz/alerts").json()["rules"][0]["clears_at"] == 300


@pytest.mark.usefixtures("hooked")
def test_a_crowd_that_has_gone_is_not_told_down_to_one(store: SeededStore, olga: httpx.Client) -> None:
    connection, now = store.connection, store.now
    rule = {"kind": "occupancy", "zone": "women", "opens_at": 10, "for_s": 0}
    assert olga.post("/v1/stores/marktplatz/alert-rules", json=rule, headers=_form()).status_code == 201
    set_people(connection, store.plan, store.store_no, {"women": 12}, at=now)
    assert look(connection, now) == 1
    set_people(connection, store.plan, store.store_no, {"women": 3}, at=now)
    assert look(connection, now + timedelta(seconds=10)) == 1
    assert sent_values(connection) == [12, None]


def test_one_person_of_many_stays_makes_no_unusual_dwell(store: SeededStore, olga: httpx.Client) -> None:
    """Forty stays of one device: its median is hidden in answers, and so no alert may be reckoned from it."""
    now = datetime(2026, 11, 25, 11, 5, tzinfo=UTC)
    number = count()
    hours = [now.replace(minute=0) - timedelta(hours=1, weeks=week) for week in range(9)]
    for week, hour in enumerate(hours):
        insert(
            store.connection, store.store_no,
            [
                Stay(next(number), 4242 if week == 0 else 5000 + week * 100 + n, 2, hour + timedelta(seconds=80 * n),
                     20 if week else 70)
                for n in range(40)
            ],
        )  # fmt: skip
    refresh(store.connection, most_days=30)
    rule = {"kind": "unusual_dwell", "zone": "women"}
    assert olga.post("/v1/stores/marktplatz/alert-rules", json=rule, headers=_form()).status_code == 201
    assert look(store.connection, now) == 0
    # the same of forty people is one
    insert(
        store.connection, store.store_no,
        [Stay(next(number), 9000 + n, 2, hours[0] + timedelta(seconds=80 * n), 70) for n in range(40)],
    )  # fmt: skip
    refresh(store.connection, most_days=30)
    assert look(store.connection, now) == 1


def test_what_alerts_told_of_few_is_taken_out_of_the_log(store: SeededStore) -> None:
    connection = store.connection
    for kind, opens_at, clears_at, value in (
        ("queue_wait", 65, 35, 777.0), ("queue_wait", 9000, 8000, 9100.0), ("unusual_dwell", 3.5, 2, 25.4),
        ("occupancy", 1, 0, 2.0), ("occupancy", 20, 18, 25.0),
    ):  # fmt: skip
        connection.execute(
            "with rule as (insert into store_alert_rule (store_no, kind, opens_at, clears_at, for_s, operator)"
            " values (%s, %s, %s, %s, 0, 'x') returning rule_no)"
            " insert into store_alert (rule_no, store_no, opened_at, value, worst)"
            " select rule_no, %s, now(), %s, %s from rule",
            [store.store_no, kind, opens_at, clears_at, store.store_no, value, value],
        )
    (text,) = [one.text for one in migrations() if one.name.startswith("0250")]
    connection.execute(text)
    rules = connection.execute("select kind, opens_at, clears_at from store_alert_rule order by rule_no").fetchall()
    assert rules == [
        ("queue_wait", 60, 0), ("queue_wait", 7200, 5400), ("unusual_dwell", 3.5, 2), ("occupancy", 10, 9),
        ("occupancy", 20, 18),
    ]  # fmt: skip
    told_then = connection.execute("select value, worst from store_alert order by alert_no").fetchall()
    assert told_then == [(600, 600), (7200, 7200), (3.5, 3.5), (25, 25)]


def buy(store: SeededStore, number: int, product: str, sold_at: datetime) -> None:
    """Let a customer whose consent holds buy something."""
    connection = store.connection
    profile = create_profile(
        connection, display_name="x", devices=[device(number)], granted_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    connection.execute(
        "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, store_no,"
        " detail) values (gen_random_uuid(), 0, %s, 'ordered', 'pos', %s, %s, %s,"
        " jsonb_build_object('product', %s::text))",
        [profile, f"till-{number}", sold_at, store.store_no, product],
    )


def shelf(asking: httpx.Client) -> tuple[float, int]:
    (row,) = ask(asking, "shelf_view", **{"from": "2026-10-19", "to": "2026-10-25"})
    return round(row["value"], 6), row["visit_count"]


def say_items(asking: httpx.Client, items: dict[str, str]) -> dict[str, Any]:
    answer = asking.put("/v1/stores/marktplatz/shelf-items", json={"items": items}, headers=_form())
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def buy_boots_and_a_hat(store: SeededStore) -> None:
    """Twelve look at the shelf and buy boots, the thirteenth a hat: 30 to 42 s."""
    for number in range(13):
        insert(
            store.connection, store.store_no,
            [Stay(number * 2 + bool(zone), 80_000 + number, zone, at(9), 30.0 + number) for zone in (None, 5)],
        )  # fmt: skip
        buy(store, 80_000 + number, "hat" if number == 12 else "boot", at(10))


def test_other_items_take_nobodys_time_apart(store: SeededStore, olga: httpx.Client) -> None:
    """A week keeps the items that it had: with a hat and without, it would tell the time of who bought the hat."""
    buy_boots_and_a_hat(store)
    both = {"boot": "shoes", "hat": "shoes"}
    assert say_items(olga, both) == {"items": both, "holds_from": None}
    assert shelf(olga) == (36, 13)
    today = store.now.astimezone(ZoneInfo(store.plan.timezone)).date()
    monday = today + timedelta(days=7 - today.weekday())
    others: list[dict[str, str]] = [{"boot": "shoes"}, {"hat": "shoes"}, {}, {"boot": "women"}]
    for items in others:
        assert say_items(olga, items) == {"items": items, "holds_from": str(monday)}
        assert shelf(olga) == (36, 13)
    assert say_items(olga, both) == {"items": both, "holds_from": None}, "taken back before it holds"
    say_items(olga, {"boot": "women"})
    with store.connection.transaction():  # weeks later
        (stored,) = load_plans(store.connection, ["marktplatz"])
        replace_items(store.connection, stored, both, store.now + timedelta(weeks=2))
    assert shelf(olga) == (36, 13)
    rows = store.connection.execute(
        "select product, zone_no, nullif(from_week, '-infinity'), nullif(until_week, 'infinity') from shelf_item"
        " order by 1, 3 nulls first"
    ).fetchall()
    later = monday + timedelta(weeks=2)
    assert rows == [
        ("boot", 5, None, monday), ("boot", 2, monday, later), ("boot", 5, later, None),
        ("hat", 5, None, monday), ("hat", 5, later, None),
    ]  # fmt: skip


def test_each_week_has_the_items_of_its_time(store: SeededStore, olga: httpx.Client) -> None:
    (stored,) = load_plans(store.connection, ["marktplatz"])
    for items, said_at in (
        ({"boot": "shoes", "hat": "shoes"}, at(9, days=-20)),
        ({"boot": "shoes"}, at(9, days=-6)),
        ({"boot": "shoes", "hat": "shoes"}, at(9)),
    ):
        with store.connection.transaction():
            replace_items(store.connection, stored, items, said_at)
    buy_boots_and_a_hat(store)
    assert shelf(olga) == (35.5, 12), "the hat stood there in the weeks before and after"


def test_orders_of_nine_are_hidden(store: SeededStore, olga: httpx.Client) -> None:
    for number in range(9):
        insert(
            store.connection, store.store_no,
            [Stay(number * 2 + bool(zone), 80_000 + number, zone, at(9), 60.0) for zone in (None, 5)],
        )  # fmt: skip
        buy(store, 80_000 + number, "boot", at(10))
    say_items(olga, {"boot": "shoes"})
    for formula in ("shelf_view", "online_share"):
        (row,) = ask(olga, formula, **{"from": "2026-10-19", "to": "2026-10-25"})
        assert (row["value"], row["visit_count"], row["state"]) == (None, None, "hidden"), formula


def test_time_at_a_shelf_ends_with_the_sale(store: SeededStore, olga: httpx.Client) -> None:
    for number in range(10):
        insert(
            store.connection, store.store_no,
            [Stay(number * 2 + bool(zone), 80_000 + number, zone, at(9), 1200.0) for zone in (None, 5)],
        )  # fmt: skip
        buy(store, 80_000 + number, "boot", at(9, 4))
    say_items(olga, {"boot": "shoes"})
    assert shelf(olga) == (240, 10)


def test_a_running_week_tells_no_order_as_it_comes(store: SeededStore, olga: httpx.Client) -> None:
    """Asked before and after an order, the mean of the week would tell the time of who bought."""
    today = store.now.astimezone(ZoneInfo(store.plan.timezone)).date()
    monday = today - timedelta(days=today.weekday())
    entered_at = store.now - timedelta(minutes=10)
    for number in range(12):
        insert(
            store.connection, store.store_no,
            [Stay(number * 2 + bool(zone), 80_000 + number, zone, entered_at, 60) for zone in (None, 5)],
        )  # fmt: skip
        buy(store, 80_000 + number, "boot", store.now)
    say_items(olga, {"boot": "shoes"})
    weeks = {"from": str(monday - timedelta(days=7)), "to": str(monday + timedelta(days=6))}
    assert ask(olga, "shelf_view", **weeks) == []
    assert told(ask(olga, "online_share", **weeks)) == []
