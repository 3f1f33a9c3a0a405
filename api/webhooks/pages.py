"""The page of webhooks: who is told what, what is waiting, what was given up, and what came of each attempt."""

from re import fullmatch
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.forms import OWN_FORM, FormDep
from api.rendering import render
from api.service import ConnectionDep, ServiceDep
from api.texts import SOURCE_PATTERN
from api.webhooks.inbound import MadeSenderOut, SenderIn, make_sender, sender_unknown
from api.webhooks.models import MadeSubscriptionOut, StatusWord, SubscriptionIn
from api.webhooks.routes import (
    delivery_unknown,
    make_subscription,
    new_secret,
    queue_test,
    reads_of_all,
    subscription_unknown,
)
from core.errors import InputError
from core.webhooks import ATTEMPTS, EVENT_TYPES, URL_CHARACTERS
from storage.connect import Connection
from storage.webhooks.log import deliveries_page, find_delivery, send_again
from storage.webhooks.senders import remove_sender, renew_sender, senders
from storage.webhooks.subscriptions import (
    DESCRIPTION_CHARACTERS,
    Pause,
    change_secret,
    pause,
    remove_subscription,
    subscriptions,
)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_SEE_OTHER: Final = 303
_DELIVERIES: Final = 30
_HERE: Final = "/webhooks"
_TYPE: Final = "type:"
_PAUSES: Final[dict[str, Pause]] = {"pause": "pause", "resume": "resume"}


@router.get(_HERE)
def show_webhooks(
    connection: ConnectionDep,
    service: ServiceDep,
    status: Annotated[StatusWord | None, Query()] = None,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Show subscriptions and the log of deliveries; `status` narrows the log."""
    return _page(connection, service, status=status, cursor=cursor)


@router.post(_HERE)
def subscribe(form: FormDep, service: ServiceDep, connection: ConnectionDep) -> Response:
    """Make a subscription and show its secret, once."""
    given = SubscriptionIn(
        url=form.text("url", most=URL_CHARACTERS),
        event_types=[name for name in EVENT_TYPES if form.get(_TYPE + name)],
        description=form.get("description")[:DESCRIPTION_CHARACTERS],
    )
    allowed = service.settings.webhook_allow
    made = service.writer.write(lambda connection: make_subscription(connection, given, allowed))
    return _page(connection, service, made=made)


@router.post("/webhooks/subscriptions/{subscription}")
def change(subscription: UUID, form: FormDep, service: ServiceDep, connection: ConnectionDep) -> Response:
    """Pause, resume, test or remove a subscription, or give it a new secret, as the button says."""
    word = form.get("change")
    if word == "secret":
        secret = new_secret()
        if not service.writer.write(lambda connection: change_secret(connection, subscription, secret)):
            raise subscription_unknown()
        return _page(connection, service, made=MadeSubscriptionOut(subscription_id=subscription, secret=secret))

    def work(connection: Connection) -> bool:
        if word in _PAUSES:
            return pause(connection, subscription, _PAUSES[word])
        if word == "remove":
            return remove_subscription(connection, subscription)
        queue_test(connection, subscription)
        return True

    if not service.writer.write(work):
        raise subscription_unknown()
    return RedirectResponse(_HERE, _SEE_OTHER)


@router.get("/webhooks/deliveries/{delivery_no}")
def show_delivery(delivery_no: int, connection: ConnectionDep, service: ServiceDep, request: Request) -> Response:
    """Show what is sent and what came of each attempt."""
    found = find_delivery(connection, delivery_no, with_people=reads_of_all(request))
    if found is None:
        raise delivery_unknown()
    row, body, attempts = found
    return render(
        "webhook_delivery.html",
        here="webhooks",
        row=row,
        body=body,
        attempts=attempts,
        at_most=ATTEMPTS,
        now=service.now(),
    )


@router.post("/webhooks/deliveries/{delivery_no}/again", dependencies=[OWN_FORM])
def again(delivery_no: int, service: ServiceDep) -> Response:
    """Send a delivery once more."""
    if not service.writer.write(lambda connection: send_again(connection, delivery_no)):
        raise delivery_unknown()
    return RedirectResponse(f"/webhooks/deliveries/{delivery_no}", _SEE_OTHER)


@router.post("/webhooks/senders")
def admit(form: FormDep, service: ServiceDep, connection: ConnectionDep) -> Response:
    """Let a system send, and show its secret, once."""
    given = SenderIn(source=_source(form.text("source", most=64)))
    made = service.writer.write(lambda connection: make_sender(connection, given.source))
    return _page(connection, service, made=made)


@router.post("/webhooks/senders/{source}")
def change_sender(source: str, form: FormDep, service: ServiceDep, connection: ConnectionDep) -> Response:
    """Give a sender a new secret, or remove it, as the button says."""
    if form.get("change") == "secret":
        secret = new_secret()
        if not service.writer.write(lambda connection: renew_sender(connection, source, secret)):
            raise sender_unknown()
        return _page(connection, service, made=MadeSenderOut(source=source, secret=secret))
    if not service.writer.write(lambda connection: remove_sender(connection, source)):
        raise sender_unknown()
    return RedirectResponse(_HERE, _SEE_OTHER)


def _source(text: str) -> str:
    if not fullmatch(SOURCE_PATTERN, text):
        raise InputError("A sender's name has small letters, digits, dots, dashes.", where="source")
    return text


def _page(
    connection: Connection,
    service: ServiceDep,
    *,
    made: MadeSubscriptionOut | MadeSenderOut | None = None,
    status: StatusWord | None = None,
    cursor: str | None = None,
) -> Response:
    return render(
        "webhooks.html",
        here="webhooks",
        subscriptions=subscriptions(connection),
        made=made,
        log=deliveries_page(connection, status=status, limit=_DELIVERIES, cursor=cursor),
        status=status,
        event_types=EVENT_TYPES,
        senders=senders(connection),
        type_field=_TYPE,
        now=service.now(),
    )
