"""Streaming sticky Viterbi, the kernels. docs/dwell-engine.md tells the method; words are used as there.

Per device one record: a lane per zone (score, start of the running stay, ...) and a few scalars. Past stays that
are not yet decided live in an arena of nodes. All scores are integers, all times whole microseconds.

Constants stand in this file: with `cache=True` one imported from another module would stay stale after a change.
"""

from typing import Any

import numpy as np
from numba import njit

from core.dwell.prefetch import prefetch_row

# places in `cursor`, the decoder's own counters
NEXT = 0  # next signal to take
OUT = 1  # stays written
FREE = 2  # nodes on the free list
FORCED = 3  # decisions by the bound
TICK = 4  # second of data time (2**20 microseconds) that `present` and HEARD tell of
CURSORS = 5

# rows of `watch`, one column per anchor
HEARD = 0  # 1 if it heard anything in this tick
QUIET = 1  # quanta against its still working: devices stood before it and it heard nothing
WEIGHT = 2  # sixteenths of what its silence counts
DOWN = 3  # 1 if it was told to be down: its silence counts nothing
WATCHES = 4
FULL = 16
TICK_SHIFT = 20

# bits of `flags` of a stay
FORCED_FLAG = 1

AHEAD = 6  # signals between asking for a device's record and using it
NOTHING = -1  # lane of the node before the first stay; parent of that node
NO_SCORE = -(1 << 30)
UNDECODABLE = -(1 << 20)
GAP_MOST = (1 << 30) - 1  # microseconds, 18 minutes: two of them add up within 32 bits
GAP_SHIFT = 17
LEAD_SHIFT = 5
ZONE_KIND = 0
STORE_KIND = 1
MOVED_ON = 0
SILENCE = 1
ANCHOR_DOWN = 2
STORE_CLOSED = 4
WARM_1, WARM_2, WARM_3 = 2, 6, 14  # steps after which the mean gap moves by 1/4, 1/8, 1/16 of a new gap
NODES_A_STEP = 4  # nodes taken at most, beside one a lane: arrival, own node, that of a forced decision, last stay
FIRM_LEAD = 16  # of the tabled leads (eighths of a nat): 2 nats, the leading zone is right 7 times in 8
OFFSET_UNITS = 8  # offsets are summed in eighths of a dB
OFFSET_MOST = 8 * 20  # a single reading counts for at most 20 dB: reflections are no offset
OFFSET_EVERY = 16  # signals after which the offset moves, between two adverts
OFFSET_SHRINK = 32  # pseudo-signals at 0 dB: devices differ by 4 dB, a stay's mean reading by 4, after ~30 signals
OFFSET_MEMORY = 1024  # signals; a phone goes from hand to pocket within a visit
GAP_BOUND = 3  # -ln(.05): 95% of exponential gaps are shorter than three mean gaps


@njit(cache=True, nogil=True)
def decode(
    signals: Any,
    state: Any,
    nodes: Any,
    free: Any,
    tables: Any,
    rules: Any,
    silence: Any,
    watch: Any,
    present: Any,
    out: Any,
    cursor: Any,
) -> bool:
    """Take signals in order of time; write decided stays. Return False if it stopped for want of room.

    signals : record array (ts in microseconds, device, anchor, rssi_dbm), sorted by ts
    state : record array, one row per device; nodes, free : the arena and its free list
    tables : core.dwell.emission.Tables; rules : one-row record array
    silence : int32 (lanes,), what hearing nothing says while anchors are as `watch` tells
    watch : int64 (WATCHES, anchors); present : int64 (lanes,), adverts of this tick by spot
    out : record array for stays; cursor : int64 (CURSORS,)
    """
    level = tables.level
    penalty = tables.penalty
    posterior = tables.posterior
    expected = tables.expected
    zone_of = tables.zone_of
    rule = rules[0]
    fade = rule["fade"]
    step_us = rule["step_us"]
    rssi_floor = rule["rssi_floor_dbm"]
    lanes = silence.size
    top_row = level.shape[1] - 1
    last_bin = penalty.size - 1
    last_lead = posterior.size - 1
    doubt = np.int32(rule["doubt"])
    zero = np.int32(0)  # numba computes in 64 bits unless told otherwise, which halves the lanes per instruction
    most = np.int32(GAP_MOST)
    room = rule["undecided_stays"] + 8  # rows that one step can write: all undecided stays, the last, the store visit
    for index in range(cursor[NEXT], signals.size):
        if index + AHEAD < signals.size:
            prefetch_row(state, signals[index + AHEAD]["device"])
        signal = signals[index]
        place = signal["device"]
        device = state[place]
        score = device["score"]
        now = signal["ts"]
        if not device["open"] or now - device["step_at"] >= step_us:
            # a new advertisement
            if fade > 0 and now >> TICK_SHIFT != cursor[TICK]:
                cursor[TICK] = now >> TICK_SHIFT
                _watch(tables, fade, watch, present, silence)
            if cursor[FREE] < lanes + NODES_A_STEP or out.size - cursor[OUT] < room:
                cursor[NEXT] = index
                return False
            gap = now - device["last_at"]
            if device["open"] and gap > device["timeout"]:
                why = ANCHOR_DOWN if device["blind"] else SILENCE
                _close(place, device, nodes, free, posterior, zone_of, out, cursor, why)
            if device["open"] and now - device["arrived_at"] >= rule["visit_max_us"]:
                _close(place, device, nodes, free, posterior, zone_of, out, cursor, STORE_CLOSED)
            if not device["open"]:
                _arrive(device, nodes, free, silence, rule, cursor, now)
            else:
                node = device["node"]
                since = device["since"]
                early = device["early"]
                late = device["late"]
                gaps = device["gap"]
                marks = device["mark"]
                sures = device["mark_sure"]
                best = device["best"]
                top = score[0]
                for lane in range(1, lanes):
                    top = max(top, score[lane])
                if score[best] != top:
                    best = 0
                    while score[best] != top:
                        best += 1
                    device["best"] = best
                second = np.int32(NO_SCORE)
                zone = zone_of[best]
                for lane in range(lanes):
                    second = max(second, score[lane] if zone_of[lane] != zone else np.int32(NO_SCORE))
                lead = min((top - second) >> LEAD_SHIFT, last_lead)
                device["sure"] += posterior[lead] * device["step_signals"]
                device["firm"] = lead >= FIRM_LEAD
                device["step_signals"] = 0
                cost = penalty[min(gap >> GAP_SHIFT, last_bin)]
                bar = np.int32(top - cost)  # who lies below does better by coming from the best spot now
                passed = np.int32(now - device["step_at"])
                device["since_most"] += passed
                if device["since_most"] > GAP_MOST:
                    _keep_starts(device, nodes, free, cursor, passed)
                own = node[best]
                resets = np.int32(0)
                moves = np.int32(0)
                for lane in range(lanes):
                    low = score[lane] < bar
                    resets = np.int32(resets + np.int32(low))
                    moves = np.int32(moves + np.int32(low & (node[lane] != own)))
                if resets > 0 and nodes[own]["lane"] != best:
                    own = _own(device, nodes, free, cursor, best)
                    moves = resets
                if moves > 0:
                    for lane in range(lanes):
                        if score[lane] < bar and node[lane] != own:
                            _leave(device, nodes, free, cursor, lane)
                            node[lane] = own
                            nodes[own]["lanes"] += 1
                start = np.int32(-cost)
                first = np.int32(gap)
                leader = np.int32(best)
                heard = device["heard"]
                sure = device["sure"]
                for lane in range(lanes):
                    margin = np.int32(score[lane] - bar)
                    low = margin < zero
                    age = min(np.int32(since[lane] + passed), most)
                    reach = first if margin < -doubt else min(np.int32(age + early[lane]), most)
                    seen = age if (margin < doubt) & (np.int32(lane) != leader) else late[lane]
                    early[lane] = reach if low else early[lane]
                    late[lane] = zero if low else seen
                    since[lane] = zero if low else age
                    gaps[lane] = first if low else gaps[lane]
                    marks[lane] = heard if low else marks[lane]
                    sures[lane] = sure if low else sures[lane]
                    score[lane] = np.int32(np.int32(max(margin, zero) + start) + silence[lane])
                device["step_at"] = now
                if moves > 0:
                    _settle(place, device, nodes, free, zone_of, out, cursor)
                    if device["nodes"] > rule["undecided_stays"]:
                        _force(place, device, nodes, free, silence, zone_of, out, cursor, cost, gap)
                if now >= device["check_at"]:
                    device["check_at"] = now + rule["undecided_us"] // 4
                    ended = _first_end(device, nodes, best)
                    if ended < device["last_at"] and now - ended > rule["undecided_us"]:
                        _force(place, device, nodes, free, silence, zone_of, out, cursor, cost, gap)
                _learn_gap(device, rule, gap)
                present[best] += device["firm"]
                device["blind"] = fade > 0 and watch[WEIGHT, tables.main[best]] == 0
                if device["blind"]:
                    device["timeout"] = rule["silence_max_us"]
                if device["offset_count"] >= device["offset_due"]:
                    _learn_offset(device, rule)
            device["step_at"] = now
        device["last_at"] = now
        device["heard"] += 1
        device["step_signals"] += 1
        anchor = signal["anchor"]
        watch[HEARD, anchor] = 1
        if device["firm"]:
            away = OFFSET_UNITS * signal["rssi_dbm"] - expected[anchor, device["best"]]
            device["offset_sum"] += min(max(away, -OFFSET_MOST), OFFSET_MOST)
            device["offset_count"] += 1
        row = min(max(signal["rssi_dbm"] - device["offset_db"] - rssi_floor, 0), top_row)
        for lane in range(lanes):
            score[lane] = np.int32(score[lane] + np.int32(level[anchor, row, lane]))
    cursor[NEXT] = signals.size
    return True


@njit(cache=True, nogil=True)
def _arrive(device: Any, nodes: Any, free: Any, silence: Any, rule: Any, cursor: Any, now: int) -> None:
    """Begin a store visit: every zone is as likely, and all lanes hang on a node before the first stay."""
    if now - device["last_at"] > rule["forget_us"]:
        device["gap_mean"] = rule["gap_mean_us"]
        device["gap_steps"] = 0
        device["offset_sum"] = 0
        device["offset_count"] = 0
        device["offset_due"] = OFFSET_EVERY
        device["offset_db"] = 0
        _set_timeout(device, rule)
    cursor[FREE] -= 1
    root = free[cursor[FREE]]
    nodes[root]["lane"] = NOTHING
    nodes[root]["parent"] = NOTHING
    nodes[root]["lanes"] = silence.size
    nodes[root]["children"] = 0
    before = min(GAP_BOUND * device["gap_mean"], GAP_MOST)
    device["before"] = before
    for lane in range(silence.size):
        device["score"][lane] = silence[lane]
        device["node"][lane] = root
        device["since"][lane] = 0
        device["gap"][lane] = 0
        device["early"][lane] = before
        device["late"][lane] = 0
        device["mark"][lane] = 0
        device["mark_sure"][lane] = 0
    device["since_most"] = 0
    device["root"] = root
    device["nodes"] = 1
    device["best"] = 0
    device["open"] = 1
    device["arrived_at"] = now
    device["check_at"] = now + rule["undecided_us"]
    device["heard"] = 0
    device["sure"] = 0
    device["step_signals"] = 0
    device["forced"] = 0
    device["firm"] = 0
    device["blind"] = 0


@njit(cache=True, nogil=True)
def _own(device: Any, nodes: Any, free: Any, cursor: Any, lane: int) -> int:
    """Give a lane's running stay a node of its own, so that later stays can hang on it."""
    cursor[FREE] -= 1
    own = free[cursor[FREE]]
    parent = device["node"][lane]
    nodes[own]["lane"] = lane
    nodes[own]["parent"] = parent
    nodes[own]["lanes"] = 1
    nodes[own]["children"] = 0
    nodes[own]["start"] = device["step_at"] - device["since"][lane]
    nodes[own]["gap"] = device["gap"][lane]
    nodes[own]["early"] = device["early"][lane]
    nodes[own]["late"] = device["late"][lane]
    nodes[own]["mark"] = device["mark"][lane]
    nodes[own]["sure"] = device["mark_sure"][lane]
    nodes[own]["held"] = 1
    nodes[parent]["lanes"] -= 1
    nodes[parent]["children"] += 1
    device["node"][lane] = own
    device["nodes"] += 1
    return own  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _keep_starts(device: Any, nodes: Any, free: Any, cursor: Any, passed: Any) -> None:
    """Give stays that become too old for 32 bits of `since` a node, which keeps their start."""
    oldest = 0
    for lane in range(device["score"].size):
        if nodes[device["node"][lane]]["lane"] != lane:
            age = passed + device["since"][lane]
            if age > GAP_MOST:
                _own(device, nodes, free, cursor, lane)
            else:
                oldest = max(oldest, age)
    device["since_most"] = oldest


@njit(cache=True, nogil=True)
def _leave(device: Any, nodes: Any, free: Any, cursor: Any, lane: int) -> None:
    """Take a lane off its node; a node that nothing hangs on any more is free, and so on upwards."""
    at = device["node"][lane]
    if nodes[at]["lane"] == lane:
        _hold(device, nodes, at)
        nodes[at]["held"] = 0
    nodes[at]["lanes"] -= 1
    while nodes[at]["lanes"] == 0 and nodes[at]["children"] == 0:
        above = nodes[at]["parent"]
        free[cursor[FREE]] = at
        cursor[FREE] += 1
        device["nodes"] -= 1
        nodes[above]["children"] -= 1
        at = above


@njit(cache=True, nogil=True)
def _hold(device: Any, nodes: Any, at: int) -> None:
    """Copy the bounds of entry from the lane that still runs this stay into its node."""
    if nodes[at]["held"] == 1:
        lane = nodes[at]["lane"]
        nodes[at]["early"] = device["early"][lane]
        nodes[at]["late"] = device["late"][lane]


@njit(cache=True, nogil=True)
def _settle(place: int, device: Any, nodes: Any, free: Any, zone_of: Any, out: Any, cursor: Any) -> None:
    """While every survivor hangs on one child of the root, the root's stay is decided: write it, go down."""
    root = device["root"]
    while nodes[root]["lanes"] == 0 and nodes[root]["children"] == 1:
        child = device["node"][device["best"]]
        while nodes[child]["parent"] != root:
            child = nodes[child]["parent"]
        _hold(device, nodes, child)
        if nodes[root]["lane"] == NOTHING:
            _begin(device, nodes, child)
        elif zone_of[nodes[root]["lane"]] != zone_of[nodes[child]["lane"]]:
            _write(place, device, nodes, child, zone_of[nodes[root]["lane"]], out, cursor)
            _begin(device, nodes, child)
        free[cursor[FREE]] = root
        cursor[FREE] += 1
        device["nodes"] -= 1
        nodes[child]["parent"] = NOTHING
        root = child
    device["root"] = root


@njit(cache=True, nogil=True)
def _begin(device: Any, nodes: Any, stay: int) -> None:
    """Remember how the zone visit began that this stay is the first of."""
    device["visit_start"] = nodes[stay]["start"]
    device["visit_early"] = nodes[stay]["early"]
    device["visit_late"] = nodes[stay]["late"]
    device["visit_mark"] = nodes[stay]["mark"]
    device["visit_sure"] = nodes[stay]["sure"]


@njit(cache=True, nogil=True)
def _write(place: int, device: Any, nodes: Any, after: int, zone: int, out: Any, cursor: Any) -> None:
    """Write the zone visit that the stay of another zone has ended."""
    left = nodes[after]["start"] - nodes[after]["gap"]
    row = out[cursor[OUT]]
    cursor[OUT] += 1
    row["kind"] = ZONE_KIND
    row["device"] = place
    row["zone"] = zone
    row["entered_at"] = device["visit_start"]
    row["left_at"] = left
    row["entered_earliest"] = device["visit_start"] - device["visit_early"]
    row["entered_latest"] = device["visit_start"] + device["visit_late"]
    row["left_earliest"] = min(left, nodes[after]["start"] - nodes[after]["early"])
    row["left_latest"] = nodes[after]["start"] + nodes[after]["late"]
    row["signals"] = nodes[after]["mark"] - device["visit_mark"]
    row["sure"] = nodes[after]["sure"] - device["visit_sure"]
    row["closed_by"] = MOVED_ON
    row["forced"] = device["forced"]


@njit(cache=True, nogil=True)
def _close(
    place: int,
    device: Any,
    nodes: Any,
    free: Any,
    posterior: Any,
    zone_of: Any,
    out: Any,
    cursor: Any,
    closed_by: int,
) -> None:
    """End the store visit at the last signal: write the rest of the best path and the store visit itself."""
    score = device["score"]
    best = device["best"]
    for lane in range(score.size):
        if score[lane] > score[best]:
            best = lane
    if score[best] == score[device["best"]]:
        best = device["best"]
    else:
        for lane in range(best, -1, -1):  # the lowest of equals
            if score[lane] == score[best]:
                best = lane
    device["best"] = best
    second = NO_SCORE
    for lane in range(score.size):
        if zone_of[lane] != zone_of[best] and score[lane] > second:
            second = score[lane]
    lead = min((score[best] - second) >> LEAD_SHIFT, posterior.size - 1)
    device["sure"] += posterior[lead] * device["step_signals"]
    for lane in range(score.size):  # drop the other lanes: then the best path is the only one and settles
        if lane != best:
            nodes[device["root"]]["lanes"] += 1  # keeps the root alive until all have left
            _leave(device, nodes, free, cursor, lane)
    nodes[device["root"]]["lanes"] -= score.size - 1
    if nodes[device["node"][best]]["lane"] != best:
        _own(device, nodes, free, cursor, best)
    _settle(place, device, nodes, free, zone_of, out, cursor)
    stay = device["root"]
    after = min(GAP_BOUND * device["gap_mean"], GAP_MOST)
    row = out[cursor[OUT]]
    row["kind"] = ZONE_KIND
    row["device"] = place
    row["zone"] = zone_of[best]
    row["entered_at"] = device["visit_start"]
    row["left_at"] = device["last_at"]
    row["entered_earliest"] = device["visit_start"] - device["visit_early"]
    row["entered_latest"] = device["visit_start"] + device["visit_late"]
    row["left_earliest"] = device["last_at"]
    row["left_latest"] = device["last_at"] + after
    row["signals"] = device["heard"] - device["visit_mark"]
    row["sure"] = device["sure"] - device["visit_sure"]
    row["closed_by"] = closed_by
    row["forced"] = 0
    store = out[cursor[OUT] + 1]
    store["kind"] = STORE_KIND
    store["device"] = place
    store["zone"] = NOTHING
    store["entered_at"] = device["arrived_at"]
    store["left_at"] = device["last_at"]
    store["entered_earliest"] = device["arrived_at"] - device["before"]
    store["entered_latest"] = device["arrived_at"]
    store["left_earliest"] = device["last_at"]
    store["left_latest"] = device["last_at"] + after
    store["signals"] = device["heard"]
    store["sure"] = device["sure"]
    store["closed_by"] = closed_by
    store["forced"] = 0
    cursor[OUT] += 2
    free[cursor[FREE]] = stay
    cursor[FREE] += 1
    device["nodes"] = 0
    device["open"] = 0


@njit(cache=True, nogil=True)
def _first_end(device: Any, nodes: Any, lane: int) -> int:
    """Return when the first undecided stay on a lane's path ended; the last signal if it still runs."""
    root = device["root"]
    at = device["node"][lane]
    if nodes[at]["lane"] == lane:  # the lane runs the stay of this node itself
        if at == root:
            return int(device["last_at"])
        before = nodes[at]["start"] - nodes[at]["gap"]
        at = nodes[at]["parent"]
    else:
        before = device["step_at"] - device["since"][lane] - device["gap"][lane]
    ended = device["last_at"]
    while at != root:
        ended = before
        before = nodes[at]["start"] - nodes[at]["gap"]
        at = nodes[at]["parent"]
    if nodes[root]["lane"] == NOTHING:
        return int(ended)
    return int(before)


@njit(cache=True, nogil=True)
def _force(
    place: int,
    device: Any,
    nodes: Any,
    free: Any,
    silence: Any,
    zone_of: Any,
    out: Any,
    cursor: Any,
    cost: int,
    gap: int,
) -> None:
    """Decide for the best path: every lane off it starts anew from the best zone, as if it had just left it."""
    best = device["best"]
    own = device["node"][best]
    if nodes[own]["lane"] != best:
        own = _own(device, nodes, free, cursor, best)
    for lane in range(silence.size):
        at = device["node"][lane]
        while at >= 0 and at != own:
            at = nodes[at]["parent"]
        if at < 0:
            nodes[own]["lanes"] += 1
            _leave(device, nodes, free, cursor, lane)
            device["node"][lane] = own
            device["score"][lane] = silence[lane] - cost
            device["since"][lane] = 0
            device["gap"][lane] = gap
            device["early"][lane] = gap
            device["late"][lane] = 0
            device["mark"][lane] = device["heard"]
            device["mark_sure"][lane] = device["sure"]
    cursor[FORCED] += 1
    device["forced"] = 1
    _settle(place, device, nodes, free, zone_of, out, cursor)
    device["forced"] = 0


@njit(cache=True, nogil=True)
def _learn_gap(device: Any, rule: Any, gap: int) -> None:
    """Follow the mean gap between adverts: quickly at first, then by a sixteenth."""
    steps = device["gap_steps"]
    if steps < WARM_1:
        shift = 1
    elif steps < WARM_2:
        shift = 2
    elif steps < WARM_3:
        shift = 3
    else:
        shift = 4
    device["gap_mean"] += (gap - device["gap_mean"]) >> shift
    device["gap_steps"] = min(steps + 1, WARM_3)
    _set_timeout(device, rule)


@njit(cache=True, nogil=True)
def _watch(tables: Any, fade: int, watch: Any, present: Any, silence: Any) -> None:
    """At the end of a tick: the longer an anchor is deaf to devices before it, the less its silence counts."""
    changed = False
    for anchor in range(watch.shape[1]):
        quiet = watch[QUIET, anchor]
        if watch[HEARD, anchor] != 0:
            quiet = 0
        else:
            for lane in range(present.size):
                quiet += present[lane] * tables.alarm[anchor, lane]
            quiet = min(quiet, fade)
        watch[QUIET, anchor] = quiet
        watch[HEARD, anchor] = 0
        weight = 0 if watch[DOWN, anchor] != 0 else FULL - quiet * FULL // fade
        changed |= weight != watch[WEIGHT, anchor]
        watch[WEIGHT, anchor] = weight
    present[:] = 0
    if changed:
        for lane in range(silence.size):
            if tables.silence[lane] != UNDECODABLE:
                total = 0
                for anchor in range(watch.shape[1]):
                    total += tables.missed[anchor, lane] * watch[WEIGHT, anchor] // FULL
                silence[lane] = total


@njit(cache=True, nogil=True)
def _learn_offset(device: Any, rule: Any) -> None:
    """Set how much louder than expected this device is, by what was heard of it while it was firmly in a zone."""
    count = device["offset_count"]
    share = OFFSET_UNITS * (count + OFFSET_SHRINK)
    offset_db = (device["offset_sum"] + share // 2) // share
    device["offset_db"] = min(max(offset_db, -rule["offset_limit_db"]), rule["offset_limit_db"])
    if count >= OFFSET_MEMORY:
        device["offset_count"] = count // 2
        device["offset_sum"] = device["offset_sum"] // 2
    device["offset_due"] = device["offset_count"] + OFFSET_EVERY


@njit(cache=True, nogil=True)
def _set_timeout(device: Any, rule: Any) -> None:
    wanted = rule["silence_gaps"] * device["gap_mean"]
    device["timeout"] = min(max(wanted, rule["silence_us"]), rule["silence_max_us"])


@njit(cache=True, nogil=True)
def close_silent(
    state: Any,
    count: int,
    nodes: Any,
    free: Any,
    posterior: Any,
    zone_of: Any,
    frontier: int,
    room: int,
    closed_by: int,
    out: Any,
    cursor: Any,
) -> bool:
    """Close every device whose departure lies before `frontier`. Return False if it stopped for want of room.

    `cursor[NEXT]` is the next device; `frontier` in microseconds: all signals before it have been decoded.
    """
    for place in range(cursor[NEXT], count):
        device = state[place]
        if device["open"] and frontier - device["last_at"] > device["timeout"]:
            if out.size - cursor[OUT] < room or cursor[FREE] < NODES_A_STEP:
                cursor[NEXT] = place
                return False
            why = ANCHOR_DOWN if device["blind"] and closed_by == SILENCE else closed_by
            _close(place, device, nodes, free, posterior, zone_of, out, cursor, why)
    cursor[NEXT] = count
    return True


@njit(cache=True, nogil=True)
def decided_through(state: Any, count: int, nodes: Any, frontier: int) -> int:
    """Return the time (microseconds) before which every ended visit has been written."""
    through = frontier
    for place in range(count):
        device = state[place]
        if not device["open"]:
            continue
        for lane in range(device["score"].size):
            through = min(through, _first_end(device, nodes, lane))
    return through
