"""The FastAPI application: routes, pages, errors, and what lives as long as it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import Route

from api.access.described import describe_access
from api.access.first import let_first_in
from api.access.gate import Gate, check_entered, methods_of, read_places
from api.access.limits import Limits
from api.audit.recording import audited
from api.audit.refusals import Refusals
from api.audit.sealing import keep_sealing
from api.cues.arriving import Arrivals
from api.cues.hub import CueHub
from api.examples import add_examples
from api.headers import BodyLimit, OneLength, SecurityHeaders
from api.inputs.rows import CSV_BYTES
from api.memory.watch import watch
from api.meters import Metered, Meters
from api.metrics.dwell_cache import DwellCache
from api.pages import as_page
from api.parameters import known_parameters
from api.privacy.list_key import tell_wrong_key
from api.problems import ProblemError, ProblemOut, as_json, from_exception
from api.rendering import HERE
from api.routing import ANALYTICS, PAGES, ROUTES
from api.service import Service, reads_analytics
from api.settings import Settings
from api.stores import live_routes
from api.stores.drawing import DrawingCache
from api.stores.live import LiveHub
from api.stores.models import LiveStateOut
from core.errors import SojournError
from storage.connect import read_url
from storage.cues.log import listen as listen_to_cues
from storage.live import listen
from storage.occupancy import PlanCache
from storage.privacy.keys import PrivacyFolder
from storage.privacy.restored import Restored
from storage.privacy.suppression import Guard
from storage.reading import Reader
from storage.writing import Writer
from telemetry.faults import place_of
from telemetry.tracing import OFF, Tracing

VERSION: Final = "0.1.0"
_DESCRIPTION: Final = """Zone visits with honest dwell times, live occupancy, journeys of customers who consented.

Times are ISO 8601 in UTC; each answer names its store's time zone. Units stand in names (`_s`, `_m`, `_us`).
Lists come in pages: ask again with `cursor` set to `next_cursor`. Errors are application/problem+json (RFC 9457)."""

_log = structlog.get_logger()


def create_app(
    database_url: str, settings: Settings | None = None, *, meters: Meters | None = None, tracing: Tracing = OFF
) -> FastAPI:
    """Return the application; it starts, and recovers, whether or not the database is there.

    Parameters
    ----------
    database_url : str
        As libpq reads it, for example postgresql://user:secret@host:5432/name.
    settings : Settings, optional
        What the operator has set.
    meters : Meters, optional
        Count what is asked.
    tracing : Tracing
        Is told of each request.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read, or a route has no entry in the table of who may ask it.
    """
    settings = settings if settings is not None else Settings()
    for url in (database_url, settings.databases.listen_url, settings.databases.analytics_url):
        read_url(url if url is not None else "")
    limits = Limits(settings.rates)
    meters = meters if meters is not None else Meters()
    app = FastAPI(
        title="Sojourn",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=partial(
            _lifespan, database_url=database_url, settings=settings, limits=limits, meters=meters, tracing=tracing
        ),
        docs_url=None,  # the usual page loads from a CDN
        redoc_url=None,
        redirect_slashes=False,  # such a redirect would lead to whatever host the question says
        generate_unique_id_function=_operation_id,
        # "function": the entry is written when the answer is made and before it is sent
        dependencies=[Depends(check_entered), Depends(known_parameters), Depends(audited, scope="function")],
    )
    for router in (*ROUTES, *PAGES):
        app.include_router(router, dependencies=[Depends(reads_analytics)] if router in ANALYTICS else [])
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    for kind in (ProblemError, SojournError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer_error)
    app.add_middleware(BodyLimit, most=CSV_BYTES)
    places = read_places((*ROUTES, *PAGES), [route for route in app.routes if isinstance(route, Route)])
    app.state.places = places
    app.add_middleware(Gate, places=places, answer=_answer_error, limits=limits)
    app.add_middleware(Refusals)
    app.add_middleware(OneLength)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Metered, meters=meters, tracing=tracing)
    _describe_schemas(app)
    return app


@asynccontextmanager
async def _lifespan(
    app: FastAPI, *, database_url: str, settings: Settings, limits: Limits, meters: Meters, tracing: Tracing
) -> AsyncIterator[None]:
    databases = settings.databases
    listen_url = databases.listen_url if databases.listen_url is not None else database_url
    pools = partial(Reader, connections=databases.readers, pooled=databases.pooled)
    reader = pools(database_url)
    analytics = reader if databases.analytics_url is None else pools(databases.analytics_url, replica=True)
    writer = Writer(database_url, connections=databases.writers, pooled=databases.pooled)
    live = LiveHub(
        listen=partial(listen, listen_url, application_name="sojourn api live"),
        read_state=lambda store, with_visits: live_routes.read_state(app.state.service, store, with_visits),
        tracing=tracing,
    )
    cues = CueHub(partial(listen_to_cues, listen_url))
    folder = None if settings.privacy is None else PrivacyFolder(settings.privacy)
    app.state.service = Service(
        reader=reader,
        analytics=analytics,
        writer=writer,
        plans=PlanCache(),
        drawings=DrawingCache(),
        dwells=DwellCache(),
        live=live,
        cues=cues,
        now=lambda: datetime.now(UTC),
        settings=settings,
        limits=limits,
        guard=Guard(folder),
        restored=Restored(folder, reader),
    )
    meters.serve(app.state.service)
    arriving = Arrivals(app.state.service, partial(listen, listen_url, application_name="sojourn api arrivals"))
    service = app.state.service
    works = (
        live.run(), cues.run(), arriving.run(), watch(service), keep_sealing(service), let_first_in(writer),
        tell_wrong_key(service),
    )  # fmt: skip
    working = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        live.close()
        cues.close()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for pool in {reader, analytics}:
            await asyncio.to_thread(pool.close)
        await asyncio.to_thread(writer.close)


async def _answer_error(request: Request, error: Exception) -> Response:
    problem = from_exception(error)
    request.state.refused_for = problem.word  # a refusal is entered with it
    if problem.status == 405:
        problem.allow = methods_of(request.app.state.places, request.scope)
    if problem.status >= 500 and problem.word == "fault":
        route = getattr(request.scope.get("route"), "path", "")
        _log.error("a request failed", route=route, error=type(error).__name__, where=place_of(error))
    if request.url.path.startswith("/v1/"):
        return as_json(request, problem)
    return as_page(request, problem)


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
            describe_access(schema)
            add_examples(schema)
        return app.openapi_schema if app.openapi_schema is not None else schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema
