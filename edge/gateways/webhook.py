"""Takes what Meraki's cloud posts, over HTTP, and keeps nothing of it."""

import hmac
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import structlog

from core.errors import InputError, UnavailableError
from edge.clock import Clock
from edge.gateways.bridge import Bridge
from edge.gateways.meraki import secret_of
from edge.gateways.settings import Webhook

BODY_BYTES: Final = 524_288
_AT_ONCE: Final = 8
"""Connections; a network has one a minute."""
_PATIENCE_S: Final = 10.0
_WHOLE_S: Final = 20.0
"""For a whole request: half a megabyte on a line of a quarter of a megabit."""
log = structlog.get_logger()


def _shut(request: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        request.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    """A thread for each connection, and no more than _AT_ONCE; others are closed at once, Meraki sends the next."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # the handler's own patience is with each byte: whoever sends one now and then would keep a place for days
        ending = threading.Timer(_WHOLE_S, _shut, [request])
        ending.daemon = True
        ending.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            ending.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that broke off: the traceback would name who asked."""


class WebhookServer:
    """Answers GET with the validator and takes POSTs that carry the secret.

    Raises
    ------
    UnavailableError
        If nothing can listen there.
    """

    def __init__(self, settings: Webhook, secret: str, bridge: Bridge, clock: Clock) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_S

            def do_GET(self) -> None:
                self._answer(200, settings.validator.encode())

            def do_POST(self) -> None:
                at_s = clock.monotonic_s()
                self._answer(self._take(at_s))

            def _take(self, at_s: float) -> int:
                told = self.headers.get("Content-Length", "")
                if not told.isascii() or not told.isdigit():
                    return 411
                if int(told) > BODY_BYTES:
                    bridge.refuse("size")
                    return 413
                body = self.rfile.read(int(told))
                try:
                    carried = secret_of(body)
                except InputError:
                    bridge.refuse("unreadable")
                    return 400
                if not hmac.compare_digest(carried.encode(), secret.encode()):
                    bridge.refuse("secret")
                    return 403
                bridge.take("meraki", "", body, at_s)
                return 200

            def _answer(self, status: int, body: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing: a request may name whom it is about."""

        try:
            self._server = _Server((settings.host, settings.port), Handler)
        except OSError as error:
            raise UnavailableError(
                f"Nothing can listen on {settings.host}:{settings.port}: {error.strerror}.",
                hint="Choose another port in [meraki].",
            ) from error
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="webhook", daemon=True)

    def start(self) -> None:
        """Listen in a thread; returns at once."""
        self._thread.start()
        log.info("the webhook is listening", port=self.port)

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
