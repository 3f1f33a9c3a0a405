"""Links over a rotation of stable keys: both versions hold during an overlap, then the older ones end."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from storage.connect import Connection


class NewName(NamedTuple):
    """What a device is called under a newer key."""

    before_version: int
    version: int
    before: bytes
    now: bytes


class Relinked(NamedTuple):
    """Pseudonyms that are linked by now, and how many links of these were made."""

    devices: tuple[bytes, ...]
    made: int


def relink(connection: Connection, names: Sequence[NewName]) -> Relinked:
    """Link what devices are called anew to the profiles of what they were called; in a transaction.

    A device whose link has ended, was undone, or belonged to somebody who was erased, stays without one.
    """
    linked: list[bytes] = []
    made = 0
    for name in names:
        values = {
            "before": UUID(bytes=name.before),
            "now": UUID(bytes=name.now),
            "before_version": name.before_version,
            "version": name.version,
        }
        made += connection.execute(
            "insert into device_link (device, profile_id, valid_from, key_version, replaces)"
            " select %(now)s, profile_id, clock_timestamp(), %(version)s, %(before)s from device_link"
            " where device = %(before)s and valid_to is null and undone_at is null and not exists"
            " (select from device_link where device = %(now)s and valid_to is null and undone_at is null)",
            values,
        ).rowcount
        connection.execute(
            "update device_link set key_version = %(before_version)s"
            " where device = %(before)s and key_version is null",
            values,
        )
        held = connection.execute(
            "select exists (select from device_link where device = %(now)s and valid_to is null"
            " and undone_at is null)",
            values,
        ).fetchone()
        if held == (True,):
            linked.append(name.now)
    return Relinked(tuple(linked), made)


def left_behind(connection: Connection, devices: Sequence[bytes]) -> int:
    """Count those of these devices whose link holds and that no link under a newer key replaces."""
    row = connection.execute(
        "select count(*) from device_link link where device = any(%s::uuid[]) and valid_to is null"
        " and undone_at is null and not exists (select from device_link newer where newer.replaces = link.device"
        " and newer.valid_to is null and newer.undone_at is null)",
        [[device.hex() for device in devices]],
    ).fetchone()
    return 0 if row is None else int(row[0])


def end_links(connection: Connection, devices: Sequence[bytes]) -> int:
    """End the links of devices whose key is retired; what they were joined to stays joined. Return how many."""
    return connection.execute(
        "update device_link set valid_to = clock_timestamp(), changed_because = 'key retired'"
        " where device = any(%s::uuid[]) and valid_to is null and undone_at is null",
        [[device.hex() for device in devices]],
    ).rowcount
