"""What a report may say outside of the CRM: whole months that are over, no names, no small counts."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from core.errors import InputError
from core.metrics.disclosure import K_PEOPLE
from core.metrics.leaving import Told, told
from storage.connect import Connection
from storage.note_reports.counting import month_cells
from storage.notes.search import GroupWord, NoteFilter

NAMELESS: Final = frozenset({"purpose", "outcome", "mood", "feeling", "tag", "source", "zone"})
"""What notes may be counted by outside: operators and customers are people, a day is shorter than a month."""
_CLOCKS_APART: Final = timedelta(days=1)
"""Time zones reach from 12 h behind UTC to 14 h ahead."""
_KEEPS: Final = frozenset({"store", "begin", "end"})


def counts_leaving(connection: Connection, wanted: NoteFilter, by: GroupWord, now: datetime) -> list[Told]:
    """Return notes counted by a word, from cells of at least K_PEOPLE people.

    Raises
    ------
    InputError
        If the report names people, has other filters than the store and whole months, or reaches into this month.
    """
    if by not in NAMELESS:
        raise InputError(
            f"A report by {by} does not leave the CRM.", hint=f"These may: {', '.join(sorted(NAMELESS))}.", where="by"
        )
    held = {name for name, value in msgspec.structs.asdict(wanted).items() if value not in (None, "")}
    if held - _KEEPS:
        raise InputError(
            "Outside of the CRM notes are chosen by store and months only: the difference of two filters tells of"
            " few.",
            hint=f"Leave out {', '.join(sorted(held - _KEEPS))}.",
            where="leaving",
        )
    for name, at in (("begin", wanted.begin), ("end", wanted.end)):
        if at is not None and (at.day, at.hour, at.minute, at.second, at.microsecond) != (1, 0, 0, 0, 0):
            raise InputError(
                "Outside of the CRM whole months are told.",
                hint="Use the first of a month, like 2026-11-01.",
                where=name,
            )
    # cells are chosen by the months on their stores' clocks: a filter by instants would cut a few notes off some
    cells = month_cells(connection, NoteFilter(store=wanted.store), by)
    first = f"{wanted.begin:%Y-%m}" if wanted.begin is not None else ""
    # this month still grows, on some clocks for up to a day longer: its answers of two days would tell of one
    last = min(f"{at:%Y-%m}" for at in (wanted.end, now - _CLOCKS_APART) if at is not None)
    return told(
        ((cell.store, cell.month), cell.word, cell.notes, cell.people) for cell in cells if first <= cell.month < last
    )


def about_leaving() -> str:
    """Return what stands under a report that may leave the CRM."""
    return (
        f"Whole months that are over. What fewer than {K_PEOPLE} people are behind in a month of a store is hidden,"
        " and what would give it away; sums leave hidden cells out."
    )
