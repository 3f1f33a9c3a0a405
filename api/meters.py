"""What the API counts and tells a Prometheus: routes as they are written, never what was asked for in them."""

import time
from collections.abc import Iterator
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.service import Service
from telemetry.tracing import OFF, Tracing

UNMATCHED: Final = "(no route)"
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""Anybody may send any word as a method; the rest is counted as OTHER."""
_REQUEST_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""A page is drawn within 0.2 s; what needs 5 s is ended by the database (storage.reading.STATEMENT_TIMEOUT_MS)."""
_SERVER_FAULT: Final = 500
_Family: TypeAlias = type[CounterMetricFamily] | type[GaugeMetricFamily]
_POOLS: Final[tuple[tuple[_Family, str, str, str], ...]] = (
    (GaugeMetricFamily, "connections", "Connections to the database.", "pool_size"),
    (GaugeMetricFamily, "available", "Connections that nobody uses.", "pool_available"),
    (GaugeMetricFamily, "most", "Connections that are allowed.", "pool_max"),
    (GaugeMetricFamily, "waiting", "Requests that wait for a connection.", "requests_waiting"),
    (CounterMetricFamily, "errors", "Requests that got no connection in time.", "requests_errors"),
)
"""Name, sentence and psycopg_pool's own word."""


class Meters:
    """The counts of one API process.

    Parameters
    ----------
    registry : CollectorRegistry, optional
        Where they are told; default: nowhere.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._requests = Counter(
            "sojourn_api_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._parts = _Parts()
        self.registry.register(self._parts)
        self._request_s = Histogram(
            "sojourn_api_request_seconds",
            "From a request to the head of its answer; what streams goes on after that.",
            ["route"],
            buckets=_REQUEST_S,
            registry=self.registry,
        )

        self._ended = Counter(
            "sojourn_api_connections_ended",
            "Connections ended for a head, a body or an answer that took too long, or because there were too many.",
            ["reason"],
            registry=self.registry,
        )

    def serve(self, service: Service) -> None:
        """Tell of a service's live streams and pools from now on."""
        self._parts.service = service

    def answered(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count a request."""
        self._requests.labels(method if method in _METHODS else "OTHER", route, str(status)).inc()
        self._request_s.labels(route).observe(took_s)

    def connection_ended(self, reason: str) -> None:
        """Count a connection of somebody who took too long, or one too many."""
        self._ended.labels(reason).inc()


class Metered:
    """ASGI middleware that counts and traces requests; the outermost, so that whatever answers is seen.

    Parameters
    ----------
    app : ASGIApp
    meters : Meters
    tracing : Tracing
    """

    def __init__(self, app: ASGIApp, meters: Meters, tracing: Tracing = OFF) -> None:
        self._app, self._meters, self._tracing = app, meters, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s, status = time.monotonic(), 0

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                self._meters.answered(scope["method"], route_of(scope), status, time.monotonic() - begun_s)
            await send(message)

        with self._tracing.span("request", http__request__method=scope["method"]) as span:
            try:
                await self._app(scope, receive, send_noting)
            finally:
                if status == 0:  # it failed before it had an answer, or whoever asked has gone
                    self._meters.answered(scope["method"], route_of(scope), _SERVER_FAULT, time.monotonic() - begun_s)
                span.set(http__route=route_of(scope), http__response__status_code=status or _SERVER_FAULT)


def route_of(scope: Scope) -> str:
    """Return the route of a request as it is written in the code, such as `/v1/stores/{store}`."""
    route = scope.get("route")
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    if isinstance(path, str):
        return path
    return "/static" if str(scope.get("path", "")).startswith("/static/") else UNMATCHED


class _Parts(Collector):
    """Looks at a service when it is asked."""

    def __init__(self) -> None:
        self.service: Service | None = None

    def collect(self) -> Iterator[Metric]:
        if self.service is None:
            return
        live, cues = self.service.live, self.service.cues
        streams = GaugeMetricFamily("sojourn_api_live_streams", "Live streams open.", labels=["kind"])
        streams.add_metric(["store"], live.watchers)
        streams.add_metric(["cues"], cues.watchers)
        yield streams
        yield _one(GaugeMetricFamily, "live_listening", "1 while news from ingest is heard.", live.listening)
        yield _one(CounterMetricFamily, "live_states", "States of stores read for live streams.", live.counts.states)
        yield _one(
            CounterMetricFamily, "live_missed_states", "States a slow page passed over.", live.counts.missed_states
        )
        pools = {"reading": self.service.reader.fares(), "writing": self.service.writer.fares()}
        for family, name, what, word in _POOLS:
            told = family(f"sojourn_api_pool_{name}", what, labels=["pool"])
            for pool, fares in pools.items():
                told.add_metric([pool], fares.get(word, 0))
            yield told


def _one(family: _Family, name: str, what: str, value: float) -> Metric:
    return family(f"sojourn_api_{name}", what, value=float(value))
