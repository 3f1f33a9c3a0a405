"""The visits of one profile, joined through the view profile_device: without a consent that holds there is no row.

Devices never leave this room.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg import sql

from core.errors import InputError
from core.journey.walks import Span, walks
from core.records import VisitKind
from storage.connect import Connection
from storage.instants import to_ns
from storage.one_state import once
from storage.page_cursors import read_cursor, write_cursor
from storage.visit_queries import VISIT_COLUMNS, WHILE_LINKED, VisitRow, visit_row
from storage.visits import visit_id

PROFILE_VISITS_PER_PAGE: Final = 200
"""Four visits a week for a year."""
VISITS_OF_A_DEVICE: Final = 5_000
"""Three a day for five years."""
LONGEST_VISIT: Final = "1 day"
"""No customer stays from one day to the next."""
STAYS_PER_VISIT: Final = 500
"""Eight hours with a change of zone every minute; what is longer is not a customer."""


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True):
    """The visit in progress of a profile: where it is and since when; provisional until the engine has decided."""

    visit_id: UUID
    stay_id: UUID
    store: str
    store_no: int
    zone_no: int
    arrived_at: datetime
    in_zone_since: datetime
    last_signal_at: datetime
    confidence: float


class ProfileVisit(msgspec.Struct, frozen=True, kw_only=True):
    """A store visit that ended, and where it was."""

    store: str
    store_no: int
    visit: VisitRow


class ProfileVisitPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some store visits, newest first, and where to go on."""

    visits: tuple[ProfileVisit, ...]
    next_cursor: str | None


class VisitDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One store visit with its decided stays in their order; exactly one of `ended` and `running` is there.

    `previous_left_at` and `next_entered_at` are those of the profile's store visits around it, in any store.
    """

    store: str
    store_no: int
    ended: VisitRow | None
    running: Whereabouts | None
    stays: tuple[VisitRow, ...]
    previous_left_at: datetime | None
    next_entered_at: datetime | None


def profile_visits(
    connection: Connection, profile: UUID, *, limit: int, cursor: str | None = None
) -> ProfileVisitPage:
    """Return the next store visits that ended, newest first; of each walk the one that stands for it.

    Raises
    ------
    InputError
        If the cursor does not fit or the limit is not within 1..PROFILE_VISITS_PER_PAGE.
    """
    if not 1 <= limit <= PROFILE_VISITS_PER_PAGE:
        raise InputError(f"A page has 1 to {PROFILE_VISITS_PER_PAGE} visits, asked for {limit}.", where="limit")
    question = ("profile visits", profile)
    after = read_cursor(cursor, question, tuple[datetime, UUID]) if cursor is not None else None
    found = [walk[0].visit for walk in _ended(connection, profile, until=after[0] if after is not None else None)]
    if after is not None:
        at, visit = after
        found = [
            one
            for one in found
            if one.visit.entered_at < at or (one.visit.entered_at == at and one.visit.visit_id > visit)
        ]
    shown = found[:limit]
    place = (shown[-1].visit.entered_at, shown[-1].visit.visit_id) if len(found) > limit else None
    return ProfileVisitPage(
        visits=tuple(shown), next_cursor=write_cursor(place, question) if place is not None else None
    )


def whereabouts(connection: Connection, profile: UUID) -> Whereabouts | None:
    """Return the visit in progress of a profile, the one heard last if it carries several devices."""
    found = _running(connection, profile)
    return found[0] if found is not None else None


def visit_detail(connection: Connection, profile: UUID, visit: UUID | None = None) -> VisitDetail | None:
    """Return one store visit of a profile with its stays.

    Parameters
    ----------
    connection : Connection
    profile : UUID
    visit : UUID or None
        None: the one in progress, or else the newest. One of a walk means the one that stands for it.

    Returns
    -------
    VisitDetail or None
        None if the profile has no such visit, or no consent that holds.
    """
    running = _running(connection, profile)
    if running is not None and visit in (None, running[0].visit_id):
        here, device = running
        return _detail(connection, profile, here, device)
    for walk in _ended(connection, profile):
        if visit is None or any(one.visit.visit.visit_id == visit for one in walk):
            return _detail(connection, profile, walk[0].visit, walk[0].device)
    return None


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A store visit that ended, and by which device: that leaves this room never."""

    visit: ProfileVisit
    device: UUID


def visits_by_walk(connection: Connection, profile: UUID) -> list[list[ProfileVisit]]:
    """Return the walks of a profile that ended, newest first: of each the visit that stands for it first."""
    return [[one.visit for one in walk] for walk in _ended(connection, profile)]


def _ended(connection: Connection, profile: UUID, *, until: datetime | None = None) -> list[list[_Ended]]:
    """Return walks that ended, newest first; what overlaps the visit in progress is still a part of that.

    `until` is when the newest of those that are wanted began.
    """
    return once(("ended", profile, until), lambda: _read_ended(connection, profile, until))


def _read_ended(connection: Connection, profile: UUID, until: datetime | None) -> list[list[_Ended]]:
    rows = connection.execute(
        sql.SQL(
            "select store.id, store.store_no, visit.visit_id, {columns}, visit.device"
            "  from profile_device link"
            " cross join lateral (select store_no, visit_id, device, {columns} from store_visit"
            "   where device = link.device and not withdrawn and {linked}"
            "     and (%(until)s::timestamptz is null or entered_at <= %(until)s::timestamptz + interval {longest})"
            "   order by entered_at desc, visit_id limit %(limit)s) visit"
            "  join store using (store_no)"
            " where link.profile_id = %(profile)s"
        ).format(columns=sql.SQL(VISIT_COLUMNS), linked=sql.SQL(WHILE_LINKED), longest=sql.Literal(LONGEST_VISIT)),
        {"profile": profile, "until": until, "limit": VISITS_OF_A_DEVICE},
    ).fetchall()
    running = _running(connection, profile)
    ended = [_Ended(visit=_profile_visit(row[:-1]), device=row[-1]) for row in rows]
    found = walks((one for one in ended if not _goes_on(one, running)), lambda one: span_of(one.visit))
    return sorted(found, key=lambda walk: (-to_ns(walk[0].visit.visit.entered_at), walk[0].visit.visit.visit_id))


def span_of(visit: ProfileVisit) -> Span:
    """Return when and where a visit of one profile was; a tag that lies on a shelf walks with nobody."""
    one = visit.visit
    return Span(place=(visit.store_no, one.role), entered_at=to_ns(one.entered_at), left_at=to_ns(one.left_at))


def _goes_on(ended: _Ended, running: tuple[Whereabouts, UUID] | None) -> bool:
    """Return whether the visit of one device ended on a walk on which another one is still heard."""
    if running is None:
        return False
    here, device = running
    visit = ended.visit
    return ended.device != device and visit.store_no == here.store_no and visit.visit.left_at >= here.arrived_at


def _running(connection: Connection, profile: UUID) -> tuple[Whereabouts, UUID] | None:
    return once(("running", profile), lambda: _read_running(connection, profile))


def _read_running(connection: Connection, profile: UUID) -> tuple[Whereabouts, UUID] | None:
    row = connection.execute(
        "select store.id, store.store_no, zone.id, presence.zone_no, presence.arrived_at, presence.in_zone_since,"
        "       presence.last_signal_at, presence.confidence, presence.device"
        "  from profile_device link join presence using (device) join store using (store_no)"
        "  join zone using (store_no, zone_no)"
        " where link.profile_id = %s"
        "   and presence.arrived_at >= link.valid_from and presence.arrived_at < link.valid_to"
        " order by presence.last_signal_at desc, presence.device limit 1",
        [profile],
    ).fetchone()
    if row is None:
        return None
    store, store_no, zone, zone_no, arrived_at, in_zone_since, last_signal_at, confidence, device = row
    # the names that these visits will have if the engine decides them as they look now
    visit = visit_id(store, VisitKind.STORE, device.bytes, "", to_ns(arrived_at))
    stay = visit_id(store, VisitKind.ZONE, device.bytes, zone, to_ns(in_zone_since))
    here = Whereabouts(
        visit_id=UUID(bytes=visit),
        stay_id=UUID(bytes=stay),
        store=store,
        store_no=store_no,
        zone_no=zone_no,
        arrived_at=arrived_at,
        in_zone_since=in_zone_since,
        last_signal_at=last_signal_at,
        confidence=confidence,
    )
    return here, device


def _detail(connection: Connection, profile: UUID, found: ProfileVisit | Whereabouts, device: UUID) -> VisitDetail:
    running = found if isinstance(found, Whereabouts) else None
    ended = found.visit if isinstance(found, ProfileVisit) else None
    begin = found.visit.entered_at if isinstance(found, ProfileVisit) else found.arrived_at
    # open at the end while in progress: what was decided just now may end after presence's newest signal
    end = ended.left_at if ended is not None else "infinity"
    rows = connection.execute(
        sql.SQL(
            "select visit_id, zone_no, {} from zone_visit where device = %s and store_no = %s and not withdrawn"
            " and entered_at >= %s and entered_at <= %s order by entered_at, visit_id limit %s"
        ).format(sql.SQL(VISIT_COLUMNS)),
        [device, found.store_no, begin, end, STAYS_PER_VISIT],
    ).fetchall()
    others = [walk[0].visit.visit for walk in _ended(connection, profile)]
    return VisitDetail(
        store=found.store,
        store_no=found.store_no,
        ended=ended,
        running=running,
        stays=tuple(visit_row("zone", row) for row in rows),
        previous_left_at=max((one.left_at for one in others if one.entered_at < begin), default=None),
        next_entered_at=min((one.entered_at for one in others if one.entered_at > begin), default=None),
    )


def _profile_visit(row: tuple[Any, ...]) -> ProfileVisit:
    visit = visit_row("store", (row[2], None, *row[3:]))
    return ProfileVisit(store=row[0], store_no=row[1], visit=visit)
