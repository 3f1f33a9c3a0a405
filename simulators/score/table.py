"""A score as a table for people."""

from rich.table import Table

from simulators.score.scoring import Error, KindScore, Score


def score_table(score: Score) -> Table:
    """Return a score as a table with a column for zone visits and one for store visits."""
    table = Table(title="Visits beside the truth", title_justify="left")
    table.add_column("")
    table.add_column("zone visits", justify="right")
    table.add_column("store visits", justify="right")
    for (label, zone), (_, store) in zip(_lines(score.zone), _lines(score.store), strict=True):
        table.add_row(label, zone, store)
    return table


def _lines(kind: KindScore) -> list[tuple[str, str]]:
    return [
        ("true", str(kind.truth)),
        ("reported", str(kind.reported)),
        ("matched at IoU >= 1/2", str(kind.matched)),
        ("recall", _percent(kind.recall)),
        ("precision", _percent(kind.precision)),
        ("F1", _percent(kind.f1)),
        ("time in the right zone", _percent(kind.time_right)),
        ("dwell error, s: mean, median, bias", _error(kind.dwell)),
        ("entry error, s: mean, median, bias", _error(kind.entry)),
        ("exit error, s: mean, median, bias", _error(kind.exit)),
        ("entries within their bounds", _percent(kind.entries_within_bounds)),
        ("exits within their bounds", _percent(kind.exits_within_bounds)),
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _error(error: Error) -> str:
    if error.mae_s is None or error.median_s is None or error.bias_s is None:
        return "-"
    return f"{error.mae_s:.2f} {error.median_s:.2f} {error.bias_s:+.2f}"
