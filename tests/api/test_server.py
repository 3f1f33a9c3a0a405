"""How the API listens."""

import contextlib
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from api.server import _listening_socket
from tests.api.serving import PATIENCE_S, ROOT, wait_for
from tests.fix_api import SeededStore


def test_what_is_answered_is_sent_at_once() -> None:
    """Without it each answer on a connection that stays open takes 40 ms more than its work."""
    with (
        _listening_socket("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert client


def test_whoever_asks_after_a_long_body_is_asked_who_he_is(client: httpx.Client) -> None:
    """Over 64 KiB the server stops reading and goes on from within the request: what it knows must not stay.

    A proxy sends the requests of many over one connection.
    """
    long = b"key,kind,occurred_at,customer_id\n" + b"x,searched,2026-10-01T10:00:00Z,c-1\n" * 4_000
    sent = client.post(
        "/v1/imports/app?source=shop&dry_run=true", content=long,
        headers={"Content-Type": "text/csv", "Idempotency-Key": "1"},
    )  # fmt: skip
    assert (sent.status_code, len(long) > 2**16) == (200, True), sent.text
    assert client.get("/v1/stores").status_code == 200
    nobody = httpx.Headers({"Authorization": "Bearer sjk_" + "n" * 43})
    assert client.get("/v1/stores", headers=nobody).status_code == 401
    assert client.get("/login", headers=nobody).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_is_around_the_server_ends_in_order_when_it_is_told_to_stop(
    store: SeededStore, number: signal.Signals
) -> None:
    """Traces are sent at the end; a process that a signal ended would have kept them."""
    program = "import sys; from api import run; run(sys.argv[1], port=0); print('in order')"
    with subprocess.Popen(
        [sys.executable, "-c", program, store.database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        heard = iter(process.stdout)
        said = next(line for line in heard if "listening" in line)
        port = int(re.findall(r"127\.0\.0\.1:(\d+)", said)[0])
        # from its first answer on the signal is the server's
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/v1/health"), "the API", seconds=PATIENCE_S)
        process.send_signal(number)
        assert "in order" in "".join(heard)
        assert process.wait(PATIENCE_S) == 0


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url).status_code == 200
    return False
