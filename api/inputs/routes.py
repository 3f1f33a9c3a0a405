"""What other systems say of customers: profiles, consents, events, and imports of files that can be taken back."""

from collections.abc import Callable
from hashlib import sha256
from json import loads
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from api.access.principal import Role, principal_of
from api.identity.models import DoneOut
from api.inputs.idempotent import REPEATED, Once, OnceDep
from api.inputs.models import (
    EventsIn,
    HeardOut,
    IdentifiedOut,
    ImportOut,
    ImportsOut,
    InputWord,
    ProfileIn,
    TakenOut,
    WithdrawalIn,
)
from api.inputs.rows import read_csv
from api.inputs.taking import answer_or_conflict, taking_events, taking_profile, taking_withdrawal
from api.inputs.withdrawal_rows import read_withdrawals
from api.problems import ProblemError, conflict, described, unknown
from api.profiles.rows import read_profiles
from api.service import ConnectionDep, ServiceDep
from api.texts import SOURCE_PATTERN
from storage.connect import Connection
from storage.identity.withdrawals import import_withdrawals
from storage.inputs.imports import (
    PROFILES,
    WITHDRAWALS,
    DryRun,
    ImportFile,
    ImportRow,
    RevertConflictError,
    find_import,
    import_events,
    imports_page,
    revert_import,
)
from storage.inputs.inputs import ERRORS_SHOWN, RowError
from storage.profiles.imports import import_profiles, take_back_profiles
from storage.storable import cleaned

router = APIRouter(prefix="/v1", tags=["inputs"])
SourceQuery = Annotated[
    str, Query(min_length=1, max_length=64, pattern=SOURCE_PATTERN, description="The system of the rows")
]


async def _body(request: Request) -> bytes:
    return await request.body()


DryRunQuery = Annotated[bool, Query(description="Say what would become of it, and change nothing")]
_CSV_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
}
BodyDep = Annotated[bytes, Depends(_body)]


@router.post(
    "/profiles",
    responses={
        200: {"model": IdentifiedOut},
        201: {"model": IdentifiedOut},
        202: {"model": HeardOut},
        **described(400, 409, 422, 503),
    },
    summary="Tell of a customer who consented",
)
def tell_profile(given: ProfileIn, once: OnceDep, service: ServiceDep, request: Request) -> Response:
    """Make a profile, or extend the one that its identifiers mean; the consent goes into the ledger.

    Identifiers of two profiles are a conflict (409) and a case for a person: nothing merges by itself. A consent that
    is older than a withdrawal or an erasure is a conflict; which of both it was is told to the role privacy alone.
    202: whoever is bound to stores is not told of a customer whom they do not know.
    """
    principal = principal_of(request)
    for_desk = principal is not None and principal.may(Role.PRIVACY)
    work = taking_profile(given, service.guard, service.now(), for_desk=for_desk)
    return answer_or_conflict(once.answer(given.model_dump_json().encode(), work))


@router.post(
    "/withdrawals",
    responses={200: {"model": DoneOut}, 202: {"model": HeardOut}, **described(400, 404, 409, 422, 503)},
    summary="Withdraw a consent",
)
def tell_withdrawal(given: WithdrawalIn, once: OnceDep) -> Response:
    """Add a withdrawal to the ledger; from then on the profile answers 404 and its events are refused.

    A time ahead of now is taken for now. 409: a later grant stands, so the withdrawal changes nothing. 202: it holds
    wherever she is known; whoever is bound to stores is not told of a customer whom they do not know.
    """
    return answer_or_conflict(once.answer(given.model_dump_json().encode(), taking_withdrawal(given)))


@router.post(
    "/inputs/{given_input}",
    responses={200: {"model": TakenOut}, **described(400, 404, 422, 503)},
    summary="Send events of customers",
)
def tell_events(given_input: InputWord, given: EventsIn, once: OnceDep, service: ServiceDep) -> Response:
    """Take in events; source, kind and key name one, so that sending it again changes it or nothing.

    A row that is refused stops no other. Where every row means a profile that is unknown or has not consented, the
    answer is 404. To whoever is bound to stores that do not know a customer her row is told as taken, whoever she is.
    """
    # what a string of JavaScript may hold, and UTF-8 may not, is said of its row
    same = given.model_copy(update={"events": cleaned(given.events)}).model_dump_json().encode()
    return once.answer(same, taking_events(given_input, given, service.now()))


@router.post(
    "/imports/profiles",
    responses={200: {"model": ImportOut}, **described(400, 422, 503)},
    summary="Import a CSV file of customers",
    openapi_extra=_CSV_BODY,
)
def import_profile_file(
    *,
    source: SourceQuery,
    body: BodyDep,
    once: OnceDep,
    service: ServiceDep,
    dry_run: DryRunQuery = False,
) -> Response:
    """Take in a file of customers who consented, each row as `POST /v1/profiles` would; no device stands in it."""
    rows, malformed, left_out = read_profiles(body, source, service.now())
    file = _file_of(PROFILES, source, body, malformed)
    return _imported(
        once,
        body,
        left_out,
        lambda connection: import_profiles(connection, file, rows, guard=service.guard, dry_run=dry_run),
    )


@router.post(
    "/imports/withdrawals",
    responses={200: {"model": ImportOut}, **described(400, 422, 503)},
    summary="Import a CSV file of withdrawals",
    openapi_extra=_CSV_BODY,
)
def import_withdrawal_file(
    *, source: SourceQuery, body: BodyDep, once: OnceDep, dry_run: DryRunQuery = False
) -> Response:
    """Take in a file of withdrawals, each row as `POST /v1/withdrawals` would; what it ended is not taken back."""
    rows, malformed, left_out = read_withdrawals(body, source)
    file = _file_of(WITHDRAWALS, source, body, malformed)
    return _imported(
        once, body, left_out, lambda connection: import_withdrawals(connection, file, rows, dry_run=dry_run)
    )


@router.post(
    "/imports/{given_input}",
    responses={200: {"model": ImportOut}, **described(400, 422, 503)},
    summary="Import a CSV file",
    openapi_extra=_CSV_BODY,
)
def import_file(
    *,
    given_input: InputWord,
    source: SourceQuery,
    body: BodyDep,
    once: OnceDep,
    service: ServiceDep,
    dry_run: DryRunQuery = False,
) -> Response:
    """Take in a file of events: UTF-8, a header, a row a line, the columns of `POST /v1/inputs`."""
    read = read_csv(given_input, body, service.now())
    file = ImportFile(
        input=given_input,
        source=source,
        sha256=sha256(body).digest(),
        events=read.events,
        malformed=read.malformed,
        malformed_count=read.malformed_count,
    )

    return _imported(once, body, read.left_out, lambda connection: import_events(connection, file, dry_run=dry_run))


def _file_of(given_input: str, source: str, body: bytes, malformed: list[RowError]) -> ImportFile:
    return ImportFile(
        input=given_input,
        source=source,
        sha256=sha256(body).digest(),
        events=[],
        malformed=malformed[:ERRORS_SHOWN],
        malformed_count=len(malformed),
    )


def _imported(once: Once, body: bytes, left_out: tuple[str, ...], run: Callable[[Connection], ImportRow]) -> Response:
    # a header may hold anything, a customer too, where it was forgotten: what it says is told, and is in no answer
    # that is kept
    try:
        answer = once.answer(body, lambda connection: (200, ImportOut.of(run(connection)).model_dump(mode="json")))
    except DryRun as tried:
        return Response(ImportOut.of(tried.row, left_out).model_dump_json(), media_type="application/json")
    told = loads(bytes(answer.body)) | {"left_out": list(left_out)}
    kept = {REPEATED: answer.headers[REPEATED]} if REPEATED in answer.headers else {}
    return JSONResponse(told, answer.status_code, headers=kept)


@router.get("/imports", responses=described(503), summary="Imports, newest first")
def list_imports(connection: ConnectionDep) -> ImportsOut:
    """List what was imported, and whether it was taken back."""
    return ImportsOut(imports=[ImportOut.of(row) for row in imports_page(connection)])


@router.get("/imports/{import_no}", responses=described(404, 422, 503), summary="One import")
def read_import(import_no: int, connection: ConnectionDep) -> ImportOut:
    """Return an import with the rows that were refused."""
    row = find_import(connection, import_no)
    if row is None:
        raise import_unknown(import_no)
    return ImportOut.of(row)


@router.post(
    "/imports/{import_no}/revert",
    responses={200: {"model": ImportOut}, **described(400, 404, 409, 422, 503)},
    summary="Take an import back",
)
def revert(import_no: int, once: OnceDep) -> Response:
    """Let every event be as it was before; 409 names events that were changed since."""

    def work(connection: Connection) -> tuple[int, Any]:
        row = revert_import(connection, import_no, take_back_profiles)
        if row is None:
            raise import_unknown(import_no)
        return 200, ImportOut.of(row).model_dump(mode="json")

    try:
        return once.answer(b"", work)
    except RevertConflictError as error:
        raise conflict(error.what, hint=error.hint) from error


def import_unknown(import_no: int) -> ProblemError:
    """Return the problem of an import that is not there."""
    return unknown(
        "import",
        detail=f"There is no import {import_no}.",
        hint="GET /v1/imports lists the imports there are.",
    )
