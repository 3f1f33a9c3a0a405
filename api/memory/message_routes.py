"""Personal messages: templates, previews, what was said to a customer, and what she consented to."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Header, Path, Response

from api.identity.models import LedgerOut
from api.identity.routes import read_ledger
from api.inputs.rows import offset_said
from api.memory.message_models import (
    ConsentWordIn,
    MessageIn,
    MessageOut,
    MessagesOut,
    PreviewOut,
    TemplateIn,
    TemplateOut,
    TemplatesOut,
)
from api.memory.messaging import previews, suppressed
from api.operators import OperatorDep
from api.problems import described, profile_unknown
from api.service import ConnectionDep, ProfileDep, ServiceDep
from core.errors import InputError
from core.memory.messages import FIELDS, Template, check_template
from storage.connect import Connection
from storage.identity.consents import ConsentWord, add_consent, withdraw_everywhere
from storage.memory.messages import (
    MessageRow,
    find_message,
    insert_message,
    lock_messages,
    messages_of,
    save_template,
    templates,
)
from storage.notes.choices import WORD_PATTERN
from storage.profiles.profiles import PURPOSE, find_profile
from storage.webhooks import enqueue

router = APIRouter(prefix="/v1", tags=["messages"])


@router.get("/message-templates", responses=described(503), summary="Templates of personal messages")
def list_templates(connection: ConnectionDep) -> TemplatesOut:
    """Return every template, retired ones too, and the fields that may stand in one."""
    return TemplatesOut(
        templates=[TemplateOut.of(row) for row in templates(connection).values()], fields=dict(FIELDS)
    )


@router.put("/message-templates/{template}", responses=described(404, 422, 503), summary="Add or change a template")
def write_template(
    template: Annotated[str, Path(pattern=WORD_PATTERN)], asked: TemplateIn, service: ServiceDep, _: OperatorDep
) -> TemplateOut:
    """Keep a template; there are at most 100. A field that there is not is a 422."""
    check_template(asked.subject, asked.body)
    made = Template(template=template, **asked.model_dump())
    service.writer.write(lambda connection: save_template(connection, made))
    return TemplateOut.of(made)


@router.post("/profiles/{profile}/messages/preview", responses=described(404, 422, 503), summary="Preview a message")
def read_preview(found: ProfileDep, asked: MessageIn, connection: ConnectionDep, service: ServiceDep) -> PreviewOut:
    """Return a template as the customer would read it, and what stands against sending it. Nothing is kept."""
    (one,) = previews(service, connection, found, now=service.now(), only=asked.template)
    return PreviewOut.of(asked.template, one.filled, one.obstacles)


@router.post(
    "/profiles/{profile}/messages",
    responses=described(404, 409, 422, 503),
    summary="Make a message",
    status_code=201,
)
def write_message(
    profile: UUID,
    asked: MessageIn,
    service: ServiceDep,
    operator: OperatorDep,
    response: Response,
    *,
    idempotency_key: Annotated[
        UUID | None, Header(description="Becomes the message's id; the same one sent again is made once (200)")
    ] = None,
) -> MessageOut:
    """Make a message if nothing stands against it (else 409); whoever asks sends it. It counts against caps."""
    message = idempotency_key if idempotency_key is not None else uuid4()

    def work(connection: Connection) -> tuple[int, MessageRow]:
        lock_messages(connection, profile)
        known = find_profile(connection, profile)
        if known is None:
            raise profile_unknown()
        made = find_message(connection, message)
        if made is not None:
            if (made.profile_id, made.template) != (profile, asked.template):
                raise InputError(
                    "This key was used for another message.", hint="Use a new UUID for each.", where="Idempotency-Key"
                )
            return 200, made
        now = service.now()
        (one,) = previews(service, connection, known, now=now, only=asked.template)
        if one.obstacles:
            raise suppressed(profile, one.obstacles)
        made = MessageRow(
            message_id=message,
            profile_id=profile,
            template=asked.template,
            subject=one.filled.subject,
            body=one.filled.body,
            operator=operator,
            made_at=now,
        )
        insert_message(connection, made)
        told = {"message_id": str(message), "profile_id": str(profile), "template": asked.template}
        enqueue(connection, "message.made", told, profile=profile)
        return 201, made

    response.status_code, made = service.writer.write(work)
    return MessageOut.of(made)


@router.get("/profiles/{profile}/messages", responses=described(404, 422, 503), summary="Messages to a profile")
def list_messages(found: ProfileDep, connection: ConnectionDep) -> MessagesOut:
    """Return the newest 400 messages."""
    return MessagesOut(messages=[MessageOut.of(row) for row in messages_of(connection, found.profile_id)])


@router.post("/profiles/{profile}/consents", responses=described(404, 422, 503), summary="Add a word of consent")
def write_consent(found: ProfileDep, asked: ConsentWordIn, service: ServiceDep, _: OperatorDep) -> LedgerOut:
    """Add what a customer said on a purpose beside in-store journeys to the ledger; she withdraws with all profiles.

    For `in_store_journey` there are `POST /v1/withdrawals` and the import of profiles.
    """
    if asked.purpose == PURPOSE:
        raise InputError(
            f"A word on {PURPOSE} comes with the profile.",
            hint="Withdraw it by POST /v1/withdrawals; grant it by the import of profiles.",
            where="purpose",
        )
    until = offset_said(asked.expires_at, "expires_at") if asked.expires_at is not None else None
    word = ConsentWord(occurred_at=service.now(), **asked.model_dump() | {"expires_at": until})
    add = withdraw_everywhere if word.status == "withdrawn" else add_consent

    def work(connection: Connection) -> LedgerOut:
        add(connection, found.profile_id, word)
        return read_ledger(found, connection)

    return service.writer.write(work)
