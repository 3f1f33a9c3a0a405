"""Traces by OpenTelemetry: the extra `sojourn[otel]`. Imported only where traces are wanted."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

from telemetry.identifiers import without_identifiers
from telemetry.tracing import ATTRIBUTES, Attribute, Span

_FLUSH_MS: Final = 2_000
"""A stop waits so long for a collector that does not answer."""


class OtelTracing:
    """Hands spans to an OpenTelemetry provider.

    Parameters
    ----------
    provider : TracerProvider
        Where they go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("sojourn")

    def span(self, name: str, *, parent: str = "", **attributes: Attribute) -> AbstractContextManager[Span]:
        """Return a block whose duration is told; see `telemetry.tracing.Tracing`."""
        return self._span(name, parent, attributes)

    def here(self) -> str:
        """Return the span around this place as a traceparent."""
        carrier: dict[str, str] = {}
        inject(carrier)
        return carrier.get("traceparent", "")

    def close(self) -> None:
        """Hand over what is left and end."""
        self._provider.force_flush(_FLUSH_MS)
        self._provider.shutdown()

    @contextmanager
    def _span(self, name: str, parent: str, attributes: dict[str, Attribute]) -> Iterator[Span]:
        around = extract({"traceparent": parent}) if parent else None
        # what an exception says may quote a value: only its kind is told
        with self._tracer.start_as_current_span(
            name, context=around, record_exception=False, set_status_on_exception=False
        ) as span:
            told = _OtelSpan(span)
            told.set(**attributes)
            try:
                yield told
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR))
                span.set_attribute("error", type(error).__name__)
                raise


class _OtelSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, **attributes: Attribute) -> None:
        for written, value in attributes.items():
            name = written.replace("__", ".")
            told = without_identifiers(value)
            if name in ATTRIBUTES and isinstance(told, str | int | float | bool):
                self._span.set_attribute(name, told)


def to_collector(url: str, service: str) -> OtelTracing:
    """Return a Tracing that sends to a collector by OTLP over HTTP, from a thread of its own.

    Parameters
    ----------
    url : str
        Such as http://127.0.0.1:4318/v1/traces.
    service : str
        What the collector shows, such as "sojourn ingest".
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - heavy

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return OtelTracing(provider)
