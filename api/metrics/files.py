"""Answers as files for spreadsheets and notebooks."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from api.metrics.models import MetricOut, MetricRowOut, PeriodOut
from api.streams import ROWS_AT_ONCE, csv_pieces, parquet_pieces

_TIME: Final = pl.Datetime("us", "UTC")
CLOCKS: Final[dict[str, Any]] = {"day": pl.Date, "clock": pl.String, "timezone": pl.String}
"""When a row begins on the store's clocks: in UTC, as in `begins_at`, days east of Greenwich begin a day before."""
_SCHEMA: Final[dict[str, Any]] = {
    "store": pl.String, "formula": pl.String, "version": pl.Int32, "parameters": pl.String, "unit": pl.String,
    "coverage": pl.Float64, "as_of": _TIME, "value": pl.Float64, "state": pl.String, "hidden_count": pl.Int32,
    "no_data_count": pl.Int32, "visit_count": pl.Int64, "begins_at": _TIME, "zone": pl.String, "to_zone": pl.String,
    "path": pl.String, "weekday": pl.Int8, "hour": pl.Int8, "part": pl.String, "from_s": pl.Int32, "to_s": pl.Int32,
    **CLOCKS,
}  # fmt: skip


def pieces(answer: MetricOut, kind: Literal["csv", "parquet"]) -> Iterator[bytes]:
    """Yield the rows as CSV or Parquet; each names its formula, so that a file explains itself."""
    return csv_pieces(_frames(answer)) if kind == "csv" else parquet_pieces(_frames(answer), _SCHEMA)


def digest(answer: MetricOut, kind: str) -> str:
    """Return what changes with any row of the file, without the file."""
    found = blake2b(kind.encode(), digest_size=16)
    for piece in csv_pieces(_frames(answer)):
        found.update(piece)
    return found.hexdigest()


def _frames(answer: MetricOut) -> Iterator[pl.DataFrame]:
    periods = [answer, *([answer.compared] if answer.compared is not None else [])]
    rows = (_line(answer, period, row) for period in periods for row in period.rows or [_none_left(period)])
    yield pl.DataFrame(schema=_SCHEMA)  # the head stands in a file without rows too
    while some := list(islice(rows, ROWS_AT_ONCE)):
        yield pl.DataFrame(some, schema=_SCHEMA)


def _none_left(period: PeriodOut) -> MetricRowOut:
    """Return what a file says of a range that has no row: nobody came, too few did, or nobody listened."""
    none = dict.fromkeys(MetricRowOut.model_fields)
    counts = {"hidden_count": period.hidden_count, "no_data_count": period.no_data_count}
    return MetricRowOut.model_validate(none | {"state": period.state} | counts)


def on_clocks(at: datetime | None, timezone: str) -> dict[str, Any]:
    """Return the columns of `CLOCKS`: the day, and hours and minutes as they are shown; both None without a begin."""
    local = None if at is None else at.astimezone(ZoneInfo(timezone))
    return {
        "day": None if local is None else local.date(),
        "clock": None if local is None else f"{local:%H:%M}",
        "timezone": timezone,
    }


def _line(answer: MetricOut, period: PeriodOut, row: MetricRowOut) -> dict[str, Any]:
    return {
        "store": period.store,
        "formula": answer.formula.id,
        "version": answer.formula.version,
        "parameters": ";".join(f"{name}={value}" for name, value in answer.formula.parameters.items()),
        "unit": answer.formula.unit,
        "coverage": period.coverage,
        "as_of": period.freshness.as_of,
        **{
            name: " > ".join(value) if name == "path" and value is not None else value
            for name, value in dict(row).items()
        },
        **on_clocks(row.begins_at, period.timezone),
    }
