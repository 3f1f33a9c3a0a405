"""Login by an identity provider (OpenID Connect): a small provider of the tests, which checks what it is asked."""

import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import ECKey
from psycopg import errors

from api.access.asking import FORM_COOKIE, FORM_FIELD
from api.access.principal import Role
from api.access.provider import Provider, read_provider
from api.app import create_app
from api.settings import Settings
from core.errors import InputError
from storage.access.accounts import disable_account, find_account, give_secret, set_password
from storage.access.keys import add_key
from storage.access.secrets import digest, new_key
from tests.api.serving import answering
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
SAME = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "four plain words together"
GROUPS = (("store-staff", Role.CRM), ("it", Role.ADMIN))


class LocalProvider:
    """Who it vouches for (`claims`) and what it was asked; `app` is served by the test."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
        self.published = self.key
        self.claims: dict[str, Any] = {"sub": "4711", "name": "Bea Lindqvist", "groups": ["store-staff"]}
        self.asked: dict[str, str] = {}
        self.issuer = ""
        self.instead: dict[str, Any] = {}
        """Answers instead of the right ones, by what is asked for: description, token, keys."""
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self.describe)
        self.app.get("/authorize")(self.authorize)
        self.app.post("/token")(self.token)
        self.app.get("/keys")(self.keys)

    def describe(self) -> Any:
        at = self.issuer.rstrip("/")
        return self.instead.get("description", {
            "issuer": self.issuer, "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token", "jwks_uri": f"{at}/keys",
        })  # fmt: skip

    def authorize(self, request: Request) -> RedirectResponse:
        self.asked = dict(request.query_params)
        return RedirectResponse(f"{self.asked['redirect_uri']}?code=once&state={self.asked['state']}", 303)

    async def token(self, request: Request) -> Any:
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
        right = {"access_token": "x", "token_type": "Bearer", "id_token": signed}
        return self.instead.get("token", right)

    def keys(self) -> Any:
        return self.instead["keys"] if "keys" in self.instead else {"keys": [self.published.as_dict(private=False)]}


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

        def by_the_provider(*, to: str = "/profiles", **changed: str) -> tuple[httpx.Client, httpx.Response]:
            browser = browsers.enter_context(httpx.Client(base_url=site, timeout=20, headers=SAME))
            there = browser.get("/login/provider", params={"next": to})
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
        {"sub": None}, {"sub": 99}, {"sub": "x" * 256}, {"sub": "nul\x00"},
        {"aud": ["sojourn", "other"]}, {"aud": ["sojourn", "other"], "azp": "other"}, {"azp": "other"},
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


def post(browser: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return browser.post(path, data=fields | {FORM_FIELD: browser.cookies.get(FORM_COOKIE, "")})


def test_who_comes_by_the_provider_has_no_password_beside_it(
    store: SeededStore, log_in: LogIn, provider: LocalProvider
) -> None:
    provider.claims["groups"] = ["it"]
    browser, _ = log_in()
    page = browser.get("/account").text
    assert ("password and second step are there" in page, "/account/second-step" in page) == (True, False)
    for path in ("/account/password", "/account/second-step"):
        done = post(browser, path, new_password=PASSWORD, new_password_again=PASSWORD)
        assert (done.status_code, "by the identity provider" in done.text) == (422, True), path
    made = find_account(store.connection, name="4711")
    assert made is not None
    with pytest.raises(errors.CheckViolation, match="account_one_way_in"):
        set_password(store.connection, made.account_id, "hash")

    give_secret(store.connection, made.account_id, digest("secret"), until=datetime.now(UTC) + timedelta(hours=1))
    assert browser.get("/people").status_code == 303, "an admin makes it an account of here: sessions end"
    again, done = log_in()
    assert (done.status_code, again.get("/people").status_code) == (303, 200)
    with httpx.Client(base_url=browser.base_url, timeout=20, headers=SAME) as here:
        assert post(here, "/login", name="4711", password="secret").status_code == 303
        done = post(here, "/login/new-password", new_password=PASSWORD, new_password_again=PASSWORD)
        assert (done.status_code, here.get("/people").headers["location"]) == (303, "/account"), "a second step first"
    names = [row[0] for row in store.connection.execute("select name from account order by made_at").fetchall()]
    assert re.fullmatch("4711-[0-9a-f]{8}", names[-1]), names


def test_whom_the_provider_lets_go_keeps_nothing(store: SeededStore, log_in: LogIn, provider: LocalProvider) -> None:
    store.connection.execute("update account set disabled_at = now()")
    provider.claims["groups"] = ["it", "store-staff"]
    browser, _ = log_in()
    account = find_account(store.connection, name="4711")
    assert account is not None
    key, prefix = new_key()
    add_key(store.connection, digest(key), prefix=prefix, name="Hers", roles=["crm", "edge"], stores=None,
            made_by="tests", holds_for=timedelta(days=1), owner=account.account_id)  # fmt: skip

    def asks_by_key() -> int:
        return httpx.get(f"{browser.base_url}/v1/profiles", headers={"Authorization": f"Bearer {key}"}).status_code

    assert (browser.get("/people").status_code, asks_by_key()) == (200, 200)
    provider.claims["groups"] = ["store-staff"]
    less, done = log_in()
    assert (done.status_code, less.get("/people").status_code) == (303, 403), "the last admin, too"
    assert browser.get("/people").status_code == 303
    provider.claims["groups"] = []
    for _ in range(2):
        _, refused = log_in()
        assert (refused.status_code, "None of your groups" in refused.text) == (403, True)
        assert (less.get("/profiles").status_code, asks_by_key()) == (303, 401)
    made = find_account(store.connection, name="4711")
    assert made is not None
    assert not made.may_log_in
    with pytest.raises(InputError, match="Nobody who may log in"):
        add_key(store.connection, digest("other"), prefix="sjk_", name="Other", roles=["crm"], stores=None,
                made_by="tests", holds_for=timedelta(days=1), owner=made.account_id)  # fmt: skip
    provider.claims["groups"] = ["store-staff"]
    _, done = log_in()
    assert (done.status_code, asks_by_key()) == (303, 200), "whom it lets in again has what she had"
    store.connection.execute("update account set disabled_at = null")
    disable_account(store.connection, account.account_id, disabled=True)
    assert log_in()[1].status_code == 403, "whom an admin shuts out stays out"


def test_the_issuer_is_what_it_calls_itself(store: SeededStore, provider: LocalProvider) -> None:
    without, provider.issuer = provider.issuer, f"{provider.issuer}/"
    for said in (provider.issuer, without):
        asked = read_provider(said, "sojourn", "of the client", name="Login", groups="store-staff=crm")
        with (
            answering(create_app(store.database_url, Settings(oidc=asked))) as client,
            httpx.Client(base_url=client.base_url, timeout=20) as browser,
        ):
            there = browser.get("/login/provider")
            if said == without:
                assert (there.status_code, f"calls itself {provider.issuer!r}") == (503, _calls(there.text))
            else:
                done = browser.get(browser.get(there.headers["location"]).headers["location"])
                assert (done.status_code, browser.get("/profiles").status_code) == (303, 200)


def _calls(page: str) -> str:
    found = re.search("calls itself '[^']+'", page.replace("&#39;", "'"))
    return found.group(0) if found is not None else ""


def test_any_name_of_a_directory_lets_in(store: SeededStore, log_in: LogIn, provider: LocalProvider) -> None:
    # the claims, the login name, what they are shown as; Ines is an account of here
    people: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({"preferred_username": "CORP\\bea"}, "corp-bea", "CORP\\bea"),
        ({"preferred_username": "Jörg.Müller", "name": "Jörg Müller"}, "jorg.muller", "Jörg Müller"),
        ({"email": "bea+shop@corp.example"}, "bea-shop@corp.example", "bea-shop@corp.example"),
        ({"preferred_username": "a" * 80, "name": "b" * 90}, "a" * 64, "b" * 80),
        ({"preferred_username": "Ида", "email": "ida@corp.example", "name": ["Ida"]}, "ida@corp.example", "Ида"),
        ({"sub": "auth0|abc", "preferred_username": ["x"]}, "auth0-abc", "auth0-abc"),
        ({"preferred_username": "nul\x00", "name": "\u200b \n"}, "nul", "nul"),
        ({"preferred_username": "ines.w", "name": "In\u00ades\u200b "}, "ines.w", "Ines (ines.w)"),
        ({"preferred_username": "\uff49nes.w2", "name": "\uff29nes"}, "ines.w2", "Ines (ines.w2)"),
        ({"preferred_username": "lind", "name": " Bea\nLind\u202e\x00 "}, "lind", "Bea Lind"),
        ({"preferred_username": "Lind", "name": "Bea Lind"}, "lind-", "Bea Lind (lind-"),
    )
    for number, (said, name, shown) in enumerate(people):
        provider.claims = {"sub": f"s{number}", "groups": ["store-staff"]} | said
        browser, done = log_in()
        assert (done.status_code, browser.get("/profiles").status_code) == (303, 200), (said, done.text)
        made = store.connection.execute("select name, display_name from account order by made_at desc").fetchone()
        assert made is not None
        if name.endswith("-"):
            assert re.fullmatch(f"{name}[0-9a-f]{{8}}", made[0]), said
            assert made[1].startswith(shown), said
        else:
            assert made == (name, shown), said


def test_whatever_the_provider_answers_is_told(log_in: LogIn, provider: LocalProvider, site: str) -> None:
    instead: dict[str, tuple[Any, ...]] = {
        "token": (
            None,
            [],
            "x",
            {},
            {"id_token": None},
            {"id_token": 5, "access_token": "x"},
            {"error": "access_denied"},
        ),
        "keys": (None, [], {"keys": None}, {"keys": [None]}, {"keys": []}),
    }
    for place, answers in instead.items():
        for answer in answers:
            provider.instead = {place: answer}
            browser, refused = log_in()
            assert (refused.status_code, browser.get("/profiles").status_code) == (403, 303), (place, answer)
    right = provider.describe()
    for answer in (None, [], {"issuer": provider.issuer}, right | {"issuer": 5}, right | {"jwks_uri": 5}):
        provider.instead = {"description": answer}
        assert httpx.get(f"{site}/login/provider", timeout=20).status_code == 503, answer
    provider.instead = {}
    for error, told in (("access_denied", "(access_denied)"), ("<b>", "let you in.")):
        _, refused = log_in(error=error)
        assert (refused.status_code, told in refused.text) == (403, True), error


def test_the_way_back_leads_to_any_page_of_here(log_in: LogIn) -> None:
    for to, leads in (
        ("/€?q=ü", quote("/€?q=ü", safe="/?=")), ("/a%20b;c", "/a%20b;c"),
        ('/stores/quay?day="x"', "/stores/quay?day=%22x%22"),
        ("/" + "€" * 1_000, "/"), ("//else.example", "/"),
    ):  # fmt: skip
        _, done = log_in(to=to)
        assert (done.status_code, done.headers.get("location")) == (303, leads), to
