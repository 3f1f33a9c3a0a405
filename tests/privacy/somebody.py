"""A customer of whom something stands in every place."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import numpy as np

from core.dwell.engine import StoreEngine
from core.floorplan import StorePlan
from core.wire import Batch, encode
from storage.connect import Connection
from storage.instants import to_datetime, to_ns
from storage.log.snapshots import Snapshot, save_snapshot
from storage.profiles.profiles import create_profile
from tests.api.seeding import add_visit

NAME = "Wilhelmina Quastenflossler"
EMAIL = "wilhelmina@quastenflossler.test"
SUBJECT = "Limping giraffe"
DETAIL = "She told of her limping giraffe and laughed."
HERS = bytes.fromhex("d1c0ffee11223344556677889900aabb")
TAG = bytes.fromhex("e2c0ffee11223344556677889900aabb")
OTHER = bytes.fromhex("a1b2c3d4e5f60718293a4b5c6d7e8f90")


@dataclass(frozen=True)
class Somebody:
    """Her profile and her app's device, beside HERS and TAG."""

    profile: UUID
    app_device: UUID

    @property
    def secrets(self) -> dict[str, bytes]:
        """What has to be gone."""
        return {
            "pseudonym": HERS,
            "tag": TAG,
            "app": self.app_device.bytes,
            "profile": self.profile.bytes,
            "profile in text": str(self.profile).encode(),
            "name": NAME.encode(),
            "email": EMAIL.encode(),
            "subject": SUBJECT.encode(),
            "detail": DETAIL.encode(),
        }


def batch(sequence: int, at: datetime, devices: list[bytes], *, boot: bytes = bytes(16)) -> Batch:
    """Ten signals of each device, a second apart."""
    rows = 10 * len(devices)
    return Batch(
        boot=boot,
        sequence=sequence,
        anchors=("a1", "a2"),
        devices=np.frombuffer(b"".join(devices), np.uint8).reshape(-1, 16),
        ts=to_ns(at) + np.arange(rows, dtype=np.int64) * 1_000_000_000,
        anchor=np.zeros(rows, np.uint16),
        device=(np.arange(rows) % len(devices)).astype(np.uint16),
        rssi_dbm=np.full(rows, -60, np.int16),
    )


def everywhere(connection: Connection, plan: StorePlan, store_no: int, now: datetime) -> Somebody:
    """Write somebody, with something in each place, and somebody else's signals beside hers."""
    long_ago = now - timedelta(days=60)
    profile = create_profile(connection, display_name=NAME, devices=[HERS, TAG], granted_at=long_ago)
    other = create_profile(connection, display_name="Somebody Else", devices=[OTHER], granted_at=long_ago)
    one = {"profile": profile, "other": other, "store": store_no, "at": now, "ago": long_ago, "name": NAME,
           "email": EMAIL, "subject": SUBJECT, "detail": DETAIL, "hers": UUID(bytes=HERS)}  # fmt: skip

    def write(statement: str, **more: object) -> UUID | None:
        row = connection.execute(statement, one | more)
        return row.fetchone()[0] if row.description else None  # type: ignore[index]

    app = write("insert into app_installation (profile_id, token_sha256) values (%(profile)s, 'x') returning device")
    assert app is not None
    write("insert into profile_identifier (profile_id, kind, value, source)"
          " values (%(profile)s, 'email', %(email)s, 'crm')")  # fmt: skip
    _visits(connection, plan, store_no, now)
    _words(write, profile)
    _told(write)
    _signals(connection, plan, store_no, now, app)
    write("insert into presence (store_no, device, zone_no, arrived_at, in_zone_since, last_signal_at, confidence)"
          " values (%(store)s, %(hers)s, 0, %(at)s, %(at)s, %(at)s, .9)")  # fmt: skip
    return Somebody(profile, app)


def _visits(connection: Connection, plan: StorePlan, store_no: int, now: datetime) -> None:
    for days in (20, 9, 0):
        at = now - timedelta(days=days, minutes=30)
        for pseudonym in (HERS, OTHER):
            add_visit(connection, plan, store_no, pseudonym=pseudonym, entered_at=at, dwell_s=600)
            name = add_visit(
                connection, plan, store_no, pseudonym=pseudonym, entered_at=at, dwell_s=300, zone="women"
            )
            connection.execute(
                "insert into visit_revision (visit_id, revision, store_no, device, kind, change, reason, model_version)"
                " values (%s, 1, %s, %s, 0, 'corrected', 'by_hand', 0)",
                [name, store_no, UUID(bytes=pseudonym)],
            )
            connection.execute(
                "insert into recompute_change select 1, entered_at::date, visit_id, store_no, device, 0, zone_no,"
                " entered_at, left_at, entered_earliest, entered_latest, left_earliest, left_latest, dwell_s,"
                " confidence, signals, closed_by, 1, forced, 0, role, 1, entered_at from zone_visit"
                " where visit_id = %s",
                [name],
            )

    connection.execute(
        "insert into recompute_change select 1, entered_at::date, visit_id, store_no, device, 0, zone_no, entered_at, left_at,"
        " entered_earliest, entered_latest, left_earliest, left_latest, dwell_s, confidence, signals, closed_by, revision,"
        " forced, model_version, role, 0, entered_at from zone_visit where device = %s",
        [UUID(bytes=HERS)],
    )


def _words(write, profile: UUID) -> None:  # type: ignore[no-untyped-def]
    note = uuid4()
    write("insert into note (note_id, asked_sha256, profile_id, store_no, noted_at, operator, source, purpose, subject,"
          " detail, tags, feeling_read) values (%(note)s, 'x', %(profile)s, %(store)s, %(at)s, 'Ada', 'staff',"
          " 'observation', %(subject)s, %(detail)s, '{}', '{\"feeling\": \"positive\"}')", note=note)  # fmt: skip
    write("insert into note_revision values (%(note)s, 1, %(at)s, 'Ada', jsonb_build_object('detail', %(detail)s::text))",
          note=note)  # fmt: skip
    task = uuid4()
    write("insert into follow_up (follow_up_id, note_id, operator, due_at, timezone, instructions, made_at)"
          " values (%(task)s, %(note)s, 'Ada', %(at)s, 'UTC', %(detail)s, %(at)s)", task=task, note=note)  # fmt: skip
    write("insert into follow_up_change values (%(task)s, 1, %(at)s, 'Ada', 'reassigned', %(name)s, 'Bo')", task=task)
    alert = write("insert into alert (profile_id, rule, rule_version, because, evidence, evidence_key, made_at)"
                  " values (%(profile)s, 'x', 1, %(detail)s, '[]', 'k', %(at)s) returning alert_id")  # fmt: skip
    write("insert into follow_up (follow_up_id, alert_id, operator, due_at, timezone, instructions, made_at)"
          " values (%(task)s, %(alert)s, 'Ada', %(at)s, 'UTC', 'Call', %(at)s)", task=uuid4(), alert=alert)  # fmt: skip
    write("insert into alert_look values (%(profile)s, %(at)s)")
    write("insert into message (message_id, profile_id, template, subject, body, operator, made_at)"
          " values (%(id)s, %(profile)s, 'thanks', %(subject)s, %(name)s, 'Ada', %(at)s)", id=uuid4())  # fmt: skip
    write("insert into cue_log (visit_id, store_no, profile_id, arrived_at, cue, because, policy_version)"
          " values (%(id)s, %(store)s, %(profile)s, %(at)s, 'greet', %(detail)s, 0)", id=uuid4())  # fmt: skip
    write("insert into card_ticket (ticket_sha256, profile_id, made_by, expires_at)"
          " values ('x', %(profile)s, 'Ada', %(at)s)")  # fmt: skip


def _told(write) -> None:  # type: ignore[no-untyped-def]
    write("insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, detail)"
          " values (%(id)s, 0, %(profile)s, 'order', 'shop', 'k1', %(ago)s, jsonb_build_object('to', %(name)s::text))",
          id=uuid4())  # fmt: skip
    write("insert into input_import (input, source, sha256, rows, taken, unchanged, refused, errors)"
          " values ('profiles', 'crm', 'x', 1, 1, 0, 0, '[]')")  # fmt: skip
    write("insert into profile_change select max(import_no), %(profile)s, false, %(name)s, null from input_import")
    write("insert into identity_case (profiles, source, identifiers) values"
          " (array(select unnest(array[%(profile)s, %(other)s]::uuid[]) order by 1), 'crm', '[\"email\"]')")  # fmt: skip
    write("insert into idempotency_key (key, path, request_sha256, status, answer) values ('k', '/v1/profiles', 'x', 201,"
          " jsonb_build_object('profile_id', %(profile)s::text))")  # fmt: skip
    write("insert into webhook_subscription (subscription_id, url, event_types, description, secret)"
          " values (%(id)s, 'https://away.test/', '{}', '', 'whsec_x')", id=uuid4())  # fmt: skip
    for named in ("%(profile)s", "null"):  # one tells of her without being hers
        write(f"insert into webhook_message (message_id, event_type, body, profile_id) values (%(id)s, 'x',"
              f" json_build_object('profile_id', %(profile)s::text, 'name', %(name)s::text)::text, {named})",
              id=uuid4())  # fmt: skip
    write("insert into webhook_delivery (message_id, subscription_id, status) select message_id, subscription_id, 'dead'"
          " from webhook_message, webhook_subscription")  # fmt: skip
    write("insert into webhook_attempt (delivery_id, begun_at, duration_ms, outcome)"
          " select delivery_id, %(at)s, 1, %(name)s from webhook_delivery")  # fmt: skip


def _signals(connection: Connection, plan: StorePlan, store_no: int, now: datetime, app: UUID) -> None:
    connection.execute("insert into edge (store_no, id) values (%s, 'e1')", [store_no])
    both = [batch(1, now - timedelta(days=9), [HERS, OTHER]), batch(2, now - timedelta(minutes=9), [OTHER, TAG])]
    alone = [batch(3, now - timedelta(minutes=5), [HERS]), batch(4, now - timedelta(minutes=4), [OTHER])]
    for one in (*both, *alone):
        payload = encode(one)
        connection.execute(
            "insert into signal_log (received_at, store_no, edge_no, boot, sequence, signals, first_at, last_at,"
            " sha256, batch) select %s, %s, edge_no, %s, %s, %s, %s, %s, %s, %s from edge",
            [
                to_datetime(int(one.ts.max())), store_no, UUID(bytes=one.boot), one.sequence, len(one),
                to_datetime(int(one.ts.min())), to_datetime(int(one.ts.max())), sha256(payload).digest(), payload,
            ],
        )  # fmt: skip
    for sequence, devices in ((1, [app.bytes, OTHER]), (2, [app.bytes])):
        connection.execute(
            "insert into app_outbox (store_no, sequence, payload) values (%s, %s, %s)",
            [store_no, sequence, encode(batch(sequence, now, devices))],
        )
    engine = StoreEngine(plan)
    engine.device_index(np.frombuffer(HERS + OTHER, np.uint8).reshape(-1, 16))
    save_snapshot(connection, store_no, Snapshot(4, "test", engine.snapshot()))


def as_text(value: object) -> str:
    """As JSON, for a look at what an export holds."""
    return json.dumps(value, default=str)
