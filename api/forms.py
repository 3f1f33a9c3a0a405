"""Forms of our own pages: read, bounded, and refused where another site sent them."""

from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Depends, Request

from api.access.origin import check_origin
from api.problems import ProblemError

_FIELDS: Final = 30
_CHARACTERS: Final = 40_000
"""The longest form here carries 20 rules of a policy, each with 200 characters of why, of up to 6 bytes as sent."""


class Form:
    """Fields of a form, each at most once."""

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def text(self, name: str, *, most: int) -> str:
        """Return a field, trimmed.

        Raises
        ------
        ProblemError
            If it is empty or longer than `most` characters.
        """
        value = self._fields.get(name, "").strip()
        if not 1 <= len(value) <= most or not value.isprintable():
            raise ProblemError(
                422,
                "value",
                "A value cannot be used",
                detail=f"The field “{name}” needs 1 to {most} characters.",
                hint="Go back and fill it.",
            )
        return value

    def get(self, name: str) -> str:
        """Return a field that may be empty."""
        return self._fields.get(name, "").strip()


async def _form(request: Request) -> Form:
    check_origin(request)
    body = (await request.body())[:_CHARACTERS]
    read = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_FIELDS)
    return Form({name: values[-1] for name, values in read.items()})


FormDep = Annotated[Form, Depends(_form)]
OWN_FORM: Final = Depends(_form)
"""For routes whose form holds nothing but its button."""
