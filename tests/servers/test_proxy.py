"""The proxy is a test's instrument, so it is tested itself."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from servers.process import free_port
from tests.fix_proxy import TcpProxy

WAIT_S = 5.0
MakeProxy = Callable[[str], TcpProxy]


@pytest.fixture
def echo_url() -> Iterator[str]:
    """A server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(connection,), daemon=True).start()

        def echo(connection: socket.socket) -> None:
            with connection:
                try:
                    while chunk := connection.recv(4096):
                        connection.sendall(chunk)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def connect(proxy: TcpProxy) -> socket.socket:
    end = socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S)
    end.settimeout(WAIT_S)
    return end


def send_all(end: socket.socket, data: bytes) -> None:
    end.sendall(data)
    end.shutdown(socket.SHUT_WR)


def test_bytes_pass_both_ways(proxy_to: MakeProxy, echo_url: str) -> None:
    proxy = proxy_to(echo_url)
    with connect(proxy) as end:
        end.sendall(b"hello")
        assert end.recv(10) == b"hello"
    assert proxy.connections == 1


def test_cut_ends_connections_in_order_and_refuses_until_mended(proxy_to: MakeProxy, echo_url: str) -> None:
    proxy = proxy_to(echo_url)
    with connect(proxy) as end:
        end.sendall(b"hello")
        assert end.recv(10) == b"hello"
        proxy.cut()
        assert end.recv(10) == b""
    with connect(proxy) as end:
        assert end.recv(10) == b""
    proxy.mend()
    with connect(proxy) as end:
        end.sendall(b"again")
        assert end.recv(10) == b"again"


def test_reset_is_a_reset(proxy_to: MakeProxy, echo_url: str) -> None:
    proxy = proxy_to(echo_url)
    with connect(proxy) as end:
        end.sendall(b"hello")
        assert end.recv(10) == b"hello"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            end.recv(10)


def test_stall_holds_bytes_back_and_loses_none(proxy_to: MakeProxy, echo_url: str) -> None:
    proxy = proxy_to(echo_url)
    with connect(proxy) as end:
        proxy.stall()
        end.sendall(b"hello")
        end.settimeout(0.3)
        with pytest.raises(TimeoutError):
            end.recv(10)
        end.settimeout(WAIT_S)
        proxy.mend()
        assert end.recv(10) == b"hello"


def test_delay(proxy_to: MakeProxy, echo_url: str) -> None:
    proxy = proxy_to(echo_url)
    proxy.delay(0.1)
    with connect(proxy) as end:
        started = time.monotonic()
        end.sendall(b"hello")
        assert end.recv(10) == b"hello"
        assert time.monotonic() - started >= 0.2  # there and back


def test_a_server_that_is_away_looks_refused(proxy_to: MakeProxy) -> None:
    proxy = proxy_to(f"mqtt://127.0.0.1:{free_port()}")
    with pytest.raises(ConnectionResetError), connect(proxy) as end:
        end.recv(10)
    assert proxy.connections == 0


def test_the_address_keeps_user_password_and_database(proxy_to: MakeProxy) -> None:
    proxy = proxy_to("postgresql://postgres:p%40ss@127.0.0.1:1/name?a=b")  # not a secret
    assert proxy.url == f"postgresql://postgres:p%40ss@127.0.0.1:{proxy.port}/name?a=b"  # not a secret


@pytest.mark.servers
def test_between_a_client_and_the_database(proxy_to: MakeProxy, empty_database_url: str) -> None:
    proxy = proxy_to(empty_database_url)
    with psycopg.connect(proxy.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        proxy.reset()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_much_passes_whole_through_a_slow_proxy(proxy_to: MakeProxy, echo_url: str) -> None:
    proxy = proxy_to(echo_url)
    proxy.delay(0.001)
    sent = bytes(range(256)) * 8192  # 2 MiB: more than is held back
    got = bytearray()
    with connect(proxy) as end:
        writer = threading.Thread(target=send_all, args=(end, sent))
        writer.start()
        while chunk := end.recv(65536):  # the server's end comes through after all its bytes
            got += chunk
        writer.join()
    assert got == sent
