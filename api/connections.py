"""How long a client may take over its part of a request, and how many connections there may be.

uvicorn ends a connection that is idle between two requests; neither the time of a request's head nor that of its
body nor that of a client which does not read its answer has an end there. A few hundred clients that send a byte now
and then would hold every connection there is, and the gate's limits, which count requests, would see none of them.
So each connection is looked at once a second, and whoever takes too long is told so (408) and closed.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar, Final, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.access.origin import counted_address
from api.problems import MEDIA_TYPE

LOOK_S: Final = 1.0
"""What is noticed late is noticed a second late; a look takes microseconds."""
LINGER_S: Final = 1.0
"""To read what was said: a connection closed over bytes that nobody read is reset, and the answer with it."""
_SPARE: Final = 64
"""Connections beyond the bound that are still told why; more at once are closed without a word."""
_RETRY_S: Final = 10
HANDSHAKE_S: Final = 10.0
"""For TLS to begin: two packets of the client; asyncio's own bound is a minute."""

Stage = Literal["head", "body", "answer"]
Reason = Literal["head", "body", "answer", "connections"]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a client may take.

    Parameters
    ----------
    connections : int
        In all. 300 live streams and three hundred requests under way, below the 1,024 files that a process may open
        by default.
    connections_each : int
        From one address: the tills and tablets of a whole store, six connections for each of some thirty browsers.
        A proxy that is trusted is not counted: it is everybody.
    head_s : float
        For a request's head, from the connection or its first byte on: a head is two packets.
    body_s, bytes_a_second : float
        For a body: some time, and a second more for each so many bytes: a phone with one bar sends ten times as much.
    body_most_s : float
        For a body at the longest: 16 MiB, the largest that is taken, on a line of a quarter of a megabit.
    answer_s : float
        To read 48 KiB of an answer, or its end.
    trusted : str
        Addresses or networks of proxies, by commas.
    told : callable
        Is told why a connection was ended.
    """

    connections: int = 640
    connections_each: int = 200
    head_s: float = 10.0
    body_s: float = 20.0
    bytes_a_second: float = 4_000.0
    body_most_s: float = 600.0
    answer_s: float = 30.0
    trusted: str = ""
    told: Callable[[Reason], None] = lambda _: None

    def counts(self, address: str) -> bool:
        """Whether connections from an address are counted together."""
        try:
            return not any(
                ip_address(address) in ip_network(proxy.strip(), strict=False)
                for proxy in self.trusted.split(",")
                if proxy.strip()
            )
        except ValueError:
            return True


class Patient(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with `bounds`."""

    bounds: ClassVar[Bounds] = Bounds()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection, or say that there are too many."""
        super().connection_made(transport)
        self._ended = False
        self._heard = 0  # bytes since the stage began
        self._turns = 0  # how often the client fell behind reading, and caught up
        self._at: tuple[object, ...] = ()  # the stage, of which request
        self._since_s = self.loop.time()
        self._timer = self.loop.call_later(LOOK_S, self._look)
        if self._too_many():
            self._end("connections", 503)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; after an end it is thrown away."""
        if self._ended:
            return
        self._heard += len(data)
        super().data_received(data)

    def pause_writing(self) -> None:
        """Note that the client reads more slowly than it is answered."""
        self._turns += 1
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it has caught up."""
        self._turns += 1
        super().resume_writing()

    def _too_many(self) -> bool:
        if len(self.connections) > self.bounds.connections:
            return True
        address = _address(self)
        if len(self.connections) <= self.bounds.connections_each or not self.bounds.counts(address):
            return False
        counted = counted_address(address)
        return sum(counted_address(_address(other)) == counted for other in self.connections) > (
            self.bounds.connections_each
        )

    def _stage(self) -> Stage | None:
        """Return what is waited for from the client; None where it waits for us."""
        if self.transport.get_write_buffer_size():
            return "answer"
        if self.conn.their_state is h11.SEND_BODY:
            return None if self.flow.read_paused else "body"
        idle = self.timeout_keep_alive_task is not None  # uvicorn ends that
        return "head" if self.conn.their_state is h11.IDLE and not idle else None

    def _allowed_s(self, stage: Stage) -> float:
        if stage == "body":
            return min(self.bounds.body_s + self._heard / self.bounds.bytes_a_second, self.bounds.body_most_s)
        return self.bounds.head_s if stage == "head" else self.bounds.answer_s

    def _look(self) -> None:
        stage, now_s = self._stage(), self.loop.time()
        at = (stage, id(self.cycle), self._turns)
        if at != self._at:
            self._heard = 0 if self._at else self._heard
            self._at, self._since_s = at, now_s if self._at else self._since_s
        if stage is not None and now_s - self._since_s >= self._allowed_s(stage):
            self._end(stage, 408)
            return
        self._timer = self.loop.call_later(LOOK_S, self._look)

    def _end(self, reason: Reason, status: Literal[408, 503]) -> None:
        """Say why, where an answer is still possible, and close."""
        self._ended = True
        self._unset_keepalive_if_required()
        self.bounds.told(reason)
        begun = self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}
        crowded = len(self.connections) > self.bounds.connections + _SPARE
        if begun or crowded or not self._say(reason, status):
            self.transport.abort()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # whoever reads the body is told that nobody is there
            self.cycle.message_event.set()
        self._timer.cancel()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _say(self, reason: Reason, status: int) -> bool:
        body = json.dumps({"type": f"urn:sojourn:problem:{_WORDS[reason][0]}", "status": status} | _told(reason))
        headers = [
            ("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close"),
            ("cache-control", "no-store"), ("x-content-type-options", "nosniff"),
        ]  # fmt: skip
        if status == 503:
            headers.append(("retry-after", str(_RETRY_S)))
        events: list[Any] = [
            h11.Response(status_code=status, headers=headers, reason=_WORDS[reason][1].encode()),
            h11.Data(data=body.encode()),
            h11.EndOfMessage(),
        ]
        try:
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # a request whose answer has no body
            return False
        return True


_WORDS: Final[dict[Reason, tuple[str, str, str, str]]] = {
    "head": ("too-slow", "Request Timeout", "The head of the request took too long.", "Send a request at once."),
    "body": (
        "too-slow", "Request Timeout", "The body of the request took too long.",
        "Send it in one go, or less at a time.",
    ),
    "answer": ("too-slow", "Request Timeout", "The answer was not read.", "Read it as it comes."),
    "connections": (
        "too-many-connections", "Service Unavailable", "Too many connections are open, from you or in all.",
        "Use one connection for many requests, and try again in a few seconds.",
    ),
}  # fmt: skip
"""Word, title, what is wrong and what to do."""


def _address(connection: object) -> str:
    client = getattr(connection, "client", None)
    return str(client[0]) if client is not None else ""


def _told(reason: Reason) -> dict[str, str]:
    _, title, detail, hint = _WORDS[reason]
    return {"title": title, "detail": detail, "hint": hint, "instance": ""}


def with_bounds(bounds: Bounds) -> type[Patient]:
    """Return the protocol with other bounds, for uvicorn's `http`."""
    return type("Patient", (Patient,), {"bounds": bounds})


class Loop(asyncio.SelectorEventLoop):
    """The server's event loop, with a bound on how long TLS may take to begin, which uvicorn does not hand on."""

    async def create_server(self, *args: Any, **more: Any) -> asyncio.Server:
        """Listen as asyncio does."""
        if more.get("ssl") is not None:
            more.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
        return await super().create_server(*args, **more)
