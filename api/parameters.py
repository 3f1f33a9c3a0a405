"""Query parameters that a route does not know are refused: a mistyped filter must not look like an answer."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import Request
from fastapi.routing import APIRoute

from core.errors import InputError

_NAMED: Final = 10
"""Whoever sends ten unknown parameters has the wrong address."""


def known_parameters(request: Request) -> None:
    """Refuse what the route does not take; a dependency of the whole application.

    Raises
    ------
    InputError
        If there is a query parameter that the route does not name.
    """
    route = request.scope.get("route")
    if not request.url.query or not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    names = _names(route)
    unknown = sorted(request.query_params.keys() - names)
    if unknown:
        said = ", ".join(repr(name[:64]) for name in unknown[:_NAMED])
        known = ", ".join(sorted(names))
        raise InputError(
            f"There is no parameter {said} here.",
            hint=f"It takes {known}." if known else "It takes none.",
            where=unknown[0][:64],
        )


def _names(route: APIRoute) -> frozenset[str]:
    return frozenset(_of(route.dependant))


def _of(dependant: Any) -> Iterator[str]:
    for field in dependant.query_params:
        model = getattr(field.field_info.annotation, "model_fields", None)
        if model is None:
            yield field.alias
        else:
            yield from (inner.alias if inner.alias is not None else name for name, inner in model.items())
    for needed in dependant.dependencies:
        yield from _of(needed)
