"""Order of time told slowly: a list of what is held, looked through anew for every signal."""

from dataclasses import dataclass, field

NEVER = -(10**30)

Heard = tuple[int, int, int, int]
"""Time in ns, level, anchor, device."""


@dataclass
class Waiting:
    """Signals wait until every source that is waited for has passed them by the lateness; times in microseconds."""

    lateness: int
    patience: int
    quiet: int
    held_most: int
    newest: dict[int, int] = field(default_factory=dict)
    expected: set[int] = field(default_factory=set)
    spoke: dict[int, int] = field(default_factory=dict)
    held: list[Heard] = field(default_factory=list)
    watermark: int = NEVER
    hold_until: int = NEVER
    arrived: int | None = None
    heard_for: int = 0
    late: int = 0
    repeated: int = 0

    def expect(self, source: int) -> None:
        if source not in self.newest:
            self.expected.add(source)
            self.spoke[source] = self.heard_for
            if self.newest:
                self.hold_until = max(self.newest.values()) + self.patience

    def push(self, signals: list[Heard], source: int, arrived: int | None = None) -> None:
        if not signals:
            return
        self.expected.discard(source)
        if arrived is not None:
            if self.arrived is not None:
                self.heard_for += min(max(arrived - self.arrived, 0), self.quiet)
            self.arrived = arrived if self.arrived is None else max(arrived, self.arrived)
            self.spoke[source] = self.heard_for
        elif not self.newest:
            self.hold_until = signals[0][0] // 1000 + self.patience
        crowded = len(self.held) > self.held_most
        for at_ns, *rest in signals:
            at = at_ns // 1000
            if at < self.watermark:
                self.late += 1
            else:
                self.held.append((at, rest[0], rest[1], rest[2]))
            if at > self.newest.get(source, NEVER):
                self.newest[source] = at
                self._move_watermark(source, crowded=crowded, by_arrival=arrived is not None)

    def _move_watermark(self, source: int, *, crowded: bool, by_arrival: bool) -> None:
        newest_of_all = max(self.newest.values())
        if by_arrival:
            patient = {s for s, at in self.spoke.items() if self.heard_for - at <= self.patience and not crowded}
            waited_for = [at for s, at in self.newest.items() if s == source or s in patient]
            if self.expected & patient:
                return
        else:
            waited_for = [at for at in self.newest.values() if at >= newest_of_all - self.patience]
            if self.expected and newest_of_all <= self.hold_until:
                return
        self.watermark = max(self.watermark, min(waited_for) - self.lateness)

    def release(self) -> list[Heard]:
        ready = [signal for signal in self.held if signal[0] < self.watermark]
        self.held = [signal for signal in self.held if signal[0] >= self.watermark]
        once = sorted(set(ready))
        self.repeated += len(ready) - len(once)
        return once
