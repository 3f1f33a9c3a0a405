"""Whether the process is up, and whether it can serve."""

from datetime import timedelta
from functools import partial
from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.service import Service, ServiceDep
from core.errors import ConfigurationError, UnavailableError
from storage.access.grants import ungranted
from storage.connect import Connection
from storage.migrate import pending
from storage.occupancy import IngestState, ingest_state
from storage.privacy.restored import HINT, SAYS

router = APIRouter(prefix="/v1", tags=["status"])

LOOKS_S: Final = 4.0
"""A pool gives up after two seconds; whoever asks whether to send people here waits for ten at most."""

INGEST_STALE_AFTER: Final = timedelta(seconds=30)
"""Ingest writes its status every few seconds; after half a minute without, none runs."""


DROPS_TOLD_FOR: Final = timedelta(hours=1)
"""A queue that ran over is said for as long as somebody who is called may need to look."""


class HealthOut(BaseModel):
    """The process is up."""

    status: Literal["up"] = "up"


class CheckOut(BaseModel):
    """One thing that was looked at; `blocks` says whether nothing can be served without it."""

    name: Literal["database", "migrations", "erasures", "ingest", "broker", "live"]
    state: Literal["ok", "behind", "away"]
    says: str = Field(examples=["The database answers."])
    blocks: bool


class ReadyOut(BaseModel):
    """Whether the service can answer, and how it fares."""

    ready: bool
    checks: list[CheckOut]


@router.get("/health", summary="Is the process up?")
def read_health() -> HealthOut:
    """Answers without looking at anything; for whoever restarts processes."""
    return HealthOut()


@router.get(
    "/ready", summary="Can it serve?", responses={503: {"model": ReadyOut, "description": "It cannot serve now"}}
)
async def read_ready(service: ServiceDep, response: Response) -> ReadyOut:
    """Database, migrations, how fresh ingest is, and the live channel; within four seconds, whatever hangs.

    A quiet ingest does not make the service unready: what is stored can still be read.
    """
    checks = await service.readiness.at(partial(_checks, service), LOOKS_S) or [_HANGS]
    checks.append(
        CheckOut(name="live", state="ok", says="News from ingest is heard at once.", blocks=False)
        if service.live.listening
        else CheckOut(name="live", state="away", says="No news from ingest can be heard now.", blocks=False)
    )
    ready = all(check.state == "ok" for check in checks if check.blocks)
    if not ready:
        response.status_code = 503
    return ReadyOut(ready=ready, checks=checks)


_HANGS: Final = CheckOut(
    name="database", state="away", says=f"The database has said nothing for {LOOKS_S:.0f} s.", blocks=True
)


def _checks(service: Service) -> list[CheckOut]:
    try:
        with service.reader.connection() as connection:
            database = CheckOut(name="database", state="ok", says="The database answers.", blocks=True)
            migrations = _migrations(connection)
            if migrations.state != "ok":
                return [database, migrations]
            said = ingest_state(connection)
        return [database, migrations, _erasures(service), _ingest(said), _broker(said)]
    except UnavailableError as error:
        return [CheckOut(name="database", state="away", says=str(error), blocks=True)]


def _migrations(connection: Connection) -> CheckOut:
    try:
        left = pending(connection)
    except ConfigurationError as error:
        return CheckOut(name="migrations", state="behind", says=str(error), blocks=True)
    if left:
        says = f"{len(left)} migrations are to be applied, {left[0]} first: run `sojourn migrate`."
        return CheckOut(name="migrations", state="behind", says=says, blocks=True)
    if ungranted(connection) is not None:  # each answer would be a refusal, whoever asks
        says = "The migrations did not end, rights are lacking (doctor says which): run `sojourn migrate`."
        return CheckOut(name="migrations", state="behind", says=says, blocks=True)
    return CheckOut(name="migrations", state="ok", says="The schema is that of this program.", blocks=True)


def _erasures(service: Service) -> CheckOut:
    if service.restored.found():
        return CheckOut(name="erasures", state="behind", says=f"{SAYS} {HINT}", blocks=True)
    says = "Nobody who was erased is known."
    if not service.guard.can_erase:
        says = "Nobody can be erased from here: SOJOURN_PRIVACY names no folder."
    return CheckOut(name="erasures", state="ok", says=says, blocks=True)


def _ingest(said: IngestState | None) -> CheckOut:
    if said is None:
        return CheckOut(
            name="ingest", state="away", says="No ingest has run yet: start `sojourn ingest`.", blocks=False
        )
    silent = said.now - said.changed_at
    if silent > INGEST_STALE_AFTER:
        says = f"Ingest has said nothing for {silent.total_seconds():.0f} s: is `sojourn ingest` running?"
        return CheckOut(name="ingest", state="away", says=says, blocks=False)
    if said.starting:
        says = "Ingest starts: it compiles its kernels, once for each version, or replays the log."
        return CheckOut(name="ingest", state="behind", says=says, blocks=False)
    if said.broker != "connected":
        return CheckOut(
            name="ingest", state="behind", says="Ingest has lost the broker and waits for it.", blocks=False
        )
    if said.newest_signal_at is None:
        return CheckOut(name="ingest", state="ok", says="Ingest runs; no signal has come yet.", blocks=False)
    behind = (said.now - said.newest_signal_at).total_seconds()
    says = f"The newest signal is {behind:.1f} s old, {said.queued} messages are queued."
    return CheckOut(name="ingest", state="ok", says=says, blocks=False)


def _broker(said: IngestState | None) -> CheckOut:
    """Whether the broker kept all it was given; what it drops comes again from the edges, later."""
    if said is None or said.broker_dropped is None:
        return CheckOut(
            name="broker",
            state="ok",
            says="Whether the broker drops messages is not known: it tells ingest nothing of it.",
            blocks=False,
        )
    since = None if said.broker_dropped_at is None else said.now - said.broker_dropped_at
    if since is None or since > DROPS_TOLD_FOR:
        return CheckOut(name="broker", state="ok", says="The broker drops no messages.", blocks=False)
    return CheckOut(
        name="broker",
        state="behind",
        says=f"The broker dropped messages {since.total_seconds() / 60:.0f} min ago ({said.broker_dropped} since it"
        " started): a queue was full. The edges send them again; if it goes on, raise max_queued_messages.",
        blocks=False,
    )
