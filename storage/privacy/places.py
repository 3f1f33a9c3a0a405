"""Every table, and whether people are in it: the one registry behind erasure, access export and the data map.

A table that stands neither in PLACES nor in IMPERSONAL fails a test: who adds one says here what it holds of whom.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, LiteralString, TypeAlias
from uuid import UUID

How: TypeAlias = Literal["delete", "engine", "batches", "outbox", "freeze", "visits", "pseudonym"]
"""How a place is cleared: by deleting rows, or by what storage.privacy.erasing does for it."""


@dataclass(frozen=True)
class Subject:
    """Whom it is about: her profiles (merged ones too), and her devices with the time in which they were hers.

    Times are as PostgreSQL reads them; `-infinity` and `infinity` where a device was nobody else's.
    """

    profiles: tuple[UUID, ...]
    devices: tuple[tuple[UUID, str, str], ...]

    def parameters(self) -> dict[str, Any]:
        """Return what the statements of a place are asked with."""
        return {
            "profiles": list(self.profiles),
            "devices": [device for device, _, _ in self.devices],
            "froms": [begin for _, begin, _ in self.devices],
            "untils": [end for _, _, end in self.devices],
        }


@dataclass(frozen=True)
class Place:
    """A table that holds something of people.

    `rows` is what follows `from` to find the rows of a Subject, under the name `held`; `keys` name a row. `holds`,
    `why` and `kept` are sentences of the data map; `kept` names a kind of core.privacy.retention where there is one.
    `left_out` are columns that an access export does not repeat (digests and search words, nothing of hers).
    """

    table: LiteralString
    holds: str
    why: str
    kept: str
    rows: LiteralString
    keys: tuple[LiteralString, ...]
    how: How = "delete"
    left_out: tuple[str, ...] = ()

    @property
    def count(self) -> LiteralString:
        """The statement that counts what there is of a Subject."""
        return f"select count(*) from {self.rows}"

    @property
    def read(self) -> LiteralString:
        """The statement that reads what there is of a Subject, a JSON object a row."""
        return f"select to_jsonb(held) - %(left_out)s::text[] from {self.rows}"

    @property
    def delete(self) -> LiteralString:
        """The statement that deletes at most %(most)s rows of a Subject."""
        asked: LiteralString = ", ".join([f"held.{key}" for key in self.keys])
        same: LiteralString = " and ".join([f"gone.{key} = found.{key}" for key in self.keys])
        return (
            f"delete from {self.table} gone using (select {asked} from {self.rows} limit %(most)s) found where {same}"
        )


_OWN: Final[LiteralString] = (
    "unnest(%(devices)s::uuid[], %(froms)s::text[]::timestamptz[], %(untils)s::text[]::timestamptz[])"
    " as own (device, from_at, until_at)"
)
_HERS: Final[LiteralString] = "held.profile_id = any(%(profiles)s)"
_TELLS: Final[LiteralString] = (
    "(told.profile_id = any(%(profiles)s) or exists (select from unnest(%(profiles)s::uuid[]) one"
    " where told.body like '%%' || one::text || '%%'))"
)
_NOTES: Final = "To serve a customer as staff knew her last time."


def _visits(table: LiteralString) -> LiteralString:
    return (
        f"{_OWN} join {table} held on held.device = own.device and held.entered_at >= own.from_at"
        " and held.entered_at < own.until_at"
    )


def _of_profile(
    table: LiteralString,
    keys: tuple[LiteralString, ...],
    holds: str,
    why: str,
    kept: str,
    *,
    left_out: tuple[str, ...] = (),
) -> Place:
    return Place(table, holds, why, kept, f"{table} held where {_HERS}", keys, left_out=left_out)


_ABOUT: Final[LiteralString] = (
    "left join note on note.note_id = held.note_id left join alert on alert.alert_id = held.alert_id"
    " where (note.profile_id = any(%(profiles)s) or alert.profile_id = any(%(profiles)s))"
)

PLACES: Final[tuple[Place, ...]] = (
    _of_profile(
        "consent_event", ("consent_no",), "What a customer agreed to and withdrew, when, where, in which wording",
        "To prove consent.", "as long as the profile",
    ),
    Place(
        "engine_snapshot", "The engine's memory of who is in a store, under pseudonyms", "To go on after a crash.",
        "two generations, five minutes apart", "engine_snapshot held where false", ("store_no",), "engine",
    ),
    Place(
        "app_outbox", "What apps heard, on its way to the broker", "To lose no signal.", "until ingest has it",
        "app_outbox held where false", ("store_no", "sequence"), "outbox",
    ),
    Place(
        "signal_log", "Every signal: time, anchor, level, pseudonym", "To decode visits, and to revise them.",
        "signals", "signal_log held where false", ("log_no",), "batches",
    ),
    Place(
        "visit_rollup", "Counts by hour and day; days on which she came are frozen", "Figures of the store.",
        "of fewer than ten people as long as the visits, of more without an end", "visit_rollup held where false",
        ("store_no",), "freeze",
    ),
    Place(
        "visit_revision", "Visits as they stood before a correction, under pseudonyms", "To explain a correction.",
        "visits",
        f"{_OWN} join visit_revision held on held.device = own.device and ((own.from_at = '-infinity'"
        " and own.until_at = 'infinity') or exists (select from zone_visit one where one.device = own.device"
        " and one.visit_id = held.visit_id and one.entered_at >= own.from_at and one.entered_at < own.until_at)"
        " or exists (select from store_visit one where one.device = own.device and one.visit_id = held.visit_id"
        " and one.entered_at >= own.from_at and one.entered_at < own.until_at))",
        ("visit_id", "revision"),
    ),
    Place(
        "recompute_change", "Visits as a recomputation that is not over would make them, under pseudonyms",
        "To show all of it at once.", "until the run is over", _visits("recompute_change"),
        ("run_no", "visit_id", "revision"),
    ),
    Place(
        "zone_visit", "Stays in zones, under pseudonyms", "Dwell times and journeys.", "visits",
        _visits("zone_visit"), ("visit_id", "entered_at"), "visits",
    ),
    Place(
        "store_visit", "Visits of stores, under pseudonyms", "Dwell times and journeys.", "visits",
        _visits("store_visit"), ("visit_id", "entered_at"), "visits",
    ),
    Place(
        "presence", "Who is where now, under pseudonyms", "Live pages.", "until she has left",
        f"{_OWN} join presence held on held.device = own.device and own.until_at = 'infinity'",
        ("store_no", "device"),
    ),
    Place(
        "rollup_change", "Visits that are not counted yet, under pseudonyms", "To keep counts right.",
        "half a minute", _visits("rollup_change"), ("store_no", "visit_id", "sign"),
    ),
    Place(
        "follow_up_change", "Who put a follow-up off, or gave it to somebody", _NOTES, "notes",
        "follow_up_change held join follow_up task on task.follow_up_id = held.follow_up_id"
        " left join note on note.note_id = task.note_id left join alert on alert.alert_id = task.alert_id"
        " where (note.profile_id = any(%(profiles)s) or alert.profile_id = any(%(profiles)s))",
        ("follow_up_id", "change_no"),
    ),
    Place(
        "follow_up", "What somebody must do for a customer, and what came of it", _NOTES, "notes",
        f"follow_up held {_ABOUT}", ("follow_up_id",),
    ),
    Place(
        "note_revision", "Notes as they stood before an edit", _NOTES, "notes",
        "note_revision held join note on note.note_id = held.note_id where note.profile_id = any(%(profiles)s)",
        ("note_id", "revision"),
    ),
    _of_profile(
        "note", ("note_id",), "What staff saw or heard of a customer", _NOTES, "notes",
        left_out=("words", "asked_sha256"),
    ),
    _of_profile(
        "alert_look", ("profile_id",), "When rules looked at a customer last", "To look once.", "one row a profile",
    ),
    _of_profile(
        "alert", ("alert_id",), "What a rule foresaw of a customer, with ids of its evidence",
        "To act before she is lost.", "alerts",
    ),
    _of_profile(
        "message", ("message_id",), "Personal messages to a customer", "To write once, and kindly.", "messages"
    ),
    Place(
        "webhook_attempt", "What came of each attempt to tell another system", "To mend deliveries.", "30 days",
        "webhook_attempt held join webhook_delivery sent on sent.delivery_id = held.delivery_id"
        f" join webhook_message told on told.message_id = sent.message_id where {_TELLS}",
        ("attempt_no",),
    ),
    Place(
        "webhook_delivery", "Events on their way to other systems, dead letters too", "To tell other systems.",
        "30 days",
        f"webhook_delivery held join webhook_message told on told.message_id = held.message_id where {_TELLS}",
        ("delivery_id",),
    ),
    Place(
        "webhook_message", "Events that tell of a customer", "To tell other systems.", "30 days",
        "webhook_message held join lateral (select held.profile_id, held.body) told on true"
        f" where {_TELLS}", ("message_id",),
    ),
    _of_profile(
        "cue_log", ("cue_no",), "Cues that staff were shown of a customer, and what came of them",
        "To learn which cues help.", "cues",
    ),
    _of_profile(
        "card_ticket", ("ticket_sha256",), "Leave to show a customer's card in a frame", "For minutes.",
        "until it expires", left_out=("ticket_sha256",),
    ),
    _of_profile(
        "customer_event", ("event_id", "revision"), "Orders, views, appointments, with all revisions",
        "Journeys from Discover to Reflect.", "events",
    ),
    _of_profile(
        "profile_change", ("import_no", "profile_id"), "Name and tier before an import", "To take an import back.",
        "as long as the profile",
    ),
    Place(
        "identity_case", "Profiles that may be one person, and who decided", "To merge nobody by mistake.",
        "as long as its profiles",
        # who the others are is nothing to tell her (Art. 15(4) GDPR): that there are some, and how many
        "(select case_no, source, identifiers, opened_at, status, decided_at, decided_by, undone_at,"
        " array(select one from unnest(profiles) one where one = any(%(profiles)s)) as profiles,"
        " (select count(*) from unnest(profiles) one where one <> all(%(profiles)s)) as other_profiles"
        " from identity_case where profiles && %(profiles)s::uuid[]) held", ("case_no",),
    ),
    Place(
        "idempotency_key", "Answers to requests that may be sent again, without secrets; they name profiles",
        "To count once.", "7 days",
        "idempotency_key held where exists (select from unnest(%(profiles)s::uuid[]) one"
        " where held.answer::text like '%%' || one::text || '%%' or held.path like '%%' || one::text || '%%')",
        ("key", "path"), left_out=("request_sha256",),
    ),
    _of_profile(
        "app_installation", ("installation_id",), "Installations of the app, with their pseudonym and battery",
        "To take in what her app hears.", "as long as the profile", left_out=("token_sha256",),
    ),
    Place(
        "blocked_device", "Devices that were taken for a kiosk's or staff's, under pseudonyms",
        "To join nobody's device to a customer.", "no end",
        f"{_OWN} join blocked_device held on held.device = own.device and own.until_at = 'infinity'", ("block_no",),
    ),
    _of_profile(
        "device_link", ("link_no",), "Which pseudonyms are a customer's, and since when", "To join her visits.",
        "as long as the profile",
    ),
    _of_profile(
        "profile_identifier", ("identifier_no",), "Customer number, e-mail, phone and the like",
        "To know whom another system means.", "as long as the profile",
    ),
    _of_profile(
        "profile_read", ("principal", "day", "profile_id"), "Who opened a customer's profile today and yesterday",
        "To bound how many profiles one person opens.", "2 days",
    ),
    _of_profile(
        "profile_shown", ("principal", "day", "profile_id"), "Whom lists showed a customer today and yesterday",
        "To bound how many people one person is shown.", "2 days",
    ),
    _of_profile(
        "profile_store", ("profile_id", "store_no"), "Which stores know a customer",
        "To show customers to their own stores only.", "as long as the profile",
    ),
    _of_profile("profile", ("profile_id",), "Name and tier", "To greet a customer who consented.", "withdrawn"),
    # last of all: what went before is entered in her name, too
    Place(
        "audit_subject", "Who looked at a customer or changed something, when and what for",
        "To prove who looked; after an erasure under a keyed hash.", "audit",
        "(select subject.entry_no, subject.place, subject.profile_id, entry.at, entry.kind, entry.purpose,"
        " entry.role, entry.fields from audit_subject subject join audit_entry entry using (entry_no)) held"
        f" where {_HERS}", ("entry_no", "place"), "pseudonym",
    ),
)  # fmt: skip
"""In the order in which an erasure goes through them: what hides her first, what names her last."""

IMPERSONAL: Final[dict[str, str]] = {
    "store": "A store and its plan", "zone": "Zones", "anchor": "Anchors", "adopted_plan": "Plans",
    "edge": "Edges and their state", "edge_cursor": "How far an edge's batches came", "edge_change": "Edges' states",
    "signal_gap": "How many signals were dropped, and when; kept as long as coverage",
    "dead_letter": "Faults, without a device",
    "closed_by": "Words", "role": "Words", "note_choice": "Words", "engine_progress": "How far an engine is",
    "ingest_status": "How ingest fares", "store_owner": "Which ingest a store belongs to",
    "model": "How anchors sound", "adopted_model": "Which model when",
    "anchor_fault": "Anchors that are down", "fleet_alarm": "What edges and anchors had and when",
    "coverage_hour": "How much was heard", "late_batch": "Numbers",
    "flow_rollup": "Counts of moves; of fewer than ten people, once their visits go, only that there were some",
    "path_rollup": "Counts of ways, of fewer than ten people as long as the visits",
    "crowd_rollup": "How many were in a store at once by the hour, also where that were few",
    "rollup_frozen": "Days",
    "customer_day": "Counts",
    "rollup_stale": "Days", "exclusion_change": "Rules of counting", "shelf_item": "Products",
    "store_alert_rule": "Limits", "store_alert": "Limits that were passed", "alert_rule": "Rules",
    "message_template": "Texts before a name is put in", "segment": "Rules", "return_model": "One model of everybody",
    "cue_policy": "Rules", "cue_trial": "Rules", "webhook_subscription": "Other systems",
    "webhook_sender": "Other systems",
    "input_import": "Counts and fields, never a value", "app_edge": "Numbers of batches",
    "suppression": "Keyed hashes without their key", "suppression_state": "A version",
    "erasure": "A keyed hash; the account or key that asked",
    "erasure_place": "Counts", "erasure_subject": "Empty once an erasure is done",
    "account": "Staff who may log in", "account_recovery": "Digests", "account_session": "Digests; staff",
    "api_key": "Digests; programs", "access_granted": "A digest",
    "audit_entry": "Staff and programs, what they did and what for; customers as salted hashes alone",
    "audit_link": "Hashes", "audit_waiting": "Numbers of entries", "audit_start": "Hashes",
    "recompute_run": "Days and stores", "recompute_store": "Models", "recompute_task": "Days and counts",
    "retention_run": "Counts", "sojourn_migration": "Names of files", "schema_floor": "A version",
}  # fmt: skip
"""Tables without anybody in them, each with what it holds."""

NOT_REACHED: Final = (
    "Free text of others that names her: notes and follow-ups are counted on the receipt, for people to look at.",
    "Names of segments and texts of templates: they are not looked through.",
    "Files that people took out: CSV and JSON exports, access exports, screenshots.",
    "What other systems were told by webhooks before: they have to be asked.",
    "Recordings of `sojourn record`: they hold no pseudonym of ours, and the key of each was not kept.",
    "Archives of `sojourn archive`: its next run takes out who is on the suppression list.",
    "Backups: what the suppression list names is erased again when one is restored.",
    "The list of consented devices of each edge: take her pseudonyms out; until then ingest refuses them.",
    "Kafka, where it stands before ingest: batches go a day after they came; what is read again is refused.",
    "Statistics of the planner about a table that holds no row any more, until it has some.",
    "Pages of the database that are free but not yet overwritten, and its write-ahead log until it is recycled.",
)
"""What no job can reach, to be read on every receipt."""
