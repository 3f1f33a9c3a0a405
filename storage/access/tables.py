"""What each table holds, and so who may read and write it; a test finds tables that nobody put here.

Read by: everybody who serves a store (`counts`), who works on customers (`people`), who runs the house (`house`).
"""

from typing import Final

COUNTS: Final = ("operations", "crm", "privacy", "admin", "edge")
"""Stores, plans, and what is counted of many."""
PEOPLE: Final = ("crm", "privacy", "edge")
"""Whose work is single customers; an edge's or app's program writes for them."""
HOUSE: Final = ("admin",)

PLAIN: Final = frozenset(
    {
        "adopted_model", "adopted_plan", "anchor", "anchor_fault", "closed_by", "coverage_hour", "crowd_rollup",
        "cue_policy", "cue_trial", "edge", "edge_change", "edge_cursor", "engine_progress", "exclusion_change",
        "customer_day", "fleet_alarm",
        "flow_rollup", "ingest_status", "late_batch", "model", "note_choice", "path_rollup", "return_model", "role",
        "rollup_frozen", "rollup_stale", "schema_floor", "shelf_item", "signal_gap", "sojourn_migration", "store",
        "store_owner",
        "store_alert", "store_alert_rule", "visit_rollup", "zone", "dead_letter",
        "message_template", "alert_rule", "segment", "input_import",
    }
)  # fmt: skip
"""Nothing of a single person; read by everybody who is let in."""

OF_HOUSE: Final = frozenset({"webhook_subscription", "webhook_delivery", "webhook_attempt", "webhook_sender"})
"""Other systems, with the secrets that sign, and what became of deliveries: read by HOUSE. Whoever else's work tells
an event, or is told one, has it written and looked up in our own right (storage.webhooks)."""

PSEUDONYMOUS: Final = frozenset({"zone_visit", "store_visit", "presence", "visit_revision", "rollup_change"})
"""One stay of one device: operations and admin read them without the device."""
DEVICE: Final = "device"

BY_PROFILE: Final = frozenset(
    {
        "profile", "consent_event", "device_link", "profile_identifier", "customer_event", "alert", "alert_look",
        "message", "cue_log", "profile_change", "app_installation", "card_ticket",
    }
)  # fmt: skip
"""Rows of one profile, by its `profile_id`."""
AROUND_PROFILE: Final = {
    "note": "note.profile_id is null"
    " and (note.store_no is null or note.store_no = any((select own_store_nos())::integer[]))"
    " or exists (select from profile_store known where known.profile_id = note.profile_id"
    " and known.store_no = any((select own_store_nos())::integer[]))",
    "note_revision": "exists (select from note where note.note_id = note_revision.note_id)",
    "follow_up": "exists (select from note where note.note_id = follow_up.note_id)"
    " or exists (select from alert where alert.alert_id = follow_up.alert_id)",
    "follow_up_change": "exists (select from follow_up where follow_up.follow_up_id = follow_up_change.follow_up_id)",
    "identity_case": "not exists (select from unnest(identity_case.profiles) one"
    " where not exists (select from profile where profile.profile_id = one))",
    "blocked_device": "true",
}
"""Tables beside profiles, and which of their rows belong to own stores."""
KNOWN_BY: Final = "profile_store"
"""Which stores know which profile: read by the policies of everything around a profile."""
FOR_PEOPLE: Final = frozenset({KNOWN_BY, "suppression", "suppression_state"})
"""Read by PEOPLE: who was erased is looked for before somebody is written again, by keyed digests."""
BY_STORE: Final = PSEUDONYMOUS | {"store", KNOWN_BY}
"""Rows of one store, by its `store_no`: who is bound to stores has those of no other. What names a store is joined
with `store`, so that nothing of another store's figures is found through it."""

NOBODY: Final = frozenset(
    {
        "account", "account_recovery", "account_session", "api_key", "access_granted",  # of the login
        "profile_read", "profile_shown",  # budgets of a day
        "signal_log", "engine_snapshot",  # of ingest
        "app_edge", "app_outbox",  # what is on its way to the broker
        "webhook_message",  # events of any store's customers, on their way to other systems
        "erasure", "erasure_place", "erasure_subject", "retention_run",  # of the privacy desk's jobs
        "idempotency_key",  # answers that are given again, asked for in our own right
        "recompute_run", "recompute_store", "recompute_task", "recompute_change",  # of visits decided anew
        "audit_entry", "audit_subject", "audit_waiting", "audit_link", "audit_start",  # entered by triggers and by us
    }
)  # fmt: skip
"""Asked only by a process with its own rights."""

WRITES: Final = {
    "operations": (
        "exclusion_change", "shelf_item", "store_alert", "store_alert_rule", "cue_policy",
        "cue_trial",
    ),
    "crm": (
        "note", "note_revision", "follow_up", "follow_up_change", "note_choice", "alert", "alert_look", "alert_rule",
        "message", "message_template", "cue_log", "cue_policy", "cue_trial", "segment", "customer_event", "profile",
        "consent_event", "device_link", "profile_identifier", "identity_case", "profile_change", "input_import",
        "card_ticket", "app_installation",
    ),
    "privacy": (
        "consent_event", "device_link", "profile", "profile_identifier", "identity_case", "blocked_device",
        "app_installation", "card_ticket", "customer_event", "input_import", "profile_change", "note", "follow_up",
        "follow_up_change", "note_revision", "alert", "alert_look", "message", "cue_log",
    ),
    "admin": (
        "store", "zone", "anchor", "edge", "adopted_plan", "adopted_model", "model", "exclusion_change", "shelf_item",
        "store_alert", "store_alert_rule", "note_choice", "message_template", "alert_rule",
        "cue_policy", "cue_trial", "webhook_subscription", "webhook_delivery", "webhook_sender",
        "rollup_stale", "visit_rollup", "flow_rollup", "path_rollup", "crowd_rollup", "return_model",
    ),
    "edge": (
        "customer_event", "profile", "consent_event", "device_link", "profile_identifier", "identity_case",
        "profile_change", "input_import", "app_installation",
    ),
}  # fmt: skip
"""What each role's own pages and routes change. Triggers of the database write the rest in their own right."""
