"""What people wrote reaches no log by way of an error: names look like any other word, no net would find them there.

Every line of code that logs is read. An error may be told by its text only where it is one of ours, or of the system,
whose sentences are about servers, files and settings. What a library of data says (PostgreSQL's DETAIL lines, what a
validation was given) repeats the rows of customers.
"""

import ast
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pydantic
import pytest
import structlog

from storage.connect import Connection, connect
from telemetry.logs import configure

TOP = Path(__file__).parents[2]
ROOMS = ("api", "authority", "commands", "doctor", "edge", "ingest", "servers", "simulators", "storage", "telemetry",
         "webhooks")  # fmt: skip
LOGGERS = {"log", "_log", "logger", "logging"}
TOLD_BY_TEXT = {
    "SojournError", "UnavailableError", "ConfigurationError", "InputError", "ModelError", "SnapshotError",
    "FencedError", "_TakenOverError", "ProblemError",  # ours
    "OSError", "ImportError", "RuntimeError", "ValueError",  # of files, certificates, packages
    "msgspec.DecodeError",  # a place and a kind: `$.store`, never what stood there
    "errors.InsufficientPrivilege",  # of the table, never of the row
}  # fmt: skip
"""Kinds of errors of which a log line may have the text."""
CANARIES = ("Annegret", "Quittenbaum", "0170 5551234", "schuldet noch")


def told_errors(source: str) -> Iterator[tuple[int, set[str]]]:
    """Give each log line that has an error's text, as the line's number and the kinds that are caught there."""
    for handler in ast.walk(ast.parse(source)):
        if not isinstance(handler, ast.ExceptHandler) or handler.name is None or handler.type is None:
            continue
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        for call in ast.walk(handler):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if not (isinstance(call.func.value, ast.Name) and call.func.value.id in LOGGERS):
                continue
            said = [*call.args, *(word.value for word in call.keywords if word.arg != "exc_info")]
            if any(_has_text_of(handler.name, one) for one in said):
                yield call.lineno, {ast.unparse(kind) for kind in kinds}


def _has_text_of(name: str, said: ast.expr) -> bool:
    """Whether an expression is more of the error than its kind, place or number."""
    if isinstance(said, ast.Call) and ast.unparse(said.func) in {"place_of", "_why"}:
        return False  # they take the contents out
    if isinstance(said, ast.Attribute) and ast.unparse(said) in {f"type({name}).__name__", f"{name}.strerror"}:
        return False
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(said))


def test_no_line_of_code_logs_the_text_of_an_error_that_may_repeat_what_people_wrote() -> None:
    found = {
        f"{path.relative_to(TOP)}:{line}": kinds - TOLD_BY_TEXT
        for room in ROOMS
        for path in sorted((TOP / room).rglob("*.py"))
        for line, kinds in told_errors(path.read_text())
    }
    assert len(found) > 20, "the reader of the code sees the lines that are there"
    assert {place: kinds for place, kinds in found.items() if kinds} == {}


def test_the_reader_of_the_code_sees_what_it_is_for() -> None:
    told = "try:\n    x()\nexcept psycopg.Error as error:\n    _log.warning('x', why=f'{error}')\n"
    assert list(told_errors(told)) == [(4, {"psycopg.Error"})]
    assert list(told_errors(told.replace("f'{error}'", "type(error).__name__"))) == []


class Note(pydantic.BaseModel):
    """What somebody writes."""

    subject: int


def broken_row(connection: Connection) -> None:
    """Let PostgreSQL refuse a row and repeat it."""
    connection.execute("create temp table if not exists note (subject text, detail text check (length(detail) < 3))")
    connection.execute("insert into note values (%s, %s)", [" ".join(CANARIES), CANARIES[0]])


def broken_note(_connection: Connection) -> None:
    """Let a validation refuse what somebody wrote."""
    Note.model_validate({"subject": " ".join(CANARIES)})


@pytest.mark.servers
@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("fault", [broken_row, broken_note])
def test_a_fault_is_logged_without_what_it_was_about(database_url: str, form: str, fault: object) -> None:
    handlers, before = list(logging.root.handlers), structlog.get_config()
    out, repeated = io.StringIO(), []
    try:
        configure(form, out)
        with connect(database_url) as connection:
            for tell in (structlog.get_logger().exception, logging.getLogger("a.library").exception):
                try:
                    fault(connection)  # type: ignore[operator]
                except (psycopg.Error, pydantic.ValidationError) as error:
                    repeated.append(any(one in str(error) for one in CANARIES))
                    tell("it failed")
    finally:
        structlog.configure(**before)
        logging.root.handlers[:] = handlers
    said = out.getvalue()
    assert repeated == [True, True], "the error itself does tell"
    assert [one for one in CANARIES if one in said] == []
    assert said.count("it failed") == 2
    assert "test_errors_in_logs.py:" in said
