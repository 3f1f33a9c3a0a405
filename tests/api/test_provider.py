"""Login by an identity provider (OpenID Connect): a small provider of the tests, which checks what it is asked."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import ECKey

from api.access.principal import Role
from api.access.provider import Provider
from api.app import create_app
from api.settings import Settings
from tests.api.serving import answering
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
GROUPS = (("store-staff", Role.CRM), ("it", Role.ADMIN))


class LocalProvider:
    """Who it vouches for (`claims`) and what it was asked; `app` is served by the test."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
        self.published = self.key
        self.claims: dict[str, Any] = {"sub": "4711", "name": "Bea Lindqvist", "groups": ["store-staff"]}
        self.asked: dict[str, str] = {}
        self.issuer = ""
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self.describe)
        self.app.get("/authorize")(self.authorize)
        self.app.post("/token")(self.token)
        self.app.get("/keys")(self.keys)

    def describe(self) -> dict[str, str]:
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
        }  # fmt: skip

    def authorize(self, request: Request) -> RedirectResponse:
        self.asked = dict(request.query_params)
        return RedirectResponse(f"{self.asked['redirect_uri']}?code=once&state={self.asked['state']}", 303)

    async def token(self, request: Request) -> dict[str, Any]:
        sent = dict(parse_qsl((await request.body()).decode()))
        challenge = base64.urlsafe_b64encode(sha256(sent["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        assert (sent["code"], challenge, self.asked["code_challenge_method"]) == (
            "once",
            self.asked["code_challenge"],
            "S256",
        )
        now = int(time.time())
        held = {"iss": self.issuer, "aud": "sojourn", "iat": now, "exp": now + 60, "nonce": self.asked["nonce"]}
        signed = jwt.encode({"alg": "ES256", "kid": "one"}, held | self.claims, self.key, algorithms=["ES256"])
        return {"access_token": "x", "token_type": "Bearer", "id_token": signed}

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.published.as_dict(private=False)]}


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    made = LocalProvider()
    with answering(made.app) as client:
        made.issuer = str(client.base_url).rstrip("/")
        yield made


@pytest.fixture
def site(store: SeededStore, provider: LocalProvider) -> Iterator[str]:
    asked = Provider(provider.issuer, "sojourn", "of the client", "Company login", GROUPS)
    with answering(create_app(store.database_url, Settings(oidc=asked))) as client:
        yield str(client.base_url).rstrip("/")


LogIn = Callable[..., tuple[httpx.Client, httpx.Response]]


@pytest.fixture
def log_in(site: str) -> Iterator[LogIn]:
    """Go by the provider with a browser of one's own; what is named replaces what comes back."""
    with ExitStack() as browsers:

        def by_the_provider(**changed: str) -> tuple[httpx.Client, httpx.Response]:
            browser = browsers.enter_context(httpx.Client(base_url=site, timeout=20))
            there = browser.get("/login/provider?next=/profiles")
            back = httpx.URL(browser.get(there.headers["location"]).headers["location"])
            return browser, browser.get(back.copy_merge_params(changed))

        yield by_the_provider


def test_the_provider_lets_in_with_the_roles_of_its_groups(log_in: LogIn, provider: LocalProvider) -> None:
    browser, done = log_in()
    assert (done.status_code, done.headers["location"]) == (303, "/profiles"), done.text
    assert browser.get("/profiles").status_code == 200
    assert browser.get("/people").status_code == 403
    provider.claims["groups"] = ["it", "else"]
    again, _ = log_in()
    assert (again.get("/people").status_code, again.get("/profiles").status_code) == (200, 403)


def test_what_is_not_meant_for_us_lets_nobody_in(log_in: LogIn, provider: LocalProvider) -> None:
    good = provider.claims
    others: tuple[dict[str, Any], ...] = (
        {"nonce": "another"}, {"aud": "somebody"}, {"iss": "https://evil.example"}, {"exp": 1}, {"groups": []},
        {"sub": None}, {"aud": ["sojourn", "other"], "azp": "other"},
    )  # fmt: skip
    for said in others:
        provider.claims = good | said
        browser, refused = log_in()
        assert refused.status_code in {401, 403}, (said, refused.text)
        assert browser.get("/profiles").status_code == 303, said


def test_a_login_that_is_not_strong_enough_lets_nobody_in(store: SeededStore, provider: LocalProvider) -> None:
    asked = Provider(provider.issuer, "sojourn", "of the client", groups=GROUPS, acr=("phr", "phrh"))
    with answering(create_app(store.database_url, Settings(oidc=asked))) as client:
        for said, let_in in ((None, False), ("0", False), ("phrh", True)):
            provider.claims["acr"] = said
            with httpx.Client(base_url=str(client.base_url), timeout=20) as browser:
                there = browser.get("/login/provider").headers["location"]
                done = browser.get(browser.get(there).headers["location"])
                assert (done.status_code == 303, browser.get("/profiles").status_code == 200) == (let_in, let_in)
    assert provider.asked["acr_values"] == "phr phrh"


def test_another_key_or_another_way_back_lets_nobody_in(log_in: LogIn, provider: LocalProvider) -> None:
    browser, refused = log_in(state="another")
    assert (refused.status_code in {401, 403}, browser.get("/profiles").status_code) == (True, 303)
    provider.key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256"})
    browser, refused = log_in()
    assert (refused.status_code in {401, 403}, browser.get("/profiles").status_code) == (True, 303)
