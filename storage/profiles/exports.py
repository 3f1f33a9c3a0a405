"""Everything that is known of customers whose consent holds, read in small parts so that no export is too long."""

from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from core.journey.walks import Span, walks
from storage.connect import Connection
from storage.instants import to_ns
from storage.profiles.profiles import PURPOSE

ExportWord: TypeAlias = Literal["profiles", "visits", "events", "consents", "cues"]
PROFILES_AT_ONCE: Final = 200
"""With 500 visits each still only 100,000 short rows; a part takes a fraction of a second."""
_PURPOSE: Final = {"purpose": PURPOSE}

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "profiles": (
        "profile_id", "display_name", "loyalty_tier", "created_at", "consent_source", "consent_wording",
        "consented_at", "consent_expires_at",
    ),
    "visits": (
        "profile_id", "visit_id", "store", "entered_at", "left_at", "dwell_s", "confidence", "closed_by", "revision",
    ),
    "events": (
        "profile_id", "event_id", "revision", "kind", "source", "store", "occurred_at", "recorded_at", "detail",
    ),
    "consents": ("profile_id", "purpose", "status", "source", "wording", "occurred_at", "expires_at", "recorded_at"),
    "cues": (
        "profile_id", "cue_no", "store", "visit_id", "arrived_at", "told_at", "cue", "because", "rule_no",
        "policy_version", "trial_no", "tried", "outcome", "outcome_by", "outcome_at", "order_event_id",
    ),
}  # fmt: skip

_ROWS: Final[dict[str, str]] = {
    "profiles": (
        "select profile_id, display_name, loyalty_tier, created_at, consent.source, wording, occurred_at, expires_at"
        "  from profile cross join lateral (select source, wording, occurred_at, expires_at"
        "    from consent_current held where held.profile_id = profile.profile_id and purpose = %(purpose)s and holds"
        "    limit 1) consent"
        " where profile_id = any (%(profiles)s) order by profile_id"
    ),
    "visits": (
        "select link.profile_id, visit_id, store.id, entered_at, left_at, dwell_s, confidence, closed_by.word,"
        "       revision, role from profile_device link"
        " cross join lateral (select * from store_visit where store_visit.device = link.device and not withdrawn"
        "   and entered_at >= link.valid_from and entered_at < link.valid_to offset 0) visit"
        "  join store using (store_no) join closed_by on closed_by.code = visit.closed_by"
        " where link.profile_id = any (%(profiles)s) order by link.profile_id, entered_at, visit_id"
    ),
    "events": (
        "select person.kept_id, event_id, revision, kind, source, coalesce(store.id, ''), occurred_at, recorded_at,"
        "       detail from person join event_seen using (profile_id) left join store using (store_no)"
        " where person.kept_id = any (%(profiles)s) and newest and not removed"
        "   and consent_holds(person.profile_id, %(purpose)s)"
        " order by person.kept_id, occurred_at, event_id"
    ),
    "consents": (
        "select profile_id, purpose, status, source, wording, occurred_at, expires_at, recorded_at"
        "  from consent_event where profile_id = any (%(profiles)s) order by profile_id, occurred_at, consent_no"
    ),
    "cues": (
        "select profile_id, cue_no, store.id, visit_id, arrived_at, told_at, cue, because, rule_no, policy_version,"
        "       trial_no, tried, outcome, outcome_by, outcome_at, order_event"
        "  from cue_log join store using (store_no) where profile_id = any (%(profiles)s) order by profile_id, cue_no"
    ),
}


def next_profiles(connection: Connection, after: UUID | None, *, limit: int) -> list[UUID]:
    """Return the next profiles whose consent holds, in the order of their ids."""
    rows = connection.execute(
        "select profile_id from profile where (%(after)s::uuid is null or profile_id > %(after)s)"
        "   and merged_into is null and removed_at is null and consent_holds(profile_id, %(purpose)s)"
        " order by profile_id limit %(limit)s",
        _PURPOSE | {"after": after, "limit": limit},
    ).fetchall()
    return [row[0] for row in rows]


def export_rows(connection: Connection, what: ExportWord, profiles: list[UUID]) -> list[tuple[Any, ...]]:
    """Return the rows of some profiles, in the order of COLUMNS; nothing without a consent that holds.

    Of visits that two devices of a customer made on one walk it is the one that stands for it.
    """
    rows = connection.execute(_ROWS[what], _PURPOSE | {"profiles": profiles}).fetchall()
    if what != "visits":
        return rows
    walked = walks(
        rows, lambda row: Span(place=(row[0], row[2], row[-1]), entered_at=to_ns(row[3]), left_at=to_ns(row[4]))
    )
    return sorted((walk[0][:-1] for walk in walked), key=lambda row: (row[0], row[3], row[1]))
