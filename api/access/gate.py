"""The gate: who asks is found out before anything of a request is read, and the table says whether they may.

It stands before the application as ASGI middleware, so that a body is not read for somebody who may not send it.
Behind it a dependency of every route checks that the gate meant this very route (`check_entered`): two locks, so that
no difference in reading an address lets anybody through.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.asking import FORM_FIELD, FORM_HEADER, Asking, asking_now, cookie_name, same, serving
from api.access.finding import find_asking
from api.access.limits import Limits
from api.access.origin import address_of, check_origin
from api.access.principal import Principal, Role
from api.access.table import TABLE, Entry
from api.audit.kinds import LISTS
from api.problems import ProblemError, from_exception
from core.errors import ConfigurationError, SojournError
from storage.access.acting import Acting, acting_as

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ORDER: Final = (Role.OPERATIONS, Role.CRM, Role.PRIVACY, Role.ADMIN, Role.EDGE)
"""Of several roles that may, the database is asked as the first: the one that may see least."""
_FORM: Final = "application/x-www-form-urlencoded"
_SETTING_UP: Final = frozenset(
    {"GET /account", "POST /account/second-step", "POST /account/password", "POST /account/sessions"}
)
"""What somebody reaches whose role demands a second step that is not set up."""
_OPEN_BY_POST: Final = frozenset(
    {
        "POST /v1/profiles/{profile}/card-tickets",
        "POST /v1/profiles/{profile}/messages",
        "POST /v1/profiles/{profile}/messages/preview",
    }
)
"""Writes by which somebody opens a profile: they cost as much of the day's budget as reading it."""
Answer = Callable[[Request, Exception], Awaitable[Response]]


@dataclass(frozen=True)
class Place:
    """A route with its entry in the table."""

    route: str
    method: str
    pattern: re.Pattern[str]
    entry: Entry


def read_places(routers: Iterable[APIRouter], others: Iterable[Route] = ()) -> tuple[Place, ...]:
    """Return every route with its entry, in the order in which they are tried.

    Raises
    ------
    ConfigurationError
        If a route has no entry, or an entry no route.
    """
    routes = [route for router in routers for route in router.routes if isinstance(route, Route)] + list(others)
    places, unknown = [], []
    for route in routes:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            name = f"{method} {route.path}"
            entry = TABLE.get(name)
            if entry is None:
                unknown.append(name)
            else:
                places.append(Place(name, method, route.path_regex, entry))
    left = TABLE.keys() - {place.route for place in places} - set(unknown)
    if unknown or left:
        raise ConfigurationError(
            f"Routes and the table of who may ask them differ: {', '.join(sorted([*unknown, *left]))}.",
            hint="Say in api/access/table.py who may ask a route, and take out what is gone.",
        )
    return tuple(places)


def methods_of(places: Iterable[Place], scope: Scope) -> list[str]:
    """Return the methods that an address takes."""
    return sorted({place.method for place in places if place.pattern.match(_path(scope))})


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class Gate:
    """ASGI middleware; plain ASGI because it must not buffer a stream."""

    def __init__(self, app: ASGIApp, *, places: tuple[Place, ...], answer: Answer, limits: Limits) -> None:
        self._app, self._places, self._answer, self._limits = app, places, answer, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place = self._place(scope)
        if place is None:  # a file, or nothing: the application says so
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        with ExitStack() as held:
            try:
                asking, acting = await self._enter(request, place)
                if asking.principal is not None:
                    held.enter_context(self._limits.at_once(place.route, asking.principal.principal_id))
            except (SojournError, ProblemError) as error:
                problem = from_exception(error)
                response = _elsewhere(request, problem)
                with serving(Asking()):
                    await (response or await self._answer(request, error))(scope, receive, send)
                return
            scope.setdefault("state", {}).update(principal=asking.principal, entered=place.route)
            with serving(asking), acting_as(acting):
                await self._app(scope, receive, send)

    def _place(self, scope: Scope) -> Place | None:
        path = _path(scope)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        for place in self._places:
            if place.method == method and place.pattern.match(path):
                return place
        return None

    async def _enter(self, request: Request, place: Place) -> tuple[Asking, Acting | None]:
        entry = place.entry
        request.scope.setdefault("state", {})["asked_for"] = place.route.split(" ", 1)[1]
        address = address_of(request)
        if not entry.roles:
            self._limits.ask(place.route, address, known=False)
            cookie = request.cookies.get(cookie_name(request.scope))
            known = cookie is not None and entry.own_right  # the login alone goes on with what a browser has
            asking = await to_thread.run_sync(find_asking, request, True) if known else Asking()
            return asking, Acting(entry.acts_as.value) if entry.acts_as is not None else None
        asking = await to_thread.run_sync(find_asking, request, False)
        principal = asking.principal
        request.state.principal = principal  # whoever is refused is entered by name; `entered` alone opens a route
        if principal is None:
            self._limits.ask("nobody", address, known=False)
            raise _not_logged_in(request)
        role = next((role for role in _ORDER if role in entry.roles and role in principal.roles), None)
        if role is None:
            raise may_not(entry.roles)
        if entry.whole_company and principal.stores is not None:
            raise _for_every_store()
        if asking.must_set_up and place.route not in _SETTING_UP:
            raise _set_up_first()
        if asking.session is not None and request.method not in _SAFE:
            check_origin(request)
            if not request.headers.get("content-type", "").startswith(_FORM):  # those are checked once they are read
                _check_token(asking, request.headers.get(FORM_HEADER, ""))
        self._limits.ask(place.route, principal.principal_id, known=True)
        restored = request.app.state.service.restored
        if restored.is_due:
            await to_thread.run_sync(restored.check)
        if request.method in {"GET", "HEAD"} and place.route.split(" ", 1)[1] in LISTS:
            await to_thread.run_sync(self._limits.check_lists, request.app.state.service.writer, principal)
        opens = request.method in {"GET", "HEAD"} or place.route in _OPEN_BY_POST
        if opens and (found := place.pattern.match(_path(request.scope))) is not None:
            await self._spend(request, principal, found.groupdict().get("profile"))
        stores = sorted(principal.stores) if principal.stores is not None else None
        return asking, None if entry.own_right else Acting(role.value, stores, changes=request.method not in _SAFE)

    async def _spend(self, request: Request, principal: Principal, profile: str | None) -> None:
        if profile is not None:
            service = request.app.state.service
            await to_thread.run_sync(self._limits.open_profile, service.writer, principal, profile)


async def check_entered(request: Request) -> None:
    """Hold the second lock, a dependency of every route: the gate meant this one, a form has its session's token."""
    route = request.scope["route"]
    method = "GET" if request.method == "HEAD" else request.method
    if getattr(request.state, "entered", None) != f"{method} {route.path}":
        raise RuntimeError("a route was reached that the gate did not open")
    asking = asking_now()
    if (
        asking.session is not None
        and request.method not in _SAFE
        and request.headers.get("content-type", "").startswith(_FORM)
    ):
        check_origin(request)
        body = (await request.body()).decode("utf-8", "replace")
        found = re.search(rf"(?:^|&){FORM_FIELD}=([0-9a-f]+)", body)
        _check_token(asking, found.group(1) if found is not None else "")


def may_not(roles: Iterable[Role]) -> ProblemError:
    """Return the problem of somebody whose roles are others."""
    needed = " or ".join(role for role in Role if role in set(roles))
    return ProblemError(
        403,
        "role",
        "Not with your role",
        detail=f"This needs the role {needed}.",
        hint="Ask an admin for it, if your work needs it.",
    )


def _for_every_store() -> ProblemError:
    return ProblemError(
        403,
        "stores",
        "Not while bound to stores",
        detail="This reaches every store of the company, and you are bound to some.",
        hint="Ask somebody who is bound to no store.",
    )


def _check_token(asking: Asking, given: str) -> None:
    if asking.session is None or not same(asking.session.form_token, given):
        raise ProblemError(
            403,
            "form-token",
            "The page is out of date",
            detail="What was sent does not carry this session's form token.",
            hint="Load the page again and send it once more; nothing was changed.",
        )


def _not_logged_in(request: Request) -> ProblemError:
    if request.url.path.startswith("/v1/") or request.url.path == "/openapi.json":
        return ProblemError(
            401,
            "key-missing",
            "Who asks?",
            detail="This needs a login or a key that holds.",
            hint="Send a key as Authorization: Bearer sjk_…; an admin makes one on the page API keys.",
        )
    return ProblemError(401, "not-logged-in", "Who asks?", detail="This needs a login.", hint="Log in at /login.")


def _set_up_first() -> ProblemError:
    return ProblemError(
        403,
        "second-step",
        "A second step first",
        detail="Your role needs a second step of the login, and you have none yet.",
        hint="Set it up on the page My account; it takes a minute.",
    )


def _elsewhere(request: Request, problem: ProblemError) -> Response | None:
    """Return where a person is sent instead of being told a problem; None: it is told."""
    if problem.word == "second-step" and request.method in _SAFE and not request.url.path.startswith("/v1/"):
        return RedirectResponse("/account", 303, headers={"Cache-Control": "no-store"})
    return _to_login(request) if problem.word == "not-logged-in" else None


def _to_login(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = f"?next={quote(wanted)}" if request.method in _SAFE and wanted != "/" else ""
    return RedirectResponse(f"/login{query}", 303, headers={"Cache-Control": "no-store"})
