"""Forms of our own pages: read, bounded, and refused where another site sent them."""

import math
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qs

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api.access.origin import check_origin
from api.problems import ProblemError
from core.errors import InputError

M = TypeVar("M", bound=BaseModel)

_FIELDS: Final = 30
_ROW_DIGITS: Final = 18
"""What fits a bigint, whatever the digits."""
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

    def has(self, name: str) -> bool:
        """Return whether a field was sent: a browser leaves out a box that is not ticked, and what is disabled."""
        return name in self._fields

    def number(self, name: str) -> float | None:
        """Return a field that is a number; None if it is empty.

        Raises
        ------
        InputError
            If it is none.
        """
        text = self.get(name)
        return finite(text, name) if text else None

    def row_number(self, name: str) -> int:
        """Return a field that names a row by its number.

        Raises
        ------
        InputError
            If it does not.
        """
        text = self.get(name)
        if not (text.isascii() and text.isdigit() and len(text) <= _ROW_DIGITS):
            raise InputError(f"{text[:20]!r} is no number of a row.", hint="Load the page again.", where=name)
        return int(text)


def finite(text: str, where: str) -> float:
    """Return the number that is written there.

    Raises
    ------
    InputError
        If it is none, or not finite: `float` takes words such as nan and inf, and 1e999.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{text[:20]!r} is no number.", hint="Write digits, such as 120.", where=where)
    return value


def filled(model: type[M], values: dict[str, Any]) -> M:
    """Return a model filled from a form; what it refuses is the form's fault, not ours.

    Raises
    ------
    RequestValidationError
        If a value does not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [fault | {"loc": ("form", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from error


async def _form(request: Request) -> Form:
    check_origin(request)
    body = (await request.body())[:_CHARACTERS]
    read = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_FIELDS)
    return Form({name: values[-1] for name, values in read.items()})


FormDep = Annotated[Form, Depends(_form)]
OWN_FORM: Final = Depends(_form)
"""For routes whose form holds nothing but its button."""
