"""Headers that every answer carries."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import ProblemError, as_json

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; object-src 'none'"
)
"""Everything comes from this server and nothing stands inline: text that was smuggled into a page stays text."""

_ALWAYS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HSTS: Final = "max-age=31536000"
"""A year. Told over TLS only (RFC 6797, 7.2), and without includeSubDomains: other hosts are not ours."""
_STATIC: Final = "/static/"
_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})


class SecurityHeaders:
    """ASGI middleware; plain ASGI because it must not buffer a stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", _HSTS)
                # who is where, and who somebody is, belongs in nobody's cache
                kept = "no-cache" if scope["path"].startswith(_STATIC) else "no-store"
                headers.setdefault("Cache-Control", kept)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class OneLength:
    """ASGI middleware: a request that tells its length twice is refused, and its connection closed (RFC 9112, 6.1).

    h11 goes by Transfer-Encoding, a proxy may go by Content-Length: what one takes for the body is the next request
    to the other, and would be asked as whoever comes after it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        if scope["type"] == "http" and {name for name, _ in scope["headers"]} >= _LENGTHS:
            problem = ProblemError(
                400,
                "two-lengths",
                "Two lengths",
                detail="The request has both Content-Length and Transfer-Encoding.",
                hint="Send one of them.",
            )
            response = as_json(Request(scope), problem)
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


class BodyLimit:
    """ASGI middleware: a request's body has at most `most` bytes, whatever its length claims."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it as soon as it is too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        heard = 0

        async def receive_bounded() -> Message:
            nonlocal heard
            message = await receive()
            heard += len(message.get("body", b""))
            if heard > self._most:
                raise HTTPException(413, f"The body is longer than {self._most} bytes")
            return message

        await self._app(scope, receive_bounded, send)
