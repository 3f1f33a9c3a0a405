"""Visits of a store, page by page. Nothing here returns a device."""

from datetime import datetime
from typing import Any, Final, Literal, LiteralString
from uuid import UUID

import msgspec
from psycopg import sql

from core.errors import InputError
from core.records import ClosedBy, Role
from storage.connect import Connection
from storage.page_cursors import read_cursor, write_cursor

VISITS_PER_PAGE: Final = 500
"""About 200 kB of JSON: one answer stays below a tenth of a second to make and to read."""

Kind = Literal["zone", "store"]
Order = Literal["entered_at", "left_at"]

WHILE_LINKED: Final[LiteralString] = (
    "entered_at + interval '0' >= link.valid_from and entered_at + interval '0' < link.valid_to"
)
"""Whether a visit of a link's device is of its profile. As sums, which no index is asked for: a device has few
visits, and to exclude chunks by the bounds of each link takes longer than to look for it in all of them."""
VISIT_COLUMNS: Final[LiteralString] = (
    "entered_at, left_at, entered_earliest, entered_latest, left_earliest, left_latest,"
    " dwell_s, confidence, signals, closed_by, revision, model_version, role"
)
"""What `visit_row` reads, after visit_id and zone_no."""

_TABLES: Final = {"zone": sql.Identifier("zone_visit"), "store": sql.Identifier("store_visit")}


class VisitFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which visits, and in which order (newest first).

    `entered_from` counts, `entered_before` does not; `zone_no` goes with zone visits only.
    """

    kind: Kind = "zone"
    zone_no: int | None = None
    entered_from: datetime | None = None
    entered_before: datetime | None = None
    closed_by: ClosedBy | None = None
    order: Order = "entered_at"


class VisitRow(msgspec.Struct, frozen=True, kw_only=True):
    """One visit; times with their 95% bounds; `zone_no` is None on a store visit."""

    visit_id: UUID
    kind: Kind
    zone_no: int | None
    entered_at: datetime
    left_at: datetime
    entered_earliest: datetime
    entered_latest: datetime
    left_earliest: datetime
    left_latest: datetime
    dwell_s: float
    confidence: float
    signals: int
    closed_by: ClosedBy
    revision: int
    model_version: int
    role: Role

    @property
    def revised(self) -> bool:
        """Whether it was corrected after it had been reported."""
        return self.revision > 0


class VisitPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some visits, and where to go on; no cursor on the last page."""

    visits: tuple[VisitRow, ...]
    next_cursor: str | None


def visits_page(
    connection: Connection, store_no: int, wanted: VisitFilter, *, limit: int, cursor: str | None = None
) -> VisitPage:
    """Return the next visits of a store.

    A visit that was there when the first page was read is on exactly one page; one that comes while pages are
    read is on at most one.

    Parameters
    ----------
    connection : Connection
    store_no : int
    wanted : VisitFilter
    limit : int
        1..VISITS_PER_PAGE.
    cursor : str or None
        `next_cursor` of the page before, with the same `wanted`.

    Raises
    ------
    InputError
        If the cursor does not fit, the limit is out of bounds or a range is upside down.
    """
    _check(wanted, limit)
    question = (store_no, wanted)
    key = sql.Identifier(wanted.order)
    clauses: list[sql.Composable] = [sql.SQL("store_no = %(store_no)s and not withdrawn")]
    values: dict[str, Any] = {"store_no": store_no, "limit": limit + 1}
    for column, operator, value in (
        ("zone_no", "=", wanted.zone_no),
        ("entered_at", ">=", wanted.entered_from),
        ("entered_at", "<", wanted.entered_before),
        ("closed_by", "=", wanted.closed_by),
    ):
        if value is not None:
            name = f"value_{len(values)}"
            clauses.append(
                sql.SQL("{} {} {}").format(sql.Identifier(column), sql.SQL(operator), sql.Placeholder(name))
            )
            values[name] = int(value) if isinstance(value, ClosedBy) else value
    if cursor is not None:
        values["at"], values["visit_id"] = read_cursor(cursor, question, tuple[datetime, UUID])
        # the first comparison lets the index find the place, the second one is exact
        clauses.append(sql.SQL("{key} <= %(at)s and ({key} < %(at)s or visit_id > %(visit_id)s)").format(key=key))
        if wanted.order == "left_at":
            clauses.append(sql.SQL("entered_at <= %(at)s"))  # nobody leaves before entering: spares newer chunks
    query = sql.SQL(
        "select visit_id, {zone}, {columns} from {table} where {clauses}"
        " order by {key} desc, visit_id limit %(limit)s"
    ).format(
        zone=sql.SQL("zone_no" if wanted.kind == "zone" else "null"),
        columns=sql.SQL(VISIT_COLUMNS),
        table=_TABLES[wanted.kind],
        clauses=sql.SQL(" and ").join(clauses),
        key=key,
    )
    rows = [visit_row(wanted.kind, row) for row in connection.execute(query, values).fetchall()]
    more = len(rows) > limit
    rows = rows[:limit]
    place = (getattr(rows[-1], wanted.order), rows[-1].visit_id) if more else None
    return VisitPage(visits=tuple(rows), next_cursor=write_cursor(place, question) if place is not None else None)


def visit_row(kind: Kind, row: tuple[Any, ...]) -> VisitRow:
    """Return a row of the columns in the order of `VisitRow`, `kind` left out."""
    return VisitRow(
        visit_id=row[0],
        kind=kind,
        zone_no=row[1],
        entered_at=row[2],
        left_at=row[3],
        entered_earliest=row[4],
        entered_latest=row[5],
        left_earliest=row[6],
        left_latest=row[7],
        dwell_s=row[8],
        confidence=row[9],
        signals=row[10],
        closed_by=ClosedBy(row[11]),
        revision=row[12],
        model_version=row[13],
        role=Role(row[14]),
    )


def _check(wanted: VisitFilter, limit: int) -> None:
    if not 1 <= limit <= VISITS_PER_PAGE:
        raise InputError(f"A page has 1 to {VISITS_PER_PAGE} visits, asked for {limit}.", where="limit")
    if wanted.zone_no is not None and wanted.kind != "zone":
        raise InputError(
            "A store visit has no zone.", hint="Leave out the zone, or ask for zone visits.", where="zone"
        )
    begin, end = wanted.entered_from, wanted.entered_before
    if begin is not None and end is not None and begin >= end:
        raise InputError("The range ends before it begins.", hint="Let `to` be later than `from`.", where="from")
