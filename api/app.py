"""The FastAPI application: routes, pages, errors, and what lives as long as it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api import pages, status_routes
from api.app_presence import routes as app_presence_routes
from api.cards import routes as card_routes
from api.cues import pages as cue_pages
from api.cues import routes as cue_routes
from api.cues.arriving import Arrivals
from api.cues.hub import CueHub
from api.examples import add_examples
from api.exports import routes as export_routes
from api.fleet import pages as fleet_pages
from api.fleet import routes as fleet_routes
from api.headers import BodyLimit, SecurityHeaders
from api.identity import routes as identity_routes
from api.inputs import routes as input_routes
from api.inputs.rows import CSV_BYTES
from api.journey_map import pages as journey_map_pages
from api.journey_map import routes as journey_map_routes
from api.memory import alert_pages, alert_routes, message_pages, message_routes
from api.memory import pages as memory_pages
from api.memory import routes as memory_routes
from api.memory.watch import watch
from api.metrics import pages as metric_pages
from api.metrics import routes as metric_routes
from api.metrics.dwell_cache import DwellCache
from api.note_reports import pages as note_report_pages
from api.note_reports import routes as note_report_routes
from api.notes import follow_up_routes, interactions
from api.notes import queries as note_queries
from api.notes import routes as note_routes
from api.operations import alerts, by_preset, exclusions, exports, heatmap, shelf_items
from api.operations import pages as operations_pages
from api.plans import page as plan_page
from api.plans import routes as plan_routes
from api.problems import ProblemError, ProblemOut, as_json, from_exception
from api.profiles import journey_history, understanding_routes
from api.profiles import routes as profile_routes
from api.service import Service
from api.settings import Settings
from api.stores import live_routes
from api.stores import routes as store_routes
from api.stores.drawing import DrawingCache
from api.stores.live import LiveHub
from api.stores.models import LiveStateOut
from api.webhooks import inbound
from api.webhooks import pages as webhook_pages
from api.webhooks import routes as webhook_routes
from core.errors import SojournError
from storage.cues.log import listen as listen_to_cues
from storage.live import listen
from storage.occupancy import PlanCache
from storage.reading import Reader, check_url
from storage.writing import Writer

VERSION: Final = "0.1.0"
_DESCRIPTION: Final = """Zone visits with honest dwell times, live occupancy, journeys of customers who consented.

Times are ISO 8601 in UTC; each answer names its store's time zone. Units stand in names (`_s`, `_m`, `_us`).
Lists come in pages: ask again with `cursor` set to `next_cursor`. Errors are application/problem+json (RFC 9457)."""

_ROUTES: Final = (
    store_routes,
    metric_routes,
    live_routes,
    profile_routes,
    interactions,
    note_report_routes,
    note_queries,
    note_routes,
    follow_up_routes,
    journey_history,
    understanding_routes,
    memory_routes,
    alert_routes,
    message_routes,
    input_routes,
    app_presence_routes,
    identity_routes,
    cue_routes,
    card_routes,
    export_routes,
    journey_map_routes,
    webhook_routes,
    inbound,
    exclusions,
    by_preset,
    exports,
    heatmap,
    alerts,
    shelf_items,
    fleet_routes,
    status_routes,
    plan_routes,
)

_log = structlog.get_logger()


def create_app(database_url: str, settings: Settings | None = None) -> FastAPI:
    """Return the application; it starts, and recovers, whether or not the database is there.

    Parameters
    ----------
    database_url : str
        As libpq reads it, for example postgresql://user:secret@host:5432/name.
    settings : Settings, optional
        What the operator has set.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read.
    """
    check_url(database_url)
    app = FastAPI(
        title="Sojourn",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=partial(
            _lifespan, database_url=database_url, settings=settings if settings is not None else Settings()
        ),
        docs_url=None,  # the usual page loads from a CDN
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    for module in _ROUTES:
        app.include_router(module.router)
    app.include_router(note_report_pages.router)
    pages.add_to(app)
    app.include_router(metric_pages.router)
    app.include_router(operations_pages.router)
    app.include_router(webhook_pages.router)
    app.include_router(card_routes.frame)
    app.include_router(journey_map_pages.router)
    app.include_router(memory_pages.router)
    app.include_router(alert_pages.router)
    app.include_router(message_pages.router)
    app.include_router(cue_pages.router)
    app.include_router(fleet_pages.router)
    app.include_router(plan_page.router)
    for kind in (ProblemError, SojournError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer_error)
    app.add_middleware(BodyLimit, most=CSV_BYTES)
    app.add_middleware(SecurityHeaders)
    _describe_schemas(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI, *, database_url: str, settings: Settings) -> AsyncIterator[None]:
    reader = Reader(database_url)
    writer = Writer(database_url)
    live = LiveHub(
        listen=partial(listen, database_url, application_name="sojourn api live"),
        read_state=lambda store, with_visits: live_routes.read_state(app.state.service, store, with_visits),
    )
    cues = CueHub(partial(listen_to_cues, database_url))
    app.state.service = Service(
        reader=reader,
        writer=writer,
        plans=PlanCache(),
        drawings=DrawingCache(),
        dwells=DwellCache(),
        live=live,
        cues=cues,
        now=lambda: datetime.now(UTC),
        settings=settings,
    )
    arriving = Arrivals(app.state.service, partial(listen, database_url, application_name="sojourn api arrivals"))
    works = (live.run(), cues.run(), arriving.run(), watch(app.state.service))
    working = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        live.close()
        cues.close()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await asyncio.to_thread(reader.close)
        await asyncio.to_thread(writer.close)


async def _answer_error(request: Request, error: Exception) -> Response:
    problem = from_exception(error)
    if problem.status >= 500 and problem.word == "fault":
        _log.error("a request failed", path=request.url.path, error=type(error).__name__, exc_info=error)
    if request.url.path.startswith("/v1/"):
        return as_json(request, problem)
    return pages.as_page(request, problem)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _describe_schemas(app: FastAPI) -> None:
    """Add the schemas that no route returns as such: problems, and what a live event carries."""
    generate = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = generate()
            schemas = schema["components"]["schemas"]
            for model in (ProblemOut, LiveStateOut):
                described = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(described.pop("$defs", {}))
                schemas[model.__name__] = described
            # a 422 is a problem like any other
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            add_examples(schema)
        return app.openapi_schema if app.openapi_schema is not None else schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema
