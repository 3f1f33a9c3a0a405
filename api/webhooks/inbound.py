"""Signed webhooks of other systems: the same inputs as by REST, with a signature instead of an Idempotency-Key."""

from datetime import UTC, datetime
from json import loads
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from api.identity.models import DoneOut
from api.inputs.idempotent import Once, OnceDep
from api.inputs.models import EVENTS_TOGETHER, EventsIn, InputWord, ProfileIn, TakenOut, WithdrawalIn
from api.inputs.taking import (
    Work,
    answer_or_conflict,
    taking_events,
    taking_profile,
    taking_withdrawal,
    taking_withdrawals,
)
from api.inputs.withdrawal_rows import named
from api.problems import ProblemError, conflict, described, unknown
from api.service import ConnectionDep, Service, ServiceDep
from api.texts import SOURCE_PATTERN, in_words
from api.webhooks.routes import new_secret
from core.errors import InputError
from storage.connect import Connection
from storage.webhooks.senders import (
    SenderKnownError,
    add_sender,
    heard,
    remove_sender,
    renew_sender,
    sender_secrets,
    senders,
)

router = APIRouter(prefix="/v1", tags=["webhooks"])
SourcePath = Annotated[str, Path(min_length=1, max_length=64, pattern=SOURCE_PATTERN)]
WhatWord = Literal[InputWord, "profiles", "withdrawals"]


class SenderIn(BaseModel):
    """A system that is to send signed webhooks."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=64, pattern=SOURCE_PATTERN, examples=["shop"])


class MadeSenderOut(BaseModel):
    """A sender with its secret; keep it, it is not told again."""

    source: str = Field(examples=["shop"])
    secret: str = Field(examples=["whsec_…"])


class SenderOut(BaseModel):
    """A system that may send signed webhooks."""

    source: str = Field(examples=["shop"])
    made_at: datetime
    heard_at: datetime | None = Field(description="When something with a good signature came last")


class SendersOut(BaseModel):
    """Every sender, by name."""

    senders: list[SenderOut]


@router.get("/webhooks/senders", responses=described(503), summary="Systems that send here")
def list_senders(connection: ConnectionDep) -> SendersOut:
    """List the systems whose signed webhooks are taken in."""
    found = [SenderOut(source=row.source, made_at=row.made_at, heard_at=row.heard_at) for row in senders(connection)]
    return SendersOut(senders=found)


@router.post(
    "/webhooks/senders",
    status_code=201,
    responses={201: {"model": MadeSenderOut}, **described(400, 409, 422, 503)},
    summary="Let a system send",
)
def admit_sender(given: SenderIn, once: OnceDep) -> Response:
    """Make a secret with which a system signs what it sends to `/v1/hooks/{source}/…`."""

    def work(connection: Connection) -> tuple[int, Any]:
        return 201, make_sender(connection, given.source).model_dump(mode="json")

    return once.answer(given.model_dump_json().encode(), work, secret=True)


@router.post(
    "/webhooks/senders/{source}/secret",
    responses={200: {"model": MadeSenderOut}, **described(400, 404, 409, 422, 503)},
    summary="New secret of a sender",
)
def renew_sender_secret(source: SourcePath, once: OnceDep) -> Response:
    """Make a new secret; for a day both hold, so that the sender can change over."""

    def work(connection: Connection) -> tuple[int, Any]:
        secret = new_secret()
        if not renew_sender(connection, source, secret):
            raise sender_unknown()
        return 200, MadeSenderOut(source=source, secret=secret).model_dump(mode="json")

    return once.answer(b"", work, secret=True)


@router.post(
    "/webhooks/senders/{source}/remove",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Remove a sender",
)
def dismiss_sender(source: SourcePath, once: OnceDep) -> Response:
    """Take nothing signed by this system any more; what it sent stays."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not remove_sender(connection, source):
            raise sender_unknown()
        return 200, {"done": True}

    return once.answer(b"", work)


async def _raw(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/hooks/{source}/{what}",
    responses={200: {"model": TakenOut}, **described(401, 404, 409, 422, 503)},
    summary="Take in a signed webhook",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    },
)
def take_hook(
    *,
    source: SourcePath,
    what: WhatWord,
    body: Annotated[bytes, Depends(_raw)],
    request: Request,
    service: ServiceDep,
    connection: ConnectionDep,
    webhook_id: Annotated[str, Header(min_length=1, max_length=128)] = "",
) -> Response:
    """Take in what a system sends by the Standard Webhooks specification; the same webhook-id counts once.

    The body is `{"type", "timestamp", "data"}`: one row or a list of rows as in `POST /v1/inputs`, a customer or a
    withdrawal, which may name its customer by a column as in a file. A row without `kind`, `occurred_at` or `key`
    gets the type, the timestamp and the webhook-id.
    """
    _check_signature(connection, source, body, request)
    work = _work(what, source, _told(body), webhook_id, service)

    def heard_and_taken(writing: Connection) -> tuple[int, Any]:
        heard(writing, source)
        return work(writing)

    return answer_or_conflict(Once(service, request.url.path, webhook_id).answer(body, heard_and_taken))


def make_sender(connection: Connection, source: str) -> MadeSenderOut:
    """Write a sender with a secret of its own; raises the problem of one that is there already."""
    secret = new_secret()
    try:
        add_sender(connection, source, secret)
    except SenderKnownError as error:
        faults = [{"where": "source", "what": error.what}]
        raise conflict(error.what, hint=error.hint, faults=faults) from error
    return MadeSenderOut(source=source, secret=secret)


def sender_unknown() -> ProblemError:
    """Return the problem of a sender that is not there."""
    return unknown(
        "sender",
        detail="There is no such sender.",
        hint="GET /v1/webhooks/senders lists them.",
    )


def _check_signature(connection: Connection, source: str, body: bytes, request: Request) -> None:
    """Refuse what is not signed right; an unknown sender is refused alike, so that nobody learns who there is."""
    headers = {name: value for name, value in request.headers.items() if name.startswith("webhook-")}
    for secret in sender_secrets(connection, source):
        try:
            Webhook(secret).verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            continue  # ValueError: a signature that is no base64, a body that is no text
        return
    raise ProblemError(
        401,
        "signature",
        "Not signed",
        detail="The signature is missing, wrong or older than five minutes, or the sender is unknown.",
        hint="Sign by the Standard Webhooks specification, with the secret that was told for this source.",
    )


class _Envelope(msgspec.Struct):
    data: Any
    type: str = ""
    timestamp: str = ""


def _told(body: bytes) -> _Envelope:
    try:
        # the standard library's reader: what a string may not hold, or a number, is then said of its row
        return msgspec.convert(loads(body), _Envelope)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"The body is no webhook: {error}.", hint='It looks like {"type": …, "timestamp": …, "data": …}.'
        ) from error


def _work(what: WhatWord, source: str, told: _Envelope, webhook_id: str, service: Service) -> Work:
    now = service.now()
    try:
        match what:
            case "profiles":
                return taking_profile(ProfileIn.model_validate(_of(source, told.data)), service.guard, now)
            case "withdrawals":
                filled = [named(_of(source, row)) for row in _each_filled(told, webhook_id, now)]
                if isinstance(told.data, list) and 1 <= len(filled) <= EVENTS_TOGETHER:
                    return taking_withdrawals(filled)
                return taking_withdrawal(WithdrawalIn.model_validate(filled[0] if len(filled) == 1 else told.data))
            case _:
                filled = _each_filled(told, webhook_id, now)
                return taking_events(what, EventsIn.model_validate({"source": source, "events": filled}), now)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            in_words(first).removesuffix(".") + ".",
            hint=f"See the body of POST /v1/{'inputs' if what not in {'profiles', 'withdrawals'} else what};"
            f" at most {EVENTS_TOGETHER} rows.",
            where=".".join(map(str, first["loc"])),
        ) from error


def _of(source: str, data: Any) -> Any:
    return {**data, "source": source} if isinstance(data, dict) else data


def _each_filled(told: _Envelope, webhook_id: str, now: datetime) -> list[Any]:
    rows = told.data if isinstance(told.data, list) else [told.data]
    return [_filled(row, told, webhook_id, number, now) for number, row in enumerate(rows)]


def _filled(row: Any, told: _Envelope, webhook_id: str, number: int, now: datetime) -> Any:
    if not isinstance(row, dict):
        return row
    at = told.timestamp or now.astimezone(UTC).isoformat()
    key = webhook_id if number == 0 else f"{webhook_id}.{number}"
    said = {"kind": told.type, "occurred_at": at, "key": key}
    aliases = {"kind": "event", "occurred_at": "timestamp", "key": "messageId"}  # Segment's words
    return {name: value for name, value in said.items() if aliases[name] not in row} | row
