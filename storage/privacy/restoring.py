"""After a backup was restored: who was erased since is erased again, as the list outside of the database says."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, LiteralString, NamedTuple
from uuid import UUID

from core.privacy.suppression import Suppressed, subject_hash
from storage.connect import Connection, in_transaction
from storage.privacy.erasing import begin_job
from storage.privacy.keys import PrivacyFolder
from storage.privacy.suppression import check_key, load_suppressed, missing, suppress

BY: Final = "suppression list"
_ROWS_A_READ: Final = 10_000
_DEVICES: Final[tuple[LiteralString, ...]] = (
    "select distinct device from device_link",
    "select device from app_installation",
    "select distinct device from store_visit",
    "select distinct device from zone_visit",
    "select distinct device from visit_revision",
)
_LIVING: Final = (
    "select exists (select from device_link link join profile using (profile_id) where link.device = %s"
    " and link.undone_at is null and profile.removed_at is null)"
)


def is_behind(connection: Connection, folder: PrivacyFolder, *, made_before: datetime | None = None) -> bool:
    """Return whether the list outside knows of erasures that the database does not: it is an older one.

    Of those `made_before`, where that is said: an erasure that begins now is in the list outside a moment earlier.
    """
    newest_us = None if made_before is None else made_before.timestamp() * 1e6
    return any(newest_us is None or entry.made_us < newest_us for entry in missing(connection, folder))


class Again(NamedTuple):
    """Whom `reapply` found: profiles, and devices that are no living customer's; each has a job and a receipt."""

    profiles: int
    devices: int

    def __str__(self) -> str:
        """Say how many."""
        profiles = f"{self.profiles} {'profile' if self.profiles == 1 else 'profiles'}"
        return f"{profiles} and {self.devices} {'device' if self.devices == 1 else 'devices'}"


def reapply(connection: Connection, folder: PrivacyFolder) -> Again:
    """Bring the database's list up to date and ask for the erasure of everybody on it who is there; return how many.

    Reads every profile's id and every device once: two microseconds each.

    Raises
    ------
    ConfigurationError
        If the list is of another key.
    """
    check_key(connection, folder)

    def work(connection: Connection) -> Again:
        suppress(connection, folder, missing(connection, folder))
        rows = connection.execute("select subject_hash from suppression where kind = 'profile'").fetchall()
        erased = {bytes(row[0]) for row in rows}
        profiles = devices = 0
        for profile in _ids(connection, "select profile_id from profile"):
            if subject_hash(folder.key, "profile", profile.bytes) in erased:
                profiles += _again(connection, "profile", profile)
        suppressed = load_suppressed(connection, folder)
        if suppressed is not None:
            for device in _devices(connection, suppressed):
                devices += _again(connection, "device", device)
        return Again(profiles, devices)

    return in_transaction(connection, work)


def _devices(connection: Connection, suppressed: Suppressed) -> list[UUID]:
    found: dict[UUID, None] = {}
    for statement in _DEVICES:
        found.update({device: None for device in _ids(connection, statement) if suppressed.now(device.bytes)})
    # what is a living customer's goes with her, or not at all
    return [device for device in found if connection.execute(_LIVING, [device]).fetchone() == (False,)]


def _ids(connection: Connection, statement: LiteralString) -> Iterator[UUID]:
    with connection.cursor(name="sojourn_reapply", binary=True) as cursor:
        cursor.itersize = _ROWS_A_READ
        for (found,) in cursor.execute(statement):
            yield found


def _again(connection: Connection, kind: str, value: UUID) -> int:
    known = connection.execute(
        "select exists (select from erasure join erasure_subject using (erasure_id) where state <> 'done'"
        " and kind = %s and value = %s)",
        [kind, value],
    ).fetchone()
    if known == (True,):
        return 0
    begin_job(connection, [(kind, value)], asked_by=BY, source="restored")
    return 1
