"""Cues as they were told, live and as a log, what came of them, and trials of policies."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.access.staying import StayingDep
from api.audit.recording import enter_streamed
from api.cues.models import OutcomeIn, ToldCueOut, ToldCuesOut, TrialIn, TrialMadeOut, TrialOut, TrialsOut
from api.identity.models import DoneOut
from api.inputs.idempotent import OnceDep
from api.operators import OperatorDep
from api.problems import ProblemError, described, too_many_watching, trial_running, unknown
from api.service import ConnectionDep, Service, ServiceDep, StoreDep, find_store
from api.stores.live import HEARTBEAT_S
from core.errors import UnavailableError
from core.journey.cues import read_policy
from core.journey.trials import effects
from storage.connect import Connection
from storage.cues.log import CUES_PER_PAGE, CueRow, cues_after, cues_page, newest_cue_no, say_outcome
from storage.cues.trials import Trial, TrialRunningError, begin_trial, end_trial, outcomes, trials
from storage.stores import StoredPlan

router = APIRouter(prefix="/v1", tags=["cues"])
_STREAM: dict[str, Any] = {
    "description": "Server-sent events: `cue` as each is told (a ToldCueOut), `changed` when staff said what came of"
    " one, `heartbeat` in between.",
    "content": {
        "text/event-stream": {
            "example": 'event: cue\nid: 17\ndata: {"cue_no":17,"cue":"greet"}\n\nevent: heartbeat\ndata: {}\n\n',
        }
    },
}


async def _followed(store: str, service: ServiceDep) -> tuple[StoredPlan, int]:
    """Check before the stream begins, while there can still be a proper answer."""

    def check() -> tuple[StoredPlan, int]:
        with service.reader.connection() as connection:
            return find_store(service, connection, store), newest_cue_no(connection)

    if service.cues.full:
        raise too_many_watching()
    return await anyio.to_thread.run_sync(check)


@router.get(
    "/stores/{store}/cues/live",
    response_class=EventSourceResponse,
    responses={200: _STREAM, **described(404, 422, 503)},
    summary="Follow a store's cues live",
)
async def follow_cues(
    followed: Annotated[tuple[StoredPlan, int], Depends(_followed)], service: ServiceDep, staying: StayingDep
) -> AsyncIterator[ServerSentEvent]:
    """Send each cue within two seconds of the arrival it is for; cues from before are in the log.

    The stream ends with the login or key it was asked by, and with a change of roles or stores. Where a day holds no
    more people it ends with an event `refused`, which says why and what to do.
    """
    stored, newest = followed
    watcher = service.cues.watch(stored.plan.id)
    try:
        while not watcher.closed:
            news = await watcher.wait(HEARTBEAT_S)
            if not await staying.may():  # each time: what comes next may be a name
                return
            try:
                told = await anyio.to_thread.run_sync(_told, service, stored.store_no, newest) if news else []
            except ProblemError as refused:
                yield ServerSentEvent(event="refused", data={"detail": refused.detail, "hint": refused.hint})
                return
            for row in told:
                newest = row.cue_no
                yield ServerSentEvent(event="cue", id=str(newest), raw_data=ToldCueOut.of(row).model_dump_json())
            if not told:
                yield ServerSentEvent(
                    event="changed" if news else "heartbeat", data={"listening": service.cues.listening}
                )
    finally:
        service.cues.leave(watcher)


@router.get("/stores/{store}/cues", responses=described(404, 422, 503), summary="Log of cues")
def list_cues(
    stored: StoreDep,
    connection: ConnectionDep,
    limit: Annotated[int, Query(ge=1, le=CUES_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> ToldCuesOut:
    """List the cues that were told in a store, newest first, with reason and what came of them."""
    page = cues_page(connection, stored.store_no, limit=limit, cursor=cursor)
    return ToldCuesOut(cues=[ToldCueOut.of(row) for row in page.cues], next_cursor=page.next_cursor)


@router.post(
    "/cues/{cue_no}/outcome",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Say what came of a cue",
)
def tell_outcome(cue_no: int, given: OutcomeIn, operator: OperatorDep, once: OnceDep) -> Response:
    """Keep whether staff did it, the customer did not want it, or they did not meet; the newest word counts."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not say_outcome(connection, cue_no, given.outcome, by=operator):
            raise cue_unknown()
        return 200, {"done": True}

    return once.answer(given.model_dump_json().encode(), work)


@router.get("/stores/{store}/cue-trials", responses=described(404, 422, 503), summary="Trials of policies")
def list_trials(stored: StoreDep, connection: ConnectionDep, service: ServiceDep) -> TrialsOut:
    """List the trials of a store, newest first, each with what it changed and how sure that is."""
    found = trials(connection, stored.store_no)
    return TrialsOut(trials=[trial_out(connection, service, trial) for trial in found])


@router.post(
    "/stores/{store}/cue-trials",
    status_code=201,
    responses={201: {"model": TrialMadeOut}, **described(400, 404, 409, 422, 503)},
    summary="Try a policy on a random half",
)
def try_policy(stored: StoreDep, given: TrialIn, operator: OperatorDep, once: OnceDep) -> Response:
    """Decide cues by these rules for a random half of the customers, until the trial is ended; one at a time."""
    policy = read_policy(msgspec.json.encode({"rules": given.rules}))

    def work(connection: Connection) -> tuple[int, Any]:
        try:
            number = begin_trial(connection, stored.store_no, name=given.name, policy=policy, made_by=operator)
        except TrialRunningError as error:
            raise trial_running(error.trial_no) from error
        return 201, {"trial_no": number}

    return once.answer(given.model_dump_json().encode(), work)


@router.post(
    "/stores/{store}/cue-trials/{trial_no}/end",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="End a trial",
)
def stop_trial(stored: StoreDep, trial_no: int, once: OnceDep) -> Response:
    """Let the store's policy hold for everybody again; what the trial changed stays to be read."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not end_trial(connection, stored.store_no, trial_no):
            raise trial_unknown()
        return 200, {"done": True}

    return once.answer(b"", work)


def trial_out(connection: Connection, service: Service, trial: Trial) -> TrialOut:
    """Return a trial with what it has changed so far."""
    return TrialOut.of(trial, effects(outcomes(connection, trial.trial_no, now=service.now())))


def cue_unknown() -> ProblemError:
    """Return the problem of a cue that is not there, or whose customer's consent is gone."""
    return unknown(
        "cue",
        detail="There is no such cue, or it is for a customer without a consent that holds.",
        hint="GET /v1/stores/{store}/cues lists them.",
    )


def trial_unknown() -> ProblemError:
    """Return the problem of a trial that is not running."""
    return unknown(
        "trial",
        detail="No such trial is running in this store.",
        hint="GET /v1/stores/{store}/cue-trials lists them.",
    )


def _told(service: Service, store_no: int, after: int) -> list[CueRow]:
    try:
        with service.reader.connection() as connection:
            rows = cues_after(connection, store_no, after)
        enter_streamed(service)
    except UnavailableError:
        return []  # the next notice, or the page's own look, shows them
    return rows
