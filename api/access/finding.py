"""Who a key or a cookie stands for; one question to the database a request."""

from typing import Final

from fastapi import Request

from api.access.asking import Asking, Session, cookie_name
from api.access.principal import Principal, Role
from api.problems import ProblemError
from storage.access.keys import find_key, mark_used
from storage.access.secrets import KEY_PREFIX, digest
from storage.access.sessions import find_session, mark_seen
from storage.reading import Reader
from storage.writing import Writer

_BEARER: Final = "Bearer "
_SECRET_CHARACTERS: Final = 200


def find_asking(request: Request, cookie_only: bool, *, is_use: bool = True) -> Asking:
    """Return who asks: by the key in Authorization, else by the session's cookie; nobody where neither holds.

    A page that is only left open is no use (`is_use`) of a session, or none would ever end unused.

    Raises
    ------
    UnavailableError
        If the database is away.
    ProblemError
        401 if the person whom a key works for is shut out.
    """
    service = request.app.state.service
    writer = service.writer if is_use else None
    said = request.headers.get("authorization", "")
    if said and not cookie_only:  # whoever sends a key is that key, whatever cookies come along
        key = said.removeprefix(_BEARER) if said.startswith(_BEARER) else ""
        return _by_key(service.reader, writer, key)
    token = request.cookies.get(cookie_name(request.scope), "")
    return _by_cookie(service.reader, writer, token, service.settings.second_step)


def _by_key(reader: Reader, writer: Writer | None, key: str) -> Asking:
    if not key.startswith(KEY_PREFIX) or len(key) > _SECRET_CHARACTERS:
        return Asking()
    with reader.connection() as connection:
        found = find_key(connection, digest(key))
    if found is None:
        return Asking()
    if not found.holds:
        raise _owner_is_out()
    if found.stale and writer is not None:
        writer.write(lambda connection: mark_used(connection, found.key_no))
    roles, stores = _roles(found.roles), _stores(found.stores)
    return Asking(Principal(f"key-{found.key_no}", "key", found.name, roles, stores, found.owner))


def _owner_is_out() -> ProblemError:
    return ProblemError(
        401,
        "key-owner",
        "The key's owner is shut out",
        detail="This key works for somebody who may not log in any more, so it does not hold.",
        hint="An admin makes one for the house on the page API keys, or lets its owner in again.",
    )


def _by_cookie(reader: Reader, writer: Writer | None, token: str, demanded: frozenset[Role]) -> Asking:
    if not token or len(token) > _SECRET_CHARACTERS:
        return Asking()
    kept = digest(token)
    with reader.connection() as connection:
        found = find_session(connection, kept)
    if found is None:
        return Asking()
    if found.stale and writer is not None:
        writer.write(lambda connection: mark_seen(connection, kept))
    session = Session(found.session_no, found.account_id, found.stage, token)
    if found.stage != "full":
        return Asking(None, session)
    person = Principal(
        str(found.account_id), "person", found.display_name, _roles(found.roles), _stores(found.stores)
    )
    # whoever the identity provider vouches for has its second step there
    return Asking(person, session, must_set_up=not found.second_step and person.may(*demanded))


def _roles(words: tuple[str, ...]) -> frozenset[Role]:
    return frozenset(Role(word) for word in words)


def _stores(ids: tuple[str, ...] | None) -> frozenset[str] | None:
    return frozenset(ids) if ids is not None else None
