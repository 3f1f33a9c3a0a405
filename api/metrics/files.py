"""Answers as files for spreadsheets and notebooks."""

import io
from typing import Any, Final, Literal

import polars as pl

from api.metrics.models import MetricOut

_TIME: Final = pl.Datetime("us", "UTC")
_SCHEMA: Final[dict[str, Any]] = {
    "store": pl.String, "formula": pl.String, "version": pl.Int32, "parameters": pl.String, "unit": pl.String,
    "coverage": pl.Float64, "as_of": _TIME, "value": pl.Float64, "state": pl.String, "hidden_count": pl.Int32,
    "visit_count": pl.Int64, "begins_at": _TIME, "zone": pl.String, "to_zone": pl.String, "path": pl.String,
    "weekday": pl.Int8, "hour": pl.Int8, "part": pl.String, "from_s": pl.Int32, "to_s": pl.Int32,
}  # fmt: skip


def to_file(answer: MetricOut, kind: Literal["csv", "parquet"]) -> bytes:
    """Return the rows as CSV or Parquet; each names its formula, so that a file explains itself.

    An answer has at most some thousand rows (`api.metrics.query.DAYS_MOST`), so the file is made in memory.
    """
    periods = [answer, *([answer.compared] if answer.compared is not None else [])]
    table = [
        {
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
        }
        for period in periods
        for row in period.rows
    ]
    frame = pl.DataFrame(table, schema=_SCHEMA)
    held = io.BytesIO()
    if kind == "csv":
        frame.write_csv(held)
    else:
        frame.write_parquet(held)
    return held.getvalue()
