"""Keys of programs: made, rotated and revoked by an admin; a key itself is shown once."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.asking import asking_now
from api.access.people_pages import read_roles, read_stores, stores_within_reach, within_reach
from api.access.principal import Role
from api.access.reach import own_reach
from api.forms import FormDep
from api.operators import OperatorDep
from api.problems import unknown
from api.rendering import render
from api.service import ConnectionDep, ServiceDep
from core.errors import InputError
from storage.access.accounts import account_of
from storage.access.keys import LONGEST, NAME_CHARACTERS, OVERLAP, add_key, key_of, keys, revoke_key, rotate_key
from storage.access.secrets import digest, new_key
from storage.connect import Connection

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_HERE: Final = "/api-keys"
_SEE_OTHER: Final = 303


@router.get(_HERE)
def show_keys(connection: ConnectionDep) -> Response:
    """Show the keys."""
    return _page(connection)


@router.post(_HERE)
def make_key(form: FormDep, service: ServiceDep, operator: OperatorDep, connection: ConnectionDep) -> Response:
    """Make a key and show it, once."""
    key, prefix = new_key()
    try:
        name = form.text("name", most=NAME_CHARACTERS)
        roles, stores = read_roles(form), read_stores(form)
        own_reach().check(roles, stores)
        days, owner = form.get("days"), _owner(connection, form.get("owner"))
        holds_for = timedelta(days=int(days)) if days.isascii() and days.isdigit() and len(days) < 5 else timedelta(0)
        service.writer.write(
            lambda lent: add_key(
                lent,
                digest(key),
                prefix=prefix,
                name=name,
                roles=roles,
                stores=stores,
                made_by=operator,
                holds_for=holds_for,
                owner=owner,
            )
        )
    except InputError as error:
        return _page(connection, says=f"{error.what} {error.hint}", status=422)
    with service.reader.connection() as fresh:
        return _page(fresh, made=key)


@router.post(_HERE + "/{key_no}")
def change_key(key_no: int, form: FormDep, service: ServiceDep, operator: OperatorDep) -> Response:
    """Rotate or revoke a key."""
    if form.get("change") == "rotate":
        key, prefix = new_key()

        def rotate(lent: Connection) -> int | None:
            _check_within_reach(lent, key_no)
            return rotate_key(lent, key_no, digest(key), prefix=prefix, made_by=operator)

        if service.writer.write(rotate) is None:
            raise _unknown()
        with service.reader.connection() as fresh:
            return _page(fresh, made=key)

    def revoke(lent: Connection) -> bool:
        _check_within_reach(lent, key_no)
        return revoke_key(lent, key_no)

    if not service.writer.write(revoke):
        raise _unknown()
    return RedirectResponse(_HERE, _SEE_OTHER)


def _owner(connection: Connection, said: str) -> UUID | None:
    nobody = InputError("This is nobody's account.", hint="Choose somebody of the list.")
    try:
        owner = UUID(said) if said else None
    except ValueError as error:
        raise nobody from error
    found = account_of(connection, owner) if owner is not None else None
    if owner is not None and (found is None or not own_reach().covers(found.roles, found.stores)):
        raise nobody
    return owner


def _check_within_reach(connection: Connection, key_no: int) -> None:
    """Hold that a key was given nothing wider than one's own: what its owner lost counts too, as it comes back."""
    found = key_of(connection, key_no)
    if found is None or not own_reach().covers((*found.roles, *found.lost), found.given_stores):
        raise _unknown()


def _unknown() -> Exception:
    return unknown("key", detail="There is no such key, or it holds no longer.", hint="The page API keys lists them.")


def _page(connection: Connection, *, made: str | None = None, says: str = "", status: int = 200) -> Response:
    session, reach = asking_now().session, own_reach()
    page = render(
        "api_keys.html",
        here="api-keys",
        keys=[one for one in keys(connection) if reach.covers((*one.roles, *one.lost), one.given_stores)],
        people=[one for one in within_reach(connection) if one.may_log_in],
        oneself=session.account_id if session is not None else None,
        made=made,
        says=says,
        roles=list(Role),
        stores=stores_within_reach(connection),
        longest=LONGEST.days,
        overlap_h=int(OVERLAP.total_seconds() // 3600),
    )
    page.status_code = status
    return page
