"""Traces: off at no cost, and without identifiers where they are on."""

import pytest
from opentelemetry.trace import StatusCode

from telemetry.tracing import OFF
from tests.telemetry.scraping import in_memory


def test_off_makes_nothing_and_hands_out_one_and_the_same_block() -> None:
    with OFF.span("batch receive", messages=3) as span:
        span.set(batches=2)
        assert OFF.here() == ""
    assert OFF.span("a") is OFF.span("b")


def test_what_is_not_on_the_list_is_left_out_and_identifiers_are_dropped() -> None:
    tracing, exporter = in_memory()
    with tracing.span("request", http__request__method="GET", device="aa:bb:cc:dd:ee:ff") as span:
        span.set(store="aa:bb:cc:dd:ee:ff", email="x@y.example", visits=3, http__route="/v1/profiles/{profile}")
    (told,) = exporter.get_finished_spans()
    assert dict(told.attributes or {}) == {
        "http.request.method": "GET",
        "store": "[dropped]",
        "visits": 3,
        "http.route": "/v1/profiles/{profile}",
    }


def test_of_a_failure_only_its_kind_is_told() -> None:
    tracing, exporter = in_memory()
    with pytest.raises(ValueError, match="anna"), tracing.span("commit"):
        raise ValueError("Key (email)=(anna@example.org)")
    (told,) = exporter.get_finished_spans()
    assert told.status.status_code is StatusCode.ERROR
    assert (dict(told.attributes or {}), list(told.events)) == ({"error": "ValueError"}, [])
    assert "anna" not in told.to_json()


def test_a_span_can_go_on_where_another_one_ended() -> None:
    tracing, exporter = in_memory()
    with tracing.span("batch receive"):
        here = tracing.here()
    with tracing.span("visits", parent=here):
        pass
    first, second = exporter.get_finished_spans()
    assert first.context is not None
    assert second.parent is not None
    assert (second.parent.trace_id, second.parent.span_id) == (first.context.trace_id, first.context.span_id)
