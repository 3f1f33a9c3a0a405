"""Clients that send a byte now and then, read nothing, or open more connections than there are: others are served."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import uvicorn

from api.app import create_app
from api.connections import Bounds
from api.server import Transport, _config
from tests.api.serving import PATIENCE_S, wait_for

NOWHERE = "postgresql://127.0.0.1:1/nothing"
HEAD = b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX-Slow: "
FORM = (
    b"POST %s HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9999\r\n\r\n"
)
LARGE = b"GET /static/sojourn.css HTTP/1.1\r\nHost: a\r\n\r\n"


@contextmanager
def serving(bounds: Bounds) -> Iterator[tuple[str, int]]:
    """Serve as `sojourn api` does, without a database; give the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(_config(create_app(NOWHERE), Transport(), "critical", bounds))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started or not thread.is_alive(), "the application")
        yield listener.getsockname()[:2]
        server.should_exit = True
        thread.join(PATIENCE_S)


def read_answers(client: socket.socket) -> list[tuple[int, dict[str, Any]]]:
    """Everything that was answered on a connection until it was closed: statuses and problems."""
    client.settimeout(PATIENCE_S)
    said = b""
    try:
        while piece := client.recv(65_536):
            said += piece
    except ConnectionResetError:
        pass
    found = []
    for answer in said.split(b"HTTP/1.1 ")[1:]:
        head, _, body = answer.partition(b"\r\n\r\n")
        found.append((int(head[:3]), json.loads(body) if b"problem+json" in head else {}))
    return found


def drip(client: socket.socket) -> bool:
    """Send one byte; False if nobody takes it any more."""
    try:
        client.send(b"x")
    except OSError:
        return False
    return True


def test_whoever_drips_is_told_so_and_closed_while_others_are_served() -> None:
    ended: Counter[str] = Counter()
    bounds = Bounds(head_s=2.5, body_s=2.5, bytes_a_second=1e6, answer_s=2.5, told=lambda why: ended.update([why]))
    with serving(bounds) as address, ExitStack() as stack:
        url = f"http://{address[0]}:{address[1]}"
        # what the first question of a process takes is not a client's time
        assert httpx.post(f"{url}/v1/notes", timeout=PATIENCE_S).status_code == 401
        silent, head, body, late, reader = (stack.enter_context(socket.create_connection(address)) for _ in range(5))
        head.sendall(HEAD)
        body.sendall(FORM % b"/login")  # waits for the body
        late.sendall(FORM % b"/v1/notes")
        assert late.recv(12) == b"HTTP/1.1 401", "answered before its body is read, and the body goes on"
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.sendall(LARGE * 400)
        dripping = [head, body, late]
        begun = time.monotonic()
        with httpx.Client(base_url=url) as other:
            while dripping:
                assert time.monotonic() - begun < PATIENCE_S, "they go on"
                dripping = [client for client in dripping if drip(client)]
                asked = time.monotonic()
                assert other.get("/v1/health").status_code == 200
                assert time.monotonic() - asked < 5, "others wait"
                time.sleep(0.02)  # the drip itself
        assert time.monotonic() - begun > 1
        for client in (silent, head, body):
            ((status, problem),) = read_answers(client)
            assert (status, problem["type"]) == (408, "urn:sojourn:problem:too-slow")
            assert problem["hint"]
        wait_for(lambda: not drip(reader), "the end of who does not read: what nobody reads is not held for ever")
    assert ended == {"head": 2, "body": 2, "answer": 1}


def test_a_body_that_comes_steadily_has_its_time() -> None:
    with serving(Bounds(body_s=1.0, bytes_a_second=10.0)) as address, socket.create_connection(address) as client:
        client.sendall(FORM.replace(b"9999", b"24") % b"/login")
        for _ in range(24):  # 2.4 s for what may take 1 s and 2.4 more
            client.sendall(b"x")
            time.sleep(0.1)  # a slow line
        client.settimeout(PATIENCE_S)
        assert client.recv(12) == b"HTTP/1.1 503", "the database is away: the whole form was read"


def test_no_address_takes_all_connections() -> None:
    bounds = Bounds(connections=6, connections_each=4)
    with serving(bounds) as address, ExitStack() as stack:

        def opened(source: str) -> socket.socket:
            return stack.enter_context(socket.create_connection(address, source_address=(source, 0)))

        def answered(client: socket.socket) -> int:
            client.sendall(b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
            client.settimeout(PATIENCE_S)
            return int(client.recv(12)[-3:])

        greedy = [opened("127.0.0.2") for _ in range(5)]
        ((status, problem),) = read_answers(greedy[-1])
        assert (status, problem["type"]) == (503, "urn:sojourn:problem:too-many-connections")
        assert [answered(client) for client in greedy[:4]] == [200] * 4, "those that are there go on"
        assert answered(opened("127.0.0.3")) == 200
        assert answered(opened("127.0.0.4")) == 200
        assert read_answers(opened("127.0.0.5"))[0][0] == 503, "six in all"
    proxied = Bounds(connections=6, connections_each=4, trusted="127.0.0.0/8")
    assert not proxied.counts("127.0.0.2")
    assert proxied.counts("10.0.0.1")


def test_two_lengths_are_refused_and_the_connection_closed() -> None:
    hidden = b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST /logout HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(Bounds()) as address:
        for said in (head + b"0\r\n\r\n", head.replace(b"POST /logout", b"GET /v1/health") + b"0\r\n\r\n"):
            with socket.create_connection(address) as client:
                client.sendall(said % (5 + len(hidden)) + hidden)
                ((status, problem),) = read_answers(client)
            assert (status, problem["type"]) == (400, "urn:sojourn:problem:two-lengths")
