"""The page on which a person draws a floor plan; drawing is the script's, the plan goes through the API."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from api.rendering import render
from api.service import StoreDep
from core.floorplan import ZONE_KINDS, StorePlan

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/floor-plans/new")
def show_new() -> Response:
    """Show the editor with an empty store."""
    return _editor(None)


@router.get("/stores/{store}/plan")
def show_stored(stored: StoreDep) -> Response:
    """Show the editor with a store's plan."""
    return _editor(stored.plan)


def _editor(plan: StorePlan | None) -> Response:
    return render("plan_editor.html", here="stores", plan=plan, kinds=sorted(ZONE_KINDS))
