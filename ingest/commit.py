"""The first transaction: batches into the signal log, cursors forward, faults into dead letters; all or nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import msgspec
import structlog

from core.errors import ModelError, WireError
from core.floorplan import StorePlan
from core.privacy.batches import without
from core.privacy.masking import masked
from core.privacy.suppression import KeptOut, Suppressed
from core.wire import BOOT_BYTES, Batch, encode
from ingest.acceptance import Accepted, accept
from ingest.cursors import Arranged, Parked, arrange
from ingest.heartbeats import judge
from ingest.logged import Logged
from ingest.messages import Arrival, Said
from storage.connect import Connection, in_transaction
from storage.log.dead_letters import DeadLetter, save_dead_letters
from storage.log.edge_status import EdgeChange, append_changes, edge_states, save_edge_states
from storage.log.owners import Owned, check_owned, claim_stores
from storage.log.signals import (
    CursorKey,
    GapEntry,
    LogEntry,
    advance_cursors,
    append,
    lock_cursors,
    newest_cursors,
    save_gaps,
)
from storage.models import AdoptedModel, Wish, adopt_model, answered, load_model, wishes
from storage.stores import AdoptedPlan, EdgeNumber, EdgeStatus, adopt_plans, edge_numbers, save_statuses

BOOTS_TOLD: Final = 8
"""Boots in a `committed` message: an edge that restarts more often than that between two messages is broken, and
boots that were just heard come first, so it still learns of each."""

_log = structlog.get_logger()

EdgeKey: TypeAlias = tuple[str, str]
"""(store id, edge id), as in topics."""


@dataclass(frozen=True)
class Committed:
    """What one transaction did.

    `changes` come after `logged` in the log. `edges` are the numbers of all edges that were heard; `cursors` holds
    for each of them the committed sequences of its boots, those just heard first. `reasons` says how many of the
    `dead_letters` have which reason.
    """

    logged: tuple[Logged, ...] = ()
    changes: tuple[EdgeChange, ...] = ()
    edges: Mapping[EdgeKey, EdgeNumber] = field(default_factory=dict)
    repeated: int = 0
    dead_letters: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    parked: Parked[CursorKey, Arrival] = field(default_factory=dict)
    cursors: Mapping[EdgeKey, Mapping[bytes, int]] = field(default_factory=dict)


@dataclass
class Directory:
    """The plans in use and the numbers of edges, as far as they were looked up."""

    plans: dict[str, AdoptedPlan] = field(default_factory=dict)
    edges: dict[EdgeKey, EdgeNumber] = field(default_factory=dict)
    ready: Callable[[Connection, Sequence[StorePlan]], None] = lambda _connection, _plans: None
    """Called with plans before they are taken into use: their first signals are not to wait for a compiler."""
    owner: str = ""
    """Claims each store before it takes its plan into use; empty: all stores are this ingest's anyway."""
    epochs: dict[int, int] = field(default_factory=dict)
    refused: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By store: the wish for a model that did not fit, and the version of the plan it did not fit."""
    suppressed: Suppressed | None = None
    """The devices of people who were erased: their signals are not logged, however late they come."""
    withdrawn: frozenset[bytes] = frozenset()
    """The devices of customers whose consent does not hold now: theirs are not logged either while that is so."""

    @property
    def kept_out(self) -> KeptOut | None:
        """Whose signals are not logged; None where that is nobody."""
        return KeptOut(self.suppressed, self.withdrawn) if self.suppressed is not None or self.withdrawn else None

    @property
    def owned(self) -> Owned:
        """Which stores this ingest may write for."""
        return self.epochs if self.owner else None

    def release(self, store: str) -> None:
        """Let go of a store that another ingest is to have."""
        adopted = self.plans.pop(store, None)
        if adopted is not None:
            self.epochs.pop(adopted.store_no, None)

    def adopt(self, connection: Connection, stores: Sequence[str] | None = None) -> list[AdoptedPlan]:
        """Take the newest plans of these stores (default: all) into use; return those that are new to us."""
        if self.owner:
            unclaimed = [store for store in stores or () if store not in self.plans]
            self.epochs |= claim_stores(connection, self.owner, unclaimed) if unclaimed else {}
        found = adopt_plans(connection, stores, owned=self.owned)
        new = [adopted for adopted in found if self.plans.get(adopted.plan.id) != adopted]
        self.ready(connection, [adopted.plan for adopted in new])
        self.plans.update({adopted.plan.id: adopted for adopted in new})
        return new

    def adopt_models(self, connection: Connection) -> list[AdoptedModel]:
        """Take the models into use that are wanted and fit the plan in use; return them."""
        stores = {adopted.store_no: adopted for adopted in self.plans.values()}
        wanted = {store_no: wish for store_no, wish in wishes(connection).items() if store_no in stores}
        if not wanted:
            return []
        done = answered(connection)
        new = []
        for store_no, wish in wanted.items():
            if done.get(store_no) != wish.asked and self._fits(connection, stores[store_no], wish):
                new.append(self._adopt_model(connection, store_no, wish))
        return new

    def _adopt_model(self, connection: Connection, store_no: int, wish: Wish) -> AdoptedModel:
        def work(connection: Connection) -> AdoptedModel:
            check_owned(connection, self.owned, [store_no])
            return adopt_model(connection, store_no, wish)

        return in_transaction(connection, work)

    def _fits(self, connection: Connection, adopted: AdoptedPlan, wish: Wish) -> bool:
        """Whether a wanted model fits the plan in use; if not, that is said once."""
        tried = (wish.asked, adopted.version)
        if self.refused.get(adopted.store_no) == tried:
            return False
        try:
            load_model(connection, adopted.store_no, adopted.plan, wish.version)
        except ModelError as error:
            self.refused[adopted.store_no] = tried
            _log.warning(
                "the wanted model is not taken into use", store=adopted.plan.id, model=wish.version, why=str(error)
            )
            return False
        return True


def commit(
    connection: Connection,
    directory: Directory,
    readings: Sequence[Arrival | Said | DeadLetter],
    parked: Parked[CursorKey, Arrival],
) -> Committed:
    """Write what was received and return what became of it.

    Parameters
    ----------
    connection : Connection
    directory : Directory
        Learns stores and edges that are new.
    readings : sequence
        In order of receipt.
    parked : mapping
        What waited before; not changed, so that after a failure everything is as it was.

    Raises
    ------
    UnavailableError
        If the database is away; whether the transaction took place may then be unknown.
    FencedError
        If a store is another ingest's by now; then nothing was written.
    """
    unknown = {reading.store for reading in readings if not isinstance(reading, DeadLetter)} - directory.plans.keys()
    if unknown:  # it may have been loaded a moment ago
        directory.adopt(connection, sorted(unknown))
    letters = [reading for reading in readings if isinstance(reading, DeadLetter)]
    arrivals: list[Arrival] = []
    statuses: list[Said] = []
    for reading in readings:
        if isinstance(reading, Arrival) and reading.store in directory.plans:
            arrivals.append(reading)
        elif isinstance(reading, Arrival):
            letters.append(_unknown_store(reading))
        elif isinstance(reading, Said) and reading.store in directory.plans and _counts(reading, directory):
            statuses.append(_masked(reading, directory))
    given = _Input(arrivals, statuses, letters, parked)
    committed = in_transaction(connection, lambda connection: _write(connection, directory, given))
    directory.edges.update(committed.edges)
    return committed


@dataclass(frozen=True)
class _Input:
    arrivals: Sequence[Arrival]
    statuses: Sequence[Said]
    letters: Sequence[DeadLetter]
    parked: Parked[CursorKey, Arrival]


def _counts(said: Said, directory: Directory) -> bool:
    """Whether a status is worth keeping: not that of an edge that was gone before it was ever heard."""
    return said.status.state == "online" or (said.store, said.edge) in directory.edges


def _write(connection: Connection, directory: Directory, given: _Input) -> Committed:
    heard: list[Arrival | Said] = [*given.arrivals, *given.statuses]
    check_owned(connection, directory.owned, {directory.plans[one.store].store_no for one in heard})
    edges = _number_edges(connection, directory, heard)
    keyed = [((edges[arrival.store, arrival.edge].edge_no, arrival.boot), arrival) for arrival in given.arrivals]
    cursors = lock_cursors(connection, {key for key, _ in keyed})
    arranged = arrange(keyed, given.parked, cursors)
    letters = list(given.letters)
    entries: list[LogEntry] = []
    batches: list[Batch | None] = []
    for (edge_no, _), arrival in arranged.ready:
        stored = directory.plans[arrival.store]
        judged, payload = _judge(arrival, stored, directory.kept_out, letters)
        entries.append(_entry(arrival, stored.store_no, edge_no, judged, payload))
        batches.append(judged.batch)
    numbers = append(connection, entries)
    save_gaps(connection, _gaps(directory, arranged))
    advance_cursors(connection, {key: arranged.committed[key] for key, _ in arranged.ready})
    save_dead_letters(connection, letters)
    save_statuses(connection, [_status(directory, said) for said in given.statuses])
    changes = _write_changes(connection, directory, edges, given.statuses)
    return Committed(
        logged=tuple(
            Logged(entry.store_no, entry.edge_no, log_no, entry.received_at, batch)
            for entry, log_no, batch in zip(entries, numbers, batches, strict=True)
        ),
        changes=changes,
        edges=edges,
        repeated=len(arranged.repeated),
        dead_letters=len(letters),
        reasons=Counter(letter.reason for letter in letters),
        parked=arranged.parked,
        cursors=_told(connection, edges, arranged.committed),
    )


def _number_edges(
    connection: Connection, directory: Directory, heard: Sequence[Arrival | Said]
) -> dict[EdgeKey, EdgeNumber]:
    keys = {(one.store, one.edge) for one in heard}
    # in a fixed order, so that the same messages have the same consequences in every run
    numbers = {key: directory.edges[key] for key in sorted(keys & directory.edges.keys())}
    new = sorted(keys - numbers.keys())
    if new:
        found = edge_numbers(connection, [(directory.plans[store].store_no, edge) for store, edge in new])
        numbers |= {(store, edge): found[directory.plans[store].store_no, edge] for store, edge in new}
    return numbers


def _judge(
    arrival: Arrival, stored: AdoptedPlan, kept_out: KeptOut | None, letters: list[DeadLetter]
) -> tuple[Accepted, bytes]:
    """Return what is accepted of a batch and the bytes to log; what is not accepted goes to `letters`."""
    if arrival.batch is None:
        what = "" if arrival.fault is None else str(arrival.fault)
        reason = "encoding" if arrival.fault is None else arrival.fault.reason
        letters.append(arrival.dead_letter(reason, 0, {"what": what}))
        return Accepted(None, False, ()), b""
    judged = accept(arrival.batch, stored.plan, arrival.received_at)
    letters += [arrival.dead_letter(reject.reason, reject.signals, reject.detail) for reject in judged.rejects]
    if kept_out is not None and judged.batch is not None:
        judged = _without(judged, judged.batch, kept_out)
    if judged.whole:
        return judged, arrival.payload
    if judged.batch is None:
        return judged, b""
    try:
        return judged, encode(judged.batch)
    except WireError as error:  # its edge compressed harder than we do, and the rest no longer fits
        letters.append(arrival.dead_letter(error.reason, len(judged.batch), {"what": str(error)}))
        return Accepted(None, False, ()), b""


def _without(judged: Accepted, batch: Batch, kept_out: KeptOut) -> Accepted:
    found = without(batch, kept_out)
    return judged if found is None else replace(judged, batch=found[0], whole=False, redacted=found[1])


def _entry(arrival: Arrival, store_no: int, edge_no: int, judged: Accepted, payload: bytes) -> LogEntry:
    batch = judged.batch
    return LogEntry(
        store_no=store_no,
        edge_no=edge_no,
        boot=arrival.boot,
        sequence=arrival.last,
        received_at=arrival.received_at,
        signals=0 if batch is None else len(batch),
        first_ns=None if batch is None else int(batch.ts.min()),
        last_ns=None if batch is None else int(batch.ts.max()),
        sha256=arrival.sha256,
        batch=payload,
        redacted=judged.redacted,
    )


def _gaps(directory: Directory, arranged: Arranged[CursorKey, Arrival]) -> list[GapEntry]:
    return [
        GapEntry(
            store_no=directory.plans[arrival.store].store_no,
            edge_no=edge_no,
            boot=boot,
            first=arrival.batch.gap.first,
            last=arrival.last,
            signals=arrival.batch.gap.signals,
            from_ns=arrival.batch.gap.from_ns,
            until_ns=arrival.batch.gap.until_ns,
            received_at=arrival.received_at,
        )
        for (edge_no, boot), arrival in arranged.ready
        if arrival.batch is not None and arrival.batch.gap is not None
    ]


def _status(directory: Directory, said: Said) -> EdgeStatus:
    return EdgeStatus(
        directory.plans[said.store].store_no, said.edge, msgspec.to_builtins(said.status), said.received_at
    )


def _masked(said: Said, directory: Directory) -> Said:
    """Return a status as it may be kept: what stands for an anchor that the plan lacks may be anything."""
    known, status = directory.plans[said.store].plan.anchor_index, said.status

    def named(anchor: str) -> str:
        return anchor if anchor in known else masked(anchor)

    alive = status.alive
    if alive is not None:
        alive = msgspec.structs.replace(alive, at_us={named(anchor): at for anchor, at in alive.at_us.items()})
    boot = status.boot
    clean = msgspec.structs.replace(
        status,
        state=masked(status.state),
        boot=boot if boot is None or len(boot) == 2 * BOOT_BYTES else masked(boot),
        anchors=tuple(named(anchor) for anchor in status.anchors),
        alive=alive,
        battery_percent={named(anchor): percent for anchor, percent in status.battery_percent.items()},
    )
    return replace(said, status=clean)


def _write_changes(
    connection: Connection, directory: Directory, edges: Mapping[EdgeKey, EdgeNumber], statuses: Sequence[Said]
) -> tuple[EdgeChange, ...]:
    """Append what the statuses change about edges and anchors, in order of receipt."""
    if not statuses:
        return ()
    before = edge_states(connection, {edges[said.store, said.edge].edge_no for said in statuses})
    after = dict(before)
    changes: list[EdgeChange] = []
    for said in statuses:
        edge_no = edges[said.store, said.edge].edge_no
        store_no = directory.plans[said.store].store_no
        after[edge_no], found = judge(
            after[edge_no], said.status, said.received_at, store_no=store_no, edge_no=edge_no
        )
        changes += found
    save_edge_states(connection, {edge_no: state for edge_no, state in after.items() if state != before[edge_no]})
    numbers = append_changes(connection, changes)
    return tuple(replace(change, log_no=log_no) for change, log_no in zip(changes, numbers, strict=True))


def _told(
    connection: Connection, edges: Mapping[EdgeKey, EdgeNumber], committed: Mapping[CursorKey, int]
) -> dict[EdgeKey, dict[bytes, int]]:
    """Return what each edge that was heard is to be told."""
    if not edges:
        return {}
    newest = newest_cursors(connection, {edge.edge_no for edge in edges.values()}, BOOTS_TOLD)
    told: dict[EdgeKey, dict[bytes, int]] = {}
    for key, edge in edges.items():
        just_heard = {boot: sequence for (number, boot), sequence in committed.items() if number == edge.edge_no}
        before = [(boot, at) for boot, at in newest[edge.edge_no].items() if boot not in just_heard]
        told[key] = just_heard | dict(before[: max(BOOTS_TOLD - len(just_heard), 0)])
    return told


def _unknown_store(arrival: Arrival) -> DeadLetter:
    return arrival.dead_letter(
        "unknown_store",
        0 if arrival.batch is None else len(arrival.batch),
        {"what": f"No floor plan has the store {arrival.store!r}.", "hint": "Load its plan; the edge sends again."},
    )
