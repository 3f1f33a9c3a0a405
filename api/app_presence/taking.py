"""Takes in what an app tells, the same for HTTP and MQTT: token, consent, times, outbox; in one transaction."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from api.app_presence.models import AppEventIn, PresenceIn, PresenceOut
from api.problems import ProblemError, store_unknown
from core.app_presence import Told, app_batch, level_of, pieces, received_time
from core.errors import InputError
from core.journey.inputs import event_kind
from core.wire import encode
from storage.app.installations import Installation, by_token, note_seen, save_screens
from storage.app.outbox import put
from storage.connect import Connection
from storage.stores import StoredPlan

_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def known(connection: Connection, token: str) -> Installation:
    """Return the installation of a token.

    Raises
    ------
    ProblemError
        401 if there is none, 403 if its customer has no consent that holds: nothing is written then.
    """
    found = by_token(connection, sha256(token.encode()).digest())
    if found is None:
        raise ProblemError(
            401,
            "token-unknown",
            "Unknown token",
            detail="This token is of no installation, or was revoked.",
            hint="Send `Authorization: Bearer` with the token that POST /v1/app/installations told.",
        )
    if not found.consented:
        raise ProblemError(
            403,
            "consent-missing",
            "No consent",
            detail="The customer has no consent that holds; nothing was kept.",
            hint="Stop sending, and ask for consent.",
        )
    return found


def take(
    connection: Connection,
    *,
    token: str,
    key: str,
    given: PresenceIn,
    find_plan: Callable[[Connection, str], StoredPlan | None],
    sent_at: datetime | None,
    received_at: datetime,
) -> PresenceOut:
    """Write what an installation tells.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    token, key : str
        Who sends it, and what it calls this message.
    given : PresenceIn
    find_plan : callable
        Returns the plan of a store, None where there is none.
    sent_at : datetime or None
        By the phone's clock; None: when its newest event was.
    received_at : datetime
        By ours.

    Raises
    ------
    ProblemError
        As `known`, and for a store that is not there.
    InputError
        If an event names an anchor that the store lacks or a screen that there is not.
    UnavailableError
        If too much waits for the broker.
    """
    found = known(connection, token)
    plan = find_plan(connection, given.store)
    if plan is None:
        raise store_unknown(given.store)
    sent = sent_at if sent_at is not None else max(event.at for event in given.events)
    anchors = {anchor.id for anchor in plan.plan.anchors}
    told, screens = list[Told](), list[tuple[str, str, datetime, str, dict[str, Any]]]()
    for place, event in enumerate(given.events):
        at_ns = _received(event, place, sent, received_at)
        if event.kind == "screen":
            screens.append(_screen(event, f"{found.installation_id}\n{key}\n{place}", given.store, at_ns))
        elif event.kind != "heartbeat":
            told.append(_told(event, place, at_ns, anchors))
    for piece in pieces(told):
        put(connection, plan.store_no, partial(_encoded, found.device.bytes, piece))
    saved = save_screens(connection, found, screens)
    batteries = [event.battery_percent for event in given.events if event.battery_percent is not None]
    note_seen(
        connection,
        found.installation_id,
        received_at,
        skew_s=None if sent_at is None else (sent_at - received_at).total_seconds(),
        battery_percent=batteries[-1] if batteries else None,
    )
    heartbeats = sum(event.kind == "heartbeat" for event in given.events)
    return PresenceOut(signals_count=len(told), screens_count=saved, heartbeats_count=heartbeats)


def _encoded(device: bytes, piece: list[Told], boot: bytes, sequence: int) -> bytes:
    return encode(app_batch(boot, sequence, device, piece))


def _received(event: AppEventIn, place: int, sent: datetime, received_at: datetime) -> int:
    try:
        return received_time(_ns(event.at), _ns(sent), _ns(received_at))
    except InputError as error:
        raise InputError(error.what, hint=error.hint, where=f"events.{place}.at") from error


def _told(event: AppEventIn, place: int, at_ns: int, anchors: set[str]) -> Told:
    where = f"events.{place}"
    if event.anchor is None or event.anchor not in anchors:
        raise InputError("The floor plan of the store has no such anchor.", where=f"{where}.anchor")
    try:
        return Told(at_ns=at_ns, anchor=event.anchor, level=level_of(event.kind, event.rssi_dbm))
    except InputError as error:
        raise InputError(error.what, where=f"{where}.rssi_dbm") from error


def _screen(event: AppEventIn, named: str, store: str, at_ns: int) -> tuple[str, str, datetime, str, dict[str, Any]]:
    kind = event_kind("app", event.screen if event.screen is not None else "")
    detail = {} if event.product is None else {"product": event.product}
    return sha256(named.encode()).hexdigest(), kind, _EPOCH + at_ns // 1000 * _US, store, detail


def _ns(at: datetime) -> int:
    return (at - _EPOCH) // _US * 1000
