"""What `sojourn model` does: each function answers with what a person reads."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rich.table import Table

from core.dwell.model import Model, plan_fingerprint, prior_model
from core.errors import InputError, ModelError
from core.limits import NS_PER_S
from ingest.learning import learn
from storage.connect import Connection, in_transaction
from storage.models import (
    PRIORS,
    StoredModel,
    fitting,
    load_model,
    model_use,
    newest_span,
    save_model,
    stored_models,
    want_model,
    wishes,
)
from storage.stores import StoredPlan, load_plans


def learn_from_log(
    connection: Connection, store: str, last_s: int, progress: Callable[[float], None], *, adopt: bool
) -> str:
    """Learn a model from the last `last_s` seconds of a store's log, keep it and, with `adopt`, wish for it.

    Raises
    ------
    ModelError
        If there is too little to learn from.
    """
    stored = _stored(connection, store)
    span = newest_span(connection, stored.store_no, last_s * NS_PER_S)
    if span is None:
        raise ModelError(f"The log holds no signal of store {store!r} yet.")
    model = learn(connection, stored.store_no, stored.plan, span, progress=progress)
    if model is None:  # only who asks it to stop gets none
        raise RuntimeError("Learning was stopped.")

    def work(connection: Connection) -> int:
        version = save_model(connection, stored.store_no, model, span=span)
        if adopt:
            want_model(connection, stored.store_no, version)
        return version

    version = in_transaction(connection, work)
    return f"{store}: version {version}, learnt on {model.signals:,} signals. {_next(store, version, adopt=adopt)}"


def keep_loaded(connection: Connection, models: Mapping[str, bytes], *, adopt: bool) -> str:
    """Keep models from a file, all of them or none.

    Raises
    ------
    InputError
        If the database does not know one of the stores.
    ModelError
        If one does not fit the floor plan of its store.
    """
    read = []
    for store in sorted(models):
        stored = _stored(connection, store)
        read.append((store, stored.store_no, fitting(models[store], stored.plan)))

    def work(connection: Connection) -> list[str]:
        lines = []
        for store, store_no, model in read:
            version = save_model(connection, store_no, model, span=None)
            if adopt:
                want_model(connection, store_no, version)
            lines.append(f"{store}: version {version}. {_next(store, version, adopt=adopt)}")
        return lines

    return "\n".join(in_transaction(connection, work))


def kept(connection: Connection, store: str, version: int) -> Model:
    """Return a version, for a file."""
    stored = _stored(connection, store)
    model = load_model(connection, stored.store_no, stored.plan, version)
    return model if model is not None else prior_model(stored.plan)


def ask_for(connection: Connection, store: str, version: int) -> str:
    """Wish for a version.

    Raises
    ------
    ModelError
        If there is no such version or it does not fit the floor plan of now.
    """
    stored = _stored(connection, store)
    load_model(connection, stored.store_no, stored.plan, version)
    want_model(connection, stored.store_no, version)
    return f"{store}: {_next(store, version, adopt=True)}"


def table(connection: Connection, store: str) -> Table:
    """Return the models of a store: what each was learnt from, and what becomes of it."""
    stored = _stored(connection, store)
    fingerprint = plan_fingerprint(stored.plan)
    use = model_use(connection, stored.store_no)
    wish = wishes(connection).get(stored.store_no)
    wanted = PRIORS if wish is None else wish.version
    shown = Table(title=f"Models of {store}")
    for column, right in (("version", True), ("made", False), ("from", False), ("signals", True), ("", False)):
        shown.add_column(column, justify="right" if right else "left")
    shown.add_row("0", "", "floor plan (priors)", "", _state(PRIORS, use.adopted, use.in_use, wanted, fits=True))
    for model in stored_models(connection, stored.store_no):
        fits = model.plan_fingerprint == fingerprint
        state = _state(model.version, use.adopted, use.in_use, wanted, fits=fits)
        shown.add_row(str(model.version), _utc(model.made_at), _source(model), f"{model.signals:,}", state)
    return shown


def _state(version: int, adopted: int, in_use: int, wanted: int, *, fits: bool) -> str:
    words = []
    if version == in_use:
        words.append("in use")
    elif version == adopted:
        words.append("was in use until the floor plan changed")
    if version == wanted and version != adopted:
        words.append("wanted")
    if not fits:
        words.append("does not fit the floor plan")
    return ", ".join(words)


def _source(model: StoredModel) -> str:
    if model.span is None:
        return "a file"
    return f"log {_utc(model.span.from_ns)} to {_utc(model.span.until_ns)}"


def _next(store: str, version: int, *, adopt: bool) -> str:
    if adopt:
        return f"Ingest takes version {version} into use within seconds, or as soon as it runs."
    return f"`sojourn model adopt {store} {version}` takes it into use."


def _stored(connection: Connection, store: str) -> StoredPlan:
    found = load_plans(connection, [store])
    if not found:
        raise InputError(f"The database has no store {store!r}.", hint="`sojourn floorplan load` brings it.")
    return found[0]


def _utc(ns: int) -> str:
    return datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M")
