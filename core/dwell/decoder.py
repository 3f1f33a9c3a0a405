"""The streaming sticky Viterbi: signals in order of time become decided stays.

The checked doorway to decoder_kernels.py; docs/dwell-engine.md tells the method.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.dwell import decoder_kernels as kernels
from core.dwell import watch_kernels as watching
from core.dwell.emission import LANES_STEP, QUANTA, RSSI_FLOOR_DBM, Tables
from core.dwell.prefetch import LINE_BYTES
from core.dwell.settings import Settings
from core.limits import NS_PER_US
from core.records import APP_ENTER, ClosedBy

NODE: Final = np.dtype(
    [
        ("start", "<i8"),  # µs, first signal of the stay
        ("left", "<i8"),  # µs, last signal before it
        ("late", "<i8"),  # µs, latest time that entry may have been
        ("near", "<i4"),  # ms after `arrived_at`, earliest time that entry may have been, -1: before
        ("lane", "<i4"),  # -1: before the first stay
        ("parent", "<i4"),  # the stay before it
        ("lanes", "<i4"),  # lanes whose path ends here
        ("children", "<i4"),  # stays that follow this one in some lane's path
        ("mark", "<i4"),  # signals of the store visit before the stay
        ("sure", "<i4"),  # certainty summed before the stay, 64ths of a signal
        ("reserved", "<i4"),
    ],
)
"""An undecided stay of some lane's past: 56 bytes."""

STAY: Final = np.dtype(
    [
        ("entered_at", "<i8"),  # µs, as all times here
        ("left_at", "<i8"),
        ("entered_earliest", "<i8"),
        ("entered_latest", "<i8"),
        ("left_earliest", "<i8"),
        ("left_latest", "<i8"),
        ("device", "<i4"),
        ("signals", "<i4"),
        ("sure", "<i4"),
        ("zone", "<i4"),
        ("kind", "<i4"),
        ("closed_by", "<i4"),
        ("forced", "<i4"),
        ("next_zone", "<i2"),  # that of the stay after it, -1 if it is the last of the store visit
        ("role", "<i2"),  # core.records.Role, written by core.dwell.residents
    ],
)
"""What the kernels write: a decided stay or a store visit."""

RULE: Final = np.dtype(
    [
        ("step_us", "<i8"),
        ("silence_us", "<i8"),
        ("silence_max_us", "<i8"),
        ("silence_gaps", "<i8"),
        ("undecided_us", "<i8"),
        ("undecided_stays", "<i8"),
        ("visit_max_us", "<i8"),
        ("forget_us", "<i8"),
        ("gap_mean_us", "<i8"),
        ("doubt", "<i8"),
        ("rssi_floor_dbm", "<i8"),
        ("offset_limit_db", "<i8"),
        ("fade", "<i8"),
        ("app_enter", "<i8"),
        ("app_late_us", "<i8"),
        ("together_gaps", "<i8"),
        ("together_stay_us", "<i8"),
    ],
)
"""The settings as kernels read them."""

TIME_BEFORE_ALL: Final = -(1 << 60)
_STAYS_AT_ONCE: Final = 4096  # rows of the kernels' output buffer, 320 kB; it is emptied as often as needed
_NODES_AT_FIRST: Final = 256


def device_dtype(lanes: int) -> np.dtype[Any]:
    """Return the record kept per device: the scalars of its store visit and `lanes` lanes, one per spot.

    It fills whole cache lines: 320 bytes for up to 16 spots, 3.1 kB for 256.
    """
    blocks = lanes // LANES_STEP
    fields = np.dtype(
        [
            # what every signal touches
            ("step_at", "<i8"),  # µs, first signal of the advertisement
            ("last_at", "<i8"),  # µs, last signal
            ("heard", "<i4"),  # signals of the store visit
            ("step_signals", "<i4"),
            ("best", "<i4"),  # lane in the lead at the last advertisement
            ("offset_sum", "<i4"),  # eighths of a dB
            ("offset_count", "<i4"),
            ("offset_db", "<i2"),  # how much louder this device is than the model expects
            ("open", "i1"),  # 1 while a store visit runs
            ("firm", "i1"),  # 1 if the lead of `best` is enough to learn from
            ("inside", "i1"),  # 1 since an app said that it entered
            ("exited", "i1"),  # 1 since an app said that it left
            ("forced", "i1"),  # 1 while the bound decides
            ("blind", "i1"),  # OWN or BESIDE if it may be where no anchor listens, see watch_kernels.find_unseen
            ("gap_steps", "i1"),
            ("reserved", "i1"),
            ("held", "<i2"),  # quanta, what the last step left of the leading zone's lead
            ("timeout", "<i4"),  # µs of silence that mean departure
            ("gap_mean", "<i4"),  # µs between advertisements
            ("clear_at", "<i8"),  # µs, the earliest that it may have left the leading zone for good
            ("score", "<i2", (lanes,)),  # quanta
            # what every advertisement touches
            ("left_at", "<i8"),  # µs, last signal before the advertisement
            ("arrived_at", "<i8"),
            ("check_at", "<i8"),  # when to look next for a stretch that is ambiguous for too long
            ("sure", "<i4"),  # certainty summed before the advertisement, 64ths of a signal
            ("offset_due", "<i4"),  # count at which the offset is set anew
            ("reset", "<u2", (blocks,)),  # bits: the lane came from the best one at the last advertisement
            ("hung", "<u2", (blocks,)),  # bits: its node is the origin
            ("owned", "<u2", (blocks,)),  # bits: its node is that of its running stay, else of the stay before
            ("unused_bits", "<u2", (blocks,)),
            ("origin", "<i4"),  # node of the lane from which others came last
            ("origin_lane", "<i4"),  # that lane, -1: look for its node anew
            ("root", "<i4"),  # node that all paths hang on
            ("nodes", "<i4"),
            # what zone visits touch
            ("visit_start", "<i8"),  # µs, first signal of the zone visit that the decided path is in
            ("visit_late", "<i8"),  # µs, latest time of its entry
            ("before", "<i4"),  # ms before `arrived_at` that arrival may have been, as far as visits tell already
            ("gap_wide", "<i4"),  # µs, the gap that 95% of moments are not further from an advertisement than
            ("visit_near", "<i4"),  # as near, mark and sure of a node, of the zone visit
            ("visit_mark", "<i4"),
            ("visit_sure", "<i4"),
            ("gained", "<i4"),  # quanta that the adverts since then say for that zone
            # lanes
            ("near", "<i4", (lanes,)),  # ms after `arrived_at` since which entering it is possible, -1: since before
            ("node", "<i4", (lanes,)),
            ("stay", "<i8", (lanes, 4)),  # of its running stay, see decoder_kernels
        ],
    )
    spare = -fields.itemsize % LINE_BYTES
    return np.dtype([*fields.descr, ("unused", "i1", (spare,))] if spare else fields.descr)


def _records(count: int, kind: np.dtype[Any]) -> NDArray[Any]:
    """Return zeroed records that begin at a cache line, so that each touches no more lines than it fills."""
    memory = np.zeros(count * kind.itemsize + LINE_BYTES, np.uint8)
    begin = -memory.ctypes.data % LINE_BYTES
    return memory[begin : begin + count * kind.itemsize].view(kind)


def joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return stays one after the other; numpy would compare the fields of their dtypes, for longer than it copies."""
    if len(parts) == 1:
        return parts[0]
    stays: NDArray[Any] = np.concatenate([part.view(np.uint8) for part in parts]).view(STAY)
    return stays


class Decoder:
    """Decode the signals of one store; state of all devices, the arena and the rules.

    Parameters
    ----------
    tables : Tables
        What readings say, from core.dwell.emission.
    settings : Settings
    """

    def __init__(self, tables: Tables, settings: Settings) -> None:
        self.tables = tables
        self.rules = _rules(settings)
        self.state: NDArray[Any] = np.zeros(0, device_dtype(tables.lanes))
        self.nodes: NDArray[Any] = np.zeros(0, NODE)
        self.free: NDArray[np.int32] = np.zeros(0, np.int32)
        self.cursor: NDArray[np.int64] = np.zeros(kernels.CURSORS, np.int64)
        self.silence = tables.silence.copy()
        self.watch: NDArray[np.int64] = np.zeros((watching.WATCHES, tables.level.shape[0]), np.int64)
        self.watch[watching.WEIGHT] = watching.FULL
        self.watch[watching.LAST] = watching.NEVER
        self.unseen = np.zeros(tables.lanes, np.int8)
        self.present = np.zeros(tables.lanes, np.int64)
        self.devices = 0
        self._room = settings.undecided_stays + 8
        self._out = np.zeros(max(_STAYS_AT_ONCE, 2 * self._room), STAY)

    @property
    def anchor_weights(self) -> NDArray[np.float64]:
        """How far each anchor is believed to work, 0..1, shape (anchors,)."""
        weights: NDArray[np.float64] = self.watch[watching.WEIGHT] / watching.FULL
        return weights

    @property
    def deaf(self) -> NDArray[np.bool_]:
        """Which anchors hear nothing of what others hear before them, shape (anchors,)."""
        fade = int(self.rules["fade"][0])
        faded: NDArray[np.bool_] = (self.watch[watching.QUIET] >= fade) & (fade > 0)
        return faded

    @property
    def forced(self) -> int:
        """Decisions made by the bound instead of by agreement."""
        return int(self.cursor[kernels.FORCED])

    def admit(self, devices: int) -> None:
        """Make room for devices 0..devices-1."""
        if devices > len(self.state):
            grown = _records(max(devices, 2 * len(self.state), 64), self.state.dtype)
            grown[: len(self.state)] = self.state
            grown["last_at"][len(self.state) :] = TIME_BEFORE_ALL
            self.state = grown
        self.devices = max(self.devices, devices)

    def adopt(self, tables: Tables) -> None:
        """Go on under another model of the same spots: what is decided stays, from here on the new one judges."""
        if tables.lanes != self.tables.lanes or tables.level.shape != self.tables.level.shape:
            raise ValueError("tables of another plan")
        self.tables = tables
        watching.weigh_silence(tables, self.watch, self.silence)
        self.look_again()

    def look_again(self) -> None:
        """Work out afresh which spots are unseen: tables or what is known of anchors are others."""
        watching.find_unseen(self.tables, self.watch, self.unseen)

    def set_down(self, anchors: NDArray[np.int64], at_us: int, *, down: bool) -> None:
        """Let the silence of these anchors count nothing because they are told to be down, or count again.

        What an anchor that comes back has missed meanwhile is not held against it, nor against who stood before or
        beside it: their silence counts from `at_us` on. An anchor that was not down is left as it is: alive and deaf,
        it still fades by what it misses.
        """
        back = np.zeros(self.watch.shape[1], np.bool_)
        back[anchors] = (self.watch[watching.DOWN, anchors] != 0) & (not down)
        self.watch[watching.QUIET, back] = 0
        self.watch[watching.DESERTED, back] = 0
        self.watch[watching.DOWN, anchors] = int(down)
        watching.weigh_anchors(self.watch, self.rules)
        watching.weigh_silence(self.tables, self.watch, self.silence)
        before = self.unseen.copy()
        self.look_again()
        seen_again = (before != 0) & (self.unseen == 0)
        watching.await_again(self.state, self.devices, seen_again, self.rules, at_us)
        if down:
            watching.await_longer(self.state, self.devices, self.unseen, self.rules, at_us)

    @property
    def down(self) -> NDArray[np.bool_]:
        """Which anchors are told to be down, shape (anchors,)."""
        told: NDArray[np.bool_] = self.watch[watching.DOWN] != 0
        return told

    def decode(self, signals: NDArray[Any]) -> NDArray[Any]:
        """Take signals and return the stays (STAY) they decide.

        Parameters
        ----------
        signals : structured array
            SIGNAL with `ts` in microseconds, in order of `ts`, none before those of earlier calls, devices admitted.
        """
        self.cursor[kernels.NEXT] = 0
        written = []
        while True:
            self.cursor[kernels.OUT] = 0
            done = kernels.decode(
                signals,
                self.state,
                self.nodes,
                self.free,
                self.tables,
                self.rules,
                self.silence,
                self.unseen,
                self.watch,
                self.present,
                self._out,
                self.cursor,
            )
            written.append(self._out[: self.cursor[kernels.OUT]].copy())
            if done:
                return joined(written)
            self._make_room()

    def close_silent(self, frontier_us: int, closed_by: ClosedBy = ClosedBy.SILENCE) -> NDArray[Any]:
        """Close devices whose departure lies before `frontier_us`; all signals before it must have been decoded."""
        self.cursor[kernels.NEXT] = 0
        written = []
        while True:
            self.cursor[kernels.OUT] = 0
            done = kernels.close_silent(
                self.state,
                self.devices,
                self.nodes,
                self.free,
                self.tables,
                self.rules,
                self.silence,
                self.unseen,
                self.watch,
                self.present,
                frontier_us,
                self._room,
                int(closed_by),
                self._out,
                self.cursor,
            )
            written.append(self._out[: self.cursor[kernels.OUT]].copy())
            if done:
                return joined(written)
            self._make_room()

    def decided_through(self, frontier_us: int) -> int:
        """Time in microseconds before which every visit that ended has been returned."""
        return int(kernels.decided_through(self.state, self.devices, self.nodes, frontier_us))

    def _make_room(self) -> None:
        """Double the arena if it is that which ran out; the output buffer is empty again anyway."""
        if self.cursor[kernels.FREE] >= self.tables.lanes + kernels.NODES_A_STEP:
            return
        old = len(self.nodes)
        new = max(2 * old, _NODES_AT_FIRST, 4 * self.tables.lanes)
        nodes = np.zeros(new, NODE)
        nodes[:old] = self.nodes
        free = np.zeros(new, np.int32)
        count = int(self.cursor[kernels.FREE])
        free[:count] = self.free[:count]
        free[count : count + new - old] = np.arange(new - 1, old - 1, -1, dtype=np.int32)
        self.nodes, self.free = nodes, free
        self.cursor[kernels.FREE] = count + new - old


def _rules(settings: Settings) -> NDArray[Any]:
    rules = np.zeros(1, RULE)
    rules["step_us"] = settings.step_ns // NS_PER_US
    rules["silence_us"] = settings.silence_ns // NS_PER_US
    rules["silence_max_us"] = settings.silence_max_ns // NS_PER_US
    rules["silence_gaps"] = settings.silence_gaps
    rules["undecided_us"] = settings.undecided_ns // NS_PER_US
    rules["undecided_stays"] = settings.undecided_stays
    rules["visit_max_us"] = settings.visit_max_ns // NS_PER_US
    rules["forget_us"] = settings.forget_ns // NS_PER_US
    rules["gap_mean_us"] = settings.gap_mean_ns // NS_PER_US
    rules["doubt"] = settings.doubt
    rules["fade"] = round(QUANTA * settings.deaf_nats)
    rules["offset_limit_db"] = settings.offset_limit_db
    rules["rssi_floor_dbm"] = RSSI_FLOOR_DBM
    rules["app_enter"] = APP_ENTER
    rules["app_late_us"] = settings.app_late_ns // NS_PER_US
    rules["together_gaps"] = settings.together_gaps
    rules["together_stay_us"] = settings.together_stay_ns // NS_PER_US
    return rules
