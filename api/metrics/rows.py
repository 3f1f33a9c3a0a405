"""The rows of an answer: days and hours put into buckets, small counts hidden, formulas applied."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby

import msgspec

from api.metrics.gaps import BucketGaps, bucket_gaps
from api.metrics.question import Question, State, bucket_begins, key_of
from core.metrics.bins import at_least
from core.metrics.cells import Cell, Counted, merged
from core.metrics.disclosure import K_PEOPLE, hidden, hidden_with_complement, stands_for_all
from core.metrics.exclusions import CountedAs
from core.metrics.formulas import Part, is_of_days
from core.records import Role
from storage.connect import Connection
from storage.metric_queries import CountedRow, counted_rows
from storage.rollups.counting import CONVERTED_SCOPE, INSIDE_SCOPE, STORE_SCOPE
from storage.stores import StoredPlan
from storage.under_way import rows_of_those_gone


class MetricRow(msgspec.Struct, frozen=True, kw_only=True):
    """One value and what it is the value of; what does not apply is None.

    `hidden` counts the days or hours within that have too few people and are left out of `value`, `no_data` those of
    which nothing is known.
    """

    value: float | None
    state: State = "told"
    hidden: int = 0
    no_data: int = 0
    visits: int | None = None
    begins_at: datetime | None = None
    zone_no: int | None = None
    to_zone_no: int | None = None
    path: tuple[int, ...] | None = None
    weekday: int | None = None
    hour: int | None = None
    part: str | None = None
    from_s: int | None = None
    to_s: int | None = None


class Held(msgspec.Struct, frozen=True):
    """A day or an hour, and whether it may be told."""

    row: CountedRow
    hide: bool


def read(
    connection: Connection,
    stored: StoredPlan,
    question: Question,
    scopes: Iterable[int],
    *,
    hourly: bool,
    role: Role = Role.VISITOR,
) -> list[Held]:
    """Return the days or hours that a question is about, each with whether it may be told."""
    first, last, wanted = question.first, question.last, sorted(set(scopes))
    if is_of_days(question.formula):
        rows = rows_of_those_gone(connection, stored, first, last, scopes=wanted, roles=[int(role)])
    else:
        rows = counted_rows(
            connection,
            stored,
            first,
            last,
            hourly=hourly,
            scopes=wanted,
            roles=[int(role)],
            bins=_needs_bins(question),
        )
    held: list[Held] = []
    ordered = sorted(rows, key=lambda row: (row.day, row.scope, row.begins_at))
    for _, same in groupby(ordered, key=lambda row: (row.day, row.scope)):
        of_day = list(same)
        people = [_told_of(row.counted, question.parameters) for row in of_day]
        hide = hidden_with_complement(people) if hourly else hidden(people)
        held += [Held(row, hid) for row, hid in zip(of_day, hide, strict=True)]
    return held


def _needs_bins(question: Question) -> bool:
    """Return whether an answer asks how dwell is spread; footfall of every visit does not."""
    if question.formula.id == "footfall":
        return question.parameters["visit_s"] != 0
    return question.formula.spread


def _told_of(counted: Counted, parameters: Mapping[str, int]) -> int:
    """Return of how many a figure of a day or hour speaks: its people, or fewer where it counts long visits alone."""
    least_s = parameters.get("visit_s", 0)
    if not least_s or counted.people < K_PEOPLE:
        return counted.people
    return min(counted.people, at_least(merged([counted]).counts, least_s))


def read_reasons(connection: Connection, stored: StoredPlan, question: Question) -> dict[CountedAs, list[Held]]:
    """Return the days of store visits that are not counted, by why not."""
    reasons = [one for one in CountedAs if one is not CountedAs.VISITOR]
    rows = counted_rows(
        connection,
        stored,
        question.first,
        question.last,
        hourly=False,
        scopes=[STORE_SCOPE],
        roles=reasons,
        bins=False,
    )
    found: dict[CountedAs, list[Held]] = defaultdict(list)
    for row in rows:
        found[CountedAs(row.role)].append(Held(row, hidden([row.counted.people])[0]))
    return found


def scope_of(part: Part, zone_no: int | None) -> int:
    """Return the scope that counts of a part stand under."""
    match part:
        case "inside":
            return INSIDE_SCOPE
        case "zone" if zone_no is not None:
            return zone_no
        case "converted" if zone_no is not None:
            return CONVERTED_SCOPE - zone_no
    return STORE_SCOPE


def _role(part: Part) -> Role:
    return Role.STAFF if part == "staff" else Role.VISITOR


def zones_asked(stored: StoredPlan, question: Question) -> list[int | None]:
    """Return the zones of a question, None for the store; each zone: of the kinds that the formula is of."""
    if not question.each_zone:
        return [question.zone_no]
    kinds = question.formula.zone_kinds
    return [place for place, zone in enumerate(stored.plan.zones) if not kinds or zone.kind in kinds]


def value_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return the rows of a formula that is reckoned from cells or as a ratio of two."""
    formula = question.formula
    zones = zones_asked(stored, question)
    hourly = question.bucket == "hour"
    parts: list[Part] = ["zone"] if formula.shape == "cell" else [formula.part, formula.whole]
    held: dict[tuple[int, Role], list[Held]] = {}
    for part in parts:
        role = _role(part)
        scopes = {scope_of(part, zone) for zone in zones}
        for scope in scopes:
            held[scope, role] = []
        for one in read(connection, stored, question, scopes, hourly=hourly, role=role):
            held[one.row.scope, role].append(one)
    gaps = bucket_gaps(connection, stored, question)
    rows = []
    for zone in zones:
        by_part = [_by_bucket(stored, held[scope_of(part, zone), _role(part)], question) for part in parts]
        for begins_at in bucket_begins(stored, question):
            key = begins_at.astimezone(UTC)
            rows.append(_row(question, begins_at, zone, [found.get(key, []) for found in by_part], gaps))
    return rows


def _by_bucket(stored: StoredPlan, held: Iterable[Held], question: Question) -> dict[datetime, list[Held]]:
    found: dict[datetime, list[Held]] = defaultdict(list)
    for one in held:
        found[key_of(one.row.begins_at, question, stored.plan.timezone)].append(one)
    return found


def _row(
    question: Question, begins_at: datetime, zone_no: int | None, parts: list[list[Held]], gaps: BucketGaps
) -> MetricRow:
    """Return one row: of `parts`, which are one cell or the two of a ratio, only what may be told counts."""
    if begins_at > question.now:
        return MetricRow(value=None, state="future", begins_at=begins_at, zone_no=zone_no)
    no_data = gaps.count(begins_at)
    if gaps.is_whole(begins_at) and not any(parts):
        return MetricRow(value=None, state="no_data", no_data=no_data, begins_at=begins_at, zone_no=zone_no)
    # a day or an hour that is hidden in one part is left out of the other as well
    left_out = {one.row.begins_at for part in parts for one in part if one.hide}
    told = [merged(one.row.counted for one in part if one.row.begins_at not in left_out) for part in parts]
    value = _reckon(question, told)
    state: State = "told"
    if left_out:
        for_its_part = sum(
            one.row.counted.people for one in parts[-1] if not one.hide and one.row.begins_at in left_out
        )
        stands = told[-1].visits and stands_for_all(told[-1].people, for_its_part)
        state = "partly_hidden" if stands else "hidden"
    return MetricRow(
        value=None if state == "hidden" else value,
        state=state,
        hidden=len(left_out),
        no_data=no_data,
        visits=None if state == "hidden" else told[0].visits,
        begins_at=begins_at,
        zone_no=zone_no,
    )


def _reckon(question: Question, told: list[Cell]) -> float | None:
    formula = question.formula
    if formula.reckon is not None:
        return formula.reckon(told[0], question.parameters)
    if formula.compare is not None:
        return formula.compare(told[0], told[1])
    raise RuntimeError(f"{formula.id} is not reckoned from cells")
