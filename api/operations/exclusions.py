"""Who is not counted in a store: the rules that hold, every change of them, and the way back."""

from datetime import datetime
from typing import Annotated, Self

import msgspec
from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.access.asking import asking_now
from api.access.principal import Role
from api.operators import OperatorDep
from api.problems import ProblemError, described
from api.service import ConnectionDep, Service, ServiceDep, StoreDep
from core.metrics.exclusions import CHANGES_A_DAY, DEFAULT_RULES, OpeningHours, Rules, checked
from storage.rollups.rules import RulesChange, find_rules, read_rules, rules_changes, set_rules
from storage.stores import StoredPlan

router = APIRouter(prefix="/v1/stores", tags=["metrics"])

CHANGES_SHOWN = 50
"""Rules change a few times a year; older changes stay in the table."""
REASON_CHARACTERS = 200


class OpeningHoursModel(BaseModel):
    """Minutes of a day on the store's clocks."""

    model_config = ConfigDict(extra="forbid")

    opens_min: int = Field(ge=0, le=1439, examples=[540])
    closes_min: int = Field(ge=1, le=1440, examples=[1200])


class RulesModel(BaseModel):
    """Who is left out of every figure; null switches a rule off."""

    model_config = ConfigDict(extra="forbid")

    staff: bool = Field(default=True, description="Devices named staff by the engine or by a person")
    fixtures: bool = Field(default=True, description="Tags that never leave their zone")
    staff_zone_s: int | None = Field(
        default=DEFAULT_RULES.staff_zone_s,
        description="Who spent as long in staff-only zones on a day counts as staff; whole minutes",
    )
    long_stay_s: int | None = Field(
        default=DEFAULT_RULES.long_stay_s, description="Who stayed as long is no visitor; whole minutes"
    )
    passer_by_s: int | None = Field(
        default=DEFAULT_RULES.passer_by_s,
        description="Who never stayed as long on a day only passed by; in tens of seconds, whole minutes from one on",
    )
    opening_hours: list[OpeningHoursModel | None] | None = Field(
        default=None,
        description="Monday to Sunday in quarters of an hour, null on a day that is closed; visits that begin"
        " outside are left out",
    )

    @classmethod
    def of(cls, rules: Rules) -> Self:
        """Return rules as they are answered."""
        return cls.model_validate(msgspec.to_builtins(rules))

    def rules(self) -> Rules:
        """Return the rules that were asked for.

        Raises
        ------
        InputError
            If they don't fit together.
        """
        week = self.opening_hours
        return checked(
            Rules(
                staff=self.staff,
                fixtures=self.fixtures,
                staff_zone_s=self.staff_zone_s,
                long_stay_s=self.long_stay_s,
                passer_by_s=self.passer_by_s,
                opening_hours=None
                if week is None
                else tuple(None if day is None else OpeningHours(**day.model_dump()) for day in week),
            )
        )


class RulesIn(BaseModel):
    """Rules to hold from now on, for past days too, and why."""

    model_config = ConfigDict(extra="forbid")

    rules: RulesModel
    reason: str = Field(min_length=1, max_length=REASON_CHARACTERS, examples=["The shop opens an hour earlier"])


class ReasonIn(BaseModel):
    """Why a change is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=REASON_CHARACTERS, examples=["It was the wrong store"])


class RulesChangeOut(BaseModel):
    """Rules that somebody set."""

    change_no: int = Field(description="Its number; later ones are higher", examples=[2])
    rules: RulesModel
    operator: str
    reason: str
    changed_at: datetime
    holds: bool

    @classmethod
    def of(cls, change: RulesChange) -> Self:
        """Return the answer for a change."""
        return cls.model_validate({**msgspec.structs.asdict(change), "rules": RulesModel.of(change.rules)})


class ExclusionsOut(BaseModel):
    """The rules of a store that hold, and their changes, newest first."""

    store: str
    rules: RulesModel
    changes: list[RulesChangeOut]


@router.get("/{store}/exclusions", responses=described(404, 422, 503), summary="Who is not counted")
def read_exclusions(stored: StoreDep, connection: ConnectionDep) -> ExclusionsOut:
    """Return the rules that hold, and who set which when and why. How many they leave out stands in each metric."""
    return ExclusionsOut(
        store=stored.plan.id,
        rules=RulesModel.of(read_rules(connection, stored.store_no)),
        changes=[RulesChangeOut.of(row) for row in rules_changes(connection, stored.store_no, most=CHANGES_SHOWN)],
    )


@router.put("/{store}/exclusions", responses=described(403, 404, 422, 503), summary="Change who is not counted")
def write_exclusions(
    asked: RulesIn, stored: StoreDep, service: ServiceDep, connection: ConnectionDep, operator: OperatorDep
) -> ExclusionsOut:
    """Let other rules hold, for past days too; visits stay as they are. A frozen day keeps its counts.

    `staff`, `fixtures`, `staff_zone_s` and `long_stay_s` need the role admin: they keep a few people out of every
    figure, and figures before and after would tell what these did.
    """
    change_rules(service, stored, asked.rules.rules(), operator=operator, reason=asked.reason)
    return read_exclusions(stored, connection)


@router.post(
    "/{store}/exclusions/{change_no}/restore", responses=described(403, 404, 422, 503), summary="Take changes back"
)
def restore_exclusions(  # noqa: PLR0917 - FastAPI hands over by name
    change_no: Annotated[int, Path(ge=0, le=2**62, description="Whose rules hold again; 0: the defaults")],
    asked: ReasonIn,
    stored: StoreDep,
    service: ServiceDep,
    connection: ConnectionDep,
    operator: OperatorDep,
) -> ExclusionsOut:
    """Let the rules of an earlier change hold again; this is written down, and judged, as any other change."""
    rules = find_rules(connection, stored.store_no, change_no)
    if rules is None:
        raise change_unknown(stored, change_no)
    change_rules(service, stored, rules, operator=operator, reason=asked.reason)
    return read_exclusions(stored, connection)


def may_change_groups() -> bool:
    """Return whether whoever asks may change the rules of small groups: who lets a few people into every figure.

    Figures before and after, subtracted, are what those few did; so it is not for whoever works with figures.
    """
    principal = asking_now().principal
    return principal is not None and principal.may(Role.ADMIN)


def change_rules(service: Service, stored: StoredPlan, rules: Rules, *, operator: str, reason: str) -> bool:
    """Let rules hold from now on; return whether they are others than before.

    Raises
    ------
    ForbiddenError
        If the rule of a small group would change, and whoever asks is no admin.
    """
    small_groups = may_change_groups()
    return service.writer.write(
        lambda connection: set_rules(
            connection,
            stored.store_no,
            rules,
            operator=operator,
            reason=reason,
            most_a_day=CHANGES_A_DAY,
            small_groups=small_groups,
        )
    )


def change_unknown(stored: StoredPlan, change_no: int) -> ProblemError:
    """Return the problem of a change that the store does not have."""
    return ProblemError(
        404,
        "change-unknown",
        "No such change",
        detail=f"The store {stored.plan.id!r} has no change {change_no} of its exclusions.",
        hint="GET the exclusions: each change has its change_no.",
    )
