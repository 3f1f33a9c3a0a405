"""The live stream of a store: server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.access.navigation import may_open
from api.access.staying import StayingDep
from api.problems import described, too_many_watching
from api.service import Service, ServiceDep, find_store
from api.stores.live import HEARTBEAT_S, Beat
from api.stores.models import CoverageNowOut, LiveStateOut, VisitOut, people_by_zone
from core.errors import UnavailableError
from storage.coverage import faults
from storage.instants import to_ns
from storage.occupancy import occupancy
from storage.visit_queries import VisitFilter, visits_page

router = APIRouter(prefix="/v1/stores", tags=["live"])

NEWEST_VISITS = 12
"""As many rows as fit below a floor plan without scrolling for long."""
RETRY_MS = 2_000
"""When the browser connects again; a restart of the service takes about that long."""

_STREAM: dict[str, Any] = {
    "description": "Server-sent events: `state` whenever something changed (at most five a second), `heartbeat` in"
    " between. The data of `state` is a LiveStateOut.",
    "content": {
        "text/event-stream": {
            "example": "event: state\nid: 1795266191250000\n"
            'data: {"store":"marktplatz","as_of_us":1795266191250000}\n\n'
            'event: heartbeat\ndata: {"server_at_us":1795266196250000,"listening":true}\n\n',
        }
    },
}


async def _watchable(store: str, service: ServiceDep) -> str:
    """Check before the stream begins, while there can still be a proper answer."""

    def check() -> str:
        with service.reader.connection() as connection:
            return find_store(service, connection, store).plan.id

    if service.live.full:
        raise too_many_watching()
    return await anyio.to_thread.run_sync(check)


async def sees_visits() -> bool:
    """Return whether whoever asks may read single visits: counts are for more people than these are."""
    return may_open("/v1/stores/{store}/visits")


@router.get(
    "/{store}/live",
    response_class=EventSourceResponse,
    responses={200: _STREAM, **described(404, 422, 503)},
    summary="Follow a store live",
)
async def follow_store(
    store: Annotated[str, Depends(_watchable)],
    service: ServiceDep,
    single: Annotated[bool, Depends(sees_visits)],
    staying: StayingDep,
    last_event_id: Annotated[
        str | None, Header(description="Sent by browsers on reconnecting; every stream begins with the whole state")
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Send the whole state at once, then again whenever it changed.

    Nothing has to be caught up after an interruption, so `Last-Event-ID` is accepted and needs no answer. The stream
    ends with the login or key it was asked by, and with a change of roles or stores.
    """
    del last_event_id
    watcher = service.live.watch(store)
    try:
        while True:
            news = await watcher.get(wait_s=HEARTBEAT_S)
            if watcher.closed or (staying.is_due and not await staying.may()):
                return
            if isinstance(news, LiveStateOut):
                yield ServerSentEvent(
                    event="state",
                    id=str(news.as_of_us),
                    raw_data=_sent_now(news, service, single=single),
                    retry=RETRY_MS,
                )
            else:
                listening = news.listening if isinstance(news, Beat) else service.live.listening
                yield ServerSentEvent(
                    event="heartbeat", data={"server_at_us": now_us(service), "listening": listening}
                )
    finally:
        service.live.leave(watcher)


def _sent_now(state: LiveStateOut, service: Service, *, single: bool) -> str:
    """Return a state as JSON with the clock of now: pages set theirs by it, and a state may have been kept."""
    hidden: dict[str, list[VisitOut]] = {} if single else {"newest_visits": []}
    return state.model_copy(update={"server_at_us": now_us(service)} | hidden).model_dump_json()


def now_us(service: Service) -> int:
    """Return the clock in µs since 1970, UTC."""
    return to_ns(service.now()) // 1000


async def read_state(service: Service, store: str, with_visits: bool) -> LiveStateOut:
    """Read what the live page of a store shows; blocking work is done in a thread.

    Raises
    ------
    UnavailableError
        If the database is away.
    """
    return await anyio.to_thread.run_sync(read_state_now, service, store, with_visits)


def read_state_now(service: Service, store: str, with_visits: bool = True) -> LiveStateOut:
    """Read what the live page of a store shows, in the caller's thread; raises as `read_state`."""
    with service.reader.connection() as connection:
        stored = service.plans.get(connection, store)
        if stored is None:
            raise UnavailableError(f"The store {store!r} is gone.")
        now = occupancy(connection, stored.store_no)
        broken = faults(connection, stored.store_no)
        visits = (
            visits_page(connection, stored.store_no, VisitFilter(order="left_at"), limit=NEWEST_VISITS).visits
            if with_visits
            else ()
        )
    return LiveStateOut(
        store=store,
        as_of_us=to_ns(now.as_of) // 1000 if now.as_of is not None else None,
        server_at_us=now_us(service),
        sampled_signal_at_us=[],
        decided_at_us=None,
        occupancy=people_by_zone(stored.plan, now),
        total=now.total,
        resident_count=now.residents,
        coverage=CoverageNowOut.of(stored.plan, broken),
        newest_visits=[VisitOut.of(row, stored.plan) for row in visits],
    )
