"""What goes into the memory of a customer. All times are int nanoseconds since the epoch, UTC."""

import msgspec

from core.journey.feeling import Feeling


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a note's text and what it says by itself."""

    text: str
    feeling: Feeling


class Felt(msgspec.Struct, frozen=True, kw_only=True):
    """A note on a customer, or an event that says how she felt; `kind` is `note` or the event's own.

    `feeling` is what staff chose, else what was suggested (`chosen` tells which); a suggestion that is not sure says
    neither good nor bad, so it is mixed, and `unsure` is what was suggested. `by_staff` tells notes of staff from the
    customer's own words. `zone_kind` is where it was noted, None where nobody knows.
    """

    kind: str
    id: str
    at: int
    feeling: Feeling
    chosen: bool
    by_staff: bool
    clauses: tuple[Clause, ...] = ()
    tags: tuple[str, ...] = ()
    zone_kind: str | None = None
    operator: str = ""
    unsure: Feeling | None = None


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A store visit, ended or in progress (then `left_at` is its newest signal)."""

    id: str
    store: str
    entered_at: int
    left_at: int


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """An event of other systems; `store` is empty online."""

    id: str
    kind: str
    at: int
    store: str = ""


def disappointed(felt: Felt) -> bool:
    """Return whether this was a bad experience, or may have been where nobody is sure.

    Whoever loved the shoes and hated the queue was disappointed too. A suggestion that is not sure is passed over
    where it is positive or neutral: of 120 such among 576 notes with labels (with the sentence model) so were 43 of
    the 62 that tell of nothing bad, and 10 of the 58 that do.
    """
    said = felt.feeling if felt.unsure is None else felt.unsure
    return said in {Feeling.NEGATIVE, Feeling.MIXED}


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A follow-up on a customer's note: what `operator` said would be done, whoever does it, `promised_at` first."""

    id: str
    note: str
    says: str
    operator: str
    made_at: int
    due_at: int
    done_at: int | None
    promised_at: int | None = None


def promised_for(due: Due) -> int:
    """Return when something was to be done as it was promised, before anybody put it off; it may be sooner too."""
    return due.due_at if due.promised_at is None else min(due.promised_at, due.due_at)
