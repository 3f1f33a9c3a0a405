"""What apps send and get back."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from core.app_presence import EVENTS_MOST
from core.floorplan import ID_PATTERN
from storage.app.installations import Installation

Kind = Literal["enter", "exit", "ranging", "heartbeat", "screen"]
_PLACED = frozenset({"enter", "exit", "ranging"})


class InstallationIn(BaseModel):
    """Whose installation it is."""

    profile_id: UUID


class IssuedOut(BaseModel):
    """A new installation and its token, which is told only here."""

    installation_id: UUID
    token: str = Field(examples=["sjn_3pWfX…"])


class InstallationOut(BaseModel):
    """An installation."""

    installation_id: UUID
    profile_id: UUID
    issued_at: datetime
    revoked_at: datetime | None
    last_seen_at: datetime | None = Field(description="By the server's clock")
    clock_skew_s: float | None = Field(description="How far the phone's clock was ahead")
    battery_percent: int | None

    @classmethod
    def of(cls, row: Installation) -> Self:
        """Return the answer for an installation."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class InstallationsOut(BaseModel):
    """Installations, newest first."""

    installations: list[InstallationOut]


class AppEventIn(BaseModel):
    """One thing that an app was told or did."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    at: AwareDatetime = Field(description="By the phone's clock; only its distance from the time of sending counts")
    anchor: str | None = Field(None, pattern=ID_PATTERN, description="The beacon: enter, exit and ranging need it")
    rssi_dbm: int | None = Field(None, description="Ranging needs it", examples=[-61])
    screen: str | None = Field(
        None, max_length=40, description="Screen needs it: an event of the input `app`", examples=["product_viewed"]
    )
    product: str | None = Field(None, max_length=200, description="What the screen showed")
    battery_percent: int | None = Field(None, ge=0, le=100, description="Of the phone, with a heartbeat")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind in _PLACED and self.anchor is None:
            raise ValueError(f"{self.kind} needs the anchor: the beacon that is meant, or that was heard last")
        if self.kind == "ranging" and self.rssi_dbm is None:
            raise ValueError("ranging needs rssi_dbm; leave the event out where the level is not known")
        if self.kind == "screen" and self.screen is None:
            raise ValueError("screen needs the name of the screen's event")
        return self


class PresenceIn(BaseModel):
    """What an installation tells of one store."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "store": "marktplatz",
                    "events": [
                        {"kind": "enter", "anchor": "beacon-shoes", "at": "2026-11-21T13:02:00Z"},
                        {"kind": "ranging", "anchor": "beacon-shoes", "rssi_dbm": -61, "at": "2026-11-21T13:02:01Z"},
                    ],
                }
            ]
        },
    )

    store: str = Field(pattern=ID_PATTERN, examples=["marktplatz"])
    events: list[AppEventIn] = Field(min_length=1, max_length=EVENTS_MOST)


class PresenceMessage(PresenceIn):
    """The same over MQTT, where there are no headers; the store stands in the topic too."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=200)
    idempotency_key: str = Field(min_length=1, max_length=128)
    sent_at: AwareDatetime | None = None


class PresenceOut(BaseModel):
    """What was taken: signals go into the signal log, screens to the customer's events."""

    signals_count: int = Field(examples=[2])
    screens_count: int
    heartbeats_count: int
