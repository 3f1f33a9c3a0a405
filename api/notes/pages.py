"""Pages of notes and follow-ups: capture on a phone, the task list, search and reports (page, CSV and print)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.lexicons import reminder
from api.notes.follow_up_routes import list_follow_ups, list_note_follow_ups
from api.notes.models import NoteOut
from api.notes.queries import NoteFilterDep
from api.notes.routes import NoteDep
from api.notes.writing import DUE_AGO, DUE_WITHIN, is_by_hand
from api.operators import operator_of
from api.problems import follow_up_unknown
from api.rendering import HERE, render
from api.service import ConnectionDep, ServiceDep, find_store
from api.spreadsheets import csv_text
from api.wording import FEELING
from storage.access.colleagues import About, colleagues
from storage.connect import Connection
from storage.notes.choices import CHOICES_PER_LIST, Choice, ListWord, read_choices
from storage.notes.follow_ups import WhenWord, find_follow_up
from storage.notes.notes import TAGS_PER_NOTE, NoteChange, NoteRow, NoteText, note_history
from storage.notes.reminders import due_count
from storage.notes.search import GroupWord, NoteCount, NoteFilter, count_notes, notes_page, overrides
from storage.occupancy import stores_page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_STATIC: Final = HERE / "static"
_STORES: Final = 50
"""Stores to choose from when none is named; a chain's staff come with a link that names theirs."""
_ROWS: Final = 50
_LINES: Final = 100
"""Lines of a count beside notes; the download has all."""
DOWNLOADED: Final = 10_000
"""Rows of a download: a year of notes of a store, in a second."""
WhoseWord = Literal["mine", "everybody", "nobody"]
"""Whose follow-ups a page shows; nobody's are those of whom has no account that is open."""
_GROUPS: Final[tuple[tuple[GroupWord, str], ...]] = (
    ("purpose", "Purpose"), ("operator", "Operator"), ("profile", "Customer"), ("outcome", "Outcome"),
    ("mood", "Mood"), ("feeling", "Feeling"), ("tag", "Tag"), ("zone", "Zone"), ("day", "Day"),
)  # fmt: skip
_TITLES: Final[dict[ListWord, str]] = {
    "tag": "Tags", "mood": "Moods", "outcome": "Outcomes", "purpose": "Purposes",
}  # fmt: skip
_COLUMNS: Final = (
    "noted_at", "store", "zone", "profile_name", "purpose", "subject", "detail", "outcome", "mood", "tags", "feeling",
    "operator", "source", "complete", "note_id",
)  # fmt: skip

_COUNTED: Final = ("notes", "positive", "mixed", "neutral", "negative")
"""Columns of how many notes there are of a word, after the word itself."""


@router.get("/notes/worker.js")
def send_worker() -> Response:
    """Send the service worker from where it may serve /notes/."""
    return Response((_STATIC / "notes-worker.js").read_bytes(), media_type="text/javascript")


@router.get("/notes/new")
def show_capture(
    connection: ConnectionDep, service: ServiceDep, store: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Show the page on which a note is written; nothing on it names a customer, as phones keep it for later."""
    stores = stores_page(connection, limit=_STORES).stores
    chosen = store if store is not None else (stores[0].id if len(stores) == 1 else None)
    return render(
        "note_new.html",
        here="notes",
        stores=stores,
        plan=find_store(service, connection, chosen).plan if chosen is not None else None,
        choices=_offered(connection),
        reminder=msgspec.json.encode(reminder().lexicon).decode(),
        people=colleagues(connection, About(store=chosen)),
        tags_most=TAGS_PER_NOTE,
        due_days_most=DUE_WITHIN.days,
        due_days_ago=DUE_AGO.days,
    )


@router.get("/notes")
def show_notes(
    wanted: NoteFilterDep,
    connection: ConnectionDep,
    service: ServiceDep,
    *,
    by: GroupWord = "tag",
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Search notes and count them."""
    page = notes_page(connection, wanted, limit=_ROWS, cursor=cursor)
    counts = count_notes(connection, wanted, by)
    return render(
        "notes.html",
        here="notes",
        wanted=msgspec.structs.asdict(wanted),
        query=query_of(wanted),
        page=page,
        labels=labels(connection),
        choices=read_choices(connection),
        groups=_GROUPS,
        by=by,
        by_label=dict(_GROUPS).get(by, by),
        counts=counts[-_LINES:] if by == "day" else counts[:_LINES],
        count_lines=len(counts),
        stores=stores_page(connection, limit=_STORES).stores,
        zones=find_store(service, connection, wanted.store).plan.zones if wanted.store is not None else (),
    )


@router.get("/notes.csv")
def send_notes(wanted: NoteFilterDep, connection: ConnectionDep) -> Response:
    """Send the notes that fit as CSV, the newest 10,000."""
    return as_csv("notes-crm.csv", _COLUMNS, map(_line, _all(connection, wanted)))


@router.get("/notes-counts.csv")
def send_counts(wanted: NoteFilterDep, connection: ConnectionDep, by: GroupWord = "tag") -> Response:
    """Send how many notes there are of each word as CSV; it names people or tells of few and stays in the CRM."""
    counts = count_notes(connection, wanted, by)
    return as_csv(f"notes-by-{by}-crm.csv", count_head(by), [count_line(row, by, row.word) for row in counts])


@router.get("/notes/feelings")
def show_overrides(connection: ConnectionDep) -> Response:
    """Show how often the suggested feeling was what staff said themselves."""
    models: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for model, version, suggested, chosen, count in overrides(connection):
        models.setdefault((model, version), {})[suggested, chosen] = count
    words = ("positive", "negative", "neutral", "mixed")
    return render("feelings.html", here="notes", models=models, words=words)


@router.get("/notes/lists")
def show_lists(connection: ConnectionDep) -> Response:
    """Show the lists that notes choose from, each entry to be changed."""
    return render(
        "note_lists.html",
        here="notes",
        titles=_TITLES,
        choices=read_choices(connection),
        most=CHOICES_PER_LIST,
    )


@router.get("/notes/{note}")
def show_note(found: NoteDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show a note with its clauses, its edits and its follow-ups."""
    return render(
        "note.html",
        here="notes",
        note=found,
        out=NoteOut.of(found),
        timezone=found.timezone if found.timezone is not None else "UTC",
        labels=labels(connection),
        choices=_offered(connection, held=found),
        by_hand=is_by_hand(found.text),
        edits=_edits(found, note_history(connection, found.note_id), labels(connection)),
        follow_ups=list_note_follow_ups(found, connection, service).follow_ups,
        people=colleagues(connection, About(note=found.note_id)),
        now=service.now(),
    )


@router.get("/follow-ups/{follow_up}")
def show_follow_up(follow_up: UUID, connection: ConnectionDep) -> Response:
    """Lead to the page on which a follow-up stands with what it is about."""
    found = find_follow_up(connection, follow_up)
    if found is None:
        raise follow_up_unknown()
    return RedirectResponse(f"/notes/{found.note_id}" if found.note_id else f"/alerts/{found.alert_id}", 303)


@router.get("/follow-ups")
def show_follow_ups(
    request: Request,
    connection: ConnectionDep,
    service: ServiceDep,
    *,
    when: WhenWord = "due",
    whose: WhoseWord = "mine",
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Show the task list of whoever is at work, of everybody, or what is nobody's."""
    operator = operator_of(request)
    page = list_follow_ups(
        connection,
        service,
        when=when,
        operator=operator if whose == "mine" else None,
        nobodys=whose == "nobody",
        limit=_ROWS,
        cursor=cursor,
    )
    return render(
        "follow_ups.html",
        here="follow-ups",
        operator=operator,
        whose=whose,
        nobodys_count=due_count(connection, operator if operator is not None else "", service.now()).nobodys,
        people=colleagues(connection),
        when=when,
        page=page,
        later=[_same_time_tomorrow(max(task.due_at, service.now()), task.timezone) for task in page.follow_ups],
    )


def _same_time_tomorrow(at: datetime, timezone: str) -> datetime:
    """Return when clocks show the same on the next day, which may be 23 or 25 hours away; it is what is offered."""
    return (at.astimezone(ZoneInfo(timezone)) + timedelta(days=1)).astimezone(UTC)


def _offered(connection: Connection, held: NoteRow | None = None) -> dict[str, list[Choice]]:
    """Return what can be chosen, with what the note that is edited has already, retired or not."""
    kept: dict[str, tuple[str | None, ...]] = {}
    if held is not None:
        kept = {
            "purpose": (held.purpose,), "outcome": (held.outcome,), "mood": (held.mood,), "tag": held.tags,
        }  # fmt: skip
    return {
        list_word: [choice for word, choice in found.items() if not choice.retired or word in kept.get(list_word, ())]
        for list_word, found in read_choices(connection).items()
    }


def _edits(
    note: NoteRow, changes: list[NoteChange], labels: dict[str, str]
) -> list[tuple[NoteChange, list[tuple[str, str]]]]:
    """Return the edits of a note, the newest first, each with the fields that differ and what stood in them."""
    texts = [_told(text, labels) for text in (*(change.before for change in changes), note.text)]
    edits = [
        (change, [(name, was[name]) for name in was if was[name] != then[name]])
        for change, (was, then) in zip(changes, pairwise(texts), strict=True)
    ]
    return edits[::-1]


def _told(text: NoteText, labels: dict[str, str]) -> dict[str, str]:
    def label(list_word: ListWord, word: str | None) -> str:
        return labels.get(f"{list_word}.{word}", word) if word is not None else ""

    return {
        "In one line": text.subject,
        "More": text.detail,
        "Purpose": label("purpose", text.purpose),
        "Outcome": label("outcome", text.outcome),
        "Mood": label("mood", text.mood),
        "Feeling": FEELING[text.feeling_chosen] if text.feeling_chosen is not None else "",
        "Tags": ", ".join(label("tag", tag) for tag in text.tags),
    }


def labels(connection: Connection) -> dict[str, str]:
    """Return each choice's label; words are told apart by the lists they stand in, and few stand in two."""
    return {
        f"{list_word}.{word}": choice.label
        for list_word, found in read_choices(connection).items()
        for word, choice in found.items()
    }


def query_of(wanted: NoteFilter) -> dict[str, str]:
    """Return the filters as they stand in a URL."""
    names = {"words": "q", "profile_id": "profile"}
    return {
        names.get(name, name): value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
        for name, value in msgspec.structs.asdict(wanted).items()
        if value not in (None, "")
    }


def _all(connection: Connection, wanted: NoteFilter) -> Iterator[NoteRow]:
    cursor, left = None, DOWNLOADED
    while left > 0:
        page = notes_page(connection, wanted, limit=min(200, left), cursor=cursor)
        yield from page.notes
        left -= len(page.notes)
        cursor = page.next_cursor
        if cursor is None:
            return


def _line(row: NoteRow) -> list[Any]:
    out = NoteOut.of(row).model_dump()
    out["tags"] = " ".join(out["tags"])
    out["noted_at"] = out["noted_at"].isoformat(timespec="seconds")
    return [out[name] for name in _COLUMNS]


def count_head(by: GroupWord) -> tuple[str, ...]:
    """Return the names of the columns of `count_line`."""
    return (by, *_COUNTED, *(("profile_id",) if by == "profile" else ()))


def count_line(row: NoteCount, by: GroupWord, word: str | None) -> tuple[str | int | UUID | None, ...]:
    """Return the line of a count, whose word is called so; of a customer with whose name it is."""
    counts = (row.notes, row.positive, row.mixed, row.neutral, row.negative)
    return (word, *counts, *((row.profile_id,) if by == "profile" else ()))


def as_csv(name: str, columns: tuple[str, ...], rows: Any) -> Response:
    """Return rows as a file that spreadsheets open and run nothing of."""
    return Response(
        csv_text([columns, *rows]),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
