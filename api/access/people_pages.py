"""People who may log in: made, changed, given a way in, and shut out, by an admin."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.asking import asking_now
from api.access.principal import Role
from api.access.table import PEOPLE
from api.forms import Form, FormDep
from api.operators import OperatorDep
from api.problems import ProblemError, unknown
from api.rendering import render
from api.service import ConnectionDep, Service, ServiceDep
from core.errors import InputError
from storage.access.accounts import (
    account_of,
    accounts,
    add_account,
    change_account,
    disable_account,
    give_secret,
    take_second_step_away,
)
from storage.access.by_hand import SECRET_FOR
from storage.access.names import DISPLAY_CHARACTERS, NAME_CHARACTERS
from storage.access.secrets import digest, new_secret
from storage.connect import Connection
from storage.occupancy import stores_page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_HERE: Final = "/people"
_SEE_OTHER: Final = 303
STORES_SHOWN: Final = 200
ROLE_FIELD: Final = "role:"


@router.get(_HERE)
def show_people(connection: ConnectionDep) -> Response:
    """Show who may log in."""
    return _list(connection)


@router.post(_HERE)
def add_person(form: FormDep, service: ServiceDep, operator: OperatorDep, connection: ConnectionDep) -> Response:
    """Make an account and show the one-time secret that opens it, once."""
    try:
        name, display_name = (
            form.text("name", most=NAME_CHARACTERS),
            form.text("display_name", most=DISPLAY_CHARACTERS),
        )
        roles, stores = read_roles(form), read_stores(form)
        secret = new_secret()

        def work(lent: Connection) -> UUID:
            made = add_account(
                lent, name=name, display_name=display_name, roles=roles, stores=stores, made_by=operator
            )
            give_secret(lent, made, digest(secret), until=_until())
            return made

        service.writer.write(work)
    except InputError as error:
        return _list(connection, says=f"{error.what} {error.hint}", status=422)
    with service.reader.connection() as fresh:  # the one of the request sees what stood there before
        return _list(fresh, made=(name.lower(), secret))


@router.get(_HERE + "/{account}")
def show_person(account: UUID, connection: ConnectionDep) -> Response:
    """Show one account, to change it."""
    return _one(connection, account)


@router.post(_HERE + "/{account}")
def change_person(account: UUID, form: FormDep, service: ServiceDep, connection: ConnectionDep) -> Response:
    """Change name, roles and stores, give a one-time secret, take a lost second step away, or shut somebody out."""
    change = form.get("change")
    try:
        if change == "secret":
            return _new_secret(service, connection, account)
        if change == "second-step":
            service.writer.write(lambda lent: take_second_step_away(lent, account))
        elif change in {"disable", "enable"}:
            _not_oneself(account)
            service.writer.write(lambda lent: disable_account(lent, account, disabled=change == "disable"))
        else:
            display_name = form.text("display_name", most=DISPLAY_CHARACTERS)
            roles, stores = read_roles(form), read_stores(form)
            service.writer.write(
                lambda lent: change_account(lent, account, display_name=display_name, roles=roles, stores=stores)
            )
    except InputError as error:
        return _one(connection, account, says=f"{error.what} {error.hint}", status=422)
    return RedirectResponse(_HERE, _SEE_OTHER)


def read_roles(form: Form) -> list[str]:
    """Return the roles that are ticked; raises InputError for none."""
    roles = [role.value for role in Role if form.get(ROLE_FIELD + role)]
    if not roles:
        raise InputError("Somebody needs a role.", hint="Tick what they are to do.")
    return roles


def read_stores(form: Form) -> list[str] | None:
    """Return the stores that are named, None for every store."""
    named = form.get("stores").replace(",", " ").split()
    return sorted(set(named)) if named else None


def _new_secret(service: Service, connection: Connection, account: UUID) -> Response:
    secret = new_secret()
    found = account_of(connection, account)
    if found is None:
        raise _unknown()
    service.writer.write(lambda lent: give_secret(lent, account, digest(secret), until=_until()))
    return _one(connection, account, made=(found.name, secret))


def _not_oneself(account: UUID) -> None:
    session = asking_now().session
    if session is not None and session.account_id == account:
        raise InputError("This is yourself.", hint="Let another admin do it.")


def _until() -> datetime:
    return datetime.now(UTC) + SECRET_FOR


def _unknown() -> ProblemError:
    return unknown("account", detail="There is no such account.", hint="The page People lists them.")


def _list(
    connection: Connection, *, made: tuple[str, str] | None = None, says: str = "", status: int = 200
) -> Response:
    page = render(
        "people.html",
        here="people",
        people=accounts(connection),
        made=made,
        says=says,
        roles=[role for role in Role if role in PEOPLE],
        stores=[store.id for store in stores_page(connection, limit=STORES_SHOWN, cursor=None).stores],
        now=datetime.now(UTC),
    )
    page.status_code = status
    return page


def _one(
    connection: Connection, account: UUID, *, made: tuple[str, str] | None = None, says: str = "", status: int = 200
) -> Response:
    found = account_of(connection, account)
    if found is None:
        raise _unknown()
    page = render(
        "person.html",
        here="people",
        person=found,
        made=made,
        says=says,
        roles=[role for role in Role if role in PEOPLE],
        stores=[store.id for store in stores_page(connection, limit=STORES_SHOWN, cursor=None).stores],
    )
    page.status_code = status
    return page
