"""Whose a row is, where profiles were merged: one rule for notes, alerts, messages and what is asked of them."""

from typing import Final, LiteralString
from uuid import UUID

from storage.connect import Connection
from storage.profiles.profiles import PURPOSE

OF_PERSON: Final[LiteralString] = "array(select profile_id from person where kept_id = %(profile)s)"
"""The profiles of the person that %(profile)s stands for: itself, and those that were merged into it.

What is kept by profile is asked for with `= any(OF_PERSON)`, which the indexes go by; the views of what may be seen
(`note_seen`, `alert_seen`, `message_seen`) have it in `of_profile`, and in `profile_id` whom it is told of.
"""


def kept_profile(connection: Connection, profile: UUID) -> UUID | None:
    """Return the profile that stands for a profile: itself, or the one that it was merged into.

    None both for one that is unknown and where the consent of either does not hold.
    """
    row = connection.execute(
        "select kept_id from person"
        " where profile_id = %(profile)s"
        "   and consent_holds(profile_id, %(purpose)s) and consent_holds(kept_id, %(purpose)s)",
        {"profile": profile, "purpose": PURPOSE},
    ).fetchone()
    return row[0] if row is not None else None


def are_one_person(connection: Connection, *profiles: UUID) -> bool:
    """Return whether one profile stands for all of these."""
    row = connection.execute(
        "select count(*) = cardinality(%(profiles)s) and count(distinct kept_id) = 1 from person"
        " where profile_id = any(%(profiles)s)",
        {"profiles": list(set(profiles))},
    ).fetchone()
    return row == (True,)
