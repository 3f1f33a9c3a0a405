"""Where a customer was at a time: what a note on a profile is attached to."""

from datetime import datetime
from uuid import UUID

import msgspec

from storage.connect import Connection
from storage.profiles.visits import whereabouts


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A store, the zone if it is known, and the name of the store visit."""

    store_no: int
    zone_no: int | None
    visit_id: UUID


def place_at(connection: Connection, profile: UUID, at: datetime) -> Place | None:
    """Return where a profile was at that time; None if it was in no store, or has no consent that holds.

    While a visit is in progress presence answers for the zone it is in now; for what was before, the decided visits
    do.
    """
    here = whereabouts(connection, profile)
    if here is not None and here.arrived_at <= at:
        zone_no = here.zone_no if here.in_zone_since <= at else _zone_of(connection, profile, here.store_no, at)
        return Place(store_no=here.store_no, zone_no=zone_no, visit_id=here.visit_id)
    row = connection.execute(
        "select visit.store_no, visit.visit_id"
        "  from profile_device link join store_visit visit on visit.device = link.device and not visit.withdrawn"
        "   and visit.entered_at >= link.valid_from and visit.entered_at < link.valid_to"
        " where link.profile_id = %(profile)s and visit.entered_at <= %(at)s and visit.left_at >= %(at)s"
        # of a walk with two devices the visit that stands for it
        " order by visit.dwell_s desc, visit.entered_at desc limit 1",
        {"profile": profile, "at": at},
    ).fetchone()
    if row is None:
        return None
    return Place(store_no=row[0], zone_no=_zone_of(connection, profile, row[0], at), visit_id=row[1])


def _zone_of(connection: Connection, profile: UUID, store_no: int, at: datetime) -> int | None:
    """Return the innermost zone of the decided stays around that time: the one that was entered last."""
    row = connection.execute(
        "select visit.zone_no"
        "  from profile_device link join zone_visit visit on visit.device = link.device and not visit.withdrawn"
        "   and visit.entered_at >= link.valid_from and visit.entered_at < link.valid_to"
        " where link.profile_id = %(profile)s and visit.store_no = %(store)s"
        "   and visit.entered_at <= %(at)s and visit.left_at >= %(at)s"
        " order by visit.entered_at desc, visit.left_at limit 1",
        {"profile": profile, "store": store_no, "at": at},
    ).fetchone()
    return int(row[0]) if row is not None else None


def zone_is_known(connection: Connection, zone: str, *, store: str | None) -> bool:
    """Return whether a store, or any that may be seen, has a zone of this id."""
    row = connection.execute(
        # joined, so that whoever is bound to stores learns of no other's zones
        "select exists (select from zone join store using (store_no)"
        "  where zone.id = %(zone)s and (%(store)s::text is null or store.id = %(store)s))",
        {"zone": zone, "store": store},
    ).fetchone()
    return row == (True,)


def visit_is_known(connection: Connection, visit: UUID) -> bool:
    """Return whether a store visit may be seen, or a note that was made in it; one in progress has only its notes."""
    row = connection.execute(
        "select exists (select from note_seen where visit_id = %(visit)s)"
        " or exists (select from store_visit where visit_id = %(visit)s)",
        {"visit": visit},
    ).fetchone()
    return row == (True,)
