"""Enters what was refused for who asked, and every login, whatever let it through or refused it.

It looks at the answer alone, so it cannot be forgotten by a route. A flood of refusals does not fill the log: of one
kind at most one entry a second is written, with how many there were.
"""

import time
from typing import Final

import structlog
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.principal import principal_of
from api.audit.recording import enter_event
from api.problems import ProblemError
from core.audit.words import KindWord, OutcomeWord
from core.errors import SojournError

EVERY_S: Final = 1.0
"""Of each kind and route; whoever tries faster is seen by the count."""
_LOGIN: Final = "/login"
_REFUSED: Final = frozenset({401, 403, 429})
_KINDS: Final = 500
"""Routes that are counted at once: more than there are."""

_log = structlog.get_logger()


class Refusals:
    """ASGI middleware; plain ASGI because it must not buffer a stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._left_out: dict[tuple[str, str], int] = {}
        self._next_at: dict[tuple[str, str], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, then enter it if it was a login or was refused."""
        status = 0

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, send_and_look)
        if scope["type"] != "http":
            return
        login = scope["path"].startswith(_LOGIN) and scope["method"] == "POST"
        if login or status in _REFUSED:
            await self._enter(Request(scope), "login" if login else "key", status)

    async def _enter(self, request: Request, kind: KindWord, status: int) -> None:
        outcome: OutcomeWord = "refused" if status in _REFUSED else "done"
        who = principal_of(request)
        # whoever is known is counted by name; of everybody else there may be any number
        route = str(getattr(request.scope.get("route"), "path", "" if who is None else request.state.asked_for))
        key = (
            kind if outcome == "refused" else f"{kind} done",
            f"{route} {who.principal_id if who is not None else ''}",
        )
        now = time.monotonic()
        if outcome == "refused" and now < self._next_at.get(key, 0.0):
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return
        if len(self._next_at) >= _KINDS:
            self._next_at.clear()
        self._next_at[key] = now + EVERY_S
        detail = {"status": status, "more": self._left_out.pop(key, 0)}
        if (why := getattr(request.state, "refused_for", None)) is not None:
            detail["why"] = why
        tried = getattr(request.state, "tried", None)
        try:
            await run_in_threadpool(
                enter_event, request.app.state.service, request, kind, outcome=outcome, actor=tried, detail=detail
            )
        except (SojournError, ProblemError) as error:
            _log.warning("a refusal could not be entered", kind=kind, status=status, why=str(error))
