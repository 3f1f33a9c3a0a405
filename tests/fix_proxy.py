"""A TCP proxy on loopback that can break a connection in the ways networks do."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

_CHUNK_BYTES = 65536
_TICK_S = 0.05


class TcpProxy:
    """Stands between a client and a server; each way of breaking can be turned on and off while connections run.

    Parameters
    ----------
    target : str
        URL of the server, e.g. `mqtt://127.0.0.1:1883` or `postgresql://…`; only host and port are used.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"no host and port in {target}")
        self._target_url = parts
        self._target = (parts.hostname, parts.port)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._accepting = True
        self._closed = False
        self._delay_s = 0.0
        self.connections = 0  # accepted so far
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_TICK_S)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="proxy-accept", daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """The target's URL with the proxy's host and port."""
        user, at, _place = self._target_url.netloc.rpartition("@")
        return urlunsplit(self._target_url._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    def cut(self, *, refuse: bool = True) -> None:
        """Close every connection in order (FIN); with `refuse`, new ones are closed at once until `mend`."""
        self._accepting = not refuse
        self._drop(reset=False)

    def reset(self, *, refuse: bool = False) -> None:
        """Break every connection with a TCP reset."""
        self._accepting = not refuse
        self._drop(reset=True)

    def stall(self) -> None:
        """Hold all bytes back, connections stay open, until `mend`: what a dead Wi-Fi looks like."""
        self._flowing.clear()

    def delay(self, seconds: float) -> None:
        """Hold each chunk back for a while; 0 turns it off."""
        self._delay_s = seconds

    def mend(self) -> None:
        """Let everything through again."""
        self._delay_s = 0.0
        self._accepting = True
        self._flowing.set()

    def close(self) -> None:
        """End the proxy and its threads."""
        self._closed = True
        self._flowing.set()
        self._drop(reset=False)
        for thread in self._threads:
            thread.join(timeout=5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _address = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if not self._accepting:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                _close(client, reset=True)
                continue
            self.connections += 1
            for end in (client, server):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                thread = threading.Thread(target=self._carry, args=(source, sink), name="proxy-carry", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while chunk := source.recv(_CHUNK_BYTES):
                if self._delay_s:
                    time.sleep(self._delay_s)
                self._flowing.wait()
                sink.sendall(chunk)
        except OSError:
            pass  # cut on purpose, or one end went away
        # half a connection tells both ends nothing that they could use
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _drop(self, *, reset: bool) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _close(end, reset=reset)


def _close(end: socket.socket, *, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            end.shutdown(socket.SHUT_RDWR)
    end.close()


@pytest.fixture
def proxy_to() -> Iterator[Callable[[str], TcpProxy]]:
    """Give a function that puts a proxy in front of a URL; `proxy.url` is the URL to use instead."""
    proxies: list[TcpProxy] = []

    def make(target: str) -> TcpProxy:
        proxies.append(TcpProxy(target))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()
