"""The page of the morning: who is there now, what is wrong, and how today goes beside the same day last week."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.charts import Datum, bar_chart
from api.metrics.models import MetricOut, MetricRowOut
from api.metrics.query import MetricQuery
from api.metrics.routes import measure
from api.metrics.wording import bucket_label, bucket_words, heard, row_figure
from api.operations.alerts import StoreAlertOut
from api.service import Service
from api.stores.live_routes import read_state_now
from core.metrics.formulas import FORMULAS
from storage.alerts.rules import alerts
from storage.connect import Connection
from storage.one_state import one_state
from storage.stores import StoredPlan

_ALERTS_SHOWN: Final = 10
_FIGURES: Final = ("footfall", "people", "occupancy_peak", "dwell_median", "engaged", "capture_inside")
_WEEK: Final = timedelta(days=7)


def today_context(connection: Connection, service: Service, stored: StoredPlan) -> dict[str, Any]:
    """Return what the page shows."""
    today = service.now().astimezone(ZoneInfo(stored.plan.timezone)).date()

    def ask(formula: str, day: date, **more: Any) -> MetricOut:
        query = MetricQuery.model_validate({"from": day, "to": day} | more)
        return measure(service, connection, stored, formula, query)

    with one_state(connection):
        hours = ask("footfall", today, compare=today - _WEEK)
        figures = [
            (FORMULAS[name], *(_whole(ask(name, day, bucket="whole")) for day in (today, today - _WEEK)))
            for name in _FIGURES
        ]
    state = read_state_now(service, stored.plan.id, with_visits=False)
    people = {row.zone: row.people for row in state.occupancy}
    return {
        "today": today,
        "answer": hours,
        "figures": figures,
        "chart": bar_chart(_bars(hours, stored)),
        "rows": [row for row in hours.rows if row.state != "future" and (row.value or row.state == "hidden")],
        "state": state,
        "people": people,
        "drawing": service.drawings.get(stored),
        "alerts": [
            StoreAlertOut.of(row, stored.plan)
            for row in alerts(connection, stored.store_no, limit=_ALERTS_SHOWN, open_only=True)
        ],
        "heard": heard(state.as_of, service.now()),
        "now": service.now(),
    }


def _whole(answer: MetricOut) -> MetricRowOut | None:
    return answer.total if answer.total is not None else (answer.rows[0] if answer.rows else None)


def _bars(hours: MetricOut, stored: StoredPlan) -> list[Datum]:
    """Return the hours of today with a mark for last week's, from the first that has any to the last."""
    timezone = stored.plan.timezone
    beside = {} if hours.compared is None else by_clock(hours.compared.rows, timezone)
    pairs = [(row, beside.get(clock)) for clock, row in by_clock(hours.rows, timezone).items()]
    busy = [place for place, pair in enumerate(pairs) if any(_is_busy(row) for row in pair)]
    data = []
    for row, other in pairs[min(busy) : max(busy) + 1] if busy else []:
        if row.begins_at is None:
            continue
        words = bucket_words(row.begins_at, "hour", timezone)
        last_week = f", a week before {row_figure(other, 'visits')}" if other is not None else ""
        told = "not yet" if row.state == "future" else row_figure(row, "visits")
        data.append(
            Datum(
                label=bucket_label(row.begins_at, "hour", timezone),
                title=f"{words}: {told}{last_week}",
                value=row.value,
                hidden=row.state == "hidden",
                beside=other.value if other is not None else None,
            )
        )
    return data


def by_clock(rows: Iterable[MetricRowOut], timezone: str) -> dict[tuple[int, int], MetricRowOut]:
    """Return hours by what the clocks show, and which of those that show the same: clocks may go back."""
    found: dict[tuple[int, int], MetricRowOut] = {}
    times: Counter[int] = Counter()
    for row in rows:
        if row.begins_at is None:
            raise RuntimeError("rows of hours begin somewhere")
        hour = row.begins_at.astimezone(ZoneInfo(timezone)).hour
        found[hour, times[hour]] = row
        times[hour] += 1
    return found


def _is_busy(row: MetricRowOut | None) -> bool:
    return row is not None and (bool(row.value) or row.state == "hidden")
