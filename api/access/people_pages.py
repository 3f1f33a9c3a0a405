"""People who may log in: made, changed, given a way in, and shut out, by an admin who reaches as far."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.asking import asking_now
from api.access.principal import Role
from api.access.reach import own_reach
from api.access.table import PEOPLE
from api.forms import Form, FormDep
from api.operators import OperatorDep
from api.problems import ProblemError, unknown
from api.rendering import render
from api.service import ConnectionDep, Service, ServiceDep
from core.errors import InputError
from storage.access.accounts import (
    AccountRow,
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
        own_reach().check(roles, stores)
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
            _write(service, account, lambda lent: take_second_step_away(lent, account))
        elif change in {"disable", "enable"}:
            _not_oneself(account)
            _write(service, account, lambda lent: disable_account(lent, account, disabled=change == "disable"))
        else:
            display_name = form.text("display_name", most=DISPLAY_CHARACTERS)
            roles, stores = read_roles(form), read_stores(form)
            own_reach().check(roles, stores)
            _write(
                service,
                account,
                lambda lent: change_account(lent, account, display_name=display_name, roles=roles, stores=stores),
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
    found = _found(connection, account)
    _write(service, account, lambda lent: give_secret(lent, account, digest(secret), until=_until()))
    return _one(connection, account, made=(found.name, secret))


def _write(service: Service, account: UUID, change: Callable[[Connection], None]) -> None:
    """Change an account that is within reach when it is changed."""

    def work(lent: Connection) -> None:
        _found(lent, account)
        change(lent)

    service.writer.write(work)


def _found(connection: Connection, account: UUID) -> AccountRow:
    found = account_of(connection, account)
    if found is None or not own_reach().covers(found.roles, found.stores):
        raise _unknown()
    return found


def within_reach(connection: Connection) -> list[AccountRow]:
    """Return the accounts that reach no further than whoever is served."""
    reach = own_reach()
    return [one for one in accounts(connection) if reach.covers(one.roles, one.stores)]


def stores_within_reach(connection: Connection) -> list[str]:
    """Return the ids of the stores that whoever is served may give."""
    reach = own_reach()
    shown = [store.id for store in stores_page(connection, limit=STORES_SHOWN, cursor=None).stores]
    return shown if reach.stores is None else sorted(reach.stores)


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
        people=within_reach(connection),
        made=made,
        says=says,
        roles=[role for role in Role if role in PEOPLE],
        stores=stores_within_reach(connection),
        now=datetime.now(UTC),
    )
    page.status_code = status
    return page


def _one(
    connection: Connection, account: UUID, *, made: tuple[str, str] | None = None, says: str = "", status: int = 200
) -> Response:
    found = _found(connection, account)
    page = render(
        "person.html",
        here="people",
        person=found,
        made=made,
        says=says,
        roles=[role for role in Role if role in PEOPLE],
        stores=stores_within_reach(connection),
    )
    page.status_code = status
    return page
