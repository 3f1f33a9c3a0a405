"""Whom a job or an export is about: her profiles, her devices and when they were hers, her identifiers."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.privacy.suppression import EVER_NS, Span, identifier_bytes, subject_hash
from storage.connect import Connection
from storage.instants import to_ns
from storage.privacy.keys import Entry
from storage.privacy.places import Subject

_DEVICES = (
    # where a device was somebody else's as well, only its time with her is hers
    "select own.device, case when other then min(own.valid_from)::text else '-infinity' end,"
    "       case when other then max(coalesce(own.valid_to, 'infinity'))::text else 'infinity' end"
    "  from (select link.device, link.valid_from, link.valid_to, exists (select from device_link elsewhere"
    "          where elsewhere.device = link.device and elsewhere.undone_at is null"
    "            and not elsewhere.profile_id = any(%(profiles)s)) as other"
    "          from device_link link where link.profile_id = any(%(profiles)s) and link.undone_at is null"
    "         union all select device, issued_at, revoked_at, false from app_installation"
    "          where profile_id = any(%(profiles)s)) own"
    " where not exists (select from blocked_device blocked"
    "         where blocked.device = own.device and blocked.lifted_at is null)"
    " group by own.device, other, case when other then own.valid_from end"
)


def find_subject(connection: Connection, profile: UUID) -> Subject | None:
    """Return a person by any of her profiles, consented or not; None if there is none."""
    rows = connection.execute(
        "select profile_id from profile where coalesce(merged_into, profile_id) ="
        " (select coalesce(merged_into, profile_id) from profile where profile_id = %s)"
        " order by merged_into nulls first, profile_id",
        [profile],
    ).fetchall()
    profiles = tuple(row[0] for row in rows)
    return Subject(profiles, _devices(connection, profiles)) if profiles else None


def capture(connection: Connection, erasure: UUID) -> tuple[Subject, list[tuple[str, str]]]:
    """Return whom a job is about that has not begun, and her identifiers (kind and value, ended ones too).

    Each in plain letters and digits as well, see `core.resolution.spellings`. Without those that somebody else holds
    by now: that customer is not to be refused for her.
    """
    asked = load_subject(connection, erasure)
    profiles: list[UUID] = []
    for profile in asked.profiles:
        found = find_subject(connection, profile)
        profiles += found.profiles if found is not None else (profile,)
    own = tuple(dict.fromkeys(profiles))
    devices = {device: (device, begin, end) for device, begin, end in asked.devices}
    spans = [*_devices(connection, own), *devices.values()]
    identifiers = connection.execute(
        "select distinct kind, spelled from profile_identifier held,"
        "  unnest(array[value, normalize(value, nfkc)]) spelled where profile_id = any(%(own)s) and not exists"
        " (select from profile_identifier other where (other.kind, other.value) = (held.kind, spelled)"
        "   and other.ended_at is null and other.profile_id <> all(%(own)s))",
        {"own": list(own)},
    ).fetchall()
    return Subject(own, tuple(dict.fromkeys(spans))), [(kind, value) for kind, value in identifiers]


def load_subject(connection: Connection, erasure: UUID) -> Subject:
    """Return whom a job is about, as it was taken down."""
    rows = connection.execute(
        "select kind, value, from_at::text, until_at::text from erasure_subject where erasure_id = %s"
        " order by kind, value, from_at",
        [erasure],
    ).fetchall()
    return Subject(
        tuple(value for kind, value, _, _ in rows if kind == "profile"),
        tuple((value, begin, end) for kind, value, begin, end in rows if kind == "device"),
    )


def entries_of(key: bytes, subject: Subject, identifiers: Sequence[tuple[str, str]], at: datetime) -> list[Entry]:
    """Return what the suppression list is to know of somebody."""
    made_us = to_ns(at) // 1_000
    found = [
        Entry("profile", subject_hash(key, "profile", profile.bytes), None, None, made_us)
        for profile in subject.profiles
    ]
    for device, begin, end in subject.devices:
        digest = subject_hash(key, "device", device.bytes)
        found.append(Entry("device", digest, _us(begin), _us(end), made_us))
    for kind, value in identifiers:
        digest = subject_hash(key, "identifier", identifier_bytes(kind, value))
        found.append(Entry("identifier", digest, None, None, made_us))
    return found


class DeviceSpans:
    """The spans of a subject's devices, as `core.privacy.batches` asks for them."""

    def __init__(self, subject: Subject) -> None:
        self._spans: dict[bytes, tuple[Span, ...]] = {}
        for device, begin, end in subject.devices:
            begin_us, end_us = _us(begin), _us(end)
            span = Span(
                -EVER_NS if begin_us is None else begin_us * 1_000, EVER_NS if end_us is None else end_us * 1_000
            )
            self._spans[device.bytes] = (*self._spans.get(device.bytes, ()), span)

    def __call__(self, pseudonym: bytes) -> tuple[Span, ...]:
        """Return the spans of a pseudonym; none if it is not hers."""
        return self._spans.get(pseudonym, ())


def _devices(connection: Connection, profiles: Sequence[UUID]) -> tuple[tuple[UUID, str, str], ...]:
    rows = connection.execute(_DEVICES, {"profiles": list(profiles)}).fetchall()
    return tuple((device, begin, end) for device, begin, end in rows)


def _us(text: str) -> int | None:
    return None if "infinity" in text else to_ns(datetime.fromisoformat(text)) // 1_000
