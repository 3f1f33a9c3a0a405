"""A store with visits, people and profiles, written by plain inserts."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from core.floorplan import FloorPlan, StorePlan, load
from core.records import ClosedBy, Role, VisitKind
from storage.connect import Connection, connect
from storage.instants import to_ns
from storage.live import LiveEvent, notify
from storage.log.signals import GapEntry
from storage.profiles.profiles import create_profile
from storage.stores import save_plan
from storage.visits import visit_id

PLAN = """
{"stores": [{"id": "marktplatz", "name": "Marktplatz", "timezone": "Europe/Berlin",
  "zones": [
    {"id": "entrance", "kind": "entrance", "name": "Entrance", "outline": [[13, 19], [27, 19], [25, 25], [15, 25]]},
    {"id": "new", "kind": "department", "name": "New arrivals", "outline": [[15, 9], [25, 9], [27, 19], [13, 19]]},
    {"id": "women", "kind": "department", "name": "Women", "outline": [[0, 9], [15, 9], [13, 19], [0, 19]]},
    {"id": "men", "kind": "department", "name": "Men", "outline": [[25, 9], [40, 9], [40, 19], [27, 19]]},
    {"id": "kids", "kind": "department", "name": "Kids", "outline": [[25, 0], [33, 0], [33, 9], [25, 9]]},
    {"id": "shoes", "kind": "shelf", "name": "Shoe wall", "outline": [[15, 0], [25, 0], [25, 9], [15, 9]]},
    {"id": "outdoor", "kind": "shelf", "name": "Outdoor", "outline": [[33, 0], [40, 0], [40, 9], [33, 9]]},
    {"id": "bags", "kind": "shelf", "name": "Bags & accessories", "outline": [[7, 19], [13, 19], [15, 25], [7, 25]]},
    {"id": "fitting", "kind": "fitting_room", "name": "Fitting rooms", "outline": [[7, 0], [15, 0], [15, 9], [7, 9]]},
    {"id": "checkout", "kind": "checkout", "name": "Checkout", "outline": [[27, 19], [40, 19], [40, 25], [25, 25]]},
    {"id": "service", "kind": "service", "name": "Service desk", "outline": [[0, 19], [7, 19], [7, 25], [0, 25]]},
    {"id": "stock", "kind": "staff_only", "name": "Stockroom", "outline": [[0, 0], [7, 0], [7, 9], [0, 9]]}],
  "anchors": [{"id": "a1", "zone": "entrance", "x": 20, "y": 22}, {"id": "a2", "zone": "women", "x": 6, "y": 14},
    {"id": "a3", "zone": "men", "x": 33, "y": 14}, {"id": "a4", "zone": "shoes", "x": 20, "y": 4}],
  "adjacent": [["entrance", "new"], ["new", "women"], ["new", "men"], ["new", "shoes"]]}]}
"""
SMALL_PLAN = """
{"stores": [{"id": "quay", "timezone": "America/New_York",
  "zones": [{"id": "door", "kind": "entrance"}, {"id": "aisle"}, {"id": "till", "kind": "checkout"}],
  "anchors": [{"id": "q1", "zone": "door"}, {"id": "q2", "zone": "till"}]}]}
"""
STORE = "marktplatz"
REAL_WEIGHTS = (8, 17, 14, 11, 5, 12, 4, 5, 6, 9, 2, 1)
"""How a store of this plan fills: people in each zone out of a hundred."""


def floor_plan(text: str = PLAN) -> FloorPlan:
    return load(text)


def writer(database_url: str) -> Connection:
    """A connection for seeding; each statement is its own transaction."""
    return connect(database_url, application_name="tests")


def add_stores(connection: Connection, *plans: str) -> dict[str, int]:
    """Write plans and return the number of each store."""
    for text in plans:
        save_plan(connection, load(text))
    return dict(connection.execute("select id, store_no from store").fetchall())


def device(number: int) -> bytes:
    """A pseudonym nobody else has."""
    return number.to_bytes(16, "big")


def add_visit(
    connection: Connection,
    plan: StorePlan,
    store_no: int,
    *,
    pseudonym: bytes,
    entered_at: datetime,
    dwell_s: float,
    zone: str | None = None,
    closed_by: ClosedBy = ClosedBy.MOVED_ON,
    confidence: float = 0.93,
    slack_s: float = 3.0,
    revision: int = 0,
    role: Role = Role.VISITOR,
) -> UUID:
    """Insert one zone visit, or a store visit where `zone` is None."""
    kind = VisitKind.STORE if zone is None else VisitKind.ZONE
    left_at = entered_at + timedelta(seconds=dwell_s)
    slack = timedelta(seconds=slack_s)
    name = UUID(bytes=visit_id(plan.id, kind, pseudonym, zone if zone is not None else "", to_ns(entered_at)))
    row = {
        "visit_id": name,
        "store_no": store_no,
        "device": UUID(bytes=pseudonym),
        "entered_at": entered_at,
        "left_at": left_at,
        "entered_earliest": entered_at - slack,
        "entered_latest": entered_at + slack,
        "left_earliest": left_at - slack,
        "left_latest": left_at + slack,
        "dwell_s": dwell_s,
        "confidence": confidence,
        "signals": max(1, int(dwell_s)),
        "closed_by": int(closed_by),
        "revision": revision,
        "forced": False,
        "role": int(role),
    }
    if zone is not None:
        row["zone_no"] = plan.zone_index[zone]
    names = ", ".join(row)
    values = ", ".join(f"%({column})s" for column in row)
    connection.execute(f"insert into {kind.word}_visit ({names}) values ({values})", row)
    return name


def set_people(
    connection: Connection,
    plan: StorePlan,
    store_no: int,
    people: dict[str, int],
    *,
    at: datetime,
    first_device: int = 0,
) -> None:
    """Let so many be in each zone now, in place of those who were."""
    connection.execute("delete from presence where store_no = %s", [store_no])
    number = first_device
    with connection.cursor() as cursor:
        for zone, count in people.items():
            for _ in range(count):
                number += 1
                cursor.execute(
                    "insert into presence values (%s, %s, %s, %s, %s, %s, 0.9)",
                    [
                        store_no,
                        UUID(bytes=device(1_000_000 + number)),
                        plan.zone_index[zone],
                        at - timedelta(minutes=10),
                        at - timedelta(minutes=2),
                        at,
                    ],
                )


def add_presence(
    connection: Connection,
    plan: StorePlan,
    store_no: int,
    *,
    pseudonym: bytes,
    zone: str,
    arrived_at: datetime,
    in_zone_since: datetime,
    last_signal_at: datetime,
    role: Role = Role.VISITOR,
) -> None:
    """Let one device be in a zone now."""
    connection.execute(
        "insert into presence values (%s, %s, %s, %s, %s, %s, 0.91, %s)"
        " on conflict (store_no, device) do update set zone_no = excluded.zone_no,"
        " in_zone_since = excluded.in_zone_since, last_signal_at = excluded.last_signal_at",
        [
            store_no,
            UUID(bytes=pseudonym),
            plan.zone_index[zone],
            arrived_at,
            in_zone_since,
            last_signal_at,
            int(role),
        ],
    )


def announce(connection: Connection, store: str, *, at: datetime, visits: int = 0) -> None:
    """Say what ingest says after it wrote."""
    at_us = to_ns(at) // 1000
    notify(connection, LiveEvent(store=store, as_of_us=at_us, sampled_signal_at_us=(at_us,), visits=visits))


def walk(
    connection: Connection,
    plan: StorePlan,
    store_no: int,
    *,
    pseudonym: bytes,
    arrived_at: datetime,
    stays: list[tuple[str, float]],
    closed: bool = True,
) -> datetime:
    """Insert a visit of stays (zone, seconds) one after the other; return when the last one ended."""
    at = arrived_at
    for zone, dwell_s in stays:
        last = closed and (zone, dwell_s) == stays[-1]
        add_visit(
            connection,
            plan,
            store_no,
            pseudonym=pseudonym,
            entered_at=at,
            dwell_s=dwell_s,
            zone=zone,
            closed_by=ClosedBy.SILENCE if last else ClosedBy.MOVED_ON,
            confidence=0.86 + (len(zone) % 7) / 100 if not last else 0.94,
        )
        at += timedelta(seconds=dwell_s)
    if closed:
        add_visit(
            connection,
            plan,
            store_no,
            pseudonym=pseudonym,
            entered_at=arrived_at,
            dwell_s=(at - arrived_at).total_seconds(),
            closed_by=ClosedBy.SILENCE,
            slack_s=6.0,
        )
    return at


def fill(connection: Connection, plan: StorePlan, store_no: int, *, now: datetime, seed: int = 7) -> None:
    """Let a store look like a Saturday afternoon: people in every zone and stays that ended within minutes."""
    chance = random.Random(seed)
    zones = [zone.id for zone in plan.zones]
    weights = REAL_WEIGHTS[: len(zones)]
    people = {zone: int(weight * 0.9 + chance.random()) for zone, weight in zip(zones, weights, strict=True)}
    set_people(connection, plan, store_no, people, at=now)
    for number in range(40):
        dwell_s = round(min(1500.0, chance.lognormvariate(4.6, 0.9)), 3)
        ended = now - timedelta(seconds=14 + number * 11 + chance.random() * 9)
        add_visit(
            connection,
            plan,
            store_no,
            pseudonym=device(5_000 + number),
            entered_at=ended - timedelta(seconds=dwell_s),
            dwell_s=dwell_s,
            zone=chance.choices(zones, weights)[0],
            closed_by=chance.choices([ClosedBy.MOVED_ON, ClosedBy.SILENCE, ClosedBy.APP_EXIT], [12, 3, 1])[0],
            confidence=round(chance.betavariate(14, 1.6), 3),
            slack_s=round(chance.uniform(1.5, 9.0), 1),
        )


def add_customers(connection: Connection, plan: StorePlan, store_no: int, *, now: datetime) -> dict[str, UUID]:
    """Write six customers: Amara is in the store now and was there before, the others were or were not."""
    granted = now - timedelta(days=40)
    made: dict[str, UUID] = {}
    people = (
        ("Amara Okafor", "Gold"), ("Jonas Lindqvist", "Silver"), ("Mei-Ling Chen", None), ("Sofia Marchetti", "Gold"),
        ("Tomás Herrera", None), ("Yusuf Demir", "Bronze"),
    )  # fmt: skip
    for number, (name, tier) in enumerate(people, 1):
        made[name] = create_profile(
            connection,
            display_name=name,
            loyalty_tier=tier,
            devices=[device(number)],
            granted_at=granted + timedelta(days=number),
            wording="2026-03",
            profile_id=UUID(int=0xA0000000000040008000000000000000 + number),
        )
    amara = device(1)
    walk(
        connection, plan, store_no, pseudonym=amara, arrived_at=now - timedelta(days=16, hours=3),
        stays=[("entrance", 22), ("new", 64), ("shoes", 190), ("checkout", 160)],
    )  # fmt: skip
    walk(
        connection, plan, store_no, pseudonym=amara, arrived_at=now - timedelta(days=5, hours=1),
        stays=[("entrance", 18), ("women", 410), ("fitting", 520), ("women", 95), ("bags", 70), ("checkout", 240)],
    )  # fmt: skip
    begin = now - timedelta(minutes=22)
    end = walk(
        connection, plan, store_no, pseudonym=amara, arrived_at=begin, closed=False,
        stays=[("entrance", 24), ("new", 96), ("women", 402), ("fitting", 385), ("women", 66), ("new", 31)],
    )  # fmt: skip
    add_presence(
        connection, plan, store_no, pseudonym=amara, zone="shoes", arrived_at=begin,
        in_zone_since=end, last_signal_at=now,
    )  # fmt: skip
    walk(
        connection, plan, store_no, pseudonym=device(2), arrived_at=now - timedelta(days=2),
        stays=[("entrance", 9), ("new", 14), ("checkout", 12)],
    )  # fmt: skip
    return made


def database_now(connection: Connection) -> datetime:
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now.astimezone(UTC)


def gap_of(
    connection: Connection, store_no: int, from_ns: int, until_ns: int, *, signals: int, last: int
) -> GapEntry:
    """Return what the store's edge `north` tells of signals that it dropped under the sequence `last`."""
    connection.execute("insert into edge (store_no, id) values (%s, 'north') on conflict do nothing", [store_no])
    row = connection.execute("select edge_no from edge where store_no = %s and id = 'north'", [store_no]).fetchone()
    assert row is not None
    return GapEntry(store_no, row[0], bytes(16), last, last, signals, from_ns, until_ns, until_ns)
