"""Edges, anchors and alarms as answers."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from core.fleet import Alarm, AlarmWord


class AlarmOut(BaseModel):
    """Something that somebody has to look at."""

    alarm: AlarmWord
    edge: str = Field(description="Empty where it is not about one edge")
    anchor: str = Field(description="Empty where it is not about one anchor")
    says: str = Field(examples=["Its clock is 12 s ahead."])
    hint: str = Field(examples=["Run NTP there."])
    anchors: list[str] = Field(description="That nobody hears because of it; they have no alarm of their own")
    opened_at: datetime | None = Field(
        description="When it was raised, and told by webhook; null while it has not held long enough"
    )
    ending: bool = Field(
        default=False, description="Raised, but not so at the moment: it is closed once that has held"
    )

    @classmethod
    def of(cls, alarm: Alarm, opened_at: datetime | None, *, ending: bool = False) -> Self:
        """Return the answer for an alarm."""
        return cls(
            alarm=alarm.alarm,
            edge=alarm.edge,
            anchor=alarm.anchor,
            says=alarm.says,
            hint=alarm.hint,
            anchors=list(alarm.anchors),
            opened_at=opened_at,
            ending=ending,
        )


class FleetAlarmOut(BaseModel):
    """An alarm that was raised."""

    alarm_no: int = Field(description="Its number; later ones are higher", examples=[17])
    alarm: AlarmWord
    edge: str = Field(description="Empty where it is not about one edge")
    anchor: str = Field(description="Empty where it is not about one anchor")
    says: str = Field(description="When it was seen first", examples=["Its clock is 12 s ahead."])
    hint: str = Field(examples=["Run NTP there."])
    opened_at: datetime
    closed_at: datetime | None = Field(description="null while it stands")


class FleetAlarmsOut(BaseModel):
    """Alarms of a store's fleet, newest first."""

    alarms: list[FleetAlarmOut]
    next_cursor: str | None


class EdgeOut(BaseModel):
    """An edge; null where it never said so."""

    edge: str = Field(examples=["edge-1"])
    state: str | None = Field(description="online, offline (its line is cut) or stopped", examples=["online"])
    since: datetime | None = Field(description="Since when it is so")
    status_at: datetime | None = Field(description="When it said something last, by the server's clock")
    signals_at: datetime | None = Field(description="When its newest batch was received")
    rate_per_s: float = Field(description="Signals a second over the last minute", examples=[14.2])
    clock_skew_s: float | None = Field(description="How far its clock is ahead; the way of a message is in it")
    backlog_count: int = Field(description="Batches that wait in its outbox")
    backlog_growing_since: datetime | None
    dropped_count: int = Field(description="Signals given up because it had no room")
    certificate_until: datetime | None = Field(description="When the certificate ends that it is let in by")
    anchors: list[str]


class AnchorOut(BaseModel):
    """An anchor; null where nothing is known."""

    anchor: str = Field(examples=["gw-entrance"])
    zone: str
    edges: list[str] = Field(description="That serve it")
    state: str = Field(description="works, down (its edge says so or is gone), deaf (the signals say so)")
    since: datetime | None = Field(description="Since when it does not work")
    alive_at: datetime | None = Field(description="Its last heartbeat, where it has one")
    signals_at: datetime | None = Field(description="The newest signal among the store's newest batches")
    rate_per_s: float = Field(examples=[3.1])
    battery_percent: int | None


class FleetOut(BaseModel):
    """The fleet of a store."""

    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    at: datetime
    coverage_share: float | None = Field(description="Anchors that work now, 0..1; null where no edge was heard yet")
    edges: list[EdgeOut]
    anchors: list[AnchorOut]
    alarms: list[AlarmOut]


class FleetStoreOut(BaseModel):
    """A store in the list."""

    store: str = Field(examples=["marktplatz"])
    name: str = Field(examples=["Marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    edge_count: int
    anchor_count: int
    coverage_share: float | None
    backlog_count: int
    status_at: datetime | None = Field(description="When an edge of it said something last")
    alarms: list[AlarmOut]


class FleetsOut(BaseModel):
    """The fleets of the stores, in the order of their ids."""

    at: datetime
    stores: list[FleetStoreOut]
    next_cursor: str | None
