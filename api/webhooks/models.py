"""What the webhook endpoints take and answer. A secret is answered once, when it is made."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from core.webhooks import EVENT_TYPES, URL_CHARACTERS
from storage.webhooks.log import AttemptRow, DeliveryRow
from storage.webhooks.subscriptions import DESCRIPTION_CHARACTERS, TYPES_PER_SUBSCRIPTION, Subscription

StatusWord = Literal["waiting", "delivered", "dead", "withheld"]


class EventTypeOut(BaseModel):
    """One kind of event that is told."""

    event_type: str = Field(examples=["webhook.test"])
    says: str


class EventTypesOut(BaseModel):
    """Every kind of event that is told."""

    event_types: list[EventTypeOut]

    @classmethod
    def all(cls) -> Self:
        """Return them all."""
        return cls(event_types=[EventTypeOut(event_type=name, says=says) for name, says in EVENT_TYPES.items()])


class SubscriptionIn(BaseModel):
    """Where to send which events."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=URL_CHARACTERS, examples=["https://crm.example/hooks"])]
    event_types: Annotated[
        list[str],
        Field(max_length=TYPES_PER_SUBSCRIPTION, description="Empty: all", examples=[["service_cue.shown"]]),
    ] = []
    description: Annotated[str, Field(max_length=DESCRIPTION_CHARACTERS)] = ""


class SubscriptionOut(BaseModel):
    """Where events are sent to."""

    subscription_id: UUID
    url: str = Field(examples=["https://crm.example/hooks"])
    event_types: list[str] = Field(description="Empty: all")
    description: str
    made_at: datetime
    paused_at: datetime | None = Field(description="While it is paused nothing is queued for it and nothing sent")
    paused_because: str | None
    waiting_count: int
    dropped_count: int = Field(description="Events that were not queued because too many were waiting")

    @classmethod
    def of(cls, row: Subscription) -> Self:
        """Return the answer for a subscription."""
        return cls(
            subscription_id=row.subscription_id,
            url=row.url,
            event_types=list(row.event_types),
            description=row.description,
            made_at=row.made_at,
            paused_at=row.paused_at,
            paused_because=row.paused_because,
            waiting_count=row.waiting,
            dropped_count=row.dropped,
        )


class SubscriptionsOut(BaseModel):
    """Every subscription, oldest first."""

    subscriptions: list[SubscriptionOut]


class MadeSubscriptionOut(BaseModel):
    """A subscription that was made, or one with a new secret; keep the secret, it is not told again."""

    subscription_id: UUID
    secret: str = Field(
        description="Base64 after whsec_; signs by the Standard Webhooks specification", examples=["whsec_…"]
    )


class PauseIn(BaseModel):
    """Whether events are sent."""

    model_config = ConfigDict(extra="forbid")

    change: Literal["pause", "resume"]


class QueuedOut(BaseModel):
    """For how many subscriptions an event was queued."""

    queued_count: int


class DeliveryOut(BaseModel):
    """One event on its way to one subscription."""

    delivery_no: int
    message_id: str = Field(description="The header webhook-id", examples=["msg_5b0c2c3e8a555a0e9f4e0d6f6a6b7c8d"])
    subscription_id: UUID
    event_type: str = Field(examples=["webhook.test"])
    made_at: datetime
    status: StatusWord = Field(
        description="dead: given up after the last attempt; withheld: the subscription or a consent is gone",
        examples=["delivered"],
    )
    attempts_count: int
    next_at: datetime | None = Field(description="When it is tried again; null unless it waits")
    finished_at: datetime | None
    said: str | None = Field(description="What came of the newest attempt", examples=["Answered 204."])

    @classmethod
    def of(cls, row: DeliveryRow) -> Self:
        """Return the answer for a delivery."""
        return cls.model_validate(_told(row))


class DeliveriesOut(BaseModel):
    """A page of deliveries, newest first."""

    deliveries: list[DeliveryOut]
    next_cursor: str | None


class AttemptOut(BaseModel):
    """One attempt."""

    begun_at: datetime
    duration_s: float
    http_status: int | None = Field(description="Null: nothing was answered", examples=[503])
    outcome: str = Field(examples=["Answered 503."])


class DeliveryDetailOut(DeliveryOut):
    """A delivery with what is sent and each attempt."""

    body: dict[str, Any] = Field(
        description="type, timestamp and data, as they are sent; data is null where it tells of a customer, and"
        " whoever asks may not read of every one",
        examples=[
            {"type": "webhook.test", "timestamp": "2026-11-21T17:56:31.731000Z", "data": {"says": "It arrives."}}
        ],
    )
    attempts: list[AttemptOut]

    @classmethod
    def told(cls, row: DeliveryRow, body: str, attempts: list[AttemptRow]) -> Self:
        """Return the answer for a delivery and its attempts."""
        tried = [
            AttemptOut(
                begun_at=one.begun_at,
                duration_s=one.duration_ms / 1000,
                http_status=one.http_status,
                outcome=one.outcome,
            )
            for one in attempts
        ]
        return cls.model_validate(_told(row) | {"body": msgspec.json.decode(body), "attempts": tried})


def _told(row: DeliveryRow) -> dict[str, Any]:
    return {
        "delivery_no": row.delivery_id,
        "message_id": f"msg_{row.message_id.hex}",
        "subscription_id": row.subscription_id,
        "event_type": row.event_type,
        "made_at": row.made_at,
        "status": row.status,
        "attempts_count": row.attempts,
        "next_at": row.next_at if row.status == "waiting" else None,
        "finished_at": row.finished_at,
        "said": row.said,
    }
