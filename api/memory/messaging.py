"""From the memory of a customer to a message: what it would say, and what stands against it."""

from datetime import datetime
from uuid import UUID

import msgspec

from api.memory.recall import Recalled, memory_of, recalled
from api.problems import ProblemError, unknown
from api.service import Service, find_store
from core.memory.messages import Filled, Obstacle, Template, fields_of, fill, newest_visit, obstacles
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.instants import to_ns
from storage.memory.messages import consents_held, messages_of, templates
from storage.profiles.profiles import ProfileRow


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A template filled for a customer, and why it may not be sent now."""

    template: Template
    filled: Filled
    obstacles: tuple[Obstacle, ...]


def previews(
    service: Service, connection: Connection, profile: ProfileRow, *, now: datetime, only: str | None = None
) -> list[Preview]:
    """Return every template, or one, for a customer.

    Raises
    ------
    ProblemError
        If there is no such template.
    """
    found = templates(connection)
    if only is not None:
        if only not in found:
            raise template_unknown()
        found = {only: found[only]}
    known = recalled(connection, profile.profile_id)
    last = newest_visit(known.visits)
    fields = fields_of(
        memory_of(known, now),
        name=profile.display_name,
        last_store=find_store(service, connection, last.store).plan.label if last is not None else None,
    )
    # what stands against a message does so whichever of her profiles, or which store, it is known at
    with in_own_right(connection):
        held = consents_held(connection, profile.profile_id, [one.purpose for one in found.values()])
        sent_at = [to_ns(row.made_at) for row in messages_of(connection, profile.profile_id)]
        felt = recalled(connection, profile.profile_id).felt
    made = []
    for template in found.values():
        filled = fill(template, fields)
        against = obstacles(
            template,
            filled,
            consented=template.purpose in held,
            felt=felt,
            sent_at=sent_at,
            as_of=to_ns(now),
        )
        made.append(Preview(template=template, filled=filled, obstacles=tuple(_shown(one, known) for one in against)))
    return made


def _shown(obstacle: Obstacle, known: Recalled) -> Obstacle:
    """Return an obstacle with the evidence that whoever asks may see."""
    seen = {(one.kind, one.id) for one in known.felt}
    evidence = tuple(one for one in obstacle.evidence if (one.kind, one.id) in seen)
    return msgspec.structs.replace(obstacle, evidence=evidence)


def template_unknown() -> ProblemError:
    """Return the problem of a template that is not there."""
    return unknown(
        "template",
        detail="There is no such template.",
        hint="GET /v1/message-templates lists them.",
    )


def suppressed(profile: UUID, found: tuple[Obstacle, ...]) -> ProblemError:
    """Return the problem of a message that may not be sent now; `faults` say why."""
    problem = ProblemError(
        409,
        "message-suppressed",
        "Not now",
        detail="This message may not be sent now: " + " ".join(one.says for one in found),
        hint=f"POST /v1/profiles/{profile}/messages/preview tells when nothing stands against it.",
    )
    problem.faults = [{"where": one.word, "what": one.says} for one in found]
    return problem
