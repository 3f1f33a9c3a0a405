"""What a registry tells, as a Prometheus would read it, and spans that stay in memory."""

from collections.abc import Iterable

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from telemetry.otel import OtelTracing

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(registry: CollectorRegistry) -> Series:
    """Every series by its name and labels."""
    return read_exposition(generate_latest(registry).decode())


def read_exposition(text: str) -> Series:
    """Every series of an answer."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(series: Series, name: str, **labels: str) -> float:
    """One value."""
    return series[name, frozenset(labels.items())]


def in_memory() -> tuple[OtelTracing, InMemorySpanExporter]:
    """What makes spans, and where they are."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OtelTracing(provider), exporter


def parents(spans: Iterable[ReadableSpan]) -> set[tuple[str, str]]:
    """Pairs of a span's name and its parent's name; the parent is among them."""
    spans = list(spans)
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return {(span.name, names[span.parent.span_id]) for span in spans if span.parent is not None}
