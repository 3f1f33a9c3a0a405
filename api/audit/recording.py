"""One audit entry for each request that read of people, written before its answer leaves.

If it cannot be written, there is no answer: what is not entered is not shown.
"""

from collections.abc import AsyncIterator, Collection
from functools import partial
from typing import Any, Final, get_args
from uuid import UUID

import msgspec
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.access.principal import Principal, principal_of
from api.audit.kinds import CARD, EVERYBODY, READ_BY_POST, kind_of, parts_of
from api.operators import operator_of
from api.problems import ProblemError
from api.service import Service
from core.audit.words import ActorWord, KindWord, OutcomeWord, PurposeWord, default_purpose
from storage.audit.acting import Acting, acting
from storage.audit.entries import enter
from storage.audit.seen import seen

PURPOSE_HEADER: Final = "Sojourn-Purpose"
PURPOSE_COOKIE: Final = "sojourn_purpose"
NO_ROUTE: Final = "(no route)"
_LOOKS_AS: Final = "looks_as"


async def audited(request: Request) -> AsyncIterator[None]:
    """Let the rows that a request reads say of whom they are, and enter it; a dependency of the whole application."""
    who = acting_of(request)
    people: dict[Any, None] = {}
    acting.set(who)
    seen.set(people)
    try:
        yield
    except ProblemError:
        if _path(request) in READ_BY_POST:  # why it was refused tells of whom it was read
            await _enter_read(request, who, people)
        raise
    await _enter_read(request, who, people)


async def _enter_read(request: Request, who: Acting, people: dict[Any, None]) -> None:
    who = getattr(request.state, _LOOKS_AS, who)
    path = _path(request)
    everybody = path in EVERYBODY
    if everybody:
        what = (str(request.path_params.get("what", "")),)
        service = request.app.state.service
        await run_in_threadpool(_enter, service, who, kind_of(path), fields=what, detail={"everybody": True})
    elif people and (request.method in {"GET", "HEAD"} or path in READ_BY_POST):
        # who opened a profile, or made the ticket of a card, has spent the budget of that already
        opened = list(people) if path == CARD else [request.path_params.get("profile")]
        enter_them = partial(
            _enter_look, kind=kind_of(path), fields=parts_of(path), opened={str(one) for one in opened}
        )
        await run_in_threadpool(enter_them, request.app.state.service, who, list(people))
    people.clear()


def look_as(request: Request, who: Acting) -> None:
    """Enter what this request reads as a look of somebody who asked for it before, such as by a ticket."""
    now = acting_of(request)
    setattr(request.state, _LOOKS_AS, msgspec.structs.replace(who, route=now.route, at=now.at))


def enter_streamed(service: Service) -> None:
    """Enter whom a live stream has just read of; called with each piece, from the thread that read it.

    Raises
    ------
    ProblemError
        429 if a day holds no more people: the piece is not to be sent.
    """
    who, people = acting.get(), seen.get()
    if who is not None and people:
        _enter_look(service, who, list(people), kind="list", fields=("cues",))
        people.clear()


def enter_event(
    service: Service,
    request: Request,
    kind: KindWord,
    *,
    outcome: OutcomeWord,
    actor: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Enter what is no look at anybody: a login or the use of a key, and whether it was refused.

    Parameters
    ----------
    actor : str, optional
        The name that was tried, where nobody is logged in yet.
    detail : dict, optional
        Why, in words of a closed list; never a secret.
    """
    who = acting_of(request, tried=actor)
    _enter(service, who, kind, fields=(), outcome=outcome, detail=detail)


def acting_of(request: Request, *, tried: str | None = None) -> Acting:
    """Return who asks and what for.

    Raises
    ------
    ProblemError
        If the purpose that is stated is none of the list.
    """
    service: Service = request.app.state.service
    principal = principal_of(request)
    roles = sorted(role.value for role in principal.roles) if principal is not None else []
    name = principal.name if principal is not None else (tried if tried is not None else operator_of(request))
    kind: ActorWord = principal.kind if principal is not None else ("person" if name else "nobody")
    return Acting(
        actor=name or "nobody",
        actor_id=principal.principal_id if principal is not None else None,
        actor_kind=kind,
        role=",".join(roles) or None,
        stores=tuple(sorted(principal.stores)) if principal is not None and principal.stores is not None else None,
        route=f"{request.method} {_path(request)}",
        purpose=_purpose(request) or default_purpose(roles, kind),
        at=service.now(),
        works_for=principal.works_for if principal is not None else None,
        says_for=_said(request, principal),
    )


def _said(request: Request, principal: Principal | None) -> str | None:
    """Return the name that a program gives of whom it works for now."""
    said = operator_of(request) if principal is not None and principal.kind == "key" else None
    return said if principal is not None and said not in {None, principal.name} else None


def _purpose(request: Request) -> PurposeWord | None:
    stated = request.headers.get(PURPOSE_HEADER) or request.cookies.get(PURPOSE_COOKIE)
    if not stated:
        return None
    for word in get_args(PurposeWord):
        if stated == word:
            found: PurposeWord = word
            return found
    raise ProblemError(
        422,
        "purpose",
        "Unknown purpose",
        detail=f"{stated[:40]!r} is no purpose.",
        hint=f"{PURPOSE_HEADER} is one of {', '.join(get_args(PurposeWord))}; leave it out for that of your role.",
    )


def _path(request: Request) -> str:
    """Return the route as it is written; never what was asked for in it, which may be a profile."""
    route = request.scope.get("route")
    return str(getattr(route, "path", None) or getattr(request.state, "asked_for", NO_ROUTE))


def _enter_look(
    service: Service,
    who: Acting,
    people: list[UUID],
    *,
    kind: KindWord,
    fields: tuple[str, ...],
    opened: Collection[str] = (),
) -> None:
    """Enter a look at people, and count whom it shows beside those who were opened."""
    shown = [one for one in people if str(one) not in opened]
    if not shown:
        _enter(service, who, kind, people=people, fields=fields)
        return
    service.limits.show_people(
        service.writer,
        who,
        shown,
        lambda connection, counted: enter(connection, who, kind, people=people, fields=fields, shown=counted),
    )


def _enter(service: Service, who: Acting, kind: KindWord, **said: Any) -> None:
    service.writer.add(lambda connection: enter(connection, who, kind, **said))
