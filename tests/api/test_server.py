"""How the API listens."""

import socket

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
