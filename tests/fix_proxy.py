"""A TCP proxy on loopback that can break a connection in the ways networks do."""

import contextlib
import queue
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

_CHUNK_BYTES = 65536
_HELD_BYTES = 262144  # what one direction holds back before it stops reading, as a network's buffers would
_ANSWER_S = 10.0


class _Way:
    """One direction of a connection: bytes read from one end that wait to be written to the other."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.held: deque[tuple[float, bytes]] = deque()  # due (monotonic), bytes
        self.ended = False  # the source said that nothing more comes
        self.told = False  # and so was the sink

    @property
    def reads(self) -> bool:
        return not self.ended and sum(len(chunk) for _due, chunk in self.held) < _HELD_BYTES

    def writes(self, now: float) -> bool:
        return (bool(self.held) and self.held[0][0] <= now) or (self.ended and not self.held and not self.told)


class TcpProxy:
    """Stands between a client and a server; each way of breaking can be turned on and off while connections run.

    One thread does everything with non-blocking sockets, so when `cut`, `reset` or `stall` return, it has happened.

    Parameters
    ----------
    target : str
        URL of the server, e.g. `mqtt://127.0.0.1:1883` or `postgresql://…`; only host and port are used.
    """

    def __init__(self, target: str) -> None:
        self.turn_to(target)
        self._pairs: list[tuple[_Way, _Way]] = []
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._flowing = True
        self._accepting = True
        self._closed = False
        self._delay_s = 0.0
        self.connections = 0  # carried so far
        self.carried_bytes = 0  # read from either end so far
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The target's URL with the proxy's host and port."""
        user, at, _place = self._target_url.netloc.rpartition("@")
        return urlunsplit(self._target_url._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    def turn_to(self, target: str) -> None:
        """Lead new connections to this server; those that run stay where they are."""
        parts = urlsplit(target)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"no host and port in {target}")
        self._target_url = parts
        self._target = (parts.hostname, parts.port)

    def cut(self, *, refuse: bool = True) -> None:
        """Close every connection in order (FIN); with `refuse`, new ones are closed at once until `mend`."""
        self._order(lambda: self._drop(reset=False, refuse=refuse))

    def reset(self, *, refuse: bool = False) -> None:
        """Break every connection with a TCP reset; with `refuse`, new ones are closed at once until `mend`."""
        self._order(lambda: self._drop(reset=True, refuse=refuse))

    def stall(self) -> None:
        """Hold all bytes back, connections stay open, until `mend`: what a dead Wi-Fi looks like."""
        self._order(lambda: setattr(self, "_flowing", False))

    def delay(self, seconds: float) -> None:
        """Hold each chunk back for a while, each way; 0 turns it off."""
        self._order(lambda: setattr(self, "_delay_s", seconds))

    def mend(self) -> None:
        """Let everything through again."""

        def whole() -> None:
            self._flowing = self._accepting = True
            self._delay_s = 0.0

        self._order(whole)

    def close(self) -> None:
        """End the proxy and its connections."""
        if not self._closed:
            self._order(self._end)
            self._thread.join(_ANSWER_S)
            for end in (self._woken, self._waker):  # not by the thread: it may obey before its bell is rung
                end.close()

    def _order(self, what: Callable[[], None]) -> None:
        done = threading.Event()

        def obey() -> None:
            what()
            done.set()

        self._orders.put(obey)
        self._waker.send(b"!")
        if not done.wait(_ANSWER_S):
            raise TimeoutError("the proxy's thread does not answer")

    def _run(self) -> None:
        while not self._closed:
            now = time.monotonic()
            with selectors.DefaultSelector() as selector:  # a handful of sockets: made anew, nothing to keep in step
                selector.register(self._woken, selectors.EVENT_READ)
                selector.register(self._listener, selectors.EVENT_READ)
                for pair in self._pairs:
                    for way, back in (pair, pair[::-1]):
                        events = selectors.EVENT_READ * (self._flowing and way.reads)
                        events |= selectors.EVENT_WRITE * (self._flowing and back.writes(now))
                        if events:
                            selector.register(way.source, events, (pair, way, back))
                for key, events in selector.select(self._until_due(now)):
                    self._serve(key, events)
            while not self._orders.empty():
                self._orders.get()()
        self._listener.close()

    def _until_due(self, now: float) -> float | None:
        dues = [way.held[0][0] - now for pair in self._pairs for way in pair if way.held and way.held[0][0] > now]
        return max(0.0, min(dues)) if dues and self._flowing else None

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._woken:
            self._woken.recv(_CHUNK_BYTES)
        elif key.fileobj is self._listener:
            self._accept()
        else:
            pair, way, back = key.data
            if pair not in self._pairs:  # closed a moment ago, by its other end's turn
                return
            try:
                if events & selectors.EVENT_READ:
                    self._read(way)
                if events & selectors.EVENT_WRITE:
                    _write(back)
                finished = all(one.told for one in pair)
            except BlockingIOError:  # not ready after all
                finished = False
            except OSError:  # one end went away: so does the other
                finished = True
            if finished:
                self._pairs.remove(pair)
                _close(pair, reset=False)

    def _accept(self) -> None:
        client, _address = self._listener.accept()
        if not self._accepting:
            client.close()
            return
        try:
            server = socket.create_connection(self._target, timeout=5)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        self._pairs.append((_Way(client, server), _Way(server, client)))

    def _read(self, way: _Way) -> None:
        chunk = way.source.recv(_CHUNK_BYTES)
        if chunk:
            self.carried_bytes += len(chunk)
            way.held.append((time.monotonic() + self._delay_s, chunk))
        else:
            way.ended = True

    def _drop(self, *, reset: bool, refuse: bool) -> None:
        self._accepting = not refuse
        for pair in self._pairs:
            _close(pair, reset=reset)
        self._pairs.clear()

    def _end(self) -> None:
        self._drop(reset=False, refuse=True)
        self._closed = True


def _write(way: _Way) -> None:
    if way.held:
        due, chunk = way.held.popleft()
        sent = way.sink.send(chunk)
        if sent < len(chunk):
            way.held.appendleft((due, chunk[sent:]))
    if way.ended and not way.held:
        way.told = True
        with contextlib.suppress(OSError):
            way.sink.shutdown(socket.SHUT_WR)


def _close(pair: tuple[_Way, _Way], *, reset: bool) -> None:
    for way in pair:
        with contextlib.suppress(OSError):
            if reset:
                way.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                way.source.shutdown(socket.SHUT_RDWR)
        way.source.close()


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
