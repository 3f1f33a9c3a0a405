"""Errors as application/problem+json (RFC 9457), each with what to do; pages get them as a page."""

from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.texts import in_words
from core.errors import ConfigurationError, ForbiddenError, InputError, UnavailableError
from storage.storable import cleaned

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5
"""A database that restarts is back within seconds; sooner would only add to its load."""
_TYPE: Final = "urn:sojourn:problem:"
_FAULTS_SHOWN: Final = 20
"""Nobody mends more than twenty fields from one answer."""


class ProblemError(Exception):
    """An answer that is not the one asked for.

    Parameters
    ----------
    status : int
        HTTP status.
    word : str
        Kind of problem, the end of its type URN.
    title : str
        What kind of problem it is, the same for each of its kind.
    detail : str
        What is wrong here.
    hint : str
        What to do.
    """

    def __init__(self, status: int, word: str, title: str, *, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.status = status
        self.word = word
        self.title = title
        self.detail = detail
        self.hint = hint
        self.faults: list[dict[str, str]] = []
        self.retry_s: int | None = None
        self.allow: list[str] = []
        """Methods that the address takes: what a 405 has to say (RFC 9110, 15.5.6)."""
        self.location = ""
        """Where what was asked for is told: of a 307."""


class Fault(BaseModel):
    """One value that is wrong."""

    where: str = Field(examples=["query.limit"])
    what: str = Field(examples=["Input should be less than or equal to 500"])


class ProblemOut(BaseModel):
    """A problem as in RFC 9457; `hint` says what to do, `faults` lists wrong values."""

    model_config = ConfigDict(
        title="Problem",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:sojourn:problem:store-unknown",
                    "title": "Unknown store",
                    "status": 404,
                    "detail": "There is no store 'marktplatz'.",
                    "hint": "GET /v1/stores lists the stores there are.",
                    "instance": "/v1/stores/marktplatz",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    hint: str
    instance: str
    faults: list[Fault] | None = None


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with these problems."""
    words = {
        400: "The Idempotency-Key is missing",
        401: "Not signed, or no token that is valid",
        403: "No consent that holds",
        404: "Unknown",
        409: "It contradicts what stands there; `faults` say what",
        422: "A value cannot be used",
        503: "The database is away, or too many are watching",
    }
    return {
        status: {
            "description": words[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
        }
        for status in statuses
    }


def unknown(what: str, *, detail: str, hint: str) -> ProblemError:
    """Return the problem of something that is not there: its noun, a sentence, and where to look."""
    return ProblemError(404, f"{what.replace(' ', '-')}-unknown", f"Unknown {what}", detail=detail, hint=hint)


def store_unknown(store: str) -> ProblemError:
    """Return the problem of a store that is not there."""
    return unknown(
        "store",
        detail=f"There is no store {store[:64]!r}.",
        hint="GET /v1/stores lists the stores there are.",
    )


def profile_unknown(hint: str = "") -> ProblemError:
    """Return the problem of a profile that cannot be shown; the same whether it is unknown or has no consent.

    A `hint` of its own speaks of what was asked, never of what is kept.
    """
    return unknown(
        "profile",
        detail="There is no such profile, or it has no consent that holds.",
        hint=hint or "GET /v1/profiles lists the profiles that may be seen.",
    )


def profile_merged(location: str) -> ProblemError:
    """Return the answer of a profile that was merged: where the one is that stands for it, until that is undone."""
    problem = ProblemError(
        307, "profile-merged", "Merged profile",
        detail="This profile was merged; what is asked for is told of the one that stands for it.",
        hint=f"Ask at {location}.",
    )  # fmt: skip
    problem.location = location
    return problem


def visit_unknown() -> ProblemError:
    """Return the problem of a visit that does not belong to the profile."""
    return unknown(
        "visit",
        detail="This profile has no such store visit.",
        hint="GET /v1/profiles/{id}/visits lists its visits; leave out `visit` for the newest.",
    )


def order_unknown() -> ProblemError:
    """Return the problem of an order online that does not belong to the profile."""
    return unknown(
        "order",
        detail="This profile has no such order online.",
        hint="GET /v1/exports/journeys has a case for each; leave out `order` for the newest visit.",
    )


def note_unknown() -> ProblemError:
    """Return the problem of a note that cannot be shown; the same whether it is unknown or its consent is gone."""
    return unknown(
        "note",
        detail="There is no such note, or it is on a profile without a consent that holds.",
        hint="GET /v1/notes lists the notes that may be seen.",
    )


def note_changed(revision: int) -> ProblemError:
    """Return the problem of an edit that would take away somebody else's."""
    return ProblemError(
        409,
        "note-changed",
        "The note has changed",
        detail=f"The note is at revision {revision} by now.",
        hint="Read it again, and send the edit with that revision.",
    )


def follow_up_unknown() -> ProblemError:
    """Return the problem of a follow-up that cannot be shown."""
    return unknown(
        "follow-up",
        detail="There is no such follow-up, or its note may not be seen.",
        hint="GET /v1/follow-ups lists them.",
    )


def alert_unknown() -> ProblemError:
    """Return the problem of an alert that cannot be shown."""
    return unknown(
        "alert",
        detail="There is no such alert, or it is on a profile without a consent that holds.",
        hint="GET /v1/alerts lists the alerts that may be seen.",
    )


def follow_up_done() -> ProblemError:
    """Return the problem of a follow-up that is done and does not change any more."""
    return ProblemError(
        409,
        "follow-up-done",
        "The follow-up is done",
        detail="This follow-up is done already.",
        hint="Add another follow-up to its note.",
    )


def reminded(says: str, faults: list[dict[str, str]]) -> ProblemError:
    """Return the problem of a note that seems to assert what nobody can observe; `faults` are its words."""
    problem = ProblemError(
        422,
        "reminder",
        "Observation, not assumption",
        detail=f"{says} Found: " + ", ".join(f"{fault['where']} ({fault['what']})" for fault in faults) + ".",
        hint="Change the words, or send the note with reminder_seen if they are what was said.",
    )
    problem.faults = faults
    return problem


def store_visit_unknown(store: str) -> ProblemError:
    """Return the problem of a visit that the store does not have."""
    return unknown(
        "visit",
        detail=f"The store {store[:64]!r} has no such visit.",
        hint=f"GET /v1/stores/{store}/visits lists its visits.",
    )


def conflict(detail: str, *, hint: str, faults: list[dict[str, str]] | None = None) -> ProblemError:
    """Return the problem of something that contradicts what stands there; `faults` say what."""
    problem = ProblemError(409, "conflict", "Conflict", detail=detail, hint=hint)
    problem.faults = faults if faults is not None else []
    return problem


def trial_running(trial_no: int) -> ProblemError:
    """Return the problem of what cannot change while a trial compares with it."""
    faults = [{"where": "cue-trials", "what": f"Trial {trial_no} is running."}]
    return conflict(f"Trial {trial_no} is running in this store.", hint="End it first.", faults=faults)


def formula_unknown(formula: str) -> ProblemError:
    """Return the problem of a formula that is not in the registry."""
    return unknown(
        "formula",
        detail=f"There is no formula {formula[:64]!r}.",
        hint="GET /v1/metrics/formulas lists the formulas there are.",
    )


def too_many_watching() -> ProblemError:
    """Return the problem of a live stream when no more can be served."""
    return ProblemError(
        503,
        "too-many-watching",
        "Too many live streams",
        detail="No more live streams can be served.",
        hint="Close a page that shows a live store, or read /occupancy instead.",
    )


def from_exception(error: Exception) -> ProblemError:  # noqa: PLR0911 - one answer for each kind
    """Return what an exception means to the one who asked."""
    if (
        isinstance(error, HTTPException) and error.status_code == 400
    ):  # the framework's word for a body that is no text
        error = InputError("The body cannot be read.", hint="Send JSON in UTF-8, as /openapi.json describes it.")
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            problem = ProblemError(
                422,
                "value",
                "A value cannot be used",
                detail="The question holds a value that cannot be used.",
                hint="See faults; in URLs write the + of a time's offset as %2B, or end the time with Z.",
            )
            problem.faults = [
                {"where": ".".join(map(str, fault["loc"])), "what": in_words(fault)}
                for fault in error.errors()[:_FAULTS_SHOWN]
            ]
            return problem
        case InputError():
            return ProblemError(
                422,
                "value",
                "A value cannot be used",
                detail=str(error).removesuffix(error.hint).strip(),
                hint=error.hint or "Mend the value and ask again.",
            )
        case ForbiddenError():
            return ProblemError(
                403, "role", "Not with your role", detail=error.what, hint=error.hint or "Ask an admin for it."
            )
        case UnavailableError():
            return ProblemError(
                503, "unavailable", "Not available now", detail=error.what, hint=error.hint or "Ask again later."
            )
        case ConfigurationError():  # whoever runs the service can mend it; who asks can wait for that
            return ProblemError(
                503,
                "set-up",
                "Not set up for this",
                detail=error.what,
                hint=error.hint or "Tell whoever runs the service.",
            )
        case ClientDisconnect():  # nobody reads this; it is no fault of ours
            return ProblemError(
                408,
                "too-slow",
                "Request Timeout",
                detail="The request did not come to its end.",
                hint="Send it again.",
            )
        case HTTPException():
            return ProblemError(
                error.status_code,
                "http",
                str(error.detail),
                detail=f"{error.detail}.",
                hint="See /openapi.json for what there is." if error.status_code in {404, 405} else "Ask again.",
            )
    return ProblemError(
        500,
        "fault",
        "A fault of ours",
        detail="Something went wrong here.",
        hint="It was logged; ask again, and report it if it stays.",
    )


def as_json(request: Request, problem: ProblemError) -> Response:
    """Return a problem as application/problem+json."""
    body: dict[str, Any] = {
        "type": _TYPE + problem.word,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "hint": problem.hint,
        "instance": request.url.path,
    }
    if problem.faults:
        body["faults"] = problem.faults
    # a name that was sent stands in it, with whatever characters it had
    return JSONResponse(cleaned(body), problem.status, headers=problem_headers(problem), media_type=MEDIA_TYPE)


def problem_headers(problem: ProblemError) -> dict[str, str]:
    """Return the headers that a problem adds to its answer."""
    retry_s = RETRY_AFTER_S if problem.status == 503 else problem.retry_s
    headers = {"Retry-After": str(retry_s)} if retry_s is not None else {}
    headers |= {"Location": problem.location} if problem.location else {}
    return headers | ({"Allow": ", ".join(problem.allow)} if problem.allow else {})
