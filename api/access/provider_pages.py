"""Logging in by an identity provider: OpenID Connect, authorization code with PKCE (RFC 7636), state and nonce."""

import time
from secrets import token_urlsafe
from typing import Annotated, Any, Final

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
    DISPLAY_CHARACTERS,
    AccountRow,
    account_of_subject,
    add_account,
    change_account,
    name_to_show,
)
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
    except (httpx2.HTTPError, AuthlibBaseError, KeyError, ValueError) as error:
        raise _away() from error
    response = RedirectResponse(address, SEE_OTHER)
    secure = request.url.scheme == "https"
    kept = " ".join((state, nonce, verifier, local_path(after)))
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
) -> Response:
    """Take in what the provider says of somebody, and begin their session."""
    provider = _provider(service)
    kept = request.cookies.get(_cookie(request), "").split(" ", 3)
    if len(kept) != 4 or not code or not same(kept[0], state):
        raise _refused("The way back from the provider is not the one that was begun here.")
    _, nonce, verifier, after = kept
    try:
        with _client(request, provider) as client:
            found = _found(provider)
            token = client.fetch_token(found["token_endpoint"], code=code, code_verifier=verifier)
            keys = KeySet.import_key_set(_read(found["jwks_uri"]))
        claims = _claims(token["id_token"], keys, provider, nonce)
    except (JoseError, KeyError, ValueError, AuthlibBaseError) as error:
        raise _refused("What the provider says of you cannot be believed.") from error
    except httpx2.HTTPError as error:
        raise _away() from error
    if provider.acr and claims.get("acr") not in provider.acr:
        raise _refused("Your login at the provider was not as strong as it has to be here.")
    account = service.writer.write(lambda connection: _account(connection, provider, claims))
    if account.disabled_at is not None:
        raise _refused("Your account is shut out here.")
    response = begin_session(request, service, account.account_id, name=account.display_name, to=local_path(after))
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
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != provider.client_id:
        raise ValueError("the token was made for somebody else")
    return dict(claims)


def _account(connection: Connection, provider: Provider, claims: dict[str, Any]) -> AccountRow:
    """Return the account of whom the provider vouches for, with the roles of today's groups; made at first."""
    groups = claims.get("groups")
    roles = provider.roles(groups if isinstance(groups, list) else [])
    if not roles:
        raise _refused("None of your groups has a role here.")
    subject = f"{provider.issuer} {claims['sub']}"
    found = account_of_subject(connection, subject)
    name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"]).lower()
    shown = (str(claims.get("name") or name))[:DISPLAY_CHARACTERS]
    if found is None:
        try:
            add_account(
                connection,
                name=name,
                display_name=name_to_show(connection, shown, name),
                roles=roles,
                made_by=provider.name,
                subject=subject,
            )
        except InputError as error:  # never somebody else's account because the names are alike
            raise _refused(f"{error.what} An admin has to join the two.") from error
    elif sorted(found.roles) != roles:
        change_account(
            connection, found.account_id, display_name=found.display_name, roles=roles, stores=found.stores
        )
    made = account_of_subject(connection, subject)
    if made is None:
        raise RuntimeError("an account that was written is there")
    return made


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
    """Return the provider's own description; raises ValueError if it is somebody else's."""
    found: dict[str, Any] = _read(f"{provider.issuer}/.well-known/openid-configuration")
    if found.get("issuer") != provider.issuer:
        raise ValueError("the provider calls itself something else")
    if provider.issuer.startswith("https://") and not all(
        str(found[word]).startswith("https://") for word in _ADDRESSES
    ):  # a secret of ours is sent there
        raise ValueError("the provider names an address without TLS")
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
