"""Somebody else's server: takes what is sent, checks its signature, and answers as it is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from core.webhooks import read_networks
from tests.api.serving import wait_for
from webhooks.deliver import run


@dataclass
class Receiver:
    """What arrived, as headers and body; `status` and `headers` are what is answered."""

    url: str
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def verified(self, secret: str, at: int = -1) -> Any:
        """The body of what arrived, if its signature is that of the secret."""
        headers, body = self.heard[at]
        return Webhook(secret).verify(body, headers)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.heard.append((dict(self.headers), body))
            receiver.may_answer.wait(20)
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hooks")
    receiver.may_answer.set()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def delivering(
    database_url: str, allow: str = "127.0.0.1", metrics: str = "", privacy: Path | None = None
) -> Iterator[None]:
    """Run the loop in a thread."""
    stop = threading.Event()
    how = {"allowed": read_networks(allow), "metrics": metrics, "privacy": privacy}
    thread = threading.Thread(target=run, args=(database_url, stop), kwargs=how)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive(), "the loop does not stop"


def soon(what: Callable[[], Any], name: str) -> Any:
    """Wait for it."""
    return wait_for(what, name, seconds=10)
