"""What edges say of themselves and their anchors: the last word of each, and the changes in the order of the log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from uuid import UUID

from storage.connect import Connection
from storage.instants import to_datetime, to_ns

EdgeStateWord: TypeAlias = Literal["online", "offline", "stopped"]


@dataclass(frozen=True)
class EdgeState:
    """How an edge was when it was heard of last; `at` is ns, `state` None before its first status."""

    state: EdgeStateWord | None = None
    boot: bytes | None = None
    at: int = 0
    anchors_down: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class EdgeChange:
    """A change, as the engine takes it in; `log_no` is 0 until it has its place in the log.

    `anchors_down` and `anchors_up` are those that changed, from `at` on (ns, time of the data); names are written as
    they are, for what is replayed has to be what was heard.
    """

    store_no: int
    edge_no: int
    state: EdgeStateWord
    drained: bool
    at: int
    anchors_down: tuple[str, ...]
    anchors_up: tuple[str, ...]
    received_at: int
    log_no: int = 0


def edge_states(connection: Connection, edges: Collection[int]) -> dict[int, EdgeState]:
    """Return how these edges were when they were heard of last, by their numbers."""
    rows = connection.execute(
        "select edge_no, state, state_boot, state_at, anchors_down from edge where edge_no = any(%s)", [list(edges)]
    ).fetchall()
    return {
        edge_no: EdgeState(
            state, None if boot is None else boot.bytes, 0 if at is None else to_ns(at), frozenset(anchors_down)
        )
        for edge_no, state, boot, at, anchors_down in rows
    }


def save_edge_states(connection: Connection, states: dict[int, EdgeState]) -> None:
    """Keep how edges are now, by their numbers; to be called in the transaction that appends the changes."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "update edge set state = %s, state_boot = %s, state_at = %s, anchors_down = %s where edge_no = %s",
            [
                (
                    state.state,
                    None if state.boot is None else UUID(bytes=state.boot),
                    to_datetime(state.at),
                    sorted(state.anchors_down),
                    edge_no,
                )
                for edge_no, state in states.items()
            ],
        )


def append_changes(connection: Connection, changes: Sequence[EdgeChange]) -> list[int]:
    """Append changes in this order and return their log numbers, which rise; to be called inside a transaction."""
    numbers = []
    for change in changes:
        row = connection.execute(
            "insert into edge_change (store_no, edge_no, state, drained, at, anchors_down, anchors_up, received_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s) returning log_no",
            [
                change.store_no,
                change.edge_no,
                change.state,
                change.drained,
                to_datetime(change.at),
                list(change.anchors_down),
                list(change.anchors_up),
                to_datetime(change.received_at),
            ],
        ).fetchone()
        if row is None:  # insert … returning always has one
            raise RuntimeError("The database returned no log number.")
        numbers.append(int(row[0]))
    return numbers


def edge_changes(connection: Connection, store_no: int, *, after: int) -> list[EdgeChange]:
    """Return the changes of a store after a log number, in that order."""
    rows = connection.execute(
        "select edge_no, state, drained, at, anchors_down, anchors_up, received_at, log_no from edge_change"
        " where store_no = %s and log_no > %s order by log_no",
        [store_no, after],
    ).fetchall()
    return [
        EdgeChange(store_no, edge_no, state, drained, to_ns(at), tuple(down), tuple(up), to_ns(received), log_no)
        for edge_no, state, drained, at, down, up, received, log_no in rows
    ]
