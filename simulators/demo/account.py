"""The account of a demo: what was sent against what the database has, what happened against what is reported."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from core.limits import NS_PER_US
from simulators.score.scoring import score
from simulators.store_live import Sent, read_journal
from storage.connect import Connection
from storage.figures import Figures, LoggedBatch, logged_batches, reported_visits


class Signals(NamedTuple):
    """Signals from edge to engine; `missing` and `duplicated` have to be 0."""

    sent: int
    logged: int
    decoded: int
    missing: int
    duplicated: int


class Visits(NamedTuple):
    """Zone and store visits that were reported; true zone visits decided by now, and how many of them were found."""

    zone: int
    store: int
    matched: int
    truth: int


def account_signals(sent: Sequence[Sent], logged: Sequence[LoggedBatch], figures: Figures) -> Signals:
    """Compare by identity (edge, boot, sequence): nothing may be missing, changed or there twice.

    A batch that arrived with other content counts as missing. What the engine calls repeated was not sent twice by
    the simulation, so it counts as duplicated.
    """
    found: dict[tuple[str, str, int], LoggedBatch] = {}
    twice = 0
    for batch in logged:
        key = (batch.edge, batch.boot, batch.sequence)
        if key in found:
            twice += batch.signals
        found[key] = batch
    missing = 0
    expected = Counter((batch.edge, batch.boot, batch.sequence) for batch in sent)
    for wanted in sent:
        have = found.get((wanted.edge, wanted.boot, wanted.sequence))
        if have is None or have.sha256 != wanted.sha256:
            missing += wanted.signals
        else:
            missing += wanted.signals - have.signals  # rows that ingest refused
    strangers = sum(batch.signals for key, batch in found.items() if key not in expected)
    return Signals(
        sum(batch.signals for batch in sent),
        sum(batch.signals for batch in logged),
        figures.decoded,
        missing,
        twice + strangers + figures.repeated,
    )


def account_visits(true_visits: pl.DataFrame, reported: pl.DataFrame, figures: Figures) -> Visits:
    """Match true zone visits that ended before the engine had decided with the reported ones, one-to-one."""
    until_ns = figures.decided_through_us * NS_PER_US if figures.decided_through_us is not None else 0
    # a visit that the end of the simulation cut off is not over
    ended = true_visits.filter((pl.col("left_at") < until_ns) & (pl.col("closed_by") != "end_of_recording"))
    agreement = score(reported, ended).zone
    return Visits(figures.zone_visits, figures.store_visits, agreement.matched, agreement.truth)


def account(connection: Connection, store: str, folder: Path, figures: Figures) -> tuple[Signals, Visits]:
    """Read journal, truth and database of a store, and compare."""
    signals = account_signals(read_journal(folder / "journal.jsonl"), logged_batches(connection, store), figures)
    visits = account_visits(pl.read_parquet(folder / "truth.parquet"), reported_visits(connection, store), figures)
    return signals, visits
