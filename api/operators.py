"""Who is at work: the one place that says so. There is no login yet; a login fills `operator_of`, nothing else.

Until then people name themselves: a program in the header `Sojourn-Operator`, a page in the cookie
`sojourn_operator`, both percent-encoded UTF-8.
"""

from typing import Annotated, Final
from urllib.parse import unquote

from fastapi import Depends, Request

from api.problems import ProblemError
from storage.notes.notes import OPERATOR_CHARACTERS

HEADER: Final = "Sojourn-Operator"
COOKIE: Final = "sojourn_operator"


def operator_of(request: Request) -> str | None:
    """Return the name of whoever asks; None if nobody was named.

    Raises
    ------
    ProblemError
        If the name is too long.
    """
    said = request.headers.get(HEADER) or request.cookies.get(COOKIE)
    name = " ".join(unquote(said).split()) if said else ""
    if len(name) > OPERATOR_CHARACTERS:
        raise ProblemError(
            422,
            "value",
            "A value cannot be used",
            detail=f"An operator's name has at most {OPERATOR_CHARACTERS} characters, this one {len(name)}.",
            hint="Use a shorter name.",
        )
    return name or None


def _operator(request: Request) -> str:
    name = operator_of(request)
    if name is None:
        raise ProblemError(
            422,
            "operator-missing",
            "Who are you?",
            detail="It is not said who is doing this.",
            hint=f"Send your name, percent-encoded, in the header {HEADER}; on a page, where it says You are.",
        )
    return name


OperatorDep = Annotated[str, Depends(_operator)]
"""Whoever changes something; a question without a name is refused."""
