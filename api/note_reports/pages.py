"""Pages of reports on notes, each as page, CSV and print, inside the CRM and as it may leave it."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from api.metrics.query import MetricQuery
from api.note_reports.leaving import NAMELESS, about_leaving, counts_leaving
from api.note_reports.routes import StoreTagsQuery, list_store_tags
from api.note_reports.zones import zone_tags_leaving
from api.notes.follow_up_routes import list_follow_ups
from api.notes.pages import as_csv, count_head, count_line, labels, query_of
from api.notes.queries import NoteFilterDep
from api.rendering import render
from api.service import ConnectionDep, ServiceDep, StoreDep
from api.wording import FEELING, FOLLOW_UP, SOURCE
from core.errors import InputError
from storage.connect import Connection
from storage.note_reports.counting import OverWord, over_time
from storage.notes.follow_ups import FOLLOW_UPS_PER_PAGE
from storage.notes.search import GroupWord, NoteFilter, count_notes
from storage.occupancy import STORES_PER_PAGE, stores_page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Over = Literal["", "day", "week", "month"]
_REPORTS: Final[tuple[tuple[GroupWord, str, Over], ...]] = (
    ("purpose", "By type", ""), ("operator", "By operator", ""), ("profile", "By customer", ""),
    ("outcome", "Outcomes over time", "week"), ("mood", "Mood over time", "week"),
    ("feeling", "Feelings over time", "week"), ("tag", "Tags", ""), ("zone", "By zone", ""),
    ("source", "By source", ""),
)  # fmt: skip
_OVER: Final = (("", "All together"), ("day", "By day"), ("week", "By week"), ("month", "By month"))
_WORDS: Final = 12
"""Columns of a table that can be read; what is rarer goes into "Other"."""
_LISTED: Final = 2_000
"""Open follow-ups in a download: ten for each of two hundred people."""
_NONE: Final = "None"


class StoreTagsFileQuery(StoreTagsQuery):
    """The same, and whether it leaves the CRM."""

    leaving: bool = False


class Table:
    """A report: a head and rows of words and counts; None is a hidden count."""

    def __init__(self, head: Sequence[str], rows: Sequence[Sequence[Any]], note: str = "") -> None:
        self.head, self.rows, self.note = tuple(head), [tuple(row) for row in rows], note


@router.get("/notes/reports")
def show_report(
    wanted: NoteFilterDep,
    connection: ConnectionDep,
    service: ServiceDep,
    *,
    by: GroupWord = "purpose",
    over: Over | None = None,
    leaving: bool = False,
) -> Response:
    """Show one report; `leaving` as it may leave the CRM."""
    chosen = _over(by, over)
    table = _table(connection, service, wanted, by, chosen, leaving=leaving)
    return render(
        "note_report.html",
        here="notes",
        table=table,
        reports=_REPORTS,
        title={word: title for word, title, _ in _REPORTS}.get(by, by),
        by=by,
        over=chosen,
        overs=_OVER,
        leaving=leaving,
        may_leave=by in NAMELESS,
        query=query_of(wanted),
        stores=stores_page(connection, limit=STORES_PER_PAGE).stores,
    )


@router.get("/notes/reports.csv")
def send_report(
    wanted: NoteFilterDep,
    connection: ConnectionDep,
    service: ServiceDep,
    *,
    by: GroupWord = "purpose",
    over: Over | None = None,
    leaving: bool = False,
) -> Response:
    """Send the same as CSV."""
    if leaving and over:
        raise InputError("What leaves the CRM is not told over time.", hint="Leave out over.", where="over")
    chosen = _over(by, over)
    table = _table(connection, service, wanted, by, chosen, leaving=leaving)
    name = f"notes-by-{by}{'-over-time' if chosen and not leaving else ''}{'-shared' if leaving else '-crm'}.csv"
    return as_csv(name, table.head, table.rows)


@router.get("/follow-ups.csv")
def send_follow_ups(connection: ConnectionDep, service: ServiceDep) -> Response:
    """Send what is open as CSV, overdue first; it names people and stays in the CRM."""
    rows: list[tuple[Any, ...]] = []
    cursor = None
    while len(rows) < _LISTED:
        page = list_follow_ups(
            connection, service, when="open", operator=None, limit=FOLLOW_UPS_PER_PAGE, cursor=cursor
        )
        rows += [
            (
                FOLLOW_UP[task.state],
                task.due_at.astimezone(ZoneInfo(task.timezone)).isoformat(timespec="minutes"),
                task.timezone,
                task.operator,
                task.instructions,
                task.subject,
                task.profile_name,
                task.snoozed_count,
            )
            for task in page.follow_ups
        ]
        cursor = page.next_cursor
        if cursor is None:
            break
    head = ("state", "due_at", "timezone", "operator", "instructions", "about", "customer", "snoozed")
    return as_csv("follow-ups-crm.csv", head, rows)


@router.get("/stores/{store}/note-tags")
def show_store_tags(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[StoreTagsQuery, Query()]
) -> Response:
    """Show the tags of notes beside the dwell of their zones."""
    found = list_store_tags(stored, connection, service, query)
    return render(
        "store_tags.html",
        here="stores",
        plan=stored.plan,
        found=found,
        labels=labels(connection),
        most=max((tag.note_count for zone in found.zones for tag in zone.tags), default=1),
    )


@router.get("/stores/{store}/note-tags.csv")
def send_store_tags(
    stored: StoreDep,
    connection: ConnectionDep,
    service: ServiceDep,
    query: Annotated[StoreTagsFileQuery, Query()],
) -> Response:
    """Send the same as CSV; `leaving` as it may leave the CRM: whole months, no small counts, no dwell."""
    if query.leaving:
        now = service.now()
        first, last = MetricQuery.model_validate(query.model_dump(by_alias=True, exclude={"leaving"})).days(
            stored, now
        )
        rows: Any = [
            (zone, one.word, one.count, one.hidden)
            for zone, one in zone_tags_leaving(connection, stored, first, last, now=now)
        ]
        return as_csv(f"{stored.plan.id}-tags-shared.csv", ("zone", "tag", "notes", "months_hidden"), rows)
    found = list_store_tags(
        stored,
        connection,
        service,
        StoreTagsQuery.model_validate(query.model_dump(by_alias=True, exclude={"leaving"})),
    )
    rows = [
        (zone.name, tag.tag, tag.note_count, zone.visit_count, zone.dwell_median_s)
        for zone in found.zones
        for tag in zone.tags
    ]
    return as_csv(f"{stored.plan.id}-tags-crm.csv", ("zone", "tag", "notes", "zone_visits", "dwell_median_s"), rows)


def _over(by: GroupWord, over: Over | None) -> Over:
    return over if over is not None else next((usual for word, _, usual in _REPORTS if word == by), "")


def _table(
    connection: Connection, service: ServiceDep, wanted: NoteFilter, by: GroupWord, over: Over, *, leaving: bool
) -> Table:
    known = {"feeling": FEELING, "source": SOURCE}.get(by)
    names = known if known is not None else labels(connection)
    prefix = "" if known is not None else f"{by}."

    def label(word: str | None) -> str:
        return names.get(prefix + word, word) if word else _NONE

    if leaving:
        told = counts_leaving(connection, wanted, by, service.now())
        rows = [(label(row.word), row.count, row.hidden) for row in told]
        return Table((by, "notes", "months hidden"), rows, f"{'All together. ' if over else ''}{about_leaving()}")
    if not over:
        counts = count_notes(connection, wanted, by)
        return Table(count_head(by), [count_line(row, by, label(row.word)) for row in counts])
    return _matrix(connection, wanted, by, over, label)


def _matrix(
    connection: Connection, wanted: NoteFilter, by: GroupWord, over: OverWord, label: Callable[[str | None], str]
) -> Table:
    """Return a row for each period and a column for each word, the most frequent ones first."""
    if by in {"profile", "operator", "day"}:
        raise InputError(f"Notes by {by} are not told over time.", hint="Choose “All together”.", where="over")
    found = over_time(connection, wanted, by, over)
    totals: dict[str | None, int] = {}
    for row in found:
        totals[row.word] = totals.get(row.word, 0) + row.notes
    words = sorted(totals, key=lambda word: (-totals[word], word or ""))
    shown, rest = words[:_WORDS], set(words[_WORDS:])
    cells: dict[str, dict[str | None, int]] = {}
    other: dict[str, int] = {}
    for row in found:
        cells.setdefault(row.period, {})[row.word] = row.notes
        other[row.period] = other.get(row.period, 0) + (row.notes if row.word in rest else 0)
    head = [over, *(label(word) for word in shown), *(["Other"] if rest else [])]
    rows = [
        [period, *(held.get(word, 0) for word in shown), *([other[period]] if rest else [])]
        for period, held in cells.items()
    ]
    return Table(head, rows)
