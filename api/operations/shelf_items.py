"""Which item stands on which shelf of a store, from when on."""

from datetime import date, datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.operators import OperatorDep
from api.problems import described
from api.service import ConnectionDep, ServiceDep, StoreDep
from storage.connect import Connection
from storage.shelf_items import ITEMS_MOST, holds_from, read_items, replace_items
from storage.stores import StoredPlan

router = APIRouter(prefix="/v1/stores", tags=["metrics"])


class ShelfItems(BaseModel):
    """Items by the name that orders give them (`product`), and the zone each stands in."""

    model_config = ConfigDict(extra="forbid")

    items: dict[str, str] = Field(max_length=ITEMS_MOST, examples=[{"trail-shoe-42": "shoes"}])


class ShelfItemsOut(BaseModel):
    """Items as was said last, and from when on that holds."""

    items: dict[str, str] = Field(description="The zone of each item", examples=[{"trail-shoe-42": "shoes"}])
    holds_from: date | None = Field(
        description="The Monday from which on that holds, null if it holds now; until then it may be said again"
    )

    @classmethod
    def of(cls, connection: Connection, stored: StoredPlan, now: datetime) -> Self:
        """Return the answer for a store."""
        return cls(items=read_items(connection, stored), holds_from=holds_from(connection, stored, now))


@router.get("/{store}/shelf-items", responses=described(404, 422, 503), summary="Where items stand")
def read_shelf_items(stored: StoreDep, service: ServiceDep, connection: ConnectionDep) -> ShelfItemsOut:
    """Return the zone of each item that `shelf_view` can join with orders."""
    return ShelfItemsOut.of(connection, stored, service.now())


@router.put("/{store}/shelf-items", responses=described(404, 422, 503), summary="Say where items stand")
def write_shelf_items(
    asked: ShelfItems, stored: StoreDep, service: ServiceDep, connection: ConnectionDep, _: OperatorDep
) -> ShelfItemsOut:
    """Let these items stand in these zones, in place of those before, from the next week on.

    The first that are said of a store hold for all weeks. Weeks before keep their items: figures of one week under
    two sets, compared, would tell of who bought the items between.
    """
    now = service.now()
    service.writer.write(lambda writing: replace_items(writing, stored, asked.items, now))
    return ShelfItemsOut.of(connection, stored, now)
