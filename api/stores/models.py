"""What the operations endpoints answer. No device and no pseudonym appears in any of these."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from core.floorplan import StorePlan
from core.limits import NS_PER_US
from storage.coverage import GAPS_MOST, AnchorFault
from storage.instants import to_datetime
from storage.occupancy import Occupancy, Progress, StoreSummary
from storage.stores import StoredPlan
from storage.visit_queries import VisitRow

ClosedByWord = Literal["moved_on", "silence", "anchor_down", "app_exit", "store_closed", "end_of_recording"]
RoleWord = Literal["visitor", "fixture", "staff"]

_VISIT: JsonDict = {
    "visit_id": "5f0c1c8e-8f5d-4d6c-9a53-0d9be61f3a10",
    "kind": "zone",
    "zone": "shoes",
    "entered_at": "2026-11-21T13:02:11.250000Z",
    "left_at": "2026-11-21T13:06:23.500000Z",
    "entered_earliest": "2026-11-21T13:02:09Z",
    "entered_latest": "2026-11-21T13:02:14Z",
    "left_earliest": "2026-11-21T13:06:20Z",
    "left_latest": "2026-11-21T13:06:29Z",
    "dwell_s": 252.25,
    "dwell_at_least_s": 246.0,
    "dwell_at_most_s": 260.0,
    "confidence": 0.93,
    "signals": 214,
    "closed_by": "moved_on",
    "revision": 0,
    "model_version": 3,
    "role": "visitor",
}


class StoreLineOut(BaseModel):
    """A store in the list."""

    id: str = Field(examples=["marktplatz"])
    name: str = Field(examples=["Marktplatz"])
    timezone: str = Field(
        description="IANA name of the zone that the store's clocks show", examples=["Europe/Berlin"]
    )
    zone_count: int = Field(examples=[12])
    anchor_count: int = Field(examples=[17])
    people_now: int = Field(
        description="Devices with a visit in progress: people who carry app or tag", examples=[87]
    )

    @classmethod
    def of(cls, row: StoreSummary) -> Self:
        """Return the answer for a row."""
        return cls(
            id=row.id,
            name=row.name,
            timezone=row.timezone,
            zone_count=row.zones,
            anchor_count=row.anchors,
            people_now=row.people,
        )


class StoresOut(BaseModel):
    """A page of stores in the order of their ids."""

    stores: list[StoreLineOut]
    next_cursor: str | None = Field(description="Ask with `cursor` set to this for the next page; null on the last")


class ZoneOut(BaseModel):
    """A named area of a store."""

    id: str = Field(examples=["shoes"])
    name: str = Field(examples=["Shoe wall"])
    kind: str = Field(examples=["shelf"])
    parent: str | None = Field(description="Id of the zone that this one lies in")
    outline_m: list[tuple[float, float]] | None = Field(
        description="Corners in metres, x to the right, y downwards", examples=[[[15, 0], [25, 0], [25, 9], [15, 9]]]
    )


class AnchorOut(BaseModel):
    """A fixed point with a known place."""

    id: str = Field(examples=["a09"])
    zone: str = Field(examples=["shoes"])
    x_m: float | None
    y_m: float | None
    floor: int | None


class ZonesOut(BaseModel):
    """The zones of a store."""

    store: str = Field(examples=["marktplatz"])
    plan_version: int = Field(description="Counts the changes of the floor plan", examples=[1])
    zones: list[ZoneOut]

    @classmethod
    def of(cls, stored: StoredPlan) -> Self:
        """Return the answer for a plan."""
        return cls(store=stored.plan.id, plan_version=stored.version, zones=_zones(stored.plan))


class StoreOut(BaseModel):
    """A store with its floor plan."""

    id: str = Field(examples=["marktplatz"])
    name: str = Field(examples=["Marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    plan_version: int = Field(examples=[1])
    zones: list[ZoneOut]
    anchors: list[AnchorOut]
    adjacent: list[tuple[str, str]] = Field(description="Pairs of zones that open into each other")

    @classmethod
    def of(cls, stored: StoredPlan) -> Self:
        """Return the answer for a plan."""
        plan = stored.plan
        return cls(
            id=plan.id,
            name=plan.label,
            timezone=plan.timezone,
            plan_version=stored.version,
            zones=_zones(plan),
            anchors=[
                AnchorOut(id=anchor.id, zone=anchor.zone, x_m=anchor.x, y_m=anchor.y, floor=anchor.floor)
                for anchor in plan.anchors
            ],
            adjacent=list(plan.adjacent),
        )


class ZonePeopleOut(BaseModel):
    """How many are in a zone."""

    zone: str = Field(examples=["shoes"])
    people: int = Field(description="Devices with a visit in progress there or in a zone within it", examples=[9])


class FreshnessOut(BaseModel):
    """How fresh the numbers of a store are; counts are signals since the store began."""

    as_of: datetime | None = Field(description="Newest signal that the numbers reflect; null before the first")
    decided_through: datetime | None = Field(description="Every visit that ended before this is final")
    written_at: datetime | None = Field(description="When the dwell engine last wrote; null if it never ran")
    signals_decoded: int
    signals_late: int = Field(description="Older than the lateness bound when they came: counted, not used")
    signals_repeated: int

    @classmethod
    def of(cls, as_of: datetime | None, progress: Progress | None) -> Self:
        """Return the answer for an engine's progress."""
        return cls(
            as_of=as_of,
            decided_through=progress.decided_through if progress is not None else None,
            written_at=progress.changed_at if progress is not None else None,
            signals_decoded=progress.decoded if progress is not None else 0,
            signals_late=progress.late if progress is not None else 0,
            signals_repeated=progress.repeated if progress is not None else 0,
        )


class OccupancyOut(BaseModel):
    """How many are where in a store now."""

    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    total_people: int = Field(examples=[87])
    resident_count: int = Field(description="Staff and tags that never leave, not counted above", examples=[4])
    zones: list[ZonePeopleOut] = Field(description="Every zone of the plan, in its order")
    freshness: FreshnessOut


class AnchorFaultOut(BaseModel):
    """An anchor that does not work."""

    anchor: str = Field(examples=["a09"])
    zone: str = Field(description="Where it stands", examples=["shoes"])
    state: Literal["down", "deaf"] = Field(
        description="down: said by its edge; deaf: it hears nothing of devices that stand before it"
    )
    since: datetime


class CoverageNowOut(BaseModel):
    """How many anchors of a store work now."""

    anchor_count: int = Field(examples=[17])
    working_count: int = Field(examples=[16])
    faults: list[AnchorFaultOut] = Field(description="Those that do not work, in the order of their ids")

    @classmethod
    def of(cls, plan: StorePlan, found: list[AnchorFault]) -> Self:
        """Return the answer for a plan and the faults of its anchors; those it no longer has are left out."""
        known = [fault for fault in found if fault.anchor in plan.anchor_index]
        return cls(
            anchor_count=len(plan.anchors),
            working_count=len(plan.anchors) - len(known),
            faults=[
                AnchorFaultOut(
                    anchor=fault.anchor,
                    zone=plan.anchors[plan.anchor_index[fault.anchor]].zone,
                    state=fault.state,
                    since=fault.since,
                )
                for fault in known
            ],
        )


class CoverageHourOut(BaseModel):
    """Coverage of an hour of the data."""

    begins_at: datetime
    covered_s: float = Field(description="How much of the hour is decoded yet", examples=[3600.0])
    share: float = Field(description="0..1, anchors that worked, over that time", examples=[0.94])
    gap_signal_count: int = Field(
        description="Signals that edges dropped in gaps that touch this hour; each gap counts whole",
        examples=[0],
    )


class GapOut(BaseModel):
    """What an edge heard and had to drop, because its outbox was full or damaged."""

    edge: str = Field(examples=["north"])
    from_at: datetime = Field(description="When the first of them was heard")
    until_at: datetime = Field(description="When the last of them was heard")
    signal_count: int = Field(
        description="At most so many are missing: an edge that starts anew may have sent some", examples=[40_960]
    )


class CoverageOut(BaseModel):
    """Which share of its anchors a store hears with, now and by hours."""

    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    share: float = Field(description="0..1, anchors that work now", examples=[0.94])
    now: CoverageNowOut
    hours: list[CoverageHourOut] = Field(description="The newest hours, in the order of time")
    gaps: list[GapOut] = Field(
        description=f"What edges dropped since the first of these hours, newest first, at most {GAPS_MOST}"
    )


class VisitOut(BaseModel):
    """One visit; every time with its 95% bounds."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VISIT]})

    visit_id: UUID
    kind: Literal["zone", "store"]
    zone: str | None = Field(description="Null on a store visit")
    entered_at: datetime
    left_at: datetime
    entered_earliest: datetime
    entered_latest: datetime
    left_earliest: datetime
    left_latest: datetime
    dwell_s: float = Field(description="left_at - entered_at")
    dwell_at_least_s: float = Field(description="left_earliest - entered_latest, not below 0")
    dwell_at_most_s: float = Field(description="left_latest - entered_earliest")
    confidence: float = Field(description="0..1, probability that the zone is right")
    signals: int = Field(description="Signals that support the stay")
    closed_by: ClosedByWord
    revision: int = Field(description="0 as first reported, +1 with each correction")
    model_version: int = Field(description="The store's model when the visit was decided; 0: what the plan suggests")
    role: RoleWord = Field(
        description="Who carries the device, as it was known then: who stays for most of a day is no visitor"
    )

    @classmethod
    def of(cls, row: VisitRow, plan: StorePlan) -> Self:
        """Return the answer for a row."""
        at_least, at_most = dwell_bounds_s(row)
        return cls.model_validate(
            {
                "visit_id": row.visit_id,
                "kind": row.kind,
                "zone": plan.zones[row.zone_no].id if row.zone_no is not None else None,
                "entered_at": row.entered_at,
                "left_at": row.left_at,
                "entered_earliest": row.entered_earliest,
                "entered_latest": row.entered_latest,
                "left_earliest": row.left_earliest,
                "left_latest": row.left_latest,
                "dwell_s": row.dwell_s,
                "dwell_at_least_s": at_least,
                "dwell_at_most_s": at_most,
                "confidence": round(row.confidence, 4),
                "signals": row.signals,
                "closed_by": row.closed_by.word,
                "revision": row.revision,
                "model_version": row.model_version,
                "role": row.role.word,
            }
        )


class VisitsOut(BaseModel):
    """A page of visits, newest first."""

    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    visits: list[VisitOut]
    next_cursor: str | None = Field(
        description="Ask with `cursor` set to this, and the same filters, for the next page"
    )


class LiveStateOut(BaseModel):
    """The data of a `state` event: everything the live page of a store shows. Times `_us` are µs since 1970, UTC."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "store": "marktplatz",
                    "as_of_us": 1795266191250000,
                    "server_at_us": 1795266191731000,
                    "sampled_signal_at_us": [1795266190900000, 1795266191250000],
                    "decided_at_us": 1795266191402000,
                    "occupancy": [{"zone": "shoes", "people": 9}],
                    "total": 9,
                    "resident_count": 2,
                    "coverage": {
                        "anchor_count": 17,
                        "working_count": 16,
                        "faults": [
                            {"anchor": "a09", "zone": "shoes", "state": "down", "since": "2026-11-21T12:40:00Z"}
                        ],
                    },
                    "newest_visits": [_VISIT],
                }
            ]
        }
    )

    store: str
    as_of_us: int | None = Field(description="Newest signal reflected; null before the first")
    server_at_us: int = Field(description="The server's clock when this state was sent")
    sampled_signal_at_us: list[int] = Field(
        description="Times of some signals that no state before this one reflected"
    )
    decided_at_us: int | None = Field(
        description="Ingest's clock when it decided the first of what no state before this one reflected"
    )
    occupancy: list[ZonePeopleOut]
    total: int = Field(description="People in the store")
    resident_count: int = Field(description="Staff and tags that never leave, not counted in total")
    coverage: CoverageNowOut
    newest_visits: list[VisitOut] = Field(
        description="Zone visits that ended last, newest first; none for whoever may not read single visits"
    )

    @property
    def as_of(self) -> datetime | None:
        """When the newest signal came."""
        return None if self.as_of_us is None else to_datetime(self.as_of_us * NS_PER_US)


def people_by_zone(plan: StorePlan, now: Occupancy) -> list[ZonePeopleOut]:
    """Return the count of every zone of a plan, in its order."""
    people = [0] * len(plan.zones)
    for place, count in now.people.items():
        for zone in (place, *plan.around[place]):
            people[zone] += count
    return [ZonePeopleOut(zone=zone.id, people=count) for zone, count in zip(plan.zones, people, strict=True)]


def dwell_bounds_s(row: VisitRow) -> tuple[float, float]:
    """Return the shortest and the longest dwell that the bounds of a visit allow."""
    at_least = (row.left_earliest - row.entered_latest).total_seconds()
    return max(0.0, at_least), (row.left_latest - row.entered_earliest).total_seconds()


def _zones(plan: StorePlan) -> list[ZoneOut]:
    return [
        ZoneOut(
            id=zone.id,
            name=zone.label,
            kind=zone.kind,
            parent=zone.parent,
            outline_m=list(zone.outline) if zone.outline is not None else None,
        )
        for zone in plan.zones
    ]
