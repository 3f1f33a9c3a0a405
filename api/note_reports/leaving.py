"""What a report may say outside of the CRM: whole months that are over, no names, no small counts."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from core.errors import InputError
from core.limits import NS_PER_US, PAST_BOUND_NS
from core.metrics.disclosure import K_PEOPLE
from core.metrics.leaving import Cell, Told, kept, kept_tags, summed
from storage.connect import Connection
from storage.note_reports.counting import month_cells, tag_cells
from storage.notes.search import GroupWord, NoteFilter

NAMELESS: Final = frozenset({"purpose", "outcome", "mood", "feeling", "tag", "source", "zone"})
"""What notes may be counted by outside: operators and customers are people, a day is shorter than a month."""
_TOGETHER: Final[dict[GroupWord, tuple[GroupWord, ...]]] = {
    "mood": ("mood", "feeling"), "feeling": ("mood", "feeling"),
    "source": ("source", "purpose"), "purpose": ("source", "purpose"),
}  # fmt: skip
"""Words of which one stands for the other: a mood for a feeling, what comes by mail for service. Each report is of
the cells of both, or one beside the other would tell of few."""
_SETTLED: Final = timedelta(days=1, microseconds=PAST_BOUND_NS // NS_PER_US)
"""How long a month goes on growing after it is over, by notes that a phone kept and on clocks behind UTC: answers of
two of these days would tell of one person."""
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
    months = (f"{wanted.begin:%Y-%m}" if wanted.begin is not None else "", _ends(wanted.end, now))
    if by == "tag":
        return summed(tags_leaving(connection, wanted.store, months), 1)
    words = _TOGETHER.get(by, (by,))
    return summed(kept(_within(month_cells(connection, wanted.store, words), months)), words.index(by))


def tags_leaving(connection: Connection, store: str | None, months: tuple[str, str]) -> list[tuple[Cell, bool]]:
    """Return the cells of (zone, tag) from a month until before another, each with whether it may be told.

    Notes without a tag are not counted: beside all notes they would tell how many have one, and so how many have two.
    """
    tagged, all_notes = (_within(cells, months) for cells in tag_cells(connection, store))
    return kept_tags(tagged, {(cell.group, cell.words[0]): (cell.count, cell.people) for cell in all_notes})


def _within(cells: Iterable[Cell], months: tuple[str, str]) -> list[Cell]:
    return [cell for cell in cells if months[0] <= cell.group[1] < months[1]]


def _ends(end: datetime | None, now: datetime) -> str:
    return min(f"{end:%Y-%m}" if end is not None else "9999-12", last_month(now))


def last_month(now: datetime) -> str:
    """Return the month that is not told yet, on no clock."""
    return f"{now - _SETTLED:%Y-%m}"


def about_leaving() -> str:
    """Return what stands under a report that may leave the CRM."""
    return (
        f"Whole months that are over for {_SETTLED.days} days. What fewer than {K_PEOPLE} people are behind in a"
        " month of a store is hidden, and what would give it away; sums leave hidden cells out."
    )
