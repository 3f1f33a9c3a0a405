"""Who is at work: the one place that says so, by the name of whoever is logged in.

A program with a key may work for a person: it says so in the header `Sojourn-Operator`, percent-encoded UTF-8, and
what it writes carries that name; the audit keeps the key beside it. A person is always herself.
"""

from typing import Annotated, Final
from urllib.parse import unquote

from fastapi import Depends, Request

from api.access.principal import principal_of
from api.problems import ProblemError
from storage.notes.notes import OPERATOR_CHARACTERS

HEADER: Final = "Sojourn-Operator"


def operator_of(request: Request) -> str | None:
    """Return the name of whoever asks; None if nobody is known.

    Raises
    ------
    ProblemError
        If the name that a program gives is too long.
    """
    principal = principal_of(request)
    said = request.headers.get(HEADER) if principal is not None and principal.kind == "key" else None
    name = " ".join(unquote(said).split()) if said else ""
    if len(name) > OPERATOR_CHARACTERS:
        raise ProblemError(
            422,
            "value",
            "A value cannot be used",
            detail=f"An operator's name has at most {OPERATOR_CHARACTERS} characters, this one {len(name)}.",
            hint="Use a shorter name.",
        )
    return name or (principal.name if principal is not None else None)


def _operator(request: Request) -> str:
    name = operator_of(request)
    if name is None:
        raise ProblemError(
            422,
            "operator-missing",
            "Who are you?",
            detail="It is not said who is doing this.",
            hint=f"Log in, or send your name, percent-encoded, in the header {HEADER}.",
        )
    return name


OperatorDep = Annotated[str, Depends(_operator)]
"""Whoever changes something; a question without a name is refused."""
OPERATOR_KNOWN: Final = Depends(_operator)
"""For routes that keep no name of their own: the audit does."""
