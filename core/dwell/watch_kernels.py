"""What anchors are believed to do, second by second: the kernels. docs/dwell-engine.md tells the method.

An anchor whose silence counts less than before changes what is waited for: who stands before it. Ticks are seconds of
data time (2**20 microseconds), and each ends on its boundary, however signals are cut into pushes.
"""

from typing import Any

import numpy as np
from numba import njit

# rows of `watch`, one column per anchor
HEARD = 0  # 1 if it heard anything in this tick
QUIET = 1  # quanta against its still working: devices stood before it and it heard nothing
WEIGHT = 2  # sixteenths of what its silence counts
DOWN = 3  # 1 if a heartbeat says that it does not work
LAST = 4  # tick in which it last heard anything, or NEVER
DESERTED = 5  # 1 if too many fell silent at one with it to have left
WATCHES = 6
FULL = 16
TICK_SHIFT = 20
TICK_US = 1 << TICK_SHIFT
NEVER = -(1 << 44)  # a tick before all

# what `unseen` tells of a spot, and `blind` of a device that was last heard there
OWN = 1  # the anchor that hears it best weighs nothing
BESIDE = 2  # an anchor beside it is told to be down: who goes there is not heard

SILENCE_FLOOR = -(1 << 13)  # quanta a step; lanes that are no spot stay there and never lead


@njit(inline="always")
def patience_us(device: Any, rule: Any) -> Any:
    """How long a device may be silent by its own gaps before it has left."""
    wanted = rule["silence_gaps"] * device["gap_mean"]
    least = rule["silence_max_us"] if device["inside"] else rule["silence_us"]
    return min(max(wanted, least), rule["silence_max_us"])


@njit(cache=True, nogil=True)
def await_again(state: Any, count: int, back: Any, rules: Any, since: int) -> None:
    """Let the silence of who was last heard at spots that are seen again (bool, (lanes,)) count from `since`."""
    rule = rules[0]
    for place in range(count):
        device = state[place]
        if device["open"] and device["blind"] and back[device["best"]]:
            unheard = max(since - device["last_at"], 0)
            if unheard <= device["timeout"]:  # else it had left before
                device["timeout"] = min(unheard + patience_us(device, rule), rule["silence_max_us"])


@njit(cache=True, nogil=True)
def await_longer(state: Any, count: int, unseen: Any, rules: Any, since: int) -> None:
    """Wait for who was last heard at spots that are unseen from `since` on.

    Who is heard by no other anchor has no step in which that would show. Who had left before has left.
    """
    for place in range(count):
        device = state[place]
        if not device["open"] or device["exited"] or since - device["last_at"] > device["timeout"]:
            continue
        if unseen[device["best"]]:
            device["blind"] = unseen[device["best"]]
            device["timeout"] = rules[0]["silence_max_us"]


@njit(cache=True, nogil=True)
def pass_ticks(
    ended: int,
    tick: int,
    state: Any,
    tables: Any,
    rules: Any,
    silence: Any,
    unseen: Any,
    watch: Any,
    present: Any,
) -> None:
    """Let the ticks from `ended` to before `tick` be over; all signals of them have been decoded.

    After the first nothing is heard; of the others those are looked at in which something is due.
    """
    while ended < tick:
        _watch(ended, state, tables, rules, silence, unseen, watch, present)
        ended = _due_after(ended, rules[0], watch)


@njit(inline="always")
def _look_ticks(rule: Any) -> Any:
    """After how many silent ticks it is asked whether an anchor is deserted: before anybody has left by silence."""
    return max(rule["silence_us"] // 2 >> TICK_SHIFT, 1)


@njit(inline="always")
def _forget_ticks(rule: Any) -> Any:
    """After how many silent ticks nobody is left that is waited for, so that nothing tells of the anchor any more."""
    return (rule["silence_max_us"] >> TICK_SHIFT) + 1


@njit(cache=True, nogil=True)
def _due_after(ended: int, rule: Any, watch: Any) -> int:
    """Return the next tick at the end of which an anchor is looked at, if nothing more is heard."""
    due = -NEVER
    for anchor in range(watch.shape[1]):
        for ticks in (_look_ticks(rule), _forget_ticks(rule)):
            at = watch[LAST, anchor] + ticks
            if at > ended:
                due = min(due, at)
    return due


@njit(cache=True, nogil=True)
def _watch(
    ended: int, state: Any, tables: Any, rules: Any, silence: Any, unseen: Any, watch: Any, present: Any
) -> None:
    """At the end of a tick: the longer an anchor is deaf to devices before it, the less its silence counts.

    It counts nothing, too, while it is deserted: too many fell silent at one with it to have left.
    """
    rule = rules[0]
    fade = rule["fade"]
    look = False
    for anchor in range(watch.shape[1]):
        quiet = watch[QUIET, anchor]
        if watch[HEARD, anchor] != 0:
            watch[LAST, anchor] = ended
            watch[DESERTED, anchor] = 0
        if watch[HEARD, anchor] != 0 or fade == 0:
            quiet = 0
        else:
            for lane in range(present.size):
                quiet += present[lane] * tables.alarm[anchor, lane]
            quiet = min(quiet, fade)
        watch[QUIET, anchor] = quiet
        watch[HEARD, anchor] = 0
        look |= fade > 0 and watch[LAST, anchor] + _look_ticks(rule) == ended
        if watch[LAST, anchor] + _forget_ticks(rule) == ended:
            watch[DESERTED, anchor] = 0
    present[:] = 0
    if look:
        _find_deserted(ended - _look_ticks(rule), state, tables, rule, watch)
    changed = False
    for anchor in range(watch.shape[1]):
        changed |= watch[WEIGHT, anchor] != _weight_of(anchor, watch, fade)
    if changed:
        before = unseen.copy()
        weigh_anchors(watch, rules)
        weigh_silence(tables, watch, silence)
        find_unseen(tables, watch, unseen)
        since = (ended + 1) << TICK_SHIFT
        back = (before != 0) & (unseen == 0)
        if ((before == 0) & (unseen != 0)).any():
            await_longer(state, state.size, unseen, rules, since)
        if back.any():
            await_again(state, state.size, back, rules, since)


@njit(inline="always")
def _weight_of(anchor: Any, watch: Any, fade: Any) -> Any:
    """Return what the silence of an anchor counts, in sixteenths."""
    if watch[DOWN, anchor] != 0 or watch[DESERTED, anchor] != 0:
        return 0
    return FULL - watch[QUIET, anchor] * FULL // max(fade, 1)


@njit(cache=True, nogil=True)
def weigh_anchors(watch: Any, rules: Any) -> None:
    """Write what the silence of each anchor counts, by what is known of it."""
    for anchor in range(watch.shape[1]):
        watch[WEIGHT, anchor] = _weight_of(anchor, watch, rules[0]["fade"])


@njit(cache=True, nogil=True)
def _find_deserted(last: int, state: Any, tables: Any, rule: Any, watch: Any) -> None:
    """Mark anchors that have heard nobody since the tick `last`, if too many fell silent with it to have left.

    Devices that leave on their own leave within their windows of one moment by chance; `tables.together` tells up to
    which sum of windows so many beside the first do so too seldom to be believed. Counted are the devices before each
    anchor that fell silent in this tick, and those of the whole store before any anchor that is silent since: anchors
    may fall together, each with too few devices to tell. In a busy store that sum is too large, so anchors are
    counted, too: those that all of their devices fell silent with, see `_parties_us`.
    """
    anchors = watch.shape[1]
    now = (last + _look_ticks(rule) + 1) << TICK_SHIFT
    here = np.zeros(anchors, np.int64)  # devices, by anchor
    silent = np.zeros(anchors + 1, np.int64)  # devices, by anchor; of the whole store behind them
    windows = np.zeros(anchors + 1, np.int64)  # microseconds
    for place in range(state.size):
        device = state[place]
        if not device["open"] or device["exited"] or device["heard"] == device["step_signals"]:
            continue  # not here, gone by its own word, or a passer-by of one advertisement
        window = rule["together_gaps"] * np.int64(device["gap_mean"]) + TICK_US
        if device["last_at"] < (last << TICK_SHIFT) - window:
            continue  # had fallen silent before
        if now - device["last_at"] > device["timeout"]:
            continue  # has left, whether that was seen yet or not
        anchor = tables.main[device["best"]]
        silent_since = watch[LAST, anchor]
        fell = device["last_at"] < (last + 1) << TICK_SHIFT and last - _forget_ticks(rule) < silent_since <= last
        here[anchor] += 1
        windows[anchor] += window
        windows[anchors] += window
        silent[anchor] += fell
        silent[anchors] += fell
    whole = _too_many(silent[anchors], windows[anchors], tables.together)
    emptied = 0
    parties_us = 0
    for anchor in range(anchors):
        emptied += here[anchor] > 0 and silent[anchor] == here[anchor]
        parties_us += _parties_us(here[anchor], windows[anchor], rule["together_stay_us"])
    apart = _too_many(emptied, parties_us, tables.together)
    for anchor in range(anchors):
        alone = watch[LAST, anchor] == last and _too_many(silent[anchor], windows[anchor], tables.together)
        if silent[anchor] > 0 and (whole or alone or (apart and silent[anchor] == here[anchor])):
            watch[DESERTED, anchor] = 1


@njit(cache=True, nogil=True)
def _parties_us(devices: int, windows: int, stay_us: int) -> int:
    """Return the window (microseconds) in which one device leaves by the chance by which all of an anchor's do.

    They leave in couples, each within their mean window by the chance of it to `stay_us`, and all couples must.
    """
    if devices == 0:
        return 0
    chance = min(windows / devices / stay_us, 1.0)
    all_leave = chance
    for _ in range(min((devices + 1) // 2, 64) - 1):
        all_leave *= chance
    return int(all_leave * stay_us)


@njit(cache=True, nogil=True)
def _too_many(count: int, windows: int, together: Any) -> bool:
    """Whether so many devices with these windows (summed, in microseconds) leave at one too seldom to be believed."""
    beside = count - 1
    most = together.size - 1
    if beside < 0:
        return False
    if beside <= most:
        return bool(windows <= together[beside])
    return bool(windows <= together[most] // most * beside)


@njit(cache=True, nogil=True)
def weigh_silence(tables: Any, watch: Any, silence: Any) -> None:
    """Write what hearing nothing says of each spot, as far as the anchors are believed to work; the best is 0."""
    most = np.int64(SILENCE_FLOOR)
    totals = np.empty(silence.size, np.int64)
    for lane in range(silence.size):
        total = 0
        for anchor in range(watch.shape[1]):
            total += tables.missed[anchor, lane] * watch[WEIGHT, anchor] // FULL
        totals[lane] = total
    first = True
    for lane in range(silence.size):
        if tables.able[lane] and (first or totals[lane] > most):
            most = totals[lane]
            first = False
    for lane in range(silence.size):
        relative = max(totals[lane] - most, SILENCE_FLOOR)
        silence[lane] = relative if tables.able[lane] else SILENCE_FLOOR


@njit(cache=True, nogil=True)
def find_unseen(tables: Any, watch: Any, unseen: Any) -> None:
    """Write at which spots (int8, shape (lanes,)) who falls silent may be where no anchor listens: 0, OWN or BESIDE.

    Beside counts only what edges tell: an anchor that fades is one of whose people others hear, and one that is
    deserted may have been left by everybody.
    """
    for lane in range(unseen.size):
        unseen[lane] = 0
        if not tables.able[lane]:
            continue
        if watch[WEIGHT, tables.main[lane]] == 0:
            unseen[lane] = OWN
            continue
        for anchor in range(watch.shape[1]):
            if watch[DOWN, anchor] != 0 and tables.beside[anchor, lane]:
                unseen[lane] = BESIDE
                break
