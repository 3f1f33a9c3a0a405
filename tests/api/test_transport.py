"""Pages and API behind TLS, here or in a proxy: what is believed, what every answer carries, what no URL holds."""

import re
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi.routing import APIRoute

from api.app import create_app
from api.rendering import HERE
from api.routing import PAGES, ROUTES
from api.server import Transport, _Certificate, _config
from authority.authority import Authority
from core.errors import ConfigurationError
from tests.api.serving import PATIENCE_S, wait_for

NOWHERE = "postgresql://127.0.0.1:1/nothing"
HSTS = "Strict-Transport-Security"


@contextmanager
def serving(transport: Transport) -> Iterator[int]:
    """Serve as `sojourn api` does, without a database; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(_config(create_app(NOWHERE), transport, "error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started or not thread.is_alive(), "the application")
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(PATIENCE_S)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    authority = Authority.create(tmp_path / "authority", datetime.now(UTC))
    authority.certify_server(["127.0.0.1"], tmp_path / "pair", datetime.now(UTC))
    return tmp_path / "pair"


def test_over_tls_every_answer_says_to_come_back_over_tls(pair: Path) -> None:
    transport = Transport(certificate=pair / "certificate.pem", key=pair / "key.pem")
    transport.check("0.0.0.0")
    trust = ssl.create_default_context(cafile=pair / "ca.pem")
    with serving(transport) as port:
        for path in ("/v1/health", "/nowhere", "/static/sojourn.css"):
            answer = httpx.get(f"https://127.0.0.1:{port}{path}", verify=trust)
            assert answer.headers[HSTS] == "max-age=31536000", path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            policy = answer.headers["Content-Security-Policy"]
            for part in ("default-src 'self'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
                assert part in policy.split("; ")
            assert "unsafe" not in policy
            assert answer.headers["Cache-Control"] == ("no-cache" if "static" in path else "no-store")
    tls = _config(create_app(NOWHERE), transport, "error").ssl
    assert tls is not None
    assert tls.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_renewed_certificate_serves_the_next_connection(pair: Path, tmp_path: Path) -> None:
    transport = Transport(certificate=pair / "certificate.pem", key=pair / "key.pem")
    trust = ssl.create_default_context(cafile=pair / "ca.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = _config(create_app(NOWHERE), transport, "critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started or not thread.is_alive(), "the application")
        files = _Certificate(config)

        def shown() -> bytes | None:
            with (
                socket.create_connection(listener.getsockname(), 5) as plain,
                trust.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
            ):
                return tls.getpeercert(binary_form=True)

        before = shown()
        files.take_renewed()
        assert shown() == before
        authority = Authority(tmp_path / "authority")
        authority.certify_server(["127.0.0.1"], tmp_path / "next", datetime.now(UTC))
        shutil.copy(tmp_path / "next" / "key.pem", pair / "key.pem")
        files.take_renewed()
        assert shown() == before, "half of a pair is not taken"
        shutil.copy(tmp_path / "next" / "certificate.pem", pair / "certificate.pem")
        files.take_renewed()
        assert shown() not in {before, None}
        server.should_exit = True
        thread.join(PATIENCE_S)


def test_a_proxy_is_believed_if_it_is_the_one_that_was_named() -> None:
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.9"}
    with serving(Transport(trusted_proxy="127.0.0.1")) as port:
        assert HSTS in httpx.get(f"http://127.0.0.1:{port}/v1/health", headers=told).headers
        assert HSTS not in httpx.get(f"http://127.0.0.1:{port}/v1/health").headers
    for nobody in (Transport(), Transport(trusted_proxy="192.0.2.1,10.0.0.0/8")):
        with serving(nobody) as port:
            assert HSTS not in httpx.get(f"http://127.0.0.1:{port}/v1/health", headers=told).headers


def test_names_do_not_travel_in_the_open_by_accident(pair: Path, tmp_path: Path) -> None:
    certificate, key = pair / "certificate.pem", pair / "key.pem"
    for host in ("127.0.0.1", "::1", "localhost", "127.0.0.9"):
        Transport().check(host)
    Transport(trusted_proxy="10.0.0.1").check("0.0.0.0")
    Transport(unencrypted=True).check("0.0.0.0")
    open_key = tmp_path / "open.pem"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o644)
    other = tmp_path / "authority" / "ca.key.pem"
    for wrong, host, said in (
        (Transport(), "0.0.0.0", "unencrypted.*--tls-cert"),
        (Transport(), "pages.example", "unencrypted"),
        (Transport(certificate=certificate), "127.0.0.1", "go together"),
        (Transport(certificate=certificate, key=tmp_path / "none"), "127.0.0.1", "cannot be used"),
        (Transport(certificate=certificate, key=other), "127.0.0.1", "cannot be used"),
        (Transport(certificate=certificate, key=open_key), "127.0.0.1", "chmod 600"),
        (Transport(trusted_proxy="*"), "127.0.0.1", "no address of a proxy"),
        (Transport(trusted_proxy="0.0.0.0/0"), "127.0.0.1", "no address of a proxy"),
        (Transport(trusted_proxy="10.0.0.1,"), "127.0.0.1", "no address of a proxy"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            wrong.check(host)


class _Inline(HTMLParser):
    """Collects what the policy would block: scripts and styles that stand in the page, handlers, other origins."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            foreign = name in ("src", "action") and re.match(r"(?i)\s*(javascript:|data:|https?:|//)", value or "")
            if name == "style" or name.startswith("on") or foreign or (value or "").lower().startswith("javascript:"):
                self.found.append(f"{tag} {name}={value}")


def test_no_template_holds_anything_inline() -> None:
    for template in sorted((HERE / "templates").glob("*.html")):
        parser = _Inline()
        parser.feed(re.sub(r"{%.*?%}|{#.*?#}", "", template.read_text(), flags=re.DOTALL))
        assert parser.found == [], template.name
    for script in (HERE / "static").glob("*.js"):
        written = re.search(r"\beval\(|new Function|setAttribute\(\"style", script.read_text())
        assert written is None, script.name


def test_what_is_typed_never_lands_in_a_url() -> None:
    # a form that a script sends does nothing by itself: sent before its script came, its text would stand in the URL
    for template in sorted((HERE / "templates").glob("*.html")):
        for form in re.findall(r"<form\b[^>]*>", template.read_text()):
            assert 'method="' in form, (template.name, form)
            assert ('method="dialog"' in form) == ("data-send" in form or "<form id=" in form), (template.name, form)


def test_a_form_that_a_script_sends_cannot_be_sent_before_its_script_came() -> None:
    # a click on it would do nothing, and say nothing
    for template in sorted((HERE / "templates").glob("*.html")):
        for form in re.findall(r'<form\b[^>]*method="dialog".*?</form>', template.read_text(), flags=re.DOTALL):
            for button in re.findall(r'<button\b[^>]*type="submit"[^>]*>', form):
                assert " disabled" in button, (template.name, button)


def test_no_secret_stands_in_a_url() -> None:
    secret = re.compile(r"token|ticket|secret|password|api_?key|code$", re.IGNORECASE)
    for router in (*ROUTES, *PAGES):
        for route in router.routes:
            if isinstance(route, APIRoute):
                names = [one.name for one in (*route.dependant.path_params, *route.dependant.query_params)]
                # the provider's own way back: its code is good once, and for the browser that began alone
                if route.path != "/login/provider/back":
                    assert not [name for name in names if secret.search(name)], route.path
