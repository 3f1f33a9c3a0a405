"""Headers that every answer carries, and what nobody may ask."""

import httpx
import pytest

from api.headers import CONTENT_SECURITY_POLICY
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def test_every_answer_carries_the_headers(store: SeededStore, client: httpx.Client) -> None:
    for path in ("/", "/profiles", "/audit", "/v1/stores", "/v1/nothing", "/static/sojourn.css", "/v1/profiles/x"):
        headers = client.get(path, follow_redirects=True).headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == ("no-cache" if path.startswith("/static") else "no-store"), path
        assert "server" not in headers or "uvicorn" in headers["server"]
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


def test_no_other_origin_may_read(client: httpx.Client) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for answer in (client.get("/v1/stores", headers=asked), client.options("/v1/stores", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_no_answer_leads_to_the_host_that_a_question_names(client: httpx.Client) -> None:
    for path in ("/v1/stores/", "/profiles/", "/login/", "/", "//evil.example/", "/profiles", "/static/"):
        answer = client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
        assert not answer.headers.get("location", "/").startswith(("http", "//")), path


def test_nothing_lists_a_folder_and_trace_is_refused(client: httpx.Client) -> None:
    for path in ("/static/", "/static", "/.git/config", "/static/../api/app.py", "/static/%2e%2e/app.py"):
        assert client.get(path, follow_redirects=True).status_code in {401, 404, 405}, path
    assert client.request("TRACE", "/v1/stores").status_code in {401, 404, 405}
