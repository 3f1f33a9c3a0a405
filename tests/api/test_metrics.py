"""Formulas over the API: values, buckets, days of 25 hours, hidden counts, comparisons, files and problems."""

import io
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import polars as pl
import pytest

from api.access.asking import Asking, serving
from api.access.limits import Limits, Rates
from api.access.principal import Principal
from api.access.principal import Role as Access
from api.problems import ProblemError
from core.metrics.disclosure import K_PEOPLE
from core.metrics.formulas import FORMULAS
from core.records import Role
from storage.rollups.keeping import refresh
from tests.api.seeding import SMALL_PLAN, add_presence, add_stores, device
from tests.fix_api import SeededStore
from tests.metrics.visiting import Stay, insert, shoppers, visits_by_hour

pytestmark = pytest.mark.servers
SATURDAY = date(2026, 10, 24)
LONG = date(2026, 10, 25)
"""The day of 25 hours in Berlin."""


@pytest.fixture
def seeded(store: SeededStore) -> list[Stay]:
    stays = [
        *shoppers(store.plan, SATURDAY, 90, seed=1),
        *shoppers(store.plan, LONG, 60, seed=2, first_number=10_000, open_h=0, close_h=24),
        *(Stay(50_000 + n, 900, 2, datetime(2026, 10, 24, 8 + n, tzinfo=UTC), 600, Role.STAFF) for n in range(5)),
        Stay(60_000, 901, None, datetime(2026, 10, 24, 8, tzinfo=UTC), 36_000, Role.FIXTURE),
        Stay(60_001, 902, None, datetime(2026, 10, 24, 8, tzinfo=UTC), 30_000, Role.STAFF),
    ]
    insert(store.connection, store.store_no, stays)
    return stays


def ask(client: httpx.Client, formula: str, **query: Any) -> Any:
    days = {"from": str(SATURDAY), "to": str(LONG)}
    answer = client.get(f"/v1/stores/marktplatz/metrics/{formula}", params=days | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_question_that_costs_too_much_says_what_to_narrow(seeded: list[Stay], client: httpx.Client) -> None:
    address = "/v1/stores/marktplatz/metrics/footfall"
    quarter = {"from": "2026-08-01", "to": "2026-10-31", "bucket": "hour", "by": "zone"}
    refused = client.get(address, params=quarter | {"compare": "previous"})
    assert refused.status_code == 422
    said = refused.json()
    assert "figures" in said["detail"]
    for word in ("fewer days", "a coarser bucket", "one zone", "nothing to compare with", "/cells"):
        assert word in said["hint"]
    for narrower in ({"bucket": "day"}, {"by": ""}, {"from": "2026-10-25"}):
        assert client.get(address, params=quarter | {"compare": "previous"} | narrower).status_code == 200, narrower
    page = client.get("/stores/marktplatz/traffic", params=quarter)
    assert page.status_code in {200, 422}


def test_nobody_asks_for_more_figures_a_minute_than_a_process_can_give() -> None:
    limits = Limits(Rates(figures=100))
    with serving(Asking(Principal("a", "key", "a", frozenset({Access.OPERATIONS})))):
        limits.spend(60)
        with pytest.raises(ProblemError, match="More than 100 figures") as refused:
            limits.spend(60)
        assert "coarser" in refused.value.hint
        limits.spend(40)
    with serving(Asking(Principal("b", "key", "b", frozenset({Access.OPERATIONS})))):
        limits.spend(60)
    heavy = "GET /v1/exports/{what}"
    with limits.at_once(heavy, "a"), limits.at_once(heavy, "a"), limits.at_once(heavy, "b"):
        with pytest.raises(ProblemError, match="under way"), limits.at_once(heavy, "a"):
            pass
        with limits.at_once("GET /v1/stores", "a"):
            pass
    with limits.at_once(heavy, "a"):
        pass


def test_footfall_names_its_formula_and_leaves_residents_out(seeded: list[Stay], client: httpx.Client) -> None:
    told = ask(client, "footfall")
    assert [(row["value"], row["state"]) for row in told["rows"]] == [(90, "told"), (60, "told")]
    assert told["total"]["value"] == 150
    assert told["formula"] | {"says": ""} == {
        "id": "footfall", "version": 1, "title": "Footfall", "unit": "visits", "says": "",
        "parameters": {"visit_s": 0},
    }  # fmt: skip
    assert told["excluded"] == {
        "staff_visit_count": None, "fixture_visit_count": 1, "long_stay_visit_count": 0, "passer_by_visit_count": 0,
        "closed_visit_count": 0,
    }, "one person of staff is hidden"  # fmt: skip
    assert (told["bucket"], told["k_people"], told["coverage"]) == ("day", K_PEOPLE, None)
    long_visits = sum(stay.zone is None and stay.dwell_s >= 300 and not stay.role for stay in seeded)
    assert ask(client, "footfall", preset="aruba")["total"]["value"] == long_visits
    assert ask(client, "footfall", preset="aruba", visit_s=0)["total"]["value"] == 150


def test_the_day_on_which_clocks_go_back_has_25_hours(seeded: list[Stay], client: httpx.Client) -> None:
    for query in ({}, {"zone": "new"}):
        told = ask(client, "footfall", bucket="hour", **{"from": str(LONG)}, **query)
        begins = [datetime.fromisoformat(row["begins_at"]) for row in told["rows"]]
        assert len(begins) == 25
        assert all(later - earlier == timedelta(hours=1) for earlier, later in pairwise(begins))
        assert begins[0] == datetime(2026, 10, 24, 22, tzinfo=UTC)
        counted = visits_by_hour(seeded, 1 if query else None)
        for begin, row in zip(begins, told["rows"], strict=True):
            assert row["value"] in {counted[begin], None}
    assert len(ask(client, "footfall", bucket="hour", to=str(SATURDAY))["rows"]) == 24


def _elsewhere(timezone: str) -> str:
    """Return a plan of a store `pier` on other clocks."""
    plan = SMALL_PLAN.replace("America/New_York", timezone)
    return plan.replace('"quay"', '"pier"').replace('"q1"', '"p1"').replace('"q2"', '"p2"')


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 4, 5), 24.5), (date(2026, 10, 4), 23.5)])
def test_clocks_that_change_by_half_an_hour_lose_no_visit(
    store: SeededStore, client: httpx.Client, day: date, hours: float
) -> None:
    store_no = add_stores(store.connection, _elsewhere("Australia/Lord_Howe"))["pier"]
    begin = datetime.combine(day, datetime.min.time(), ZoneInfo("Australia/Lord_Howe")).astimezone(UTC)
    visits = int(hours * 60) // 2
    stays = [Stay(n, n, None, begin + timedelta(minutes=2 * n, seconds=30), 60) for n in range(visits)]
    insert(store.connection, store_no, stays)
    asked = {"from": str(day), "to": str(day)}

    def rows(formula: str, **more: str) -> list[dict[str, Any]]:
        answer = client.get(f"/v1/stores/pier/metrics/{formula}", params=asked | more)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["rows"]
        return found

    for _ in range(2):
        by_hour = rows("footfall", bucket="hour")
        assert len(by_hour) == round(hours + 0.5), "an hour begins where clocks change too"
        assert sum(row["value"] for row in by_hour) == visits == rows("footfall", bucket="day")[0]["value"]
        assert {row["value"] for row in by_hour} == {30, 15}
        crowd = rows("occupancy", bucket="hour")
        assert [round(row["value"], 2) for row in crowd[1:-1]] == [0.5] * (len(crowd) - 2)
        assert rows("occupancy", bucket="day")[0]["value"] == pytest.approx(0.5, abs=0.01)
        assert sum(row["value"] for row in rows("week_hour")) == pytest.approx(visits, abs=45)
        refresh(store.connection, most_days=10)


def test_an_hour_of_a_zone_with_half_hours_is_known_where_anybody_listened(
    store: SeededStore, client: httpx.Client
) -> None:
    """Coverage is written by full hours in UTC; in Kolkata hours begin at half past."""
    add_stores(store.connection, _elsewhere("Asia/Kolkata"))
    store.connection.execute(
        "insert into coverage_hour select store_no, '2026-10-24 06:00Z', 3600, 1 from store where id = 'pier'"
    )
    answer = client.get(
        "/v1/stores/pier/metrics/footfall", params={"from": "2026-10-24", "to": "2026-10-24", "bucket": "hour"}
    ).json()
    known = [row["begins_at"][11:16] for row in answer["rows"] if row["state"] == "told"]
    assert known == ["05:30", "06:30"]


def test_hidden_is_not_told_as_nobody(store: SeededStore, client: httpx.Client) -> None:
    """Where nothing is left to be told there is no row: the answer, the file and the page say why."""
    begin = datetime(2026, 10, 24, 8, tzinfo=UTC)
    few = [
        Stay(who + 10 * n, who, zone, begin + timedelta(minutes=2 * n), 60)
        for who in range(5)
        for n, zone in enumerate((None, 1, 2))
    ]
    insert(store.connection, store.store_no, few)
    whole = ("dwell_histogram", "dwell_curve", "flow", "paths")
    for formula in (*whole, "footfall"):
        told = ask(client, formula, to=str(SATURDAY), **({"bucket": "day"} if formula == "footfall" else {}))
        assert (told["state"], told["hidden_count"]) == ("hidden", 1), formula
    insert(store.connection, store.store_no, shoppers(store.plan, LONG, 60, seed=2, first_number=10_000))
    for formula in whole:
        told = ask(client, formula)
        assert (told["state"], told["hidden_count"] >= 1, bool(told["rows"])) == ("partly_hidden", True, True)
        nobody = {"from": "2026-10-10", "to": "2026-10-10"}
        assert ask(client, formula, **nobody)["state"] == "no_data", "no coverage is known, and nobody was counted"
        (line,) = pl.read_csv(
            client.get(
                f"/v1/stores/marktplatz/metrics/{formula}",
                params={"from": str(SATURDAY), "to": str(SATURDAY), "format": "csv"},
            ).content
        ).to_dicts()
        assert (line["state"], line["hidden_count"], line["value"]) == ("hidden", 1, None)
    store.connection.execute("insert into coverage_hour values (%s, '2026-10-10 08:00Z', 3600, 1)", [store.store_no])
    assert {ask(client, formula, **nobody)["state"] for formula in whole} == {"told"}, "nobody came, and it is known"
    day = {"from": str(SATURDAY), "to": str(SATURDAY)}
    assert "Too few people to be told" in client.get("/stores/marktplatz/dwell", params=day).text
    assert "Nobody was counted" in client.get("/stores/marktplatz/dwell", params=nobody).text


def test_hours_of_few_people_are_hidden_and_cannot_be_had_by_subtraction(
    seeded: list[Stay], client: httpx.Client
) -> None:
    hours = ask(client, "footfall", bucket="hour", to=str(SATURDAY))["rows"]
    counted = visits_by_hour(seeded, None)
    for row in hours:
        count = counted[datetime.fromisoformat(row["begins_at"])]
        assert row["value"] is None if 0 < count < K_PEOPLE else row["value"] in {count, None}
    hidden = [row for row in hours if row["state"] == "hidden"]
    assert len(hidden) >= 2
    assert 90 - sum(row["value"] or 0 for row in hours) >= K_PEOPLE
    assert all(row["visit_count"] is None for row in hidden), "nor does another field tell"


def test_where_nobody_listened_nobody_coming_is_not_told(store: SeededStore, client: httpx.Client) -> None:
    begin = datetime(2026, 10, 24, 6, tzinfo=UTC)  # 8:00: the first signal of the store
    hours = [begin + timedelta(hours=n) for n in range(41)]  # to the end of the long Sunday
    with store.connection.cursor() as cursor:
        cursor.executemany(
            "insert into coverage_hour values (%s, %s, 3600, 1)", [(store.store_no, hour) for hour in hours]
        )
    twice = [datetime(2026, 10, 25, hour, 10, tzinfo=UTC) for hour in (0, 1)]  # both are called 02:10
    stays = [Stay(100 * n + who, who, None, at, 600) for n, at in enumerate(twice) for who in range(12)]
    insert(
        store.connection, store.store_no, [*shoppers(store.plan, SATURDAY, 30, seed=1, first_number=10**4), *stays]
    )
    week = {"from": "2026-10-20", "to": str(LONG)}
    days = ask(client, "footfall", **week)
    assert [(row["value"], row["state"]) for row in days["rows"]] == [(None, "no_data")] * 4 + [
        (30, "told"), (24, "told")
    ]  # fmt: skip
    assert (days["total"]["value"], days["total"]["no_data_count"], days["no_data_count"]) == (54, 4, 4)
    assert days["coverage"] == pytest.approx(41 / (4 * 24 + 41)), "days without a word are no covered days"
    spring = ask(client, "footfall", **{"from": "2026-03-29", "to": str(LONG)})
    unknown = (date(2026, 10, 24) - date(2026, 3, 29)).days * 24 - 1
    assert spring["coverage"] == pytest.approx(41 / (unknown + 41), rel=1e-9), "a Sunday of 23 hours"
    for formula in ("occupancy", "occupancy_peak", "returning", "capture_inside", "dwell_mean"):
        states = [row["state"] for row in ask(client, formula, bucket="day", **week)["rows"]]
        assert states[:4] == ["no_data"] * 4, formula
        assert "no_data" not in states[4:], formula
    assert ask(client, "flow", **week)["no_data_count"] == 4
    assert {row["no_data_count"] for row in ask(client, "dwell_histogram", **week)["rows"]} == {4}
    first_hours = [row["state"] for row in ask(client, "footfall", bucket="hour", to=str(SATURDAY))["rows"]]
    assert first_hours[:8] == ["no_data"] * 8
    assert "no_data" not in first_hours[8:]
    parts = {row["part"]: (row["value"], row["state"]) for row in ask(client, "week_part", **week)["rows"]}
    assert parts == {"weekday": (None, "no_data"), "weekend": (27, "told")}
    clocks = {(row["weekday"], row["hour"]): row for row in ask(client, "week_hour", **week)["rows"]}
    assert clocks[7, 2]["value"] == 12, "two hours are called 02, each with twelve"
    assert (clocks[2, 10]["state"], clocks[2, 10]["value"]) == ("no_data", None)
    spring = [
        Stay(10**6 + 100 * n + who, who, None, datetime(2026, 3, day, 1, 10, tzinfo=UTC), 600)
        for n, day in enumerate((22, 29))
        for who in range(12)
    ]
    insert(store.connection, store.store_no, spring)
    clocks = {
        (row["weekday"], row["hour"]): row["value"]
        for row in ask(client, "week_hour", **{"from": "2026-03-22", "to": "2026-03-29"})["rows"]
    }
    assert (clocks[7, 2], clocks[7, 3]) == (12, 6), "on one of the two Sundays there is no 02"
    cells = client.get("/v1/stores/marktplatz/cells", params=week | {"limit": 7}).json()["cells"]
    assert [cell["state"] for cell in cells[:5]] == ["no_data"] * 4 + ["told"]
    presets = client.get("/v1/stores/marktplatz/presets", params={"from": "2026-10-20", "to": "2026-10-21"}).json()
    assert presets["no_data_count"] == 2
    assert all(band["visit_count"] is None for band in presets["presets"][0]["bands"])
    for day, said in (("2026-10-20", "These days have no data"), (str(SATURDAY), "4 days have")):
        page = client.get("/stores/marktplatz/traffic", params={"from": "2026-10-20", "to": day}).text
        assert (said in page, "no data" in page) == (True, True)
    heat = client.get("/v1/stores/marktplatz/heatmap", params={"from": "2026-10-20", "to": "2026-10-20"}).json()
    assert {zone["state"] for zone in heat["zones"]} == {"no_data"}


def test_a_mean_of_weeks_leaves_out_today(store: SeededStore, client: httpx.Client) -> None:
    """Today is not over: its hours so far would pull the mean down."""
    berlin = ZoneInfo("Europe/Berlin")
    today = datetime.now(berlin).date()
    for back, count in ((7, 30), (14, 50)):
        day = today - timedelta(days=back)
        stays = shoppers(store.plan, day, count, seed=back, first_number=back * 1000)
        insert(store.connection, store.store_no, stays)
    midnight = datetime.combine(today, datetime.min.time(), berlin)
    insert(store.connection, store.store_no, [Stay(who, who, None, midnight, 60) for who in range(12)])
    asked = {"from": str(today - timedelta(days=14)), "to": str(today)}
    part = "weekend" if today.weekday() >= 5 else "weekday"
    days = [today - timedelta(days=back) for back in range(1, 15)]
    known = [day for day in days if (day.weekday() >= 5) == (part == "weekend")]
    with store.connection.cursor() as cursor:
        cursor.executemany(
            "insert into coverage_hour values (%s, %s, 3600, 1)",
            [
                (store.store_no, datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=hour))
                for day in days
                for hour in range(24)
            ],
        )
    (row,) = [one for one in ask(client, "week_part", **asked)["rows"] if one["part"] == part]
    assert row["value"] == pytest.approx(80 / len(known))
    hours = [one for one in ask(client, "week_hour", **asked)["rows"] if one["weekday"] == today.isoweekday()]
    assert next(one["value"] for one in hours if one["hour"] == 0) == 0, "the twelve of this midnight are of today"


def test_two_overlapping_ranges_do_not_tell_a_small_day(store: SeededStore, client: httpx.Client) -> None:
    small = date(2026, 10, 26)
    insert(store.connection, store.store_no, shoppers(store.plan, SATURDAY, 30, seed=1))
    insert(store.connection, store.store_no, shoppers(store.plan, LONG, 30, seed=2, first_number=10_000))
    insert(store.connection, store.store_no, shoppers(store.plan, small, 4, seed=3, first_number=20_000))
    for formula in ("footfall", "people", "dwell_mean", "bounce", "engaged", "capture_inside", "dwell_median"):
        two, three = ask(client, formula), ask(client, formula, to=str(small))
        assert three["total"]["value"] == two["total"]["value"], formula
        assert (three["total"]["state"], three["total"]["hidden_count"]) == ("partly_hidden", 1)
        assert three["rows"][-1]["value"] is None
    for formula in ("dwell_histogram", "dwell_curve", "flow", "paths", "week_part"):
        two, three = ask(client, formula), ask(client, formula, to=str(small))
        values = [[row["value"] for row in told["rows"] if row["part"] != "weekday"] for told in (two, three)]
        assert values[0] == values[1], formula
    for formula in ("occupancy", "occupancy_peak"):
        two, three = ask(client, formula, bucket="whole"), ask(client, formula, to=str(small), bucket="whole")
        assert two["rows"][0]["value"] == three["rows"][0]["value"]
        assert three["rows"][0]["hidden_count"] == 1


def test_counts_are_the_same_before_and_after_they_are_rolled_up(
    seeded: list[Stay], store: SeededStore, client: httpx.Client
) -> None:
    needs_zone = {
        "zone_entry", "zone_exposure", "section_conversion", "queue_wait", "queue_wait_p90", "queue_abandoned"
    }  # fmt: skip
    queries = {name: {"by": "zone"} if name in needs_zone else {} for name in FORMULAS if name != "occupancy_now"}
    week = {"from": "2026-10-19"}
    queries |= {"online_share": week, "shelf_view": week}
    before = {name: ask(client, name, **query)["rows"] for name, query in queries.items()}
    assert all(rows for name, rows in before.items() if name not in {"paths", "shelf_view"})
    refresh(store.connection, most_days=10)
    assert {name: ask(client, name, **query)["rows"] for name, query in queries.items()} == before
    insert(store.connection, store.store_no, [Stay(99_000, 5, None, datetime(2026, 10, 24, 9, tzinfo=UTC), 60)])
    assert ask(client, "footfall")["total"]["value"] == 151, "a late visit counts at once"


def test_each_zone_and_shares(seeded: list[Stay], client: httpx.Client) -> None:
    entry = {row["zone"]: row["value"] for row in ask(client, "zone_entry", by="zone", bucket="whole")["rows"]}
    assert entry["entrance"] == 1.0
    assert 0.1 < entry["new"] < 1.0
    exposure = ask(client, "zone_exposure", by="zone", bucket="whole")["rows"]
    told = [row["value"] for row in exposure if row["value"]]
    assert 0.8 < sum(told) <= 1.0001
    inside = {stay.device for stay in seeded if stay.zone not in {None, 0} and not stay.role}
    assert ask(client, "capture_inside")["total"]["value"] == pytest.approx(len(inside) / 150, abs=1e-6)
    moves = ask(client, "flow")["rows"]
    assert moves[0]["value"] >= K_PEOPLE
    assert moves[0]["zone"] != moves[0]["to_zone"]


def test_the_running_day_compares_those_who_have_left(
    seeded: list[Stay], store: SeededStore, client: httpx.Client
) -> None:
    """Stays end before the visit to the store does: shares of all stays in all visits would pass 100 %."""
    shares = ("capture_inside", "zone_entry", "zone_exposure", "section_conversion")

    def ask_all() -> list[Any]:
        zoned: dict[str, Any] = {"bucket": "whole", "by": "zone"}
        answers = [
            ask(client, name, **(zoned if name != "capture_inside" else {"bucket": "whole"})) for name in shares
        ]
        return [[row["value"] for row in answer["rows"]] for answer in answers]

    late = datetime(2026, 10, 25, 22, 40, tzinfo=UTC)
    insert(
        store.connection,
        store.store_no,
        [Stay(200_000 + n, 200_000, zone, late, 60) for n, zone in ((0, None), (1, 1))],
    )
    before = ask_all()
    begin = datetime(2026, 10, 25, 16, tzinfo=UTC)
    still = range(70_000, 70_000 + 5 * K_PEOPLE)
    insert(
        store.connection,
        store.store_no,
        [Stay(3 * who + zone, who, zone, begin + timedelta(hours=2 * zone), 60) for who in still for zone in (1, 2)],
    )
    for who in still:  # all but one of whom ingest says that they are there, each with a stay of long ago
        add_presence(
            store.connection, store.plan, store.store_no, pseudonym=device(who), zone="men", arrived_at=begin,
            in_zone_since=begin + timedelta(hours=3), last_signal_at=begin + timedelta(hours=6, seconds=who % 7),
        )  # fmt: skip
    assert ask_all() == before
    assert ask(client, "people", zone="new", bucket="whole")["rows"][0]["value"] >= len(still), "stays count at once"
    (peak,) = ask(client, "occupancy_peak", bucket="whole")["rows"]
    assert peak["value"] >= len(still), "who is there has a visit in progress"
    refresh(store.connection, most_days=10)
    assert ask_all() == before
    (again,) = ask(client, "occupancy_peak", bucket="whole")["rows"]
    assert again == peak
    store.connection.execute("delete from presence")
    assert ask(client, "occupancy_peak", bucket="whole")["rows"][0]["value"] < len(still), "counted days hold visits"
    silent = ask_all()
    assert silent != before, "without word of who is there, who was silent for hours has gone"
    gone = range(80_000, 80_000 + 2 * K_PEOPLE)  # silent too, but nobody knows yet whether they have left
    insert(store.connection, store.store_no, [Stay(3 * who, who, 1, late, 60) for who in gone])
    assert ask_all() == silent
    refused = client.get("/v1/stores/marktplatz/metrics/zone_entry", params={"bucket": "hour", "zone": "new"})
    assert refused.status_code == 422, "who comes into a zone in an hour may have come to the store before it"


def test_compared_with_days_before_and_with_another_store(
    seeded: list[Stay], store: SeededStore, client: httpx.Client
) -> None:
    insert(
        store.connection,
        store.store_no,
        shoppers(store.plan, SATURDAY - timedelta(7), 20, seed=5, first_number=10**6),
    )
    told = ask(client, "footfall", to=str(SATURDAY), bucket="day", compare=str(SATURDAY - timedelta(7)))
    assert (told["total"]["value"], told["compared"]["total"]["value"]) == (90, 20)
    assert told["compared"]["first_day"] == "2026-10-17"
    assert ask(client, "footfall", compare="previous")["compared"]["last_day"] == "2026-10-23"
    assert ask(client, "footfall", compare="last_year")["compared"]["first_day"] == "2025-10-25", "a Saturday too"
    other = ask(client, "footfall", compare_store="quay")["compared"]
    assert other["total"]["state"] == "no_data", "nobody was ever heard there"
    assert (other["store"], other["timezone"], other["total"]["value"]) == ("quay", "America/New_York", None)


def test_orders_are_asked_for_weeks_that_are_over(store: SeededStore, client: httpx.Client) -> None:
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    monday = today - timedelta(days=today.weekday())
    for formula in ("online_share", "shelf_view"):
        url = f"/v1/stores/marktplatz/metrics/{formula}"
        usual = client.get(url).json()
        assert (usual["first_day"], usual["last_day"]) == (str(monday - timedelta(7)), str(monday - timedelta(1)))
        running = {"from": str(monday), "to": str(monday + timedelta(days=6))}
        assert client.get(url, params=running).status_code == 422, "this week is not over"


def test_files_say_the_same_and_name_their_formula(seeded: list[Stay], client: httpx.Client) -> None:
    url = f"/v1/stores/marktplatz/metrics/bounce?from={SATURDAY}&to={LONG}&preset=purple"
    rows = client.get(url).json()["rows"]
    as_csv = client.get(url + "&format=csv")
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert "marktplatz-bounce-2026-10-24-2026-10-25.csv" in as_csv.headers["content-disposition"]
    for frame in (
        pl.read_csv(io.BytesIO(as_csv.content)),
        pl.read_parquet(io.BytesIO(client.get(url + "&format=parquet").content)),
    ):
        assert frame["value"].to_list() == [row["value"] for row in rows]
        assert set(frame["formula"]) == {"bounce"}
        assert set(frame["parameters"]) == {"bounce_s=180;visit_s=0"}


def test_files_say_the_day_and_the_hour_of_the_stores_clocks(seeded: list[Stay], client: httpx.Client) -> None:
    """In UTC a day in Berlin begins the day before, and so it stood in a spreadsheet."""
    days = {"from": str(SATURDAY), "to": str(LONG)}
    for path, by in (("metrics/footfall", "bucket"), ("cells", "by")):
        url = f"/v1/stores/marktplatz/{path}"
        for kind, read in (("csv", pl.read_csv), ("parquet", pl.read_parquet)):
            frame = read(io.BytesIO(client.get(url, params=days | {by: "day", "format": kind}).content))
            assert set(frame["day"].cast(pl.String)) == {str(SATURDAY), str(LONG)}, (path, kind)
            assert (set(frame["clock"]), set(frame["timezone"])) == ({"00:00"}, {"Europe/Berlin"})
        frame = pl.read_csv(io.BytesIO(client.get(url, params=days | {by: "hour", "format": "csv"}).content))
        assert set(frame["day"]) == {str(SATURDAY), str(LONG)}
        if path != "cells":  # which has no row of an hour without anybody
            twice = frame.filter(pl.col("day") == str(LONG), pl.col("clock") == "02:00")
            assert twice["begins_at"].n_unique() == 2, "clocks go back"
    nobody = "/v1/stores/marktplatz/metrics/flow?from=2026-10-10&to=2026-10-10&format=csv"
    (line,) = pl.read_csv(client.get(nobody).content).to_dicts()
    assert (line["day"], line["clock"], line["timezone"]) == (None, None, "Europe/Berlin")


def test_nothing_new_is_told_by_its_tag(seeded: list[Stay], store: SeededStore, client: httpx.Client) -> None:
    url = f"/v1/stores/marktplatz/metrics/footfall?from={SATURDAY}&to={LONG}"
    tag = client.get(url).headers["etag"]
    again = client.get(url, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(url, headers={"If-None-Match": "*"}).status_code == 304
    for kind in ("json", "csv"):
        params = {"from": str(SATURDAY), "to": str(LONG), "format": kind}
        tag = client.get("/v1/stores/marktplatz/metrics/footfall", params=params).headers["etag"]
        store.connection.execute(
            "insert into engine_progress values (%s, 1, 1, 0, 0, now(), now()) on conflict (store_no)"
            " do update set decoded = engine_progress.decoded + 1, changed_at = clock_timestamp()",
            [store.store_no],
        )
        again = client.get("/v1/stores/marktplatz/metrics/footfall", params=params, headers={"If-None-Match": tag})
        assert again.status_code == 304, "what is heard today changes nothing of days that are over"
    tag = client.get(url).headers["etag"]
    insert(store.connection, store.store_no, [Stay(98_000, 98_000, None, datetime(2026, 10, 24, 9, tzinfo=UTC), 60)])
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 200


PROBLEMS = (
    ("marktplatz/metrics/footfal", 404, "no formula 'footfal'"),
    ("nowhere/metrics/footfall", 404, "no store"),
    ("marktplatz/metrics/footfall?from=2026-10-02&to=2026-10-01", 422, "ends before it begins"),
    ("marktplatz/metrics/footfall?from=2024-01-01&to=2026-10-01", 422, "1005 days are too many here, 400"),
    ("marktplatz/metrics/footfall?from=2026-01-01&to=2026-10-01&bucket=hour", 422, "too many here, 92"),
    ("marktplatz/metrics/footfall?bucket=minute", 422, "value that cannot be used"),
    ("marktplatz/metrics/flow?bucket=day", 422, "has no buckets"),
    ("marktplatz/metrics/footfall?bounce_s=60", 422, "has no parameter bounce_s"),
    ("marktplatz/metrics/bounce?bounce_s=61", 422, "no threshold"),
    ("marktplatz/metrics/bounce?preset=acme", 422, "no preset"),
    ("marktplatz/metrics/footfall?zone=attic", 422, "no zone 'attic'"),
    ("marktplatz/metrics/occupancy?zone=new", 422, "of the whole store"),
    ("marktplatz/metrics/zone_entry", 422, "is of a zone"),
    ("marktplatz/metrics/footfall?from=2999-01-01&to=2999-01-02", 422, "Nothing has happened yet"),
    ("marktplatz/metrics/footfall?compare_store=nowhere", 404, "no store"),
    ("marktplatz/metrics/footfall?form=xml", 422, "no parameter 'form'"),
    ("marktplatz/metrics/footfall?from=1704067200", 422, "value that cannot be used"),
    ("marktplatz/metrics/footfall?zone=women&zone=men", 422, "'zone' is said twice"),
    ("marktplatz/heatmap?of=people&of=footfall", 422, "'of' is said twice"),
    ("marktplatz/metrics/occupancy_now?from=2026-10-24&to=2026-10-24", 422, "of this moment"),
    ("marktplatz/metrics/occupancy_now?compare=previous", 422, "of this moment"),
    ("marktplatz/metrics/online_share?from=2026-10-24&to=2026-10-24", 422, "of calendar weeks"),
    ("marktplatz/metrics/shelf_view?from=2026-10-20&to=2026-10-31", 422, "of calendar weeks"),
    ("marktplatz/metrics/shelf_view?from=2026-10-19&to=2026-10-26&compare=2026-10-20", 422, "of calendar weeks"),
)


def test_what_cannot_be_answered_is_a_problem(client: httpx.Client) -> None:
    for path, status, says in PROBLEMS:
        answer = client.get(f"/v1/stores/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
        assert says in answer.json()["detail"], path
        assert answer.json()["hint"], path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/stores/marktplatz/metrics/footfall?from=0001-01-01&to=0001-01-02",
        "/v1/stores/marktplatz/metrics/footfall?compare=0001-01-01",
        "/v1/stores/marktplatz/metrics/footfall?compare=9999-12-30",
        "/v1/stores/marktplatz/metrics/footfall?compare=2090-01-01",
        "/v1/stores/marktplatz/metrics/returning?from=0001-01-08&to=0001-01-08",
        "/v1/stores/marktplatz/metrics/footfall?from=0001-01-08&to=0001-01-09&compare=last_year",
        "/v1/stores/marktplatz/heatmap?from=0001-01-01&to=0001-01-02",
        "/v1/stores/marktplatz/cells?from=0001-01-01&to=0001-01-01",
        "/v1/stores/marktplatz/presets?from=0001-01-01&to=0001-01-01",
        "/stores/marktplatz/traffic?from=0001-01-01&to=0001-01-02",
        "/stores/marktplatz/compare?compare=9999-12-30",
        "/stores/marktplatz/note-tags?from=0001-01-01&to=0001-01-02",
    ],
)
def test_days_at_the_ends_of_the_calendar_are_refused(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 422


def test_the_registry_is_told(client: httpx.Client) -> None:
    told = client.get("/v1/metrics/formulas").json()
    assert [formula["id"] for formula in told["formulas"]] == list(FORMULAS)
    assert {preset["id"] for preset in told["presets"]} >= {"aruba", "mist", "purple", "cloud4wi", "palexy"}


def _passing(day: date, count: int, into: int, *, number: int) -> list[Stay]:
    """A day on which `count` people came, of whom `into` had a stay in the second zone."""
    at = datetime.combine(day, datetime.min.time(), ZoneInfo("Europe/Berlin")) + timedelta(hours=10)
    people = range(number, number + count)
    stays = [Stay(4 * who, who, None, at, 900) for who in people]
    stays += [Stay(4 * who + 1, who, 0, at, 60) for who in people]
    return stays + [Stay(4 * who + 2, who, 1, at + timedelta(minutes=2), 120) for who in people[:into]]


def test_a_share_is_not_made_by_what_is_hidden_of_it(store: SeededStore, client: httpx.Client) -> None:
    """Days of few in a zone are hidden; those that stay have nobody in it, and 0 % would be no answer."""
    days = [SATURDAY + timedelta(days=number) for number in range(10)]
    visits = [3, 0, 4, 3, 0, 2, 3, 4, 3, 3]
    stays = [
        stay
        for number, (day, into) in enumerate(zip(days, visits, strict=True))
        for stay in _passing(day, 40, into, number=1000 * number)
    ]
    insert(store.connection, store.store_no, stays)
    asked = {"from": str(days[0]), "to": str(days[-1]), "bucket": "whole"}
    for formula in ("zone_entry", "zone_exposure"):
        for answer in (ask(client, formula, zone="new", **asked), ask(client, formula, by="zone", **asked)):
            (row,) = [row for row in answer["rows"] if row["zone"] == "new"]
            assert (row["value"], row["state"], row["hidden_count"]) == (None, "hidden", 8), row
            assert row["visit_count"] is None
        of_days = ask(client, formula, zone="new", **asked | {"bucket": "day"})
        assert [row["state"] for row in of_days["rows"]] == ["hidden" if into else "told" for into in visits]
        assert of_days["total"]["state"] == "hidden"
    # one quiet day in ten leaves the share to the other nine
    quiet = [stay for number in range(10) for stay in _passing(
        days[-1] + timedelta(days=1 + number), 40, 3 if number == 4 else 12, number=100_000 + 1000 * number
    )]  # fmt: skip
    insert(store.connection, store.store_no, quiet)
    later = asked | {"from": str(days[-1] + timedelta(days=1)), "to": str(days[-1] + timedelta(days=10))}
    (row,) = ask(client, "zone_entry", zone="new", **later)["rows"]
    assert (row["value"], row["state"], row["hidden_count"]) == (0.3, "partly_hidden", 1)
    # a day whose whole is of few is left out as of every figure, whatever its part
    insert(store.connection, store.store_no, _passing(days[-1] + timedelta(days=11), 6, 3, number=500_000))
    (row,) = ask(client, "zone_entry", zone="new", **later | {"to": str(days[-1] + timedelta(days=11))})["rows"]
    assert (row["value"], row["state"], row["hidden_count"]) == (0.3, "partly_hidden", 2)
