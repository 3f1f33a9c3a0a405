"""Logging in by an identity provider: OpenID Connect, authorization code with PKCE (RFC 7636), state and nonce."""

import re
import time
from secrets import token_urlsafe
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.access.asking import same
from api.access.provider import Provider
from api.access.signing_in import SEE_OTHER, begin_session, local_path
from api.problems import ProblemError
from api.service import Service, ServiceDep
from core.errors import InputError
from storage.access.accounts import (
    AccountRow,
    account_of_subject,
    add_account,
    find_account,
    follow_groups,
    name_to_show,
)
from storage.access.names import login_name, told_apart
from storage.connect import Connection

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_BACK: Final = "/login/provider/back"
_KEPT_S: Final = 600
"""To type a password at the provider."""
_ANSWER_S: Final = 10.0
_SKEW_S: Final = 60
_ADDRESSES: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_SIGNED: Final = ["RS256", "PS256", "ES256", "EdDSA"]
"""Never `none`, and no shared secret: our own would then make tokens."""
_UNREADABLE: Final = (JoseError, AuthlibBaseError, KeyError, ValueError, TypeError, AttributeError)
"""What reading another one's answer can end in, whatever it is: null, a list, a number where text stands else."""
_COOKIE_CHARACTERS: Final = 2_000
"""Browsers keep 4,096 bytes of a cookie or nothing; state, nonce and verifier are 150 of them."""
_SUBJECT_CHARACTERS: Final = 255
"""OpenID Connect Core 2: a `sub` is no longer."""
_WORD: Final = re.compile("[a-z_]{1,40}")
"""What an error of the provider is called (RFC 6749, 4.1.2.1); nothing else of its answer is shown."""


@router.get("/login/provider")
def to_provider(
    request: Request, service: ServiceDep, after: Annotated[str, Query(alias="next", max_length=2_000)] = "/"
) -> Response:
    """Send a browser to the provider."""
    provider = _provider(service)
    state, nonce, verifier = token_urlsafe(32), token_urlsafe(32), token_urlsafe(48)
    try:
        with _client(request, provider) as client:
            strong = {"acr_values": " ".join(provider.acr)} if provider.acr else {}
            address, _ = client.create_authorization_url(
                _found(provider)["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier, **strong
            )
    except (httpx2.HTTPError, *_UNREADABLE) as error:
        raise _away() from error
    response = RedirectResponse(address, SEE_OTHER)
    secure = request.url.scheme == "https"
    path = quote(local_path(after))
    kept = " ".join((state, nonce, verifier, path if len(path) <= _COOKIE_CHARACTERS else "/"))
    # lax, because the provider sends the browser back from its own site
    response.set_cookie(
        _cookie(request), kept, max_age=_KEPT_S, path="/", secure=secure, httponly=True, samesite="lax"
    )
    return response


@router.get(_BACK)
def from_provider(
    request: Request,
    service: ServiceDep,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4_000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Take in what the provider says of somebody, and begin their session."""
    provider = _provider(service)
    kept = request.cookies.get(_cookie(request), "").split(" ", 3)
    if len(kept) != 4 or not (code or error) or not same(kept[0], state):
        raise _refused("The way back from the provider is not the one that was begun here.")
    if error:
        raise _refused(f"The provider did not let you in{f' ({error})' if _WORD.fullmatch(error) else ''}.")
    _, nonce, verifier, after = kept
    try:
        with _client(request, provider) as client:
            found = _found(provider)
            token = client.fetch_token(found["token_endpoint"], code=code, code_verifier=verifier)
            keys = KeySet.import_key_set(_read(found["jwks_uri"]))
        claims = _claims(token["id_token"], keys, provider, nonce)
    except httpx2.HTTPError as cause:
        raise _away() from cause
    except _UNREADABLE as cause:
        raise _refused("What the provider says of you cannot be believed.") from cause
    if provider.acr and claims.get("acr") not in provider.acr:
        raise _refused("Your login at the provider was not as strong as it has to be here.")
    account = service.writer.write(lambda connection: _account(connection, provider, claims))
    if account is None or not account.roles:
        raise _refused("None of your groups has a role here.")
    if account.disabled_at is not None:
        raise _refused("Your account is shut out here.")
    to = local_path(unquote(after))
    response = begin_session(request, service, account.account_id, name=account.display_name, to=to)
    response.delete_cookie(_cookie(request), path="/", secure=request.url.scheme == "https")
    return response


def _claims(token: str, keys: KeySet, provider: Provider, nonce: str) -> dict[str, Any]:
    """Return what an ID token says, checked as OpenID Connect Core 3.1.3.7 asks; raises JoseError or ValueError."""
    claims = jwt.decode(token, keys, algorithms=_SIGNED).claims
    jwt.JWTClaimsRegistry(
        now=int(time.time()),
        leeway=_SKEW_S,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(claims)
    audience, azp, subject = claims["aud"], claims.get("azp"), claims["sub"]
    alone = not isinstance(audience, list) or len(audience) == 1
    if azp != provider.client_id and not (azp is None and alone):
        raise ValueError("the token was made for somebody else")
    if not (isinstance(subject, str) and 1 <= len(subject) <= _SUBJECT_CHARACTERS and subject.isprintable()):
        raise ValueError("the token names nobody")
    return dict(claims)


def _account(connection: Connection, provider: Provider, claims: dict[str, Any]) -> AccountRow | None:
    """Return the account of whom the provider vouches for, with the roles of today's groups; made at first.

    Who had one and has no group any more has one without a role from now on; who never had one has none.
    """
    groups = claims.get("groups")
    roles = provider.roles(groups if isinstance(groups, list) else [])
    subject = f"{provider.issuer} {claims['sub']}"
    found = account_of_subject(connection, subject)
    if found is None and roles:
        _add(connection, provider, claims, subject, roles)
    elif found is not None and sorted(found.roles) != roles:
        follow_groups(connection, found.account_id, roles)
    return account_of_subject(connection, subject)


def _add(connection: Connection, provider: Provider, claims: dict[str, Any], subject: str, roles: list[str]) -> None:
    """Make somebody's account: never another one's because the names are alike, and never shown like another one."""
    name = login_name((claims.get("preferred_username"), claims.get("email"), claims["sub"]))
    if find_account(connection, name=name) is not None:
        name = told_apart(name, subject)
    shown = next((said for word in ("name", "preferred_username") if isinstance(said := claims.get(word), str)), "")
    try:
        add_account(
            connection,
            name=name,
            display_name=name_to_show(connection, shown, name),
            roles=roles,
            made_by=provider.name,
            subject=subject,
        )
    except InputError as error:
        raise _refused(f"{error.what} An admin gives one of the two another name on the page People.") from error


def _client(request: Request, provider: Provider) -> OAuth2Client:
    return OAuth2Client(
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        scope="openid profile email groups",
        redirect_uri=f"{request.url.scheme}://{request.url.netloc}{_BACK}",
        code_challenge_method="S256",
        timeout=_ANSWER_S,
        follow_redirects=False,
    )


def _found(provider: Provider) -> dict[str, Any]:
    """Return the provider's own description; raises ValueError if it is none, ProblemError if somebody else's."""
    found = _read(provider.described_at)
    if not isinstance(found, dict) or not all(isinstance(found.get(word), str) for word in ("issuer", *_ADDRESSES)):
        raise ValueError("the provider describes itself in part")
    if found["issuer"] != provider.issuer:
        raise ProblemError(
            503,
            "unavailable",
            "Not available now",
            detail=f"The identity provider calls itself {found['issuer'][:200]!r}, and SOJOURN_OIDC_ISSUER says"
            f" {provider.issuer!r}.",
            hint="An admin sets it exactly as the provider calls itself, with or without a slash at the end.",
        )
    if provider.issuer.startswith("https://") and not all(found[word].startswith("https://") for word in _ADDRESSES):
        raise ValueError("the provider names an address without TLS")  # a secret of ours is sent there
    return found


def _cookie(request: Request) -> str:
    return "__Host-sojourn_provider" if request.url.scheme == "https" else "sojourn_provider"


def _provider(service: Service) -> Provider:
    if service.settings.oidc is None:
        raise ProblemError(
            404, "provider-unknown", "No provider", detail="No identity provider is set.", hint="Log in at /login."
        )
    return service.settings.oidc


def _refused(detail: str) -> ProblemError:
    return ProblemError(403, "provider", "Not let in", detail=detail, hint="Begin again at /login, or ask an admin.")


def _away() -> ProblemError:
    return ProblemError(
        503,
        "unavailable",
        "Not available now",
        detail="The identity provider does not answer.",
        hint="Ask again later.",
    )


def _read(url: str) -> Any:
    """Return what the provider publishes for everybody; asked without a token of ours."""
    return httpx2.get(url, timeout=_ANSWER_S, follow_redirects=False).raise_for_status().json()
