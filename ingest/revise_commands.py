"""What `sojourn revise` does; it answers with what a person reads."""

from collections.abc import Callable, Iterable
from typing import Literal

from core.errors import InputError
from core.limits import FUTURE_BOUND_NS
from ingest.redecode import LEAD_NS, days, ground
from ingest.revising import Outcome, Window, find, write
from storage.connect import Connection
from storage.log.signals import first_row
from storage.models import PRIORS, stored_models
from storage.revisions import Reason, revising
from storage.stores import load_plans

_DEFAULT_REASON: dict[str, Reason] = {"in-use": "late_signals", "latest": "new_model"}


def revise_store(
    connection: Connection,
    store: str,
    *,
    from_ns: int | None,
    until_ns: int | None,
    model: Literal["in-use", "latest"],
    reason: Reason | None,
    dry_run: bool,
    progress: Callable[[float], None],
) -> str:
    """Decode a window of a store again and write what changes, or with `dry_run` only say it.

    Parameters
    ----------
    from_ns, until_ns : int or None
        Spells of presence that begin in it; None: where the log begins, up to where the live engine has decided.
    reason : Reason or None
        None: late_signals with the models in use, else new_model. With late_signals, only spells with late signals.

    Raises
    ------
    InputError
        If the store is not known, the range is upside down, or somebody else revises it.
    ModelError
        If the latest model does not fit the floor plan.
    """
    plans = load_plans(connection, [store])
    if not plans:
        raise InputError(f"The database has no store {store!r}.", hint="`sojourn floorplan load` brings it.")
    store_no = plans[0].store_no
    why = reason if reason is not None else _DEFAULT_REASON[model]
    with revising(connection, store_no):
        on = ground(connection, store_no, latest_version(connection, store_no) if model == "latest" else None)
        first = None if on is None else first_row(connection, store_no, after=on.after)
        if on is None or first is None:
            return f"{store}: nothing is decided yet."
        begin = from_ns if from_ns is not None else first[1] - LEAD_NS
        end = until_ns if until_ns is not None else on.through_ns + FUTURE_BOUND_NS
        if begin >= end:
            raise InputError("The range ends before it begins.", hint="Let --until be later than --from.")
        window = Window(begin, end, late_only=why == "late_signals")
        chosen = days(max(begin, first[1] - LEAD_NS), min(end, on.through_ns))
        found = find(connection, on, window, chosen, progress=progress)
        if found is None:  # only who asks it to stop gets none
            raise RuntimeError("Revising was stopped.")
        if not dry_run:
            write(connection, store_no, found, why)
    return f"{store}: {_told(found, would=dry_run)}"


def latest_version(connection: Connection, store_no: int) -> int:
    """Return the newest model of a store; the priors where it has none."""
    return max((model.version for model in stored_models(connection, store_no)), default=PRIORS)


def _told(found: Outcome, *, would: bool) -> str:
    left = (
        f" {found.left_alone:,} are not over or reach beyond what can be decoded and stay."
        if found.left_alone
        else ""
    )
    looked = f"{found.spells:,} spells of presence looked at.{left}"
    if not found.changes:
        return f"{looked} Nothing {'would change' if would else 'changed'}; {found.unchanged:,} visits stay."
    verb = "would be" if would else "were"
    return f"{looked} {listed(found.counts.items())} {verb} revised; {found.unchanged:,} visits stay."


def listed(counts: Iterable[tuple[str, int]]) -> str:
    """Return counts as a person reads them, those of nothing left out."""
    return ", ".join(f"{count:,} {word}" for word, count in counts if count)
