"""The way in: name and password, the second step, the first password, the provider, and the way out."""

import time
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.asking import Session, asking_now
from api.access.origin import address_of
from api.access.second_step import pass_second_step
from api.access.signing_in import SEE_OTHER, begin_session, finish_session, local_path
from api.forms import OWN_FORM, Form, FormDep
from api.problems import ProblemError
from api.rendering import render
from api.service import Service, ServiceDep
from core.errors import InputError
from storage.access import passwords
from storage.access.accounts import (
    AccountRow,
    account_of,
    account_of_secret,
    find_account,
    rehash_password,
    set_password,
)
from storage.access.secrets import digest

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_WRONG: Final = "Name and password do not go together."
_NEXT_CHARACTERS: Final = 2_000


@router.get("/login")
def show_login(
    service: ServiceDep, after: Annotated[str, Query(alias="next", max_length=_NEXT_CHARACTERS)] = "/"
) -> Response:
    """Show the login; who is logged in goes on."""
    asking = asking_now()
    if asking.principal is not None:
        return RedirectResponse(local_path(after), SEE_OTHER)
    if asking.session is not None:
        return RedirectResponse(_stage_page(asking.session, local_path(after)), SEE_OTHER)
    return _login(service, after)


@router.post("/login")
def log_in(request: Request, form: FormDep, service: ServiceDep) -> Response:
    """Look at name and password; go on to the second step, the first password or the page that was asked for."""
    name, password, after = form.get("name").lower(), form.get("password"), form.get("next") or "/"
    address = address_of(request)
    try:
        service.limits.may_log_in(address, name)
    except ProblemError as problem:
        return _login(service, after, name=name, says=f"{problem.detail} {problem.hint}", status=429)
    with service.reader.connection() as connection:
        account = find_account(connection, name=name)
        opened = account_of_secret(connection, digest(password))
    if account is not None:  # what is no name may be a password in the wrong field: the audit does not learn it
        request.state.tried = account.name
    usable = account is not None and account.disabled_at is None
    to = local_path(after)
    if usable and account is not None and opened is not None and opened.account_id == account.account_id:
        service.limits.login_worked(address, name)
        return begin_session(
            request,
            service,
            account.account_id,
            name=account.display_name,
            stage="new_password",
            to=f"/login/new-password?next={quote(to)}",
        )
    kept = account.password_hash if account is not None and usable else None
    if not passwords.right(password, kept) or account is None or kept is None:
        service.limits.login_failed(address, name)
        return _login(service, after, name=name, says=_WRONG, status=401)
    if passwords.outdated(kept):
        fresh = passwords.hashed(password)
        service.writer.write(lambda connection: rehash_password(connection, account.account_id, fresh))
    service.limits.login_worked(address, name)
    return _after_password(request, service, account, to)


@router.get("/login/second-step")
def show_second_step(after: Annotated[str, Query(alias="next", max_length=_NEXT_CHARACTERS)] = "/") -> Response:
    """Ask for the code of the second step."""
    if _at("second_step") is None:
        return RedirectResponse("/login", SEE_OTHER)
    return render("login_second_step.html", here="login", after=local_path(after), says="")


@router.post("/login/second-step")
def take_second_step(request: Request, form: FormDep, service: ServiceDep) -> Response:
    """Look at the code and begin the session."""
    session = _at("second_step")
    if session is None:
        return RedirectResponse("/login", SEE_OTHER)
    account = _account(service, session)
    request.state.tried = account.name
    # of the account, wherever it is tried from: whoever comes so far has the password, and a code has six digits
    address, who = "", f"second step of {account.name}"
    after = local_path(form.get("next"))
    try:
        service.limits.may_log_in(address, who)
    except ProblemError as problem:
        return _again("login_second_step.html", after, f"{problem.detail} {problem.hint}", 429)
    code, now_s = form.get("code"), time.time()
    if not service.writer.write(lambda connection: pass_second_step(connection, account, code, now_s=now_s)):
        service.limits.login_failed(address, who)
        return _again("login_second_step.html", after, "This code does not hold, or was used already.", 401)
    service.limits.login_worked(address, who)
    return begin_session(request, service, account.account_id, name=account.display_name, to=after)


@router.get("/login/new-password")
def show_new_password(after: Annotated[str, Query(alias="next", max_length=_NEXT_CHARACTERS)] = "/") -> Response:
    """Ask for the password that replaces a one-time secret."""
    if _at("new_password") is None:
        return RedirectResponse("/login", SEE_OTHER)
    return render("login_new_password.html", here="login", after=local_path(after), says="", least=passwords.LEAST)


@router.post("/login/new-password")
def take_new_password(request: Request, form: FormDep, service: ServiceDep) -> Response:
    """Keep the first password and begin the session."""
    session = _at("new_password")
    if session is None:
        return RedirectResponse("/login", SEE_OTHER)
    account = _account(service, session)
    request.state.tried = account.name
    after = local_path(form.get("next"))
    try:
        made = read_new_password(form, account)
    except InputError as error:
        return _again("login_new_password.html", after, f"{error.what} {error.hint}", 422)
    service.writer.write(lambda connection: set_password(connection, account.account_id, made))
    return _after_password(request, service, account, after)


@router.post("/logout", dependencies=[OWN_FORM])
def log_out(request: Request, service: ServiceDep) -> Response:
    """End the session."""
    return finish_session(request, service, asking_now().session)


def read_new_password(form: Form, account: AccountRow) -> str:
    """Return the hash of a new password that was typed twice; raises InputError for one that cannot be used."""
    password = form.get("new_password")
    passwords.check_new(password, name=account.name)
    if password != form.get("new_password_again"):
        raise InputError("The two passwords differ.", hint="Type the same one twice.")
    return passwords.hashed(password)


def _after_password(request: Request, service: Service, account: AccountRow, to: str) -> Response:
    """Begin the session of somebody whose password holds, or the second step before it."""
    if account.totp_secret is None:
        return begin_session(request, service, account.account_id, name=account.display_name, to=to)
    return begin_session(
        request,
        service,
        account.account_id,
        name=account.display_name,
        stage="second_step",
        to=f"/login/second-step?next={quote(to)}",
    )


def _login(service: Service, after: str, *, name: str = "", says: str = "", status: int = 200) -> Response:
    provider = service.settings.oidc.name if service.settings.oidc is not None else None
    page = render("login.html", here="login", after=local_path(after), name=name, says=says, provider=provider)
    page.status_code = status
    return page


def _again(template: str, after: str, says: str, status: int) -> Response:
    page = render(template, here="login", after=after, says=says, least=passwords.LEAST)
    page.status_code = status
    return page


def _at(stage: str) -> Session | None:
    session = asking_now().session
    return session if session is not None and session.stage == stage else None


def _stage_page(session: Session, after: str) -> str:
    page = "/login/second-step" if session.stage == "second_step" else "/login/new-password"
    return f"{page}?next={quote(after)}"


def _account(service: Service, session: Session) -> AccountRow:
    with service.reader.connection() as connection:
        found = account_of(connection, session.account_id)
    if found is None:
        raise ProblemError(401, "not-logged-in", "Who asks?", detail="This needs a login.", hint="Log in at /login.")
    return found
