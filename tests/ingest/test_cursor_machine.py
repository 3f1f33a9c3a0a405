"""Cursors beside a log, through rollbacks, restarts, a bound on what waits and gaps that stand for many."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ingest.cursors import arrange, bounded, parked_count
from tests.ingest.test_cursors import Numbered

BOOTS = ("a", "b")
MOST = 12
Arrivals = list[tuple[str, Numbered]]


class CursorMachine(RuleBasedStateMachine):
    """An edge sends what it has, in any order and as often as it likes; ingest logs, forgets and starts anew."""

    @initialize()
    def begin(self) -> None:
        self.log: dict[str, list[Numbered]] = {boot: [] for boot in BOOTS}
        self.committed = dict.fromkeys(BOOTS, 0)
        self.parked: dict[str, dict[int, Numbered]] = {}
        self.now = 0

    def _take(self, arrivals: Arrivals, *, kept: bool) -> None:
        before = {key: dict(held) for key, held in self.parked.items()}
        asked = {boot: self.committed[boot] for boot, _ in arrivals}
        done = arrange(arrivals, self.parked, asked)
        assert self.parked == before, "a transaction that is run again must find the same"
        assert len(done.ready) + len(done.repeated) + parked_count(done.parked) <= len(arrivals) + parked_count(
            before
        )
        if not kept:
            return
        for boot, arrival in done.ready:
            self.log[boot].append(arrival)
        self.committed |= done.committed
        self.parked = done.parked

    @rule(sent=st.lists(st.tuples(st.sampled_from(BOOTS), st.integers(1, MOST)), max_size=6), kept=st.booleans())
    def take(self, sent: list[tuple[str, int]], kept: bool) -> None:
        """Batches arrive; the transaction that logs them takes place or does not."""
        self.now += 1
        self._take([(boot, Numbered(at, at, received_at=self.now)) for boot, at in sent], kept=kept)

    @rule(boot=st.sampled_from(BOOTS), first=st.integers(1, MOST), more=st.integers(0, 5), kept=st.booleans())
    def take_gap(self, boot: str, first: int, more: int, kept: bool) -> None:
        """An edge whose outbox was full says what it dropped; it may have sent some of it before."""
        self.now += 1
        self._take([(boot, Numbered(first, min(first + more, MOST), received_at=self.now))], kept=kept)

    @rule()
    def restart(self) -> None:
        """What waited is forgotten; the edges have it."""
        self.parked = {}

    @rule(most_bytes=st.integers(0, 6), age=st.integers(0, 4))
    def bound(self, most_bytes: int, age: int) -> None:
        """What waits gives way, and nothing else changes."""
        kept, gone = bounded(self.parked, most_bytes=most_bytes, not_before=self.now - age)
        assert gone + parked_count(kept) == parked_count(self.parked)
        assert parked_count(kept) <= most_bytes
        self.parked = kept

    @rule(boot=st.sampled_from(BOOTS))
    def send_the_next(self, boot: str) -> None:
        """Whatever happened before, the next one is never refused: nobody waits for ever."""
        before = self.committed[boot]
        self._take([(boot, Numbered(before + 1, before + 1))], kept=True)
        assert self.committed[boot] > before

    @invariant()
    def the_log_is_contiguous_and_holds_nothing_twice(self) -> None:
        if not hasattr(self, "log"):
            return
        for boot, logged in self.log.items():
            reached = 0
            for arrival in logged:
                assert arrival.first <= reached + 1, "a sequence was passed over"
                assert arrival.last > reached, "a sequence is logged twice"
                reached = arrival.last
            assert reached == self.committed[boot]

    @invariant()
    def only_what_is_too_early_waits(self) -> None:
        if not hasattr(self, "log"):
            return
        for boot, held in self.parked.items():
            assert held, "an empty place is kept"
            for first, arrival in held.items():
                assert first == arrival.first
                assert first > self.committed[boot] + 1, "it could have been logged"


TestCursorMachine = CursorMachine.TestCase
TestCursorMachine.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
