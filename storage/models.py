"""Models of stores: versions that are kept, which of them is wanted, and which was in use from where in the log.

Versions count from 1 within a store; version 0 stands for the priors, which every store begins with. Somebody wishes
for a version (`want_model`); the one ingest takes it into use at a place in the log that it draws (`adopt_model`), so
that a replay of the log decodes each signal under the model it was decoded under before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from core.dwell.model import Model, dump, load, prior_model
from core.errors import ModelError
from core.floorplan import StorePlan
from storage.connect import Connection
from storage.instants import to_datetime, to_ns

PRIORS: Final = 0
"""The version of a visit that was decoded without any calibration."""


@dataclass(frozen=True)
class LogSpan:
    """Rows `after` < log_no <= `through` of a store, arrived between `from_ns` and `until_ns`, with `signals`."""

    after: int
    through: int
    from_ns: int
    until_ns: int
    signals: int


@dataclass(frozen=True)
class StoredModel:
    """One version as a list shows it; `signals` were learnt from, `span` is None where it came from a file."""

    version: int
    origin: Literal["learnt", "loaded"]
    signals: int
    span: LogSpan | None
    plan_fingerprint: bytes
    made_at: int


@dataclass(frozen=True)
class Wish:
    """Which version is wanted for a store; `asked` counts the wishes."""

    version: int
    asked: int


@dataclass(frozen=True)
class AdoptedModel:
    """A model in use: signals after `log_no` are decoded under it, up to the next one or a plan it does not fit.

    `model` is as `core.dwell.model.dump` wrote it, None for the priors.
    """

    store_no: int
    log_no: int
    version: int
    asked: int
    model: bytes | None


@dataclass(frozen=True)
class ModelUse:
    """`adopted` is the version that was taken into use last, `in_use` what the engine said it decodes with."""

    adopted: int
    in_use: int


def save_model(connection: Connection, store_no: int, model: Model, *, span: LogSpan | None) -> int:
    """Keep a model as the next version of a store and return that; `span` is what it was learnt from, if from a log.

    To be called inside a transaction.
    """
    # two who save at the same time take their turns
    connection.execute("select from store where store_no = %s for update", [store_no])
    row = connection.execute(
        "insert into model (store_no, version, model, origin, signals, after_log_no, through_log_no, from_at,"
        " until_at, plan_fingerprint) select %(store_no)s, coalesce(max(version), 0) + 1, %(model)s, %(origin)s,"
        " %(signals)s, %(after)s, %(through)s, %(from_at)s, %(until_at)s, %(fingerprint)s from model"
        " where store_no = %(store_no)s returning version",
        {
            "store_no": store_no,
            "model": dump(model),
            "origin": "loaded" if span is None else "learnt",
            "signals": model.signals,
            "after": None if span is None else span.after,
            "through": None if span is None else span.through,
            "from_at": None if span is None else to_datetime(span.from_ns),
            "until_at": None if span is None else to_datetime(span.until_ns),
            "fingerprint": model.plan_fingerprint,
        },
    ).fetchone()
    if row is None:  # insert … returning always has one
        raise RuntimeError("The database returned no version.")
    return int(row[0])


def stored_models(connection: Connection, store_no: int) -> list[StoredModel]:
    """Return all versions of a store, in their order."""
    rows = connection.execute(
        "select version, origin, signals, after_log_no, through_log_no, from_at, until_at, plan_fingerprint, made_at"
        " from model where store_no = %s order by version",
        [store_no],
    ).fetchall()
    return [
        StoredModel(
            version=version,
            origin=origin,
            signals=signals,
            span=None if after is None else LogSpan(after, through, to_ns(begin), to_ns(end), signals),
            plan_fingerprint=bytes(fingerprint),
            made_at=to_ns(made),
        )
        for version, origin, signals, after, through, begin, end, fingerprint, made in rows
    ]


def model_bytes(connection: Connection, store_no: int, version: int) -> bytes | None:
    """Return a version as `dump` wrote it; None for the priors.

    Raises
    ------
    ModelError
        If the store has no such version.
    """
    if version == PRIORS:
        return None
    row = connection.execute(
        "select model from model where store_no = %s and version = %s", [store_no, version]
    ).fetchone()
    if row is None:
        raise ModelError(
            f"There is no version {version} of this store's models.", hint="`sojourn model list` shows them."
        )
    return bytes(row[0])


def load_model(connection: Connection, store_no: int, plan: StorePlan, version: int) -> Model | None:
    """Return a version as the engine takes it, None for the priors.

    Raises
    ------
    ModelError
        If there is no such version or it does not fit the plan.
    """
    data = model_bytes(connection, store_no, version)
    return None if data is None else fitting(data, plan)


def fitting(data: bytes, plan: StorePlan) -> Model:
    """Return a model that an engine of this plan can go on with.

    Raises
    ------
    ModelError
        If it cannot be read, is of another version, or knows other zones, anchors or spots.
    """
    model = load(data, plan)
    if not np.array_equal(model.spot_zone, prior_model(plan).spot_zone):
        raise ModelError(f"The model knows other spots than store {plan.id!r} has.", hint="Calibrate again.")
    return model


def want_model(connection: Connection, store_no: int, version: int) -> None:
    """Wish that a version be taken into use; ingest does so within seconds, or as soon as it runs."""
    connection.execute(
        "update store set model_wanted = %s, model_asked = model_asked + 1 where store_no = %s", [version, store_no]
    )


def wishes(connection: Connection) -> dict[int, Wish]:
    """Return the wish for every store that has one, by its number."""
    rows = connection.execute(
        "select store_no, model_wanted, model_asked from store where model_asked > 0 order by store_no"
    ).fetchall()
    return {store_no: Wish(version, asked) for store_no, version, asked in rows}


def answered(connection: Connection) -> dict[int, int]:
    """Return for every store which wish was answered last."""
    return dict(connection.execute("select store_no, max(asked) from adopted_model group by store_no").fetchall())


def adopt_model(connection: Connection, store_no: int, wish: Wish) -> AdoptedModel:
    """Take the wanted version into use from the next place in the log on.

    Only the ingest that owns the store may call this, as it does `storage.stores.adopt_plans`.
    """
    data = model_bytes(connection, store_no, wish.version)
    row = connection.execute(
        "insert into adopted_model (store_no, version, asked) values (%s, %s, %s) returning log_no",
        [store_no, wish.version, wish.asked],
    ).fetchone()
    if row is None:  # insert … returning always has one
        raise RuntimeError("The database returned no log number.")
    return AdoptedModel(store_no, row[0], wish.version, wish.asked, data)


def adopted_models(connection: Connection, store_no: int, *, after: int = -1) -> list[AdoptedModel]:
    """Return the models that a store had in use from places in the log after `after`, in that order."""
    rows = connection.execute(
        "select log_no, version, asked, model from adopted_model left join model using (store_no, version)"
        " where store_no = %s and log_no > %s order by log_no",
        [store_no, after],
    ).fetchall()
    return [
        AdoptedModel(store_no, log_no, version, asked, None if data is None else bytes(data))
        for log_no, version, asked, data in rows
    ]


def model_use(connection: Connection, store_no: int) -> ModelUse:
    """Return what was taken into use last and what the engine decodes with; the two differ after a change of plan."""
    row = connection.execute(
        "select (select version from adopted_model where store_no = %(store_no)s order by log_no desc limit 1),"
        " (select model_version from engine_progress where store_no = %(store_no)s)",
        {"store_no": store_no},
    ).fetchone()
    adopted, in_use = (None, None) if row is None else row
    return ModelUse(PRIORS if adopted is None else adopted, PRIORS if in_use is None else in_use)


def newest_span(connection: Connection, store_no: int, last_ns: int | None = None) -> LogSpan | None:
    """Return the end of a store's log: the rows that arrived within `last_ns` of its newest (default: all of it).

    Counted back from the newest row and not from a clock, so that the same log gives the same span. None where
    nothing was logged.
    """
    newest = connection.execute(
        "select log_no, received_at from signal_log where store_no = %s order by log_no desc limit 1", [store_no]
    ).fetchone()
    if newest is None:
        return None
    through, until = newest
    begin = None if last_ns is None else to_datetime(to_ns(until) - last_ns)
    row = connection.execute(
        "select min(log_no), min(received_at), sum(signals) from signal_log where store_no = %(store_no)s"
        " and log_no <= %(through)s and (%(begin)s::timestamptz is null or received_at > %(begin)s)",
        {"store_no": store_no, "through": through, "begin": begin},
    ).fetchone()
    if row is None:  # an aggregate always has a row
        raise RuntimeError("The database returned no span.")
    first, received, signals = row
    return LogSpan(first - 1, through, to_ns(received), to_ns(until), int(signals))


def pieces(connection: Connection, store_no: int, span: LogSpan, count: int) -> Sequence[int]:
    """Return the log numbers at which `count` pieces of a span begin that hold about as many rows each."""
    rows = connection.execute(
        "select min(log_no) from (select log_no, ntile(%s) over (order by log_no) as piece from signal_log"
        " where store_no = %s and log_no > %s and log_no <= %s) as numbered group by piece order by piece",
        [count, store_no, span.after, span.through],
    ).fetchall()
    return [row[0] for row in rows]


def first_arrival(connection: Connection, store_no: int) -> int | None:
    """Return when the first row of a store's log arrived, ns; None where nothing was logged."""
    row = connection.execute(
        "select received_at from signal_log where store_no = %s order by log_no limit 1", [store_no]
    ).fetchone()
    return None if row is None else to_ns(row[0])


def refreshable(connection: Connection, store_no: int) -> bool:
    """Whether a newly learnt model may take the place of the wanted one.

    Not where somebody asked for the priors or for a model from a file: that is a decision.
    """
    row = connection.execute(
        "select model_asked = 0 or coalesce(model.origin = 'learnt', false) from store"
        " left join model on model.store_no = store.store_no and model.version = store.model_wanted"
        " where store.store_no = %s",
        [store_no],
    ).fetchone()
    return row == (True,)
