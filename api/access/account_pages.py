"""My account: password, second step, and where I am logged in."""

import time
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.asking import Session, asking_now
from api.access.login import read_new_password
from api.access.origin import address_of
from api.access.second_step import kept, offer, recovery_codes, step_of
from api.access.signing_in import SEE_OTHER, begin_session
from api.forms import FormDep
from api.problems import ProblemError, unknown
from api.rendering import render
from api.service import Service, ServiceDep
from core.errors import InputError
from storage.access import passwords
from storage.access.accounts import AccountRow, account_of, recovery_left, set_password, set_second_step, use_step
from storage.access.sessions import end_session, sessions
from storage.connect import Connection

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_HERE: Final = "/account"
_BY_PROVIDER: Final = "You log in by the identity provider: password and second step are there."


@router.get(_HERE)
def show_account(service: ServiceDep) -> Response:
    """Show who is logged in, what they may do, and where."""
    return _page(service, _mine())


@router.post("/account/password")
def change_password(request: Request, form: FormDep, service: ServiceDep) -> Response:
    """Change the password; every other session of the person ends."""
    session = _mine()
    account = _account(service, session)
    if account.subject is not None:
        return _page(service, session, says=_BY_PROVIDER, status=422)
    if not _proved(service, request, account, form.get("password")):
        return _page(service, session, says="The password that you have now is another one.", status=422)
    try:
        made = read_new_password(form, account)
    except InputError as error:
        return _page(service, session, says=f"{error.what} {error.hint}", status=422)
    service.writer.write(lambda connection: set_password(connection, account.account_id, made))
    return begin_session(request, service, account.account_id, name=account.display_name, to=_HERE)


@router.post("/account/second-step")
def set_up_second_step(request: Request, form: FormDep, service: ServiceDep) -> Response:
    """Offer a second step, or take it into use once a code of it was typed; recovery codes are shown once."""
    session = _mine()
    account = _account(service, session)
    if account.subject is not None:
        return _page(service, session, says=_BY_PROVIDER, status=422)
    if account.totp_secret is not None:
        return RedirectResponse(_HERE, SEE_OTHER)
    secret = form.get("secret")
    if not secret:
        return _page(service, session, offered=offer(account.name))
    if not (secret.isalnum() and secret.isascii() and len(secret) == 32):
        raise ProblemError(422, "value", "A value cannot be used", detail="This is no secret.", hint="Begin again.")
    step = step_of(secret, form.get("code"), now_s=time.time())
    if step is None:
        says = "This code does not hold. Is the phone's clock right?"
        return _page(service, session, offered=offer(account.name, secret), says=says, status=422)
    if not _proved(service, request, account, form.get("password")):
        says = "The password that you have now is another one."
        return _page(service, session, offered=offer(account.name, secret), says=says, status=422)
    codes = recovery_codes()

    def work(connection: Connection) -> None:
        set_second_step(connection, account.account_id, secret, [kept(code) for code in codes])
        use_step(connection, account.account_id, step)

    service.writer.write(work)
    return _page(service, session, codes=codes)


@router.post("/account/second-step/remove")
def remove_second_step(request: Request, form: FormDep, service: ServiceDep) -> Response:
    """Take the second step away, for somebody who types the password."""
    session = _mine()
    account = _account(service, session)
    if not service.settings.second_step.isdisjoint(account.roles):
        says = "Your role needs a second step. With another phone: ask an admin to take this one away."
        return _page(service, session, says=says, status=422)
    if not _proved(service, request, account, form.get("password")):
        return _page(service, session, says="The password that you have now is another one.", status=422)
    service.writer.write(lambda connection: set_second_step(connection, account.account_id, None))
    return RedirectResponse(_HERE, SEE_OTHER)


@router.post("/account/sessions")
def end_one_session(form: FormDep, service: ServiceDep) -> Response:
    """Log out somewhere else."""
    session = _mine()
    number = form.get("session")
    ended = number.isascii() and number.isdigit() and len(number) < 19
    if not ended or not service.writer.write(
        lambda connection: end_session(connection, session.account_id, int(number))
    ):
        raise unknown("session", detail="You have no such session.", hint="It may have ended already.")
    return RedirectResponse(_HERE, SEE_OTHER)


def _page(service: Service, session: Session, *, says: str = "", status: int = 200, **more: object) -> Response:
    account = _account(service, session)
    with service.reader.connection() as connection:
        mine, left = sessions(connection, account.account_id), recovery_left(connection, account.account_id)
    page = render(
        "account.html",
        here="account",
        account=account,
        sessions=mine,
        current=session.session_no,
        codes_left=left,
        least=passwords.LEAST,
        says=says,
        demanded=account.subject is None and not service.settings.second_step.isdisjoint(account.roles),
        **({"offered": None, "codes": None} | more),
    )
    page.status_code = status
    return page


def _mine() -> Session:
    session = asking_now().session
    if session is None:
        raise ProblemError(
            403, "person", "For people", detail="A key has no account of its own.", hint="Log in as a person."
        )
    return session


def _account(service: Service, session: Session) -> AccountRow:
    with service.reader.connection() as connection:
        found = account_of(connection, session.account_id)
    if found is None:
        raise unknown("account", detail="Your account is gone.", hint="Ask an admin.")
    return found


def _proved(service: Service, request: Request, account: AccountRow, password: str) -> bool:
    """Return whether the person knows the password; False for whoever has none."""
    if account.password_hash is None:
        return False
    address = address_of(request)
    service.limits.may_log_in(address, account.name)
    if passwords.right(password, account.password_hash):
        return True
    service.limits.login_failed(address, account.name)
    return False
