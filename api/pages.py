"""The pages: server-rendered, so that they say something before and without scripts; scripts keep them current."""

from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.navigation import may_open, section_of, sections
from api.audit.wording import said
from api.memory.recall import feelings_around, felt_by
from api.memory.routes import visit_of
from api.metrics.wording import heard
from api.notes import pages as note_pages
from api.operations.zones_today import zones_today
from api.problems import RETRY_AFTER_S, ProblemError, problem_headers, visit_unknown
from api.profiles.journeys import heard_around_order, heard_around_visit
from api.profiles.page import journey_context, order_context
from api.profiles.routes import read_profile
from api.profiles.timeline import LINES, shown_lines
from api.profiles.understanding_routes import known_of, understanding_of
from api.rendering import render
from api.service import ConnectionDep, ProfileDep, Service, ServiceDep, StoreDep, find_store
from api.stores.live_routes import NEWEST_VISITS, read_state_now
from api.stores.models import VisitOut
from core.audit.words import KINDS, PURPOSES
from core.errors import InputError
from core.journey.rules import ORDERED
from core.metrics.disclosure import K_PEOPLE
from storage.access.acting import in_own_right
from storage.audit.entries import AuditFilter, entries_page
from storage.connect import Connection
from storage.instants import to_datetime
from storage.notes.search import NoteFilter, notes_page
from storage.occupancy import stores_page
from storage.one_state import one_state
from storage.profiles.events import uncancelled
from storage.profiles.profiles import ProfileRow
from storage.profiles.search import SEARCH_CHARACTERS, profiles_page
from storage.profiles.timeline import timeline_page
from storage.profiles.visits import profile_visits, visit_detail
from storage.visit_queries import VisitFilter, visits_page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_LIST_ROWS: Final = 50
"""Rows of a list before "show more"."""
_EARLIER_VISITS: Final = 10
_NOTES: Final = 10
"""Notes on a profile before "all notes": what was said in the last months."""
_LOOKED: Final = 8
"""Looks at a profile before "all of it": those of its last visit."""


@router.get("/")
def show_stores(connection: ConnectionDep, cursor: Annotated[str | None, Query()] = None) -> Response:
    """Show the list of stores; with one store, that store."""
    if not may_open("/stores/{store}"):  # somebody whose work is elsewhere
        return RedirectResponse(next((section.path for section in sections()), "/account"))
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
    """Show the live floor plan of a store; `zone` narrows the newest visits to one zone.

    Who may not read single visits is shown how many each zone had today.
    """
    plan = stored.plan
    if zone is not None and zone not in plan.zone_index:
        raise InputError(f"This store has no zone {zone[:64]!r}.", hint="Choose one on its floor plan.")
    single = may_open("/v1/stores/{store}/visits")
    state = read_state_now(service, plan.id, with_visits=single and zone is None)
    visits = state.newest_visits
    if single and zone is not None:
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
        counts=None if single else zones_today(connection, service, stored, zone),
        zones={found.id: found for found in plan.zones},
        chosen=zone,
        heard=heard(state.as_of, service.now()),
        now=service.now(),
        newest=NEWEST_VISITS,
        k=K_PEOPLE,
    )


@router.get("/profiles")
def show_profiles(
    connection: ConnectionDep,
    service: ServiceDep,
    q: Annotated[str, Query(max_length=SEARCH_CHARACTERS)] = "",
    cursor: Annotated[str | None, Query()] = None,
    withdrawn: Annotated[bool, Query()] = False,
) -> Response:
    """Search and list of profiles; `withdrawn` says that one has just gone from it."""
    search = q.strip()
    page = profiles_page(connection, search=search, limit=_LIST_ROWS, cursor=cursor)
    return render(
        "profiles.html",
        here="profiles",
        page=page,
        q=search,
        first=cursor is None,
        withdrawn=withdrawn,
        now=service.now(),
    )


@router.get("/profiles/{profile}")
def show_profile(
    *,
    found: ProfileDep,
    connection: ConnectionDep,
    service: ServiceDep,
    visit: Annotated[UUID | None, Query()] = None,
    order: Annotated[UUID | None, Query()] = None,
    before: Annotated[str | None, Query()] = None,
) -> Response:
    """One customer: consent, journey, the visit in progress or another one on the floor plan, earlier visits.

    `before` is where the timeline goes on.
    """
    with one_state(connection):
        return _profile_page(found, connection, service, visit=visit, order=order, before=before)


def _profile_page(
    found: ProfileRow,
    connection: Connection,
    service: Service,
    *,
    visit: UUID | None,
    order: UUID | None,
    before: str | None,
) -> Response:
    detail = visit_detail(connection, found.profile_id, visit)
    if detail is None and visit is not None:
        raise visit_unknown()
    stored = find_store(service, connection, detail.store) if detail is not None else None
    known = known_of(connection, found)
    running = detail.running if detail is not None else None
    understood, cue = understanding_of(
        service, connection, found, known, visit if running is None else None, here=running
    )
    felt = felt_by(connection, found.profile_id, events=known.heard.events, ended=known.visits, here=running)
    page = profile_visits(connection, found.profile_id, limit=_EARLIER_VISITS)
    told = timeline_page(connection, found.profile_id, limit=LINES, cursor=before)
    standing = uncancelled(known.heard.events)
    bought_in = {one.store for one in standing if one.kind == ORDERED and one.store}
    stores = {row.store for row in page.visits} | {row.store for row in told.lines if row.store} | bought_in
    plans = {store: find_store(service, connection, store).plan for store in stores}
    with in_own_right(connection):  # who looked at a customer is told with the customer, the log itself to the desk
        looked = entries_page(connection, AuditFilter(profile_id=found.profile_id), limit=_LOOKED)
    heard = heard_around_visit(connection, found.profile_id, known.heard, detail)
    shown = journey_context(found, heard, detail, stored, service.drawings, now=service.now())
    shown["feelings"] = {
        stage.value: mean for stage, mean in feelings_around(felt, visit_of(detail), service.now()).items()
    }
    if order is not None:
        heard = heard_around_order(connection, found.profile_id, known.heard, order)
        shown |= order_context(found, heard, known.visits, order, now=service.now())
    return render(
        "profile.html",
        here="profiles",
        profile=read_profile(found, connection, service),
        earlier=[(row, VisitOut.of(row.visit, plans[row.store]), plans[row.store]) for row in page.visits],
        more_visits=page.next_cursor is not None,
        asked_for=visit,
        notes=notes_page(connection, NoteFilter(profile_id=found.profile_id), limit=_NOTES),
        labels=note_pages.labels(connection),
        understood=understood,
        cue=cue,
        expected_at=to_datetime(understood.rhythm.expected_at) if understood.rhythm is not None else None,
        timeline=shown_lines(told, {str(one.event_id) for one in standing}),
        older=told.next_cursor,
        before=before,
        bought_in=sorted(plans[store].label for store in bought_in),
        asked={name: value for name, value in (("visit", visit), ("order", order)) if value is not None},
        store_names={store: plan.label for store, plan in plans.items()},
        looked=looked,
        audit_kinds=KINDS,
        audit_purposes=PURPOSES,
        audit_said=said,
        **shown,
    )


def _form_page(request: Request, problem: ProblemError) -> str | None:
    """Return the page of ours that a form was sent from, None where nothing was sent.

    What a page cannot answer was asked by its own form: that is the page as it was before, or without a question.
    """
    came_from = urlsplit(request.headers.get("referer", ""))
    is_ours = came_from.netloc == request.url.netloc
    if request.method == "POST":
        return came_from.path if is_ours else None
    if problem.status != 422 or not request.url.query:
        return None
    here = request.url.path
    asked_before = is_ours and came_from.path == here and came_from.query not in {"", request.url.query}
    return f"{here}?{came_from.query}" if asked_before else here


def as_page(request: Request, problem: ProblemError) -> Response:
    """Return a problem as a page that says what to do; one that may pass asks again by itself."""
    waiting = problem.status == 503
    headers = problem_headers(problem)
    if waiting:
        headers["Refresh"] = str(RETRY_AFTER_S)
    here = section_of(request.url.path)
    response = render(
        "problem.html",
        here=here,
        problem=problem,
        waiting=waiting,
        retry_s=RETRY_AFTER_S,
        back=_form_page(request, problem),
    )
    response.status_code = problem.status
    response.headers.update(headers)
    return response
