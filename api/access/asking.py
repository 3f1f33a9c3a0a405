"""Whose request is served now: what the gate found out, for templates and forms that have no request at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from uuid import UUID

from starlette.types import Scope

from api.access.principal import Principal
from storage.access.sessions import Stage

SECURE_COOKIE: Final = "__Host-sojourn_session"
PLAIN_COOKIE: Final = "sojourn_session"
"""Browsers take a `__Host-` cookie only together with Secure, and Secure only over TLS. Over http, which is for this
machine alone, it has another name, so that one can never stand in for the other."""
NAME_COOKIE: Final = "sojourn_operator"
"""The name of whoever is logged in, for scripts that greet; nothing believes it."""
ACCOUNT_COOKIE: Final = "sojourn_account"
"""Whose login it is, for scripts that keep something on the device: names are not unique. Nothing believes it."""
FORM_COOKIE: Final = "sojourn_form"
"""The session's form token, for scripts of our own pages; another site can send it but never read it."""
FORM_HEADER: Final = "Sojourn-Form"
FORM_FIELD: Final = "form_token"


@dataclass(frozen=True)
class Session:
    """A session as the gate found it; `token` is what its browser holds."""

    session_no: int
    account_id: UUID
    stage: Stage
    token: str = field(repr=False)

    @property
    def form_token(self) -> str:
        """What every form of this session carries: nobody else can make it, and it gives no session away."""
        return form_token(self.token)


@dataclass(frozen=True)
class Asking:
    """Who asks, and the session if it is a person; a session that waits for its second step has no principal.

    Who `must_set_up` a second step, because a role demands one, reaches nothing else before.
    """

    principal: Principal | None = None
    session: Session | None = None
    must_set_up: bool = False


_NOBODY: Final = Asking()
_NOW: ContextVar[Asking] = ContextVar("asking", default=_NOBODY)


def asking_now() -> Asking:
    """Return who is served now; nobody outside of a request."""
    return _NOW.get()


@contextmanager
def serving(asking: Asking) -> Iterator[None]:
    """Let `asking_now` say who is served."""
    before = _NOW.set(asking)
    try:
        yield
    finally:
        _NOW.reset(before)


def cookie_name(scope: Scope) -> str:
    """Return the name of the session's cookie on this connection."""
    return SECURE_COOKIE if scope["scheme"] == "https" else PLAIN_COOKIE


def form_token(token: str) -> str:
    """Return the form token of a session."""
    return sha256(b"form of " + token.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that tells nothing."""
    return compare_digest(one.encode(), other.encode())
