"""Where items stand, week by week: what is said holds from the next week on, so a week's figures are of one saying.

If it held for the weeks before too, the figures of a week under two sayings, compared, would tell of the customers
who bought the items between them, who may be one.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from core.errors import InputError
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.stores import StoredPlan

ITEMS_MOST: Final = 20_000
"""Items of a large store that stand on a shelf of their own zone."""
ITEM_CHARACTERS: Final = 200


def read_items(connection: Connection, stored: StoredPlan) -> dict[str, str]:
    """Return the zone of each item, as was said last."""
    rows = connection.execute(
        "select product, zone_no from shelf_item where store_no = %s and until_week = 'infinity' order by product",
        [stored.store_no],
    ).fetchall()
    return {product: stored.plan.zones[zone_no].id for product, zone_no in rows}


def holds_from(connection: Connection, stored: StoredPlan, now: datetime) -> date | None:
    """Return the Monday from which on that holds; None if it holds now."""
    monday = _next_monday(stored, now)
    row = connection.execute(
        "select exists (select from shelf_item where store_no = %s and (from_week = %s or until_week = %s))",
        [stored.store_no, monday, monday],
    ).fetchone()
    return monday if row == (True,) else None


def replace_items(connection: Connection, stored: StoredPlan, items: Mapping[str, str], now: datetime) -> None:
    """Let these items stand in these zones from the next week on, the first of a store in all weeks.

    Until that week begins, what is said again stands in place of what was. To be called in a transaction.

    Raises
    ------
    InputError
        If there are too many, or a zone is not in the plan.
    """
    wanted = _placed(stored, items)
    store_no, monday = stored.store_no, _next_monday(stored, now)
    with in_own_right(connection):  # one at a time; the lock asks for the right to change the store
        connection.execute("select from store where store_no = %s for no key update", [store_no])
    connection.execute("delete from shelf_item where store_no = %s and from_week = %s", [store_no, monday])
    connection.execute(
        "update shelf_item set until_week = 'infinity' where store_no = %s and until_week = %s", [store_no, monday]
    )
    known = connection.execute(
        "select product, zone_no, until_week = 'infinity' from shelf_item where store_no = %s", [store_no]
    ).fetchall()
    before = {product: zone_no for product, zone_no, stands in known if stands}
    connection.execute(
        "update shelf_item set until_week = %s where store_no = %s and until_week = 'infinity' and product = any(%s)",
        [monday, store_no, [product for product in before if wanted.get(product) != before[product]]],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into shelf_item (store_no, product, zone_no, from_week) values (%s, %s, %s, %s)",
            [
                (store_no, product, zone_no, monday if known else "-infinity")
                for product, zone_no in wanted.items()
                if before.get(product) != zone_no
            ],
        )


def _placed(stored: StoredPlan, items: Mapping[str, str]) -> dict[str, int]:
    if len(items) > ITEMS_MOST:
        raise InputError(f"{len(items)} items are too many.", hint=f"Give at most {ITEMS_MOST}.", where="items")
    places = stored.plan.zone_index
    for product, zone in items.items():
        if zone not in places:
            raise InputError(
                f"There is no zone {zone[:64]!r}.", hint=f"It stands with {product[:64]!r}.", where="items"
            )
        if not 1 <= len(product) <= ITEM_CHARACTERS:
            raise InputError(f"An item's name has 1 to {ITEM_CHARACTERS} characters.", where="items")
    return {product: places[zone] for product, zone in items.items()}


def _next_monday(stored: StoredPlan, now: datetime) -> date:
    today = now.astimezone(ZoneInfo(stored.plan.timezone)).date()
    return today + timedelta(days=7 - today.weekday())
