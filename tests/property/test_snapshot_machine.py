"""Snapshots beside an engine that was never interrupted: crashes, torn and flipped generations, replay of the log."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.dwell.engine import StoreEngine
from core.dwell.settings import Settings
from core.errors import SnapshotError
from core.records import VisitArray
from tests.dwell.scenes import Walk, grid_plan, pseudonyms, random_model, walk, with_words

pytestmark = pytest.mark.kernels

PLAN = grid_plan(4)
MODELS = (random_model(PLAN, 11), random_model(PLAN, 11))
SETTINGS = Settings(lateness_ns=5 * 10**9, patience_ns=20 * 10**9)
SOURCES = 2
GENERATIONS = 2
Event = Callable[[StoreEngine], VisitArray | None]


class SnapshotMachine(RuleBasedStateMachine):
    """One engine takes in the log without a break; the other crashes and goes on from what it kept."""

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        signals = with_words(walk(PLAN, seed, Walk(devices=3, stays=3, stay_s=15.0, absences=True)), seed)[:240]
        self.parts = np.array_split(signals, 12)
        self.log: list[Event] = []
        self.kept: list[tuple[int, bytes]] = []  # generations, oldest first
        self.unbroken, self.engine = self._fresh(), self._fresh()

    def _fresh(self) -> StoreEngine:
        engine = StoreEngine(PLAN, MODELS[0], SETTINGS)
        engine.device_index(pseudonyms(3))
        return engine

    def _append(self, event: Event) -> None:
        self.log.append(event)
        visits, same = event(self.engine), event(self.unbroken)
        if visits is not None and same is not None:
            assert visits.tobytes() == same.tobytes()

    @precondition(lambda self: self.parts)
    @rule(source=st.integers(0, SOURCES - 1), late_s=st.integers(0, 30))
    def push(self, source: int, late_s: int) -> None:
        """The next signals arrive, sooner or later."""
        part = self.parts.pop(0)
        arrived_at = int(part["ts"].max()) + late_s * 10**9 if len(part) else None
        self._append(lambda engine: engine.push(part, source, arrived_at))

    @rule(source=st.integers(0, SOURCES))
    def expect(self, source: int) -> None:
        """An edge is heard for the first time."""
        self._append(lambda engine: engine.expect(source))

    @rule(source=st.integers(0, SOURCES - 1), drained=st.booleans())
    def source_down(self, source: int, drained: bool) -> None:
        """An edge goes."""
        self._append(lambda engine: engine.source_down(source, drained=drained))

    @rule(source=st.integers(0, SOURCES - 1))
    def source_up(self, source: int) -> None:
        """An edge comes back."""
        self._append(lambda engine: engine.source_up(source))

    @rule(anchor=st.integers(0, 3), alive=st.booleans(), part=st.integers(0, 11))
    def heartbeat(self, anchor: int, alive: bool, part: int) -> None:
        """An anchor dies or lives, from some time on."""
        at = int(self.parts[part % len(self.parts)]["ts"].min()) if self.parts else None
        self._append(lambda engine: engine.heartbeat(np.array([anchor]), alive, at))

    @rule()
    def adopt(self) -> None:
        """Another model that says the same is taken into use."""
        self._append(lambda engine: engine.adopt(MODELS[1]))

    @rule()
    def snapshot(self) -> None:
        """A generation is kept, the oldest one goes."""
        self.kept = [*self.kept, (len(self.log), self.engine.snapshot())][-GENERATIONS:]

    @precondition(lambda self: self.kept and self.kept[-1][1])
    @rule(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), torn=st.booleans())
    def damage(self, place: float, bit: int, torn: bool) -> None:
        """The newest generation is cut short or one bit of it turns."""
        at, data = self.kept[-1]
        where = int(place * len(data))
        hurt = data[:where] if torn else data[:where] + bytes([data[where] ^ 1 << bit]) + data[where + 1 :]
        self.kept[-1] = (at, hurt)

    @rule()
    def crash(self) -> None:
        """The engine is gone: the newest generation that can be read, or none, and the log after it."""
        begin, self.engine = 0, self._fresh()
        for at, data in reversed(self.kept):
            try:
                self.engine = StoreEngine.restore(data, PLAN, MODELS[0], SETTINGS)
            except SnapshotError:
                continue
            assert data in self._sound(at), "a damaged generation was taken for a sound one"
            begin = at
            break
        for event in self.log[begin:]:
            event(self.engine)

    def _sound(self, at: int) -> list[bytes]:
        engine = self._fresh()
        for event in self.log[:at]:
            event(engine)
        return [engine.snapshot()]

    @invariant()
    def both_are_the_same(self) -> None:
        if hasattr(self, "engine"):
            assert self.engine.snapshot() == self.unbroken.snapshot()
            assert self.engine.presence().tobytes() == self.unbroken.presence().tobytes()

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            assert self.engine.finish().tobytes() == self.unbroken.finish().tobytes()


TestSnapshotMachine = SnapshotMachine.TestCase
TestSnapshotMachine.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
