"""The dwell engine of one store: signals in, visits out.

push -> reorder -> decoder -> residents, rollup -> visits
          `-> presence (uses signals at once)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.dwell import reorder_kernels, snapshot
from core.dwell.clocks import in_store_time
from core.dwell.coverage import Coverage, CoveredHour
from core.dwell.decoder import NODE, TIME_BEFORE_ALL, Decoder, device_dtype, joined
from core.dwell.devices import DeviceTable, Erased
from core.dwell.emission import tables
from core.dwell.heartbeats import Heartbeats
from core.dwell.held import AS_NAMED, LONG_AGO
from core.dwell.model import Model, check_fits, dump, plan_fingerprint, prior_model
from core.dwell.presence import Presence
from core.dwell.reorder import Reorder, rows_of
from core.dwell.residents import MEMORY, Residents
from core.dwell.rollup import OPEN_STAY, Rollup
from core.dwell.settings import Settings
from core.dwell.visits import in_fixed_order, let_bounds_agree, visits_from
from core.errors import InputError, ModelError, SnapshotError
from core.floorplan import StorePlan
from core.limits import NS_PER_US, RSSI_MAX_DBM, RSSI_MIN_DBM
from core.records import (
    APP_ENTER,
    APP_EXIT,
    SIGNAL,
    VISIT,
    ClosedBy,
    PresenceArray,
    SignalArray,
    VisitArray,
)

_SWEEP_US: Final = 1_000_000
"""Departures by silence are looked for once a second of data time: it says when a visit is reported, not what."""
_HOUR_US: Final = 3_600_000_000
"""Who is forgotten is looked for once an hour of data time: it decides when memory is given back, nothing else."""
_FORGOTTEN_SHARE: Final = 4
"""Devices are forgotten once a quarter of those in the table can be: the table is built anew then."""
_SIGNALS_AT_ONCE: Final = 65_536
"""A longer push is taken in so many at a time: a megabyte, of which reorder and decoder hold as much again."""
DEFAULT: Final = Settings()


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """Signals since the start: `decoded` is all that were pushed, with the late and the repeated ones.

    `late` came behind the watermark and were left out; `repeated` were exact copies and were left out;
    `forced` counts stretches of path decided by the bound instead of by agreement.
    """

    decoded: int
    late: int
    repeated: int
    forced: int


@dataclass(frozen=True, slots=True)
class Part:
    """So many signals that one source brought at one time; see `StoreEngine.push` for `arrived_at`."""

    signals: int
    source: int = 0
    arrived_at: int | None = None


class StoreEngine:
    """Turn the signals of one store into zone visits and store visits.

    Visits do not depend on how signals are cut into pushes, on their order within the lateness bound, on
    repetition, on the order in which devices were first seen, or on the interleaving of sources within the patience.

    Parameters
    ----------
    plan : StorePlan
    model : Model, optional
        From `calibrate` or `load`; `prior_model(plan)` where there is none.
    settings : Settings

    Raises
    ------
    ModelError
        If the model was made for another plan.
    """

    def __init__(self, plan: StorePlan, model: Model | None = None, settings: Settings = DEFAULT) -> None:
        self.plan = plan
        self.model = model if model is not None else prior_model(plan)
        check_fits(self.model, plan)
        self.settings = settings
        self._devices = DeviceTable()
        self._reorder = Reorder(settings)
        self._decoder = Decoder(tables(self.model, settings), settings)
        self._residents = Residents(plan, settings)
        self._rollup = Rollup(plan)
        self._presence = Presence()
        self._decoded = 0
        self._frontier_us = LONG_AGO
        self._swept_us = LONG_AGO
        self._heartbeats = Heartbeats()
        self._coverage = Coverage()
        self._hour = 0  # of data time, the last in which was looked for who can be forgotten
        self._forgotten = 0

    @property
    def forgotten(self) -> int:
        """How many devices were forgotten since the engine was made: whenever it grows, indices may be given anew."""
        return self._forgotten

    @property
    def counts(self) -> EngineCounts:
        """What became of the signals so far."""
        return EngineCounts(self._decoded, self._reorder.late, self._reorder.repeated, self._decoder.forced)

    @property
    def anchor_weights(self) -> NDArray[np.float64]:
        """How far each anchor is believed to work, 0 (deaf) to 1, shape (anchors,).

        An anchor fades while devices stand before it and it hears nothing of anybody.
        """
        return self._decoder.anchor_weights

    @property
    def anchors_down(self) -> NDArray[np.bool_]:
        """Which anchors are down by what was said last (`heartbeat`), shape (anchors,); decoded or not yet."""
        down = self._decoder.down
        for anchor, said in self._heartbeats.last().items():
            down[anchor] = said
        return down

    @property
    def anchors_deaf(self) -> NDArray[np.bool_]:
        """Which anchors the signals alone say do not work, shape (anchors,): their silence counts nothing.

        One that is merely deserted counts nothing either, but is no fault to be told: everybody may have left it
        together, at closing time, and the edge of a live store says itself when its anchors are down.
        """
        deaf: NDArray[np.bool_] = self._decoder.deaf & ~self._decoder.down
        return deaf

    @property
    def decided_through(self) -> int:
        """Time in ns: every visit that ended before it has been returned; 0 before there is any."""
        return max(0, self._decoder.decided_through(self._frontier_us)) * NS_PER_US

    @property
    def newest_at(self) -> int:
        """Time in ns, in whole microseconds, of the newest signal that was pushed; 0 before there is any."""
        newest_us = self._reorder.newest_us
        return 0 if newest_us == LONG_AGO else newest_us * NS_PER_US

    def device_index(self, pseudonyms: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return dense indices of pseudonyms (uint8, shape (k, 16)); new devices are added.

        An index stands for its device until the device is forgotten: not before `forget_ns` of data time have passed
        since the index was last asked for here, and the device was last heard.
        """
        hour = 0 if self._frontier_us == LONG_AGO else self._frontier_us // _HOUR_US
        return self._devices.index(pseudonyms, hour)

    def pseudonyms(self, index: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the pseudonyms (uint8, shape (k, 16)) of indices; of visits and presence until the next push."""
        return self._devices.pseudonyms(index)

    def redact(self, erased: Erased) -> int:
        """Put nobody in the place of devices that are erased; return how many there were.

        What is under way of them ends under nobody's pseudonym (`core.identity.are_nobody`), for nobody to keep.
        """
        return self._devices.redact(erased)

    def expect(self, source: int) -> None:
        """Decode nothing until this source has spoken, at most for the patience; call it before its first push.

        Without it, a source that first speaks when others are further by more than the lateness bound finds its older
        signals late.
        """
        self._reorder.expect(source)

    def adopt(self, model: Model) -> None:
        """Decode with another model of the same plan from here on.

        Visits that were returned stay as they are; open visits and undecided paths go on with the scores they have.
        Signals that are held back are decoded with the new model: it holds from its place between the pushes.

        Raises
        ------
        ModelError
            If the model was made for another plan or for other spots; the engine then goes on as before.
        """
        check_fits(model, self.plan)
        if not np.array_equal(model.spot_zone, self.model.spot_zone):
            raise ModelError(
                f"The model knows other spots than store {self.plan.id!r} is decoded with.", hint="Calibrate again."
            )
        self._decoder.adopt(tables(model, self.settings))
        self._presence.forget()
        self.model = model

    def source_down(self, source: int, *, drained: bool) -> None:
        """Hear that a source has gone offline.

        Who stopped with nothing left to send (`drained`) is not waited for any more. Who just vanished is: its line
        may be cut, and then its outbox holds what it has heard since; it is waited for as long as for any source that
        falls silent, and no longer.
        """
        if drained:
            self._reorder.stop(source)

    def source_up(self, source: int) -> None:
        """Hear that a source is there again: it is waited for as any other."""
        self._reorder.start(source)

    def heartbeat(self, anchors: NDArray[np.int64], alive: bool, at: int | None = None) -> None:
        """Hear that anchors have died or live.

        The silence of an anchor that is down counts nothing, whoever stands before it. One that lives and is deaf all
        the same still fades by what it misses.

        Parameters
        ----------
        anchors : int64, shape (k,)
            Indices into the plan.
        alive : bool
        at : int, optional
            From when on, ns of data time, so that signals from before are decoded as if nothing had been said;
            without it, or if it was decoded already, at once. What was said of these anchors for later is taken back.

        Raises
        ------
        InputError
            If an index is out of range.
        """
        if len(anchors) and not 0 <= int(anchors.min()) <= int(anchors.max()) < len(self.plan.anchors):
            raise InputError(f"There are {len(self.plan.anchors)} anchors to tell of.", where=self.plan.id)
        at_us = max(LONG_AGO if at is None else at // NS_PER_US, self._frontier_us)  # what is decided stays
        for anchor in anchors.tolist():
            self._heartbeats.tell(at_us, anchor, down=not alive)

    def coverage(self) -> list[CoveredHour]:
        """Return which share of the anchors worked, by hours of data time, of hours that are not forgotten."""
        return self._coverage.told()

    def forget_coverage(self) -> None:
        """Let go of hours that are over and written down."""
        self._coverage.forget()

    def succeed(self, other: "StoreEngine") -> None:
        """Go on with what an engine of an earlier plan knows of anchors that this plan has too; before any push."""
        down = [other.plan.anchors[place].id for place in np.flatnonzero(other.anchors_down).tolist()]
        known = [self.plan.anchor_index[anchor] for anchor in down if anchor in self.plan.anchor_index]
        self.heartbeat(np.array(known, np.int64), alive=False)
        self._coverage = other._coverage

    def push(
        self,
        signals: SignalArray,
        source: int = 0,
        arrived_at: int | None = None,
        devices: NDArray[np.int32] = AS_NAMED,
    ) -> VisitArray:
        """Take signals in order of arrival and return the visits that became final, in a fixed order.

        Parameters
        ----------
        signals : SIGNAL, shape (n,)
            `device` from `device_index` or into `devices`, `anchor` an index into the plan; times are floored to
            microseconds, and those of anchors whose clock the model knows to be off are corrected: visits are in the
            store's time.
        source : int
            Whose order of arrival this is (an edge); each source has its own watermark.
        arrived_at : int, optional
            When they arrived, ns of whoever took them in. With it, a source is waited for as long as the store has
            been heard for no more than the patience since it last spoke; without it (offline), as long as its
            newest signal lies no more than the patience behind the newest of all.
        devices : int32, shape (k,), optional
            From `device_index`, of the devices that `signals` name 0..k-1: so batches need not be rewritten.

        Returns
        -------
        VISIT, shape (k,)
            Sorted by entered_at, kind, zone, pseudonym.

        Raises
        ------
        InputError
            If a device, anchor or level is out of range; nothing has been taken in then.
        """
        return self.push_parts(signals, [Part(len(signals), source, arrived_at)], devices)[0]

    def push_parts(
        self, signals: SignalArray, parts: Sequence[Part], devices: NDArray[np.int32] = AS_NAMED
    ) -> tuple[VisitArray, list[int]]:
        """Do as `push` of one part after the other does, for the price of one call.

        Parameters
        ----------
        signals : SIGNAL, shape (n,)
        parts : sequence of Part
            In order of arrival; they lie one behind the other in `signals`.
        devices : int32, shape (k,), optional

        Returns
        -------
        VISIT, shape (k,)
            As of `push`.
        list of int
            How many signals of each part were late.

        Raises
        ------
        InputError
            As of `push`, or if the parts are not those of `signals`.
        """
        if sum(part.signals for part in parts) != len(signals):
            raise InputError("The parts do not add up to the signals.", where=self.plan.id)
        self._check(signals, devices)
        self._forget()
        self._decoded += len(signals)
        self._decoder.admit(len(self._devices))
        stays: list[NDArray[Any]] = []
        late: list[int] = []
        begin = 0
        for part in parts:
            before = self._reorder.late
            arrived_us = None if part.arrived_at is None else part.arrived_at // NS_PER_US
            end = begin + part.signals
            for start in range(begin, end, _SIGNALS_AT_ONCE):
                some = signals[start : min(start + _SIGNALS_AT_ONCE, end)]
                # clocks are corrected before lateness is judged
                some = in_store_time(some, self.model.clocks, NS_PER_US)
                self._reorder.push(some, part.source, arrived_us, devices)
                stays += self._decode()  # what is covered is counted at each, so that no cut changes it
            late.append(self._reorder.late - before)
            begin = end
        return self._visits(stays), late

    def finish(self, closed_by: ClosedBy = ClosedBy.END_OF_RECORDING) -> VisitArray:
        """Decode all that is held, close every visit at its last signal and return the visits."""
        self._decoder.admit(len(self._devices))
        self._reorder.end()
        return self._visits([*self._decode(sweep=True), self._decoder.close_silent(1 << 62, closed_by)])

    def presence(self) -> PresenceArray:
        """Return where devices are now, in order of device index; provisional, uses signals that are not decoded yet.

        A device that has been silent for longer than its departure timeout, measured by the newest signal of the
        store, is not in it.
        """
        self._decoder.admit(len(self._devices))
        return self._presence.rows(self._decoder, self._reorder, self._residents)

    def snapshot(self) -> bytes:
        """Return all state as bytes: versioned, checksummed; `restore` continues byte for byte."""
        decoder, reorder = self._decoder, self._reorder
        decoder.admit(len(self._devices))
        return snapshot.pack(
            snapshot.State(
                fingerprint=_fingerprint(self.plan, self.model, self.settings),
                devices=self._devices.rows().tobytes(),
                devices_free=self._devices.free().tobytes(),
                devices_named=self._devices.named().tobytes(),
                device_state=decoder.state[: decoder.devices].tobytes(),
                device_bytes=decoder.state.dtype.itemsize,
                nodes=decoder.nodes.tobytes(),
                free=decoder.free.tobytes(),
                cursor=decoder.cursor.tobytes(),
                silence=decoder.silence.tobytes(),
                watch=decoder.watch.tobytes(),
                present=decoder.present.tobytes(),
                residents=self._residents.rows(len(self._devices)).tobytes(),
                open_stays=self._rollup.rows(len(self._devices)).tobytes(),
                pending=reorder.pending().tobytes(),
                newest=sorted(reorder.newest.items()),
                expected=sorted(reorder.expected),
                hold_until_us=reorder.hold_until_us,
                arrived_us=reorder.arrived_us,
                heard_us=reorder.heard_us,
                spoke=sorted(reorder.spoke.items()),
                watermark_us=reorder.watermark_us,
                newest_us=reorder.newest_us,
                frontier_us=self._frontier_us,
                swept_us=self._swept_us,
                hour=self._hour,
                forgotten=self._forgotten,
                decoded=self._decoded,
                late=reorder.late,
                repeated=reorder.repeated,
                stopped=sorted(reorder.stopped),
                heartbeats=self._heartbeats.waiting,
                covered_us=self._coverage.until_us,
                hours=[(hour, *sums) for hour, sums in sorted(self._coverage.hours.items())],
            )
        )

    @classmethod
    def restore(
        cls, data: bytes, plan: StorePlan, model: Model | None = None, settings: Settings = DEFAULT
    ) -> "StoreEngine":
        """Return an engine that goes on where `snapshot` was taken.

        Raises
        ------
        SnapshotError
            If the bytes are torn, changed, of another version, or were taken under another plan, model or settings.
        ModelError
            If the model was made for another plan.
        """
        state = snapshot.unpack(data)
        engine = cls(plan, model, settings)
        if state.fingerprint != _fingerprint(plan, engine.model, settings):
            raise SnapshotError(
                "The snapshot was taken under another floor plan, model or settings.",
                hint="Start empty and replay the signal log.",
            )
        decoder, reorder = engine._decoder, engine._reorder
        dtype = device_dtype(decoder.tables.lanes)
        if state.device_bytes != dtype.itemsize:
            raise SnapshotError("The snapshot keeps another record per device.", hint="Replay the signal log.")
        engine._devices = DeviceTable.from_rows(
            snapshot.array(state.devices, np.uint64).reshape(-1, 2),
            snapshot.array(state.devices_free, np.int32),
            snapshot.array(state.devices_named, np.int32),
        )
        held = snapshot.array(state.device_state, dtype)
        decoder.admit(len(held))
        decoder.state[: len(held)] = held
        decoder.nodes = snapshot.array(state.nodes, NODE)
        decoder.free = snapshot.array(state.free, np.int32)
        decoder.cursor = snapshot.array(state.cursor, np.int64)
        decoder.silence = snapshot.array(state.silence, np.int16)
        decoder.watch = snapshot.array(state.watch, np.int64).reshape(decoder.watch.shape)
        decoder.present = snapshot.array(state.present, np.int64)
        decoder.look_again()
        engine._residents.memory = snapshot.array(state.residents, MEMORY)
        engine._rollup.restore(snapshot.array(state.open_stays, OPEN_STAY))
        reorder.restore_pending(snapshot.array(state.pending, SIGNAL))
        reorder.newest = dict(state.newest)
        reorder.expected = set(state.expected)
        reorder.stopped = set(state.stopped)
        reorder.hold_until_us = state.hold_until_us
        reorder.arrived_us = state.arrived_us
        reorder.heard_us = state.heard_us
        reorder.spoke = dict(state.spoke)
        reorder.watermark_us = state.watermark_us
        reorder.newest_us = state.newest_us
        reorder.late = state.late
        reorder.repeated = state.repeated
        engine._frontier_us = state.frontier_us
        engine._swept_us = state.swept_us
        engine._hour = state.hour
        engine._forgotten = state.forgotten
        engine._decoded = state.decoded
        engine._heartbeats = Heartbeats(state.heartbeats)
        engine._coverage.until_us = state.covered_us
        engine._coverage.hours = {
            hour: (covered, worked, possible) for hour, covered, worked, possible in state.hours
        }
        return engine

    def _check(self, signals: SignalArray, index: NDArray[np.int32]) -> None:
        if signals.dtype != SIGNAL or signals.ndim != 1 or index.dtype != np.int32 or index.ndim != 1:
            raise InputError("Signals come as a one-dimensional array of dtype SIGNAL, devices as one of int32.")
        if not len(signals):
            return
        devices, anchors = len(self._devices), len(self.plan.anchors)
        if len(index):
            if not 0 <= int(index.min()) <= int(index.max()) < devices:
                raise InputError("A device's index is not one that `device_index` gave.", where=self.plan.id)
            devices = len(index)
        if reorder_kernels.within(
            rows_of(signals), devices, anchors, RSSI_MIN_DBM, RSSI_MAX_DBM, APP_ENTER, APP_EXIT
        ):
            return
        level = signals["rssi_dbm"].copy()
        level[(level == APP_ENTER) | (level == APP_EXIT)] = RSSI_MAX_DBM
        for column, values, low, high in (
            ("device", signals["device"], 0, devices - 1),
            ("anchor", signals["anchor"], 0, anchors - 1),
            ("rssi_dbm", level, RSSI_MIN_DBM, RSSI_MAX_DBM),
        ):
            least, most = int(values.min()), int(values.max())
            if least < low or most > high:
                wrong = least if least < low else most
                raise InputError(f"A signal's {column} is {wrong}; {low} to {high} can be taken.", where=self.plan.id)

    def _decode(self, *, sweep: bool = False) -> list[NDArray[Any]]:
        """Decode what lies before the watermark and close who fell silent before it; return the stays."""
        stays: list[NDArray[Any]] = []
        for signals in self._reorder.releases():
            rest = signals
            while len(rest) and (at_us := self._heartbeats.due_us(int(rest["ts"][-1]) + 1)) is not None:
                at_us = min(at_us, int(rest["ts"][-1]) + 1)  # later only where too many wait
                before = int(np.searchsorted(rest["ts"], at_us))
                stays.append(self._decoder.decode(rest[:before]))
                rest = rest[before:]
                stays.append(self._let_happen(at_us))
            stays.append(self._decoder.decode(rest))
        self._frontier_us = max(self._frontier_us, self._reorder.watermark_us)
        while (at_us := self._heartbeats.due_us(self._frontier_us)) is not None:
            stays.append(self._let_happen(min(at_us, self._frontier_us)))
        self._cover(self._frontier_us)
        if sweep or self._frontier_us - self._swept_us >= _SWEEP_US:
            self._swept_us = self._frontier_us
            stays.append(self._decoder.close_silent(self._frontier_us))
        return stays

    def _let_happen(self, at_us: int) -> NDArray[Any]:
        """Let the next thing that was said of an anchor hold, all before it being decoded; return the stays.

        Who has left before is closed first: whether that was seen yet depends on how signals were cut, and an anchor
        that goes down later is waited for by none of them.
        """
        self._cover(at_us)
        anchor, down = self._heartbeats.take()
        left = self._decoder.close_silent(at_us)
        self._decoder.set_down(np.array([anchor], np.int64), at_us, down=down)
        return left

    def _cover(self, until_us: int) -> None:
        """Count the anchors that work, up to a time that has been decoded."""
        if until_us > LONG_AGO:
            working = int(np.count_nonzero(self._decoder.anchor_weights))
            self._coverage.cover(until_us, working, len(self.plan.anchors))

    def _forget(self) -> None:
        """Give the indices of devices free that were silent for so long that they would come back as new ones.

        At the start of a push, so that the visits of the one before could be read.
        """
        hour = self._frontier_us // _HOUR_US
        if self._frontier_us == LONG_AGO or hour <= self._hour:
            return
        named = self._devices.named()
        named[named == 0] = hour  # before there was any time
        self._hour = hour
        forget_us = self.settings.forget_ns // NS_PER_US
        self._decoder.admit(len(self._devices))
        state = self._decoder.state[: len(self._devices)]
        gone = (state["open"] == 0) & (state["last_at"] < hour * _HOUR_US - forget_us)
        gone &= named < hour + -forget_us // _HOUR_US
        gone[self._reorder.devices()] = False
        gone[self._devices.free()] = False
        index = np.flatnonzero(gone)
        if _FORGOTTEN_SHARE * len(index) < len(self._devices) or not len(index):
            return
        fresh = np.zeros(1, state.dtype)
        fresh["last_at"] = TIME_BEFORE_ALL
        state[index] = fresh
        self._devices.forget(index)
        self._residents.forget(index)
        self._presence.forget()
        self._forgotten += len(index)

    def _visits(self, stays: list[NDArray[Any]]) -> VisitArray:
        if not any(map(len, stays)):
            return np.empty(0, VISIT)
        decided = joined(stays)
        self._residents.judge(decided, len(self._devices))
        let_bounds_agree(decided)
        rolled_up = self._rollup.take(decided, len(self._devices))
        let_bounds_agree(rolled_up)  # those of a zone around others come from its first and its last stay
        visits = visits_from(rolled_up, self.settings)
        return in_fixed_order(visits, self._devices.pseudonyms(visits["device"]))


def compile_kernels(plan: StorePlan) -> None:
    """Let every kernel be compiled, or loaded from numba's cache, before the first signal of a store waits for it.

    The records of a device have a lane for each zone, so stores of another number of zones have kernels of their own.
    """
    engine = StoreEngine(plan)
    index = engine.device_index(np.arange(32, dtype=np.uint8).reshape(2, 16))
    second = 1_000_000_000
    for begin in (0, 100):
        signals = np.zeros(100, SIGNAL)
        signals["ts"] = (np.arange(100) + begin) * second
        signals["device"] = index[np.arange(100) % 2]
        signals["anchor"] = np.arange(100) // 50 % len(plan.anchors)
        signals["rssi_dbm"] = -60
        engine.push(signals)
    engine.presence()
    StoreEngine.restore(engine.snapshot(), plan).finish()


def _fingerprint(plan: StorePlan, model: Model, settings: Settings) -> bytes:
    # which zone lies in which: a model does not depend on it, stays of departments that are open do
    told = [plan_fingerprint(plan), plan.around, dump(model), settings.words]
    return blake2b(msgspec.msgpack.encode(told), digest_size=16).digest()
