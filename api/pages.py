"""The pages: server-rendered, so that they say something before and without scripts; scripts keep them current."""

from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import jinja2
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from api import wording
from api.journey_page import journey_context
from api.live_routes import NEWEST_VISITS, read_state_now
from api.problems import RETRY_AFTER_S, ProblemError, retry_headers, visit_unknown
from api.profile_routes import read_profile
from api.service import ConnectionDep, ProfileDep, ServiceDep, StoreDep, find_store
from api.store_models import VisitOut
from core.errors import InputError
from storage.occupancy import stores_page
from storage.profile_visits import profile_visits, visit_detail
from storage.profiles import SEARCH_CHARACTERS, consent_ledger, profiles_page
from storage.visit_queries import VisitFilter, visits_page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_HERE: Final = Path(__file__).parent
_LIST_ROWS: Final = 50
"""Rows of a list before "show more"."""
_EARLIER_VISITS: Final = 10


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for name in (
        "clock", "minute", "day", "utc_iso", "zone_abbreviation", "dwell", "dwell_range", "per_cent", "people",
        "heat_step", "dwell_short",
    ):  # fmt: skip
        environment.filters[name] = getattr(wording, name)
    environment.globals["wording"] = wording
    return environment


_TEMPLATES: Final = _templates()


def add_to(app: FastAPI) -> None:
    """Add the pages and what they load to an application."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")


@router.get("/")
def show_stores(connection: ConnectionDep, cursor: Annotated[str | None, Query()] = None) -> Response:
    """Show the list of stores; with one store, that store."""
    page = stores_page(connection, limit=_LIST_ROWS, cursor=cursor)
    if len(page.stores) == 1 and cursor is None:
        return RedirectResponse(f"/stores/{page.stores[0].id}")
    return render("stores.html", here="stores", page=page)


@router.get("/stores/{store}")
def show_store(
    stored: StoreDep,
    connection: ConnectionDep,
    service: ServiceDep,
    zone: Annotated[str | None, Query()] = None,
) -> Response:
    """Show the live floor plan of a store; `zone` narrows the newest visits to one zone."""
    plan = stored.plan
    if zone is not None and zone not in plan.zone_index:
        raise InputError(f"This store has no zone {zone[:64]!r}.", hint="Choose one on its floor plan.")
    state = read_state_now(service, plan.id, with_visits=zone is None)
    visits = state.newest_visits
    if zone is not None:
        wanted = VisitFilter(zone_no=plan.zone_index[zone], order="left_at")
        page = visits_page(connection, stored.store_no, wanted, limit=NEWEST_VISITS)
        visits = [VisitOut.of(row, plan) for row in page.visits]
    people = {row.zone: row.people for row in state.occupancy}
    return render(
        "store.html",
        here="stores",
        plan=plan,
        drawing=service.drawings.get(stored),
        people=people,
        ranking=sorted(plan.zones, key=lambda zone: -people[zone.id]),
        most=max(1, *people.values()),
        state=state,
        visits=visits,
        zones={found.id: found for found in plan.zones},
        chosen=zone,
        now=service.now(),
        newest=NEWEST_VISITS,
    )


@router.get("/profiles")
def show_profiles(
    connection: ConnectionDep,
    service: ServiceDep,
    q: Annotated[str, Query(max_length=SEARCH_CHARACTERS)] = "",
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Search and list of profiles."""
    search = q.strip()
    page = profiles_page(connection, search=search, limit=_LIST_ROWS, cursor=cursor)
    return render("profiles.html", here="profiles", page=page, q=search, first=cursor is None, now=service.now())


@router.get("/profiles/{profile}")
def show_profile(
    found: ProfileDep,
    connection: ConnectionDep,
    service: ServiceDep,
    visit: Annotated[UUID | None, Query()] = None,
) -> Response:
    """One customer: consent, journey, the visit in progress or another one on the floor plan, earlier visits."""
    detail = visit_detail(connection, found.profile_id, visit)
    if detail is None and visit is not None:
        raise visit_unknown()
    stored = find_store(service, connection, detail.store) if detail is not None else None
    page = profile_visits(connection, found.profile_id, limit=_EARLIER_VISITS)
    plans = {row.store: find_store(service, connection, row.store).plan for row in page.visits}
    return render(
        "profile.html",
        here="profiles",
        profile=read_profile(found, connection, service),
        earlier=[(row, VisitOut.of(row.visit, plans[row.store]), plans[row.store]) for row in page.visits],
        more_visits=page.next_cursor is not None,
        asked_for=visit,
        **journey_context(
            found, consent_ledger(connection, found.profile_id), detail, stored, service.drawings, now=service.now()
        ),
    )


def as_page(request: Request, problem: ProblemError) -> Response:
    """Return a problem as a page that says what to do; one that may pass asks again by itself."""
    waiting = problem.status == 503
    headers = retry_headers(problem)
    if waiting:
        headers["Refresh"] = str(RETRY_AFTER_S)
    here = "profiles" if request.url.path.startswith("/profiles") else "stores"
    response = render("problem.html", here=here, problem=problem, waiting=waiting, retry_s=RETRY_AFTER_S)
    response.status_code = problem.status
    response.headers.update(headers)
    return response


def render(template: str, **context: Any) -> Response:
    """Return a page made of a template."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(**context))
