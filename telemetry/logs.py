"""Log lines: for people or as JSON, without identifiers, those of libraries too."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO, TypeAlias

import structlog

from telemetry.faults import without_contents
from telemetry.identifiers import without_identifiers

Form: TypeAlias = Literal["text", "json"]
FORM_VARIABLE: Final = "SOJOURN_LOG"
_OURS: Final = frozenset({"level", "timestamp"})


def drop_identifiers(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace whatever names a device, a customer or a secret; structlog's last processor."""
    for name, value in event.items():
        if name not in _OURS:
            # a nested "exception" or the sentence itself is searched like any other text
            event[name] = without_identifiers(value, name=name)
    return event


def configure(form: str, stream: TextIO | None = None) -> None:
    """Send everything that this process logs to `stream` (default: stderr).

    Parameters
    ----------
    form : {"text", "json"}
        json: one object a line, with `event`, `level`, `timestamp` (ISO 8601, UTC) and what the event carries.
        Anything else counts as text.
    stream : file, optional
    """
    out = stream if stream is not None else sys.stderr
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_contents,  # a message may quote a whole row: names are no pattern that could be searched for
        drop_identifiers,
    ]
    renderer = _renderer(form, out)
    structlog.configure(processors=[*processors, renderer], logger_factory=structlog.PrintLoggerFactory(out))
    handler = logging.StreamHandler(out)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors[1:], renderer]
        )
    )
    logging.basicConfig(handlers=[handler], force=True)
    # psycopg's pool repeats itself with every attempt; whoever uses one says once what it means
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def read_by_a_person(stream: TextIO) -> bool:
    """Whether what is written to `stream` is seen by somebody at a terminal, and not collected as a log."""
    renderer = structlog.get_config()["processors"][-1]
    return stream.isatty() and isinstance(renderer, structlog.dev.ConsoleRenderer)


def _renderer(form: str, out: TextIO) -> Any:
    if form.strip().lower() == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
