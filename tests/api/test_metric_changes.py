"""What a page says of days beside others: over the days that both tell, and never of more days beside fewer."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.fix_api import SeededStore
from tests.metrics.visiting import Stay, insert

pytestmark = pytest.mark.servers
BERLIN = ZoneInfo("Europe/Berlin")


def people_of(store: SeededStore, day: date, count: int) -> None:
    at = datetime.combine(day, datetime.min.time(), BERLIN) + timedelta(minutes=1)
    first = 1000 * day.toordinal()
    insert(store.connection, store.store_no, [Stay(first + n, first + n, None, at, 300) for n in range(count)])


def text_of(client: httpx.Client, page: str, first: date, last: date, **more: str) -> str:
    answer = client.get(f"/stores/marktplatz/{page}", params={"from": str(first), "to": str(last)} | more)
    assert answer.status_code == 200, answer.text
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


def test_more_days_beside_fewer_are_no_rise(store: SeededStore, client: httpx.Client) -> None:
    """Of ten days seven have no data, one is of too few: the change is of the two pairs that are told."""
    first = date(2026, 10, 10)
    for number in range(10):
        people_of(store, first + timedelta(days=number), 6 if number == 8 else 55)
    for number in (7, 8, 9):
        people_of(store, first + timedelta(days=number - 10), 50)
    last = first + timedelta(days=9)
    traffic = text_of(client, "traffic", first, last)
    assert "495* +10.0% beside the days before, on the 2 days that are over and told in both" in traffic
    compared = text_of(client, "compare", first, last)
    assert "Footfall 495* 150* +10.0%*" in compared
    assert "People 495* 150* +10.0%*" in compared
    assert "Peak occupancy 55* 50* +10.0%*" in compared
    assert "Mean dwell 5 min 00 s* 5 min 00 s* ±0.0%*" in compared
    assert "(footfall: 2 of 10)" in compared
    # the same days on both sides: nothing to say
    whole = text_of(client, "compare", last, last, compare=str(last - timedelta(days=2)))
    assert "Footfall 55 55 ±0.0%" in whole
    assert "footfall:" not in whole
    alone = text_of(client, "traffic", last, last)
    assert "no day is over and told both here and in the day before" in alone


def test_a_day_that_runs_is_beside_no_whole_one(store: SeededStore, client: httpx.Client) -> None:
    today = datetime.now(UTC).astimezone(BERLIN).date()
    for number in range(1, 14):
        people_of(store, today - timedelta(days=number), 40)
    people_of(store, today, 12)
    week = today - timedelta(days=6)
    assert "±0.0% beside the days before, on the 6 days that are over" in text_of(client, "traffic", week, today)
    compared = text_of(client, "compare", week, today)
    assert "People 252 280 ±0.0%*" in compared
    assert "no day is over" in text_of(client, "traffic", today, today)
    assert "Footfall 12 40 \N{EN DASH}" in text_of(client, "compare", today, today)
    before = text_of(client, "traffic", today - timedelta(days=1), today - timedelta(days=1))
    assert "40 ±0.0% beside the day before" in before
