"""Subscriptions of other systems, and the log of what was sent to them."""

from base64 import b64encode
from secrets import token_bytes
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access.principal import Role, principal_of
from api.identity.models import DoneOut
from api.inputs.idempotent import OnceDep
from api.problems import ProblemError, described, unknown
from api.service import ConnectionDep, ServiceDep
from api.webhooks.models import (
    DeliveriesOut,
    DeliveryDetailOut,
    DeliveryOut,
    EventTypesOut,
    MadeSubscriptionOut,
    PauseIn,
    QueuedOut,
    StatusWord,
    SubscriptionIn,
    SubscriptionOut,
    SubscriptionsOut,
)
from core.webhooks import Network, check_url
from storage.connect import Connection
from storage.webhooks import enqueue
from storage.webhooks.log import DELIVERIES_PER_PAGE, deliveries_page, find_delivery, send_again
from storage.webhooks.subscriptions import (
    add_subscription,
    change_secret,
    pause,
    remove_subscription,
    subscriptions,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
_SECRET_BYTES: Final = 32
"""The specification asks for 24 to 64."""


@router.get("/event-types", responses=described(503), summary="Kinds of events")
def list_event_types() -> EventTypesOut:
    """List every kind of event that is told, with what it means."""
    return EventTypesOut.all()


@router.get("/subscriptions", responses=described(503), summary="List of subscriptions")
def list_subscriptions(connection: ConnectionDep) -> SubscriptionsOut:
    """List where events are sent to; secrets are not told again."""
    return SubscriptionsOut(subscriptions=[SubscriptionOut.of(row) for row in subscriptions(connection)])


@router.post(
    "/subscriptions",
    status_code=201,
    responses={201: {"model": MadeSubscriptionOut}, **described(400, 409, 422, 503)},
    summary="Subscribe",
)
def subscribe(given: SubscriptionIn, once: OnceDep, service: ServiceDep) -> Response:
    """Send events to a URL from now on, signed with the secret that is answered.

    The secret is told once: the same request again makes no second subscription, and is told so by a 409.
    """

    def work(connection: Connection) -> tuple[int, Any]:
        made = make_subscription(connection, given, service.settings.webhook_allow)
        return 201, made.model_dump(mode="json")

    return once.answer(given.model_dump_json().encode(), work, secret=True)


@router.post(
    "/subscriptions/{subscription}",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Pause or resume a subscription",
)
def change_subscription(subscription: UUID, given: PauseIn, once: OnceDep) -> Response:
    """Pause it: nothing is queued for it and nothing sent. Resume it: what was waiting is sent then."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not pause(connection, subscription, given.change):
            raise subscription_unknown()
        return 200, {"done": True}

    return once.answer(given.model_dump_json().encode(), work)


@router.post(
    "/subscriptions/{subscription}/secret",
    responses={200: {"model": MadeSubscriptionOut}, **described(400, 404, 409, 422, 503)},
    summary="New secret",
)
def renew_secret(subscription: UUID, once: OnceDep) -> Response:
    """Make a new secret; for a day both sign, so that the receiver can change over."""

    def work(connection: Connection) -> tuple[int, Any]:
        secret = new_secret()
        if not change_secret(connection, subscription, secret):
            raise subscription_unknown()
        return 200, MadeSubscriptionOut(subscription_id=subscription, secret=secret).model_dump(mode="json")

    return once.answer(b"", work, secret=True)


@router.post(
    "/subscriptions/{subscription}/test",
    responses={200: {"model": QueuedOut}, **described(400, 404, 422, 503)},
    summary="Send a test event",
)
def send_test(subscription: UUID, once: OnceDep) -> Response:
    """Queue a `webhook.test` event for one subscription, whatever it subscribed to."""

    def work(connection: Connection) -> tuple[int, Any]:
        return 200, {"queued_count": queue_test(connection, subscription)}

    return once.answer(b"", work)


@router.post(
    "/subscriptions/{subscription}/remove",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Remove a subscription",
)
def unsubscribe(subscription: UUID, once: OnceDep) -> Response:
    """Remove a subscription and its secret; what still waits for it is not sent."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not remove_subscription(connection, subscription):
            raise subscription_unknown()
        return 200, {"done": True}

    return once.answer(b"", work)


@router.get("/deliveries", responses=described(422, 503), summary="Log of deliveries")
def list_deliveries(
    connection: ConnectionDep,
    subscription: Annotated[UUID | None, Query()] = None,
    status: Annotated[StatusWord | None, Query(description="dead: the dead letters")] = None,
    limit: Annotated[int, Query(ge=1, le=DELIVERIES_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> DeliveriesOut:
    """List what was sent, newest first, for thirty days; what tells of a customer needs a consent that holds."""
    page = deliveries_page(connection, subscription=subscription, status=status, limit=limit, cursor=cursor)
    return DeliveriesOut(deliveries=[DeliveryOut.of(row) for row in page.deliveries], next_cursor=page.next_cursor)


@router.get("/deliveries/{delivery_no}", responses=described(404, 422, 503), summary="One delivery")
def read_delivery(delivery_no: int, connection: ConnectionDep, request: Request) -> DeliveryDetailOut:
    """Return what is sent and what came of each attempt.

    What it tells of a customer (`data`) is shown to whoever also has the role crm or privacy, for every store; to
    others it is null.
    """
    found = find_delivery(connection, delivery_no, with_people=reads_of_all(request))
    if found is None:
        raise delivery_unknown()
    return DeliveryDetailOut.told(*found)


@router.post(
    "/deliveries/{delivery_no}/again",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Send again",
)
def send_delivery_again(delivery_no: int, once: OnceDep) -> Response:
    """Send a dead letter, or what was delivered, once more, with all its attempts; its id stays the same."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not send_again(connection, delivery_no):
            raise delivery_unknown()
        return 200, {"done": True}

    return once.answer(b"", work)


def reads_of_all(request: Request) -> bool:
    """Return whether whoever asks may read of every customer, beside what the route is for."""
    principal = principal_of(request)
    return principal is not None and principal.stores is None and principal.may(Role.CRM, Role.PRIVACY)


def make_subscription(
    connection: Connection, given: SubscriptionIn, allowed: tuple[Network, ...]
) -> MadeSubscriptionOut:
    """Write a subscription with a secret of its own; raises InputError if it cannot be one."""
    secret = new_secret()
    made = add_subscription(
        connection,
        url=check_url(given.url.strip(), allowed),
        event_types=given.event_types,
        description=given.description.strip(),
        secret=secret,
    )
    return MadeSubscriptionOut(subscription_id=made, secret=secret)


def new_secret() -> str:
    """Return a random secret in the form of the specification."""
    return "whsec_" + b64encode(token_bytes(_SECRET_BYTES)).decode()


def queue_test(connection: Connection, subscription: UUID) -> int:
    """Queue a test event; raises the problem of a subscription that is not there."""
    if not subscriptions(connection, subscription):
        raise subscription_unknown()
    return enqueue(connection, "webhook.test", {"says": "It arrives."}, subscription=subscription)


def subscription_unknown() -> ProblemError:
    """Return the problem of a subscription that is not there."""
    return unknown(
        "subscription",
        detail="There is no such subscription.",
        hint="GET /v1/webhooks/subscriptions lists them.",
    )


def delivery_unknown() -> ProblemError:
    """Return the problem of a delivery that cannot be shown or sent again."""
    return unknown(
        "delivery",
        detail="There is no such delivery that could be shown, or sent again: it may wait already.",
        hint="GET /v1/webhooks/deliveries lists them.",
    )
