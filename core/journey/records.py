"""What goes into a journey and what comes out of it. All times are int nanoseconds since the epoch, UTC."""

from enum import StrEnum

import msgspec

from core.journey.rules import Stage


class State(StrEnum):
    """How far a stage has come."""

    REACHED = "reached"
    UNDER_WAY = "under_way"
    NOT_YET = "not_yet"
    SKIPPED = "skipped"


class Event(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that happened to a profile at one time; kinds that no rule names are passed over.

    `store` is where; empty online and wherever nobody knows. Of one id the highest revision counts. `paid_back` says
    of an order that all of it was refunded since.
    """

    id: str
    revision: int = 0
    kind: str
    at: int
    store: str = ""
    paid_back: bool = False


class Stay(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One zone visit; while `in_progress`, `left_at` is the newest signal that supports it."""

    id: str
    revision: int = 0
    in_progress: bool = False
    zone: str
    zone_kind: str
    entered_at: int
    left_at: int


class StoreVisit(msgspec.Struct, frozen=True, kw_only=True):
    """The store visit that the journey surrounds; `closed_by` is None exactly while it is in progress."""

    id: str
    store: str
    entered_at: int
    left_at: int
    closed_by: str | None = None

    @property
    def in_progress(self) -> bool:
        """Whether it has not ended yet."""
        return self.closed_by is None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage rests on: a row that exists under this kind and id; `until` where it has a length."""

    kind: str
    id: str
    at: int
    until: int | None = None
    zone: str | None = None


class StageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stage: how far, since when (`at`, None unless reached), on what evidence and by which rule."""

    stage: Stage
    state: State
    at: int | None
    evidence: tuple[Evidence, ...]
    rule: str
    rule_version: int
    because: str


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """The six stages in their order; `visit` is None where they surround no visit, `order` is then that online.

    Until `reflect_by` Reflect may be reached; None while that is not known. `over` says that this time has passed.
    """

    visit: str | None
    order: str | None = None
    store: str | None
    as_of: int
    reflect_by: int | None = None
    stages: tuple[StageReport, ...]

    @property
    def over(self) -> bool:
        """Whether nothing can be added any more; what is counted when goes by this, not by what was reached."""
        return self.reflect_by is not None and self.as_of > self.reflect_by
