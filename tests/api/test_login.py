"""The way in, over HTTP: one-time secret, password, growing waits, second step, keys that end, other sites."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import pyotp
import pytest

from api.access.asking import ACCOUNT_COOKIE, FORM_COOKIE, FORM_FIELD, FORM_HEADER, PLAIN_COOKIE, form_token
from api.access.limits import Limits, Rates
from api.access.origin import counted_address
from api.access.signing_in import local_path
from api.problems import ProblemError
from core.errors import InputError
from storage.access.accounts import add_account, give_secret, set_second_step
from storage.access.passwords import check_new
from storage.access.secrets import digest
from storage.access.sessions import IDLE, add_session
from tests.access import SESSION
from tests.fix_api import SeededStore

PASSWORD = "four plain words together"
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.servers
def test_from_the_one_time_secret_to_the_second_step_and_out(store: SeededStore, client: httpx.Client) -> None:
    made = add_account(store.connection, name="bea", display_name="Bea", roles=["crm"], made_by="tests")
    give_secret(store.connection, made, digest("secret"), until=datetime.now(UTC) + timedelta(hours=1))
    with httpx.Client(base_url=client.base_url, headers=SAME, timeout=client.timeout) as bea:

        def post(path: str, **fields: str) -> httpx.Response:
            return bea.post(path, data=fields | {FORM_FIELD: bea.cookies.get(FORM_COOKIE, "")})

        assert bea.get("/profiles?q=a").headers["location"] == "/login?next=/profiles%3Fq%3Da"
        assert post("/login", name="bea", password="guess").status_code == 401
        step = post("/login", name="bea", password="secret", next="/profiles")
        assert step.headers["location"] == "/login/new-password?next=/profiles"
        assert bea.get("/profiles").status_code == 303, "not before a password is chosen"
        short = post("/login/new-password", new_password="short", new_password_again="short")
        assert short.status_code == 422
        done = post("/login/new-password", new_password=PASSWORD, new_password_again=PASSWORD, next="/profiles")
        assert done.headers["location"] == "/profiles"
        assert "httponly" in done.headers["set-cookie"].lower()
        assert bea.get("/profiles").status_code == 200
        assert bea.get("/people").status_code == 403
        kept = store.connection.execute("select row_to_json(account_session)::text from account_session").fetchall()
        assert bea.cookies[PLAIN_COOKIE] not in str(kept)
        (account,) = store.connection.execute("select account_id::text from account where name = 'bea'").fetchall()
        assert bea.cookies[ACCOUNT_COOKIE] == account[0]

        foreign = bea.post("/logout", headers={"Sec-Fetch-Site": "cross-site"})
        assert (foreign.status_code, bea.get("/profiles").status_code) == (403, 200)
        assert bea.post("/account/password", data={FORM_FIELD: "0" * 64}).status_code == 403, "another token"

        secret = pyotp.random_base32()
        shown = post("/account/second-step", secret=secret, code=pyotp.TOTP(secret).now(), password=PASSWORD)
        assert shown.text.count("<li><code>") == 8
        recovery = shown.text.split("<li><code>")[1].split("<")[0]
        post("/logout")
        assert ACCOUNT_COOKIE not in bea.cookies
        assert bea.get("/profiles").status_code == 303
        step = post("/login", name="bea", password=PASSWORD)
        assert step.headers["location"].startswith("/login/second-step")
        used = pyotp.TOTP(secret).at(int(time.time()) - 60)
        assert post("/login/second-step", code=used).status_code == 401, "before the one that set it up"
        assert post("/login/second-step", code=recovery, next="/profiles").headers["location"] == "/profiles"
        store.connection.execute("update account_session set seen_at = seen_at - %s", [IDLE])
        assert bea.get("/profiles").status_code == 303, "a session that nobody used for a shift has ended"


@pytest.mark.servers
def test_a_role_that_demands_a_second_step_opens_nothing_before_it_is_set_up(
    store: SeededStore, client: httpx.Client
) -> None:
    made = add_account(store.connection, name="pia", display_name="Pia", roles=["privacy"], made_by="tests")
    give_secret(store.connection, made, digest("secret"), until=datetime.now(UTC) + timedelta(hours=1))
    with httpx.Client(base_url=client.base_url, headers=SAME, timeout=client.timeout) as pia:

        def post(path: str, **fields: str) -> httpx.Response:
            return pia.post(path, data=fields | {FORM_FIELD: pia.cookies.get(FORM_COOKIE, "")})

        post("/login", name="pia", password="secret")
        done = post("/login/new-password", new_password=PASSWORD, new_password_again=PASSWORD, next="/audit")
        assert (done.headers["location"], pia.get("/audit").headers["location"]) == ("/audit", "/account")
        refused = pia.get("/v1/audit")
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:sojourn:problem:second-step")
        assert "Your role needs a second step" in pia.get("/account").text
        secret = pyotp.random_base32()
        shown = post("/account/second-step", secret=secret, code=pyotp.TOTP(secret).now(), password=PASSWORD)
        recovery = shown.text.split("<li><code>")[1].split("<")[0]
        assert pia.get("/audit").status_code == 200
        assert post("/account/second-step/remove", password=PASSWORD).status_code == 422, "it is demanded"

        give_secret(store.connection, made, digest("again"), until=datetime.now(UTC) + timedelta(hours=1))
        post("/login", name="pia", password="again")
        step = post("/login/new-password", new_password=PASSWORD, new_password_again=PASSWORD)
        assert step.headers["location"].startswith("/login/second-step"), "a reset of the password leaves it"
        assert pia.get("/audit").status_code == 303
        assert post("/login/second-step", code=recovery, next="/audit").headers["location"] == "/audit"
        account = f"/people/{made}"
        client.cookies.update({PLAIN_COOKIE: SESSION, FORM_COOKIE: form_token(SESSION)})
        admin = {"Authorization": "", "Sec-Fetch-Site": "same-origin", FORM_HEADER: form_token(SESSION)}
        assert client.post(account, data={"change": "second-step", FORM_FIELD: form_token(SESSION)},
                           headers=admin).status_code == 303  # fmt: skip
        assert pia.get("/audit").headers["location"].startswith("/login"), "every session ends"
        post("/login", name="pia", password=PASSWORD)
        assert pia.get("/audit").headers["location"] == "/account"


@pytest.mark.servers
def test_a_key_ends(store: SeededStore, client: httpx.Client) -> None:
    assert client.get("/v1/stores").status_code == 200
    store.connection.execute("update api_key set ends_at = now()")
    assert client.get("/v1/stores").status_code == 401
    assert client.get("/v1/stores", headers={"Authorization": "Basic x"}).status_code == 401
    assert client.get("/v1/health").status_code == 200


def test_waits_grow_for_a_name_at_an_address_alone() -> None:
    now_s = [0.0]
    limits = Limits(Rates(read=2), clock_s=lambda: now_s[0])
    for _ in range(6):
        limits.may_log_in("10.0.0.1", "ada")
        limits.login_failed("10.0.0.1", "ada")
    with pytest.raises(ProblemError) as refused:
        limits.may_log_in("10.0.0.1", "ada")
    assert (refused.value.status, refused.value.retry_s) == (429, 3)
    limits.may_log_in("10.0.0.2", "ada")
    now_s[0] = 2.0
    limits.may_log_in("10.0.0.1", "ada")
    for _ in range(2):
        limits.ask("GET /v1/stores", "somebody", known=True)
    with pytest.raises(ProblemError, match="More than 2"):
        limits.ask("GET /v1/stores", "somebody", known=True)
    limits.ask("GET /v1/stores", "somebody else", known=True)
    limits = Limits(Rates(read=9, route=2))
    for _ in range(2):
        limits.ask("GET /v1/stores", "somebody", known=True)
    with pytest.raises(ProblemError, match="More than 2"):
        limits.ask("GET /v1/stores", "somebody", known=True)
    limits.ask("GET /v1/fleet", "somebody", known=True)


def test_one_subscriber_is_one_address() -> None:
    counted = {
        "10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1", "2001:db8:1:2::1": "2001:db8:1:2::/64",
        "2001:db8:1:2:ffff::9": "2001:db8:1:2::/64", "2001:db8:1:3::1": "2001:db8:1:3::/64",
        "fe80::1%eth0": "fe80::/64",
        "testclient": "testclient", "": "",
    }  # fmt: skip
    assert {address: counted_address(address) for address in counted} == counted


@pytest.mark.servers
def test_codes_of_a_second_step_are_counted_wherever_they_are_tried_from(
    store: SeededStore, client: httpx.Client
) -> None:
    made = add_account(store.connection, name="bea", display_name="Bea", roles=["crm"], made_by="tests")
    set_second_step(store.connection, made, pyotp.random_base32())
    told = []
    for number in range(7):
        session = f"{number}" * 43
        add_session(store.connection, made, digest(session), stage="second_step", agent="tests")
        place = httpx.HTTPTransport(local_address=f"127.0.0.{number + 2}")
        headers = SAME | {"Cookie": f"{PLAIN_COOKIE}={session}"}
        with httpx.Client(base_url=client.base_url, headers=headers, transport=place, timeout=20) as tries:
            code = {"code": "000000", FORM_FIELD: form_token(session)}
            told.append(tries.post("/login/second-step", data=code).status_code)
    assert told == [401] * 6 + [429]


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/login?next=/", ""])
def test_a_login_sends_nobody_elsewhere(wanted: str) -> None:
    assert local_path(wanted) == "/"


@pytest.mark.parametrize(
    "password",
    ["qwertyuiop12", "password1234", "iloveyou1234", "aaaaaaaaaaaaaaaa", "abcabcabcabcabc", "sojourn-is-great-1",
     "beatrice.lind-2026", "1234567890123", "december252025"],
)  # fmt: skip
def test_what_would_be_guessed_is_no_password(password: str) -> None:
    with pytest.raises(InputError, match="would be guessed"):
        check_new(password, name="beatrice.lind")
    for good in (PASSWORD, "Ünter den Linden regnet es", "kdU3-92hf-QQx8"):
        check_new(good, name="beatrice.lind")
