"""What figures rest on: how well anchors covered the days, how fresh they are, who is left out."""

from api.metrics.gaps import find_gaps
from api.metrics.models import ExcludedOut, OriginOut
from api.metrics.question import Question
from api.metrics.rows import read_reasons
from api.stores.models import FreshnessOut
from core.metrics.exclusions import CountedAs
from storage.connect import Connection
from storage.coverage import gap_signals
from storage.known import covered_share
from storage.occupancy import as_of, progress
from storage.one_state import once
from storage.rollups.sources import range_of
from storage.stores import StoredPlan


def origin_of(connection: Connection, stored: StoredPlan, question: Question) -> OriginOut:
    """Return what figures of the days of a question rest on; to be called in a `snapshot`."""
    return OriginOut(
        coverage=covered_share(connection, stored, question.first, question.last, question.now),
        gap_signal_count=gap_signals(connection, stored.store_no, *range_of(stored, question.first, question.last)),
        no_data_count=len(find_gaps(connection, stored, question, hourly=False).days),
        excluded=_excluded(connection, stored, question),
        freshness=once(("freshness", stored.store_no), lambda: _freshness(connection, stored.store_no)),
    )


def _freshness(connection: Connection, store_no: int) -> FreshnessOut:
    return FreshnessOut.of(as_of(connection, store_no), progress(connection, store_no))


def _excluded(connection: Connection, stored: StoredPlan, question: Question) -> ExcludedOut:
    held = read_reasons(connection, stored, question)

    def told(reason: CountedAs) -> int | None:
        rows = held.get(reason, [])
        shown = [one.row.counted.visits for one in rows if not one.hide]
        return sum(shown) if shown or not rows else None

    return ExcludedOut(
        staff_visit_count=told(CountedAs.STAFF),
        # things: nobody to be hidden
        fixture_visit_count=sum(one.row.counted.visits for one in held.get(CountedAs.FIXTURE, [])),
        long_stay_visit_count=told(CountedAs.LONG_STAY),
        passer_by_visit_count=told(CountedAs.PASSER_BY),
        closed_visit_count=told(CountedAs.CLOSED),
    )
