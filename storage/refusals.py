"""Why a database does not let somebody in, in words for whoever has to mend it; without hosts, names and secrets."""

from dataclasses import dataclass
from typing import Final

_URL: Final = "SOJOURN_DATABASE_URL"
SPELT_OUT: Final = "in a URL, % in a password is %25, @ is %40, / is %2F and : is %3A"
_AWAY_HINT: Final = f"Is it running, and is {_URL} right?"


@dataclass(frozen=True)
class Refusal:
    """One sentence of what is wrong, and one of what to do. `answers`: there is a server, and it said no."""

    says: str
    do: str
    answers: bool


def _said(says: str, do: str) -> Refusal:
    return Refusal(says, do, answers=True)


_WRONG_PASSWORD: Final = _said(
    "It answers, and refuses this user with this password.",
    f"Look at user and password in {_URL}; {SPELT_OUT}.",
)
_ENTRIES: Final = (
    # more special ones first: several of these stand in one message where a URL names several hosts
    ("password authentication failed", _WRONG_PASSWORD),
    ("no password supplied", _WRONG_PASSWORD),
    (
        "authentication failed",
        _said("It answers, and refuses this user.", f"Look at user and certificate in {_URL}."),
    ),
    (
        "no pg_hba.conf entry",
        _said(
            "It answers, and lets nobody in who comes from here like this.",
            "Allow user, database and this machine in its pg_hba.conf; if that asks for TLS, add sslmode=require.",
        ),
    ),
    (
        "permission denied for database",
        _said("It answers, and this user may not use this database.", "Grant connect on the database to the user."),
    ),
    (
        'FATAL: role "',
        _said("It answers, and has no such user, or not one who may log in.", f"Look at the user in {_URL}."),
    ),
    (
        'FATAL: database "',
        _said("It answers, and has no such database.", f"Look at the name in {_URL}, or make it: createdb NAME."),
    ),
    (
        "too many c",  # clients already; connections for role / database
        _said("It answers, and has no connection left.", "Raise max_connections, or pool (docs/scale-database.md)."),
    ),
    (
        "connection slots are reserved",
        _said("It answers, and has no connection left.", "Raise max_connections, or pool (docs/scale-database.md)."),
    ),
    (
        "the database system is",  # starting up, shutting down, in recovery mode, not yet accepting connections
        _said("It answers, and is starting or stopping.", "Wait a minute; if it lasts, look at its log."),
    ),
    (
        "certificate verify failed",
        _said("Its certificate is not trusted.", f"Name who signed it: sslrootcert=FILE in {_URL}."),
    ),
    (
        "root certificate file",
        Refusal(
            "Who signs certificates is not known here.",
            f"Does the file of sslrootcert in {_URL} exist?",
            answers=False,
        ),
    ),
    (
        "server does not support SSL",
        _said("It answers, and speaks no TLS.", f"Turn ssl on there, or look at sslmode in {_URL}."),
    ),
    (
        "failed to resolve host",
        Refusal("Its host is not known here.", f"Is the host in {_URL} right?", answers=False),
    ),
    ("translate host name", Refusal("Its host is not known here.", f"Is the host in {_URL} right?", answers=False)),
    ("Connection refused", Refusal("Nobody listens at that host and port.", _AWAY_HINT, answers=False)),
    ("No such file or directory", Refusal("There is no socket of a server.", _AWAY_HINT, answers=False)),
)
"""Parts of messages. libpq keeps the SQLSTATE of a connection that was not made to itself, so there is only the text,
which is English as a rule; a server that speaks otherwise still says FATAL."""
_SOMEHOW: Final = _said(
    "It answers, and does not let us in.", f"Its log says why; look at user, password and database in {_URL}."
)
_AWAY: Final = Refusal("It does not answer.", _AWAY_HINT, answers=False)


def refusal(error: BaseException | None) -> Refusal:
    """Return what an error of psycopg means that ended a try to connect or a statement."""
    text = " ".join(str(error).split())
    for part, means in _ENTRIES:
        if part in text:
            return means
    return _SOMEHOW if "FATAL:" in text and "terminating connection" not in text else _AWAY
