"""How the API listens."""

import socket

import httpx

from api.server import _listening_socket


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
