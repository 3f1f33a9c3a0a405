"""Beginning, changing and ending the session of a browser."""

from secrets import token_urlsafe
from typing import Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from api.access.asking import ACCOUNT_COOKIE, FORM_COOKIE, NAME_COOKIE, Session, asking_now, cookie_name, form_token
from api.service import Service
from storage.access.secrets import digest
from storage.access.sessions import MOST, Stage, add_session, end_session
from storage.connect import Connection

_TOKEN_BYTES: Final = 32
SEE_OTHER: Final = 303
_AGENT_CHARACTERS: Final = 200


def begin_session(
    request: Request, service: Service, account: UUID, *, name: str, stage: Stage = "full", to: str = "/"
) -> Response:
    """Begin a session and send its browser on; the session it had before ends, so that none is ever carried over."""
    token = token_urlsafe(_TOKEN_BYTES)
    held = asking_now().session
    agent = request.headers.get("user-agent", "")[:_AGENT_CHARACTERS]

    def work(connection: Connection) -> None:
        if held is not None:
            end_session(connection, held.account_id, held.session_no)
        add_session(connection, account, digest(token), stage=stage, agent=agent)

    service.writer.write(work)
    response = RedirectResponse(to, SEE_OTHER)
    _set(request, response, cookie_name(request.scope), token, script=False)
    _set(request, response, FORM_COOKIE, form_token(token), script=True)
    if stage == "full":
        _set(request, response, NAME_COOKIE, quote(name), script=True)
        _set(request, response, ACCOUNT_COOKIE, str(account), script=True)
    return response


def finish_session(request: Request, service: Service, session: Session | None, *, to: str = "/login") -> Response:
    """End the session of this browser and tell it to forget what it kept of it."""
    if session is not None:
        service.writer.write(lambda connection: end_session(connection, session.account_id, session.session_no))
    response = RedirectResponse(to, SEE_OTHER, headers={"Clear-Site-Data": '"cache"'})
    for name in (cookie_name(request.scope), FORM_COOKIE, NAME_COOKIE, ACCOUNT_COOKIE):
        response.delete_cookie(name, path="/", secure=request.url.scheme == "https")
    return response


def local_path(wanted: str) -> str:
    """Return where to go after a login: a path of this server and nothing else."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\", "/login", "/logout"))
    return wanted if plain and wanted.isprintable() and "\\" not in wanted else "/"


def _set(request: Request, response: Response, name: str, value: str, *, script: bool) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(MOST.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=not script,
        samesite="lax",
    )
