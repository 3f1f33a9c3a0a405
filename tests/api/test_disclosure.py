"""Attacks on small counts, as somebody of operations can make them over the API: what is left over is never a few."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.access.asking import FORM_HEADER, form_token
from core.metrics.disclosure import K_PEOPLE
from core.metrics.exclusions import CHANGES_A_DAY
from storage.identity.consents import ConsentWord, withdraw_everywhere
from storage.privacy.keys import PrivacyFolder
from storage.profiles.profiles import PURPOSE, create_profile
from storage.rollups.keeping import refresh
from tests.access import cookies, log_in
from tests.api.seeding import device
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
