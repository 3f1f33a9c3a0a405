"""Who tests are: a person with every role whose session every test database knows, and a program's key beside it.

Both stand in the template of the databases as digests, so that no test pays for a login.
"""

from datetime import timedelta
from uuid import UUID, uuid4

from storage.access.accounts import add_account, set_second_step
from storage.access.keys import add_key
from storage.access.secrets import digest
from storage.access.sessions import add_session
from storage.connect import Connection, connect

KEY = "sjk_" + "t" * 43
SESSION = "s" * 43
EVERY_ROLE = ("operations", "crm", "privacy", "admin", "edge")
PERSON = "Ines"
"""Who is logged in in a browser."""
HEADERS = {"Authorization": f"Bearer {KEY}"}


def let_in(database_url: str) -> None:
    """Make the person and the key."""
    with connect(database_url, application_name="tests") as connection:
        connection.execute("set session_replication_role = replica")  # no triggers: tests begin with an empty audit
        add_key(
            connection, digest(KEY), prefix="sjk_tttttt", name="tests", roles=EVERY_ROLE, stores=None,
            made_by="tests", holds_for=timedelta(days=1),
        )  # fmt: skip
        log_in(connection, PERSON, SESSION)


def log_in(connection: Connection, name: str, session: str, *roles: str, stores: list[str] | None = None) -> None:
    """Make a person with these roles (default: all that people may have), logged in with a session."""
    wanted = roles or EVERY_ROLE[:4]
    made = add_account(connection, name=name.lower(), display_name=name, roles=wanted, stores=stores, made_by="tests")
    set_second_step(connection, made, "A" * 32)  # as roles demand it; a session that stands is not asked for it
    add_session(connection, made, digest(session), stage="full", agent="tests")


def cookies(session: str = SESSION, name: str = PERSON, account: str = "") -> list[dict[str, str]]:
    """What the login gives a browser; without `account` one of before there was a cookie for it."""
    from api.access.asking import ACCOUNT_COOKIE, FORM_COOKIE, NAME_COOKIE, PLAIN_COOKIE, form_token  # noqa: PLC0415

    held = {PLAIN_COOKIE: session, FORM_COOKIE: form_token(session), NAME_COOKIE: name}
    if account:
        held[ACCOUNT_COOKIE] = account
    return [{"name": word, "value": value, "domain": "127.0.0.1", "path": "/"} for word, value in held.items()]


def employ(connection: Connection, *names: str) -> dict[str, UUID]:
    """Make accounts of people who may work with customers."""
    return {
        name: add_account(connection, name=uuid4().hex, display_name=name, roles=["crm"], made_by="tests")
        for name in names
    }
