"""Which item stands on which shelf of a store."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.operators import OperatorDep
from api.problems import described
from api.service import ConnectionDep, ServiceDep, StoreDep
from storage.metric_orders import ITEMS_MOST, read_items, replace_items

router = APIRouter(prefix="/v1/stores", tags=["metrics"])


class ShelfItems(BaseModel):
    """Items by the name that orders give them (`product`), and the zone each stands in."""

    model_config = ConfigDict(extra="forbid")

    items: dict[str, str] = Field(max_length=ITEMS_MOST, examples=[{"trail-shoe-42": "shoes"}])


@router.get("/{store}/shelf-items", responses=described(404, 422, 503), summary="Where items stand")
def read_shelf_items(stored: StoreDep, connection: ConnectionDep) -> ShelfItems:
    """Return the zone of each item that `shelf_view` can join with orders."""
    return ShelfItems(items=read_items(connection, stored))


@router.put("/{store}/shelf-items", responses=described(404, 422, 503), summary="Say where items stand")
def write_shelf_items(asked: ShelfItems, stored: StoreDep, service: ServiceDep, _: OperatorDep) -> ShelfItems:
    """Let these items stand in these zones, in place of those before."""
    service.writer.write(lambda connection: replace_items(connection, stored, asked.items))
    return asked
