"""What edges tried to keep and what they accepted: the checker's own record, beside outbox, broker and database."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from tests.edge.watched_outbox import Look

Identity: TypeAlias = tuple[str, bytes, int]
"""(edge, boot, sequence)."""


Kind: TypeAlias = Literal["attempt", "accepted", "gap"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One word of an edge.

    `attempt`: a batch is about to be written to the outbox. `accepted`: it is there. `gap`: rows are about to give
    way to a batch that stands for `first` to `sequence`; `look` is what the outbox held and might hold.
    """

    kind: Kind
    edge: str
    boot: bytes
    sequence: int
    first: int
    sha256: bytes
    signals: int
    at_ns: int
    payload: bytes = b""
    look: Look | None = None

    @property
    def identity(self) -> Identity:
        return (self.edge, self.boot, self.sequence)


class Writer:
    """Appends lines with one write each: what was written survives a SIGKILL."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, line: Line) -> None:
        os.write(self._file, msgspec.json.encode(line) + b"\n")


@dataclass
class Journal:
    """What all edges of a run wrote."""

    attempts: dict[Identity, Line] = field(default_factory=dict)
    accepted: dict[Identity, Line] = field(default_factory=dict)
    gaps: dict[Identity, list[Line]] = field(default_factory=lambda: defaultdict(list))

    def add(self, line: Line) -> None:
        if line.kind == "gap":
            self.gaps[line.identity].append(line)
        else:
            (self.attempts if line.kind == "attempt" else self.accepted)[line.identity] = line

    def accept(self, edge: str, boot: bytes, sequence: int, payload: bytes, *, signals: int, at_ns: int) -> None:
        """Note a batch of a source without a journal of its own, once somebody has vouched for it."""
        kinds: tuple[Kind, Kind] = ("attempt", "accepted")
        for kind in kinds:
            self.add(
                Line(
                    kind=kind,
                    edge=edge,
                    boot=boot,
                    sequence=sequence,
                    first=sequence,
                    sha256=sha256(payload).digest(),
                    signals=signals,
                    at_ns=at_ns,
                    payload=payload,
                )
            )

    def payloads(self, identity: Identity) -> dict[bytes, bytes]:
        """Every payload that was ever tried under an identity, by its hash."""
        lines = [*self.gaps.get(identity, []), *([self.attempts[identity]] if identity in self.attempts else [])]
        return {line.sha256: line.payload for line in lines}


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of one edge; the last one may be cut short by a kill."""
    if not path.exists():
        return
    for raw in path.read_bytes().split(b"\n")[:-1]:
        yield msgspec.json.decode(raw, type=Line)


def read_journal(folder: Path) -> Journal:
    """Return what all edges of a run wrote."""
    journal = Journal()
    for path in sorted(folder.glob("*.journal")):
        for line in read_lines(path):
            journal.add(line)
    return journal
