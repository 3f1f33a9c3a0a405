"""What the API tells of itself: by route, on another port than the pages."""

import json

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api.app import create_app
from api.meters import Meters
from api.routing import PAGES, ROUTES
from tests.api.serving import answering, wait_for
from tests.fix_api import SeededStore
from tests.telemetry.scraping import Series, in_memory, scraped, value

pytestmark = pytest.mark.servers
PROFILE = "8f14e45f-ceea-467f-a0e6-9b3d2c1a7788"


def test_requests_streams_and_pools(store: SeededStore) -> None:
    registry = CollectorRegistry()
    tracing, exporter = in_memory()
    app = create_app(store.database_url, meters=Meters(registry), tracing=tracing)
    with answering(app) as client:
        for _ in range(3):
            assert client.get("/v1/stores/marktplatz").status_code == 200
        client.get("/v1/stores/nowhere")
        client.get(f"/v1/profiles/{PROFILE}")
        client.get(f"/{PROFILE}")
        client.get("/static/sojourn.css")
        client.request("SECRET-" + PROFILE, "/v1/health")
        assert client.get("/metrics").status_code == 404, "never on the public port"
        with client.stream("GET", "/v1/stores/marktplatz/live") as stream:
            assert stream.status_code == 200
            series = wait_for(lambda: _while_streaming(registry), "a stream to be counted")
            assert series is not None
        assert value(series, "sojourn_api_pool_most", pool="reading") == 8
        assert value(series, "sojourn_api_pool_connections", pool="reading") >= 1
    series = scraped(registry)
    requests = "sojourn_api_requests_total"
    found = {"method": "GET", "route": "/v1/stores/{store}"}
    assert value(series, requests, status="200", **found) == 3
    assert value(series, requests, status="404", **found) == 1
    assert value(series, "sojourn_api_request_seconds_count", route="/v1/stores/{store}") == 4
    assert value(series, requests, method="GET", route="/static", status="200") == 1
    assert value(series, requests, method="OTHER", route="/v1/health", status="405") == 1
    written = {getattr(route, "path", "") for router in (*ROUTES, *PAGES) for route in router.routes}
    assert {dict(labels)["route"] for name, labels in series if name == requests} <= (
        written | {"/static", "(no route)"}
    )
    assert PROFILE not in str(series)

    spans = exporter.get_finished_spans()
    assert {(span.attributes or {}).get("http.route") for span in spans} >= {"/v1/stores/{store}", "(no route)"}
    assert PROFILE not in json.dumps([dict(span.attributes or {}) for span in spans])


def test_what_fails_is_counted_too(store: SeededStore) -> None:
    registry = CollectorRegistry()
    app = create_app(store.database_url, meters=Meters(registry))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("on purpose")

    with answering(app) as client, pytest.raises(httpx.HTTPStatusError):
        client.get("/broken").raise_for_status()
    assert value(scraped(registry), "sojourn_api_requests_total", method="GET", route="/broken", status="500") == 1


def _while_streaming(registry: CollectorRegistry) -> Series | None:
    series = scraped(registry)
    return series if value(series, "sojourn_api_live_streams", kind="store") == 1 else None
