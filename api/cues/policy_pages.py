"""The page on which staff make a store's policy of cues, or try one on a random half of the customers.

What is being changed is a draft in the page's own forms: nothing holds until it is kept as the policy or tried.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.cues.policy_form import APPOINTMENT, BLANK, NUMBERS, changed_draft, draft_of, rules_in_words
from api.cues.routes import trial_unknown
from api.forms import OWN_FORM, FormDep
from api.operators import OPERATOR_KNOWN, OperatorDep
from api.problems import conflict, trial_running
from api.rendering import render
from api.service import ConnectionDep, ServiceDep, StoreDep
from core.errors import InputError
from core.journey.cues import DEFAULT_POLICY, RULES_OF_A_POLICY, CuePolicy, read_policy
from storage.connect import Connection
from storage.cues.trials import TrialRunningError, begin_trial, change_policy, end_trial, trials
from storage.profiles.understanding import cue_policy
from storage.stores import StoredPlan

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_SEE_OTHER: Final = 303
_TRIAL_CHARACTERS: Final = 100


@router.get("/stores/{store}/cue-policy")
def show_policy(stored: StoreDep, connection: ConnectionDep, *, default: bool = False) -> Response:
    """Show the rules that hold, to be changed; with `default` those of a store that decided nothing."""
    return _page(connection, stored, DEFAULT_POLICY if default else cue_policy(connection, stored.store_no).policy)


@router.post("/stores/{store}/cue-policy/draft", dependencies=[OPERATOR_KNOWN])
def change_draft(stored: StoreDep, connection: ConnectionDep, form: FormDep) -> Response:
    """Show the draft after a change of its rules; what cannot be is said on the page, and the draft stays."""
    try:
        return _page(connection, stored, changed_draft(form))
    except InputError as error:
        try:
            draft = read_policy(form.get("draft").encode())
        except InputError:  # not even the draft is one: somebody else's form
            raise error from None
        answer = _page(connection, stored, draft, fault=error)
        answer.status_code = 422
        return answer


@router.post("/stores/{store}/cue-policy")
def keep_policy(stored: StoreDep, form: FormDep, operator: OperatorDep, service: ServiceDep) -> Response:
    """Let the draft hold as the next version of the store's policy; 409 after another's, or while a trial runs."""
    policy = read_policy(form.get("draft").encode())

    def work(connection: Connection) -> None:
        try:
            version = change_policy(connection, stored.store_no, policy, made_by=operator)
        except TrialRunningError as error:
            raise trial_running(error.trial_no) from error
        if form.get("version") != str(version - 1):
            raise conflict(
                f"Version {version - 1} was kept by somebody else since this page was opened.",
                hint="Open the page again, and make the change to what holds now.",
            )

    service.writer.write(work)
    return RedirectResponse(f"/stores/{stored.plan.id}/cue-policy", _SEE_OTHER)


@router.post("/stores/{store}/cue-trials")
def try_draft(stored: StoreDep, form: FormDep, operator: OperatorDep, service: ServiceDep) -> Response:
    """Try the draft on a random half of the customers; 409 while a trial is running."""
    policy = read_policy(form.get("draft").encode())
    name = form.text("name", most=_TRIAL_CHARACTERS)
    try:
        service.writer.write(
            lambda connection: begin_trial(connection, stored.store_no, name=name, policy=policy, made_by=operator)
        )
    except TrialRunningError as error:
        raise trial_running(error.trial_no) from error
    return RedirectResponse(f"/stores/{stored.plan.id}/cues#trials-title", _SEE_OTHER)


@router.post("/stores/{store}/cue-trials/{trial_no}/end", dependencies=[OWN_FORM, OPERATOR_KNOWN])
def stop_trial(stored: StoreDep, trial_no: Annotated[int, Path(ge=1, le=2**31 - 1)], service: ServiceDep) -> Response:
    """End a trial; the store's policy holds for everybody again."""
    if not service.writer.write(lambda connection: end_trial(connection, stored.store_no, trial_no)):
        raise trial_unknown()
    return RedirectResponse(f"/stores/{stored.plan.id}/cues#trials-title", _SEE_OTHER)


def _page(
    connection: Connection, stored: StoredPlan, draft: CuePolicy, *, fault: InputError | None = None
) -> Response:
    held = cue_policy(connection, stored.store_no)
    running = [trial for trial in trials(connection, stored.store_no) if trial.ended_at is None]
    context: dict[str, Any] = {
        "plan": stored.plan,
        "held": held,
        "rules": rules_in_words(draft),
        "draft": draft_of(draft),
        "changed": draft != held.policy,
        "blank": BLANK,
        "numbers": NUMBERS,
        "appointments": APPOINTMENT,
        "room": RULES_OF_A_POLICY - len(draft.rules),
        "running": running[0] if running else None,
        "fault": fault,
    }
    return render("cue_policy.html", here="stores", **context)
