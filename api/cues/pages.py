"""The page of a store's staff: who has just arrived and what to do, and the page of trials."""

from typing import Annotated, Final, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.cues.routes import cue_unknown, trial_out
from api.forms import FormDep
from api.operators import OperatorDep, operator_of
from api.problems import ProblemError
from api.profiles.understanding_routes import CueOrderOut
from api.rendering import render
from api.service import ConnectionDep, ServiceDep, StoreDep
from storage.cues.log import OutcomeWord, cues_page, say_outcome
from storage.cues.trials import trials
from storage.profiles.understanding import cue_policy

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_SEE_OTHER: Final = 303
_CUES: Final = 30
"""An afternoon's customers who consented, in one store."""
_WORDS: Final[dict[str, OutcomeWord]] = {word: word for word in get_args(OutcomeWord)}


@router.get("/stores/{store}/cues")
def show_cues(
    stored: StoreDep,
    connection: ConnectionDep,
    service: ServiceDep,
    request: Request,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Show the newest cues, kept current by a live stream, and the policy they are decided by."""
    page = cues_page(connection, stored.store_no, limit=_CUES, cursor=cursor)
    return render(
        "cues.html",
        here="stores",
        plan=stored.plan,
        page=page,
        orders={row.cue_no: CueOrderOut.of(row.order) for row in page.cues if row.order is not None},
        first=cursor is None,
        policy=cue_policy(connection, stored.store_no),
        trials=[trial_out(connection, service, trial) for trial in trials(connection, stored.store_no)],
        operator=operator_of(request),
        now=service.now(),
    )


@router.post("/stores/{store}/cues/{cue_no}")
def tell_outcome(
    stored: StoreDep, cue_no: int, form: FormDep, operator: OperatorDep, service: ServiceDep
) -> Response:
    """Keep what came of a cue, as its button says."""
    outcome = _WORDS.get(form.get("outcome"))
    if outcome is None:
        raise ProblemError(
            422,
            "value",
            "A value cannot be used",
            detail="The field “outcome” does not hold one of its choices.",
            hint="Go back and choose again.",
        )
    if not service.writer.write(lambda connection: say_outcome(connection, cue_no, outcome, by=operator)):
        raise cue_unknown()
    return RedirectResponse(f"/stores/{stored.plan.id}/cues#cue-{cue_no}", _SEE_OTHER)
