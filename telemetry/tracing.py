"""Traces: what a batch or a request went through, and how long each step took. Off unless somebody collects them.

Whoever makes spans is given a `Tracing`. `OFF` makes none and costs a call; `telemetry.otel` hands them on.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, TypeAlias

Attribute: TypeAlias = str | int | float | bool

ATTRIBUTES: Final = frozenset(
    (
        "batches", "dead_letters", "error", "http.request.method", "http.response.status_code", "http.route",
        "messages", "snapshot", "store", "visits",
    )
)  # fmt: skip
"""The only names under which a span may carry something; everything else is left out, so no identifier slips in."""


class Span(Protocol):
    """One step under way."""

    def set(self, **attributes: Attribute) -> None:
        """Add what was found out meanwhile; a name with dots is written with double underscores."""


class Tracing(Protocol):
    """Makes spans."""

    def span(self, name: str, *, parent: str = "", **attributes: Attribute) -> AbstractContextManager[Span]:
        """Return a block whose duration is told; inside it, further spans are its children.

        Parameters
        ----------
        name : str
            Without identifiers; few different ones.
        parent : str
            A `here()` of another thread, process or time; empty: the span around this one.
        """

    def here(self) -> str:
        """Return the span around this place in the form of W3C's traceparent, empty if there is none."""


class _Nothing:
    def set(self, **attributes: Attribute) -> None:
        """Forget them."""


class _Off:
    _block: Final = nullcontext(_Nothing())

    def span(self, name: str, *, parent: str = "", **attributes: Attribute) -> AbstractContextManager[Span]:  # noqa: ARG002 - the shape of Tracing
        return self._block

    def here(self) -> str:
        return ""


OFF: Final[Tracing] = _Off()
"""Makes no spans."""
