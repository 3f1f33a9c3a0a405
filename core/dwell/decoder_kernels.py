"""Streaming sticky Viterbi, the kernels. docs/dwell-engine.md tells the method; words are used as there.

Per device one record: a few scalars and, per spot, a lane (score, whether it was reset in the last step, since when
entering it has been possible, its running stay, the node of its past). Stays from which other lanes have come live in
an arena of nodes until they are decided. All scores are whole quanta in 16 bits, all times whole microseconds.

What anchors are believed to do is watched in watch_kernels.py. Constants stand in the file that they belong to; the
cache of compiled kernels is another one for every other content of these files (servers/kernel_cache.py).
"""

from typing import Any

import numpy as np
from numba import njit

from core.dwell.lane_kernels import WIDTH, below, hear, highest, highest_elsewhere, lowest, move
from core.dwell.prefetch import prefetch_row
from core.dwell.watch_kernels import HEARD, OWN, TICK_SHIFT, pass_ticks, patience_us

# places in `cursor`, the decoder's own counters
NEXT = 0  # next signal to take
OUT = 1  # stays written
FREE = 2  # nodes on the free list
FORCED = 3  # decisions by the bound
TICK = 4  # second of data time (2**20 microseconds) that `present` and HEARD tell of; those before it are over
CURSORS = 5

AHEAD = 6  # signals between asking for a device's record and using it
MANY_BYTES = 1 << 20  # of records, which then do not lie in the second-level cache; with less, asking costs more
# columns of `stay`, what a lane knows of its running stay
START = 0
LEFT = 1  # last signal before it
LATE = 2  # latest time that entry may have been
TALLY = 3  # before it: signals << 32 | certainty
LOW_32 = (1 << 32) - 1
NOTHING = -1  # lane of the node before the first stay; parent of that node
LOWEST = -(1 << 15)  # of 16 bits
ALL = (1 << 16) - 1  # sixteen lanes as bits
SCORE_FLOOR = -(1 << 14)  # in the middle of an advertisement heard by very many, see `_settle_scores`
AT_ONCE = 16  # signals of one advertisement that 16 bits take beside the two floors: 16 x 10.5 nats x 64 = 10,752
GAP_SHIFT = 17
LEAD_SHIFT = 3
ZONE_KIND = 0
STORE_KIND = 1
MOVED_ON = 0
SILENCE = 1
ANCHOR_DOWN = 2
APP_EXIT = 3
STORE_CLOSED = 4
WARM_1, WARM_2, WARM_3 = 2, 6, 14  # steps after which the mean gap moves by 1/4, 1/8, 1/16 of a new gap
NODES_A_STEP = 4  # nodes taken at most, beside one a lane: arrival, last stay, and room to spare
FIRM_LEAD = 16  # of the tabled leads (eighths of a nat): 2 nats, the leading zone is right 7 times in 8
OFFSET_UNITS = 8  # offsets are summed in eighths of a dB
OFFSET_MOST = 8 * 20  # a single reading counts for at most 20 dB: reflections are no offset
OFFSET_EVERY = 16  # signals after which the offset moves, between two adverts
OFFSET_SHRINK = 32  # pseudo-signals at 0 dB: devices differ by 4 dB, a stay's mean reading by 4, after ~30 signals
OFFSET_MEMORY = 1024  # signals; a phone goes from hand to pocket within a visit
GAP_BOUND = 3  # -ln(.05): 95% of exponential gaps are shorter than three mean gaps
MISSED = 20  # `gap_wide` is passed by a twentieth of the time, see `_learn_gap`
BEFORE = -1  # as `near`: entering has been possible since before the arrival
US_PER_MS = 1000


@njit(cache=True, nogil=True)
def decode(
    signals: Any,
    state: Any,
    nodes: Any,
    free: Any,
    tables: Any,
    rules: Any,
    silence: Any,
    unseen: Any,
    watch: Any,
    present: Any,
    out: Any,
    cursor: Any,
) -> bool:
    """Take signals in order of time; write decided stays. Return False if it stopped for want of room.

    signals : record array (ts in microseconds, device, anchor, rssi_dbm), sorted by ts
    state : record array, one row per device; nodes, free : the arena and its free list
    tables : core.dwell.emission.Tables; rules : one-row record array
    silence : int16 (lanes,), what hearing nothing says while anchors are as `watch` tells
    unseen : int8 (lanes,), where who falls silent may be where no anchor listens, see watch_kernels.find_unseen
    watch : int64 (WATCHES, anchors); present : int64 (lanes,), adverts of this tick by spot
    out : record array for stays; cursor : int64 (CURSORS,)
    """
    while cursor[NEXT] < signals.size:
        tick = signals[cursor[NEXT]]["ts"] >> TICK_SHIFT
        if tick != cursor[TICK]:
            pass_ticks(cursor[TICK], tick, state, tables, rules, silence, unseen, watch, present)
            cursor[TICK] = tick
        end = _first_from((tick + 1) << TICK_SHIFT, signals, cursor[NEXT])
        if not _decode_to(
            end, signals, state, nodes, free, tables, rules, silence, unseen, watch, present, out, cursor
        ):
            return False
    return True


@njit(cache=True, nogil=True)
def _first_from(at: int, signals: Any, first: int) -> int:
    """Return the place of the first signal from a time on, at or after the place `first`."""
    last = signals.size
    while first < last:
        middle = (first + last) // 2
        if signals[middle]["ts"] < at:
            first = middle + 1
        else:
            last = middle
    return first


@njit(cache=True, nogil=True)
def _decode_to(
    end: int,
    signals: Any,
    state: Any,
    nodes: Any,
    free: Any,
    tables: Any,
    rules: Any,
    silence: Any,
    unseen: Any,
    watch: Any,
    present: Any,
    out: Any,
    cursor: Any,
) -> bool:
    """Take signals up to the place `end`, all of one tick; see `decode`."""
    level = tables.level
    expected = tables.expected
    penalty = tables.penalty
    posterior = tables.posterior
    zone_of = tables.zone_of
    last_bin = penalty.size - 1
    last_lead = posterior.size - 1
    rule = rules[0]
    step_us = rule["step_us"]
    doubt = rule["doubt"]
    rssi_floor = rule["rssi_floor_dbm"]
    enter = rule["app_enter"]
    top_row = level.shape[1] - 3  # the last two rows are those of app events
    room = rule["undecided_stays"] + 8  # rows that one step can write: all undecided stays, the last, the store visit
    ahead = signals.size - AHEAD if state.nbytes > MANY_BYTES else 0
    for index in range(cursor[NEXT], end):
        if index < ahead:
            prefetch_row(state, signals[index + AHEAD]["device"])
        signal = signals[index]
        place = signal["device"]
        device = state[place]
        score = device["score"]
        now = signal["ts"]
        anchor = signal["anchor"]
        rssi_dbm = signal["rssi_dbm"]
        if rssi_dbm > enter:
            _exit(device, tables, rule, anchor, now)
            continue
        if not device["open"] or now - device["step_at"] >= step_us:
            if cursor[FREE] < score.size + NODES_A_STEP or out.size - cursor[OUT] < room:
                cursor[NEXT] = index
                return False
            gap = now - device["last_at"]
            if device["open"] and gap > device["timeout"]:
                _close(place, device, nodes, free, tables, rule, out, cursor, _why(device, SILENCE))
            if device["open"] and now - device["arrived_at"] >= rule["visit_max_us"]:
                _close(place, device, nodes, free, tables, rule, out, cursor, STORE_CLOSED)
            if not device["open"]:
                _arrive(device, nodes, free, silence, rule, cursor, now)
            else:
                # a new advertisement
                best, lead = _leader(device, zone_of)
                _clear(device, best, lead, zone_of, rule)
                device["best"] = best
                sure = device["sure"]
                device["sure"] = sure + posterior[min(lead >> LEAD_SHIFT, last_lead)] * device["step_signals"]
                device["firm"] = lead >> LEAD_SHIFT >= FIRM_LEAD
                cost = penalty[min(gap >> GAP_SHIFT, last_bin)]
                device["held"] = min(lead, cost)
                bar = np.int64(score[best]) - cost  # who lies below does better by coming from the best spot now
                fresh = 0  # lanes that are reset and do not hang on the leader's node yet, as bits
                reset = 0
                running = 0
                for at in range(0, score.size, WIDTH):
                    block = at // WIDTH
                    low = below(score, at, bar)
                    survived = np.int64(device["reset"][block]) & ~low
                    while survived != 0:
                        _begin_stay(device, at + lowest(survived), sure)
                        survived &= survived - 1
                    fresh |= low & ~np.int64(device["hung"][block])
                    reset |= low
                    running = max(running, (low ^ ALL) & ((low ^ ALL) - 1))
                    device["reset"][block] = low
                changed = fresh != 0 or (reset != 0 and best != device["origin_lane"])
                if changed:
                    _branch(device, nodes, free, cursor, best)
                if running != 0 or score.size > WIDTH:  # not only the leader
                    _doubt(device, nodes, best, bar, doubt, now)
                if changed:
                    root = device["root"]
                    if nodes[root]["lanes"] == 0 and nodes[root]["children"] == 1:
                        _settle(place, device, nodes, free, zone_of, out, cursor)
                # Viterbi's step: who lies below the bar comes from the best spot; then silence speaks for every spot
                heard_ms = (device["last_at"] - device["arrived_at"]) // US_PER_MS
                for at in range(0, score.size, WIDTH):
                    move(score, device["near"], silence, at, bar, doubt, cost, heard_ms)
                device["step_at"] = now
                device["left_at"] = device["last_at"]
                device["step_signals"] = 0
                if changed and device["nodes"] > rule["undecided_stays"]:
                    _force(place, device, nodes, free, silence, zone_of, out, cursor, cost)
                if now >= device["check_at"]:
                    device["check_at"] = now + rule["undecided_us"] // 4
                    ended = _first_end(device, nodes, best)
                    if ended < device["last_at"] and now - ended > rule["undecided_us"]:
                        _force(place, device, nodes, free, silence, zone_of, out, cursor, cost)
                if device["blind"] and (device["blind"] == OWN or gap > patience_us(device, rule)):
                    device["timeout"] = patience_us(device, rule)  # what it is silent then is not its own doing
                else:
                    _learn_gap(device, rule, gap)
                present[best] += device["firm"]
                device["blind"] = unseen[best]
                if device["blind"]:
                    device["timeout"] = rule["silence_max_us"]
                if device["offset_count"] >= device["offset_due"]:
                    _learn_offset(device, rule)
        device["last_at"] = now
        device["heard"] += 1
        device["step_signals"] += 1
        if rssi_dbm == enter:
            row = top_row + 1
            device["inside"] = 1
            device["timeout"] = rule["silence_max_us"]  # the app may sleep at once
        else:
            row = min(max(rssi_dbm - device["offset_db"] - rssi_floor, 0), top_row)
            watch[HEARD, anchor] = 1
            firm = np.int64(device["firm"])  # as a factor: a branch on it would be guessed wrongly once in six
            away = OFFSET_UNITS * rssi_dbm - expected[anchor, device["best"]]
            device["offset_sum"] += firm * min(max(away, -OFFSET_MOST), OFFSET_MOST)
            device["offset_count"] += firm
        device["exited"] = 0
        for at in range(0, score.size, WIDTH):
            hear(score, at, level, anchor, row)
        if device["step_signals"] & (AT_ONCE - 1) == 0 or rssi_dbm == enter:
            _settle_scores(device)
    cursor[NEXT] = end
    return True


@njit(inline="always")
def _leader(device: Any, zone_of: Any) -> Any:
    """Return the leading lane (among equals the one that led before, then the lowest), how far its zone leads."""
    score = device["score"]
    best = device["best"]
    top = np.int64(LOWEST)
    for at in range(0, score.size, WIDTH):
        top = max(top, highest(score, at))
    if score[best] != top:
        best = 0
        while score[best] != top:
            best += 1
    second = np.int64(LOWEST)
    for at in range(0, score.size, WIDTH):
        second = max(second, highest_elsewhere(score, at, zone_of, zone_of[best]))
    return best, top - second


@njit(inline="always")
def _clear(device: Any, best: Any, lead: Any, zone_of: Any, rule: Any) -> None:
    """Sum what the adverts since `clear_at` say for the leading zone; beyond doubt, `clear_at` moves on.

    `best` is the leader now, `device["best"]` still the one before.
    """
    # no branches, which would be guessed wrongly: every few adverts are enough
    led = zone_of[best] == zone_of[device["best"]]  # of one that has just come to lead nothing else is known
    more = lead - led * np.int64(device["held"])
    gained = more + led * np.int64(device["gained"])
    enough = np.int64(gained > rule["doubt"])
    alone = np.int64(more > rule["doubt"])  # this advertisement by itself
    clear_at = device["left_at"] + alone * (device["last_at"] - device["left_at"])
    device["clear_at"] += enough * (clear_at - device["clear_at"])
    device["gained"] = gained - enough * (gained - (1 - alone) * more)


@njit(inline="always")
def _begin_stay(device: Any, lane: Any, sure: Any) -> None:
    """Note what is known of the stay that a lane, reset in the last step, began there and goes on with."""
    stay = device["stay"]
    stay[lane, START] = device["step_at"]
    stay[lane, LEFT] = device["left_at"]
    stay[lane, LATE] = device["step_at"]
    stay[lane, TALLY] = np.int64(device["heard"] - device["step_signals"]) << 32 | np.int64(sure)


@njit(cache=True, nogil=True)
def _branch(device: Any, nodes: Any, free: Any, cursor: Any, best: int) -> None:
    """Hang every lane that is reset on the node of the best lane's running stay, the `origin`."""
    node = device["node"]
    if best != device["origin_lane"]:
        _own(device, nodes, free, cursor, best)
        own = node[best]
        device["origin"] = own
        device["origin_lane"] = best
        for block in range(device["hung"].size):
            bits = 0
            for lane in range(WIDTH):
                bits |= (node[WIDTH * block + lane] == own) << lane
            device["hung"][block] = bits
    own = device["origin"]
    for block in range(device["hung"].size):
        fresh = np.int64(device["reset"][block]) & ~np.int64(device["hung"][block])
        device["hung"][block] |= fresh
        device["owned"][block] &= ~fresh
        while fresh != 0:
            lane = WIDTH * block + lowest(fresh)
            nodes[own]["lanes"] += 1
            _leave(device, nodes, free, cursor, node[lane])
            node[lane] = own
            fresh &= fresh - 1


@njit(inline="always")
def _has(bits: Any, lane: Any) -> Any:
    """Whether the bit of a lane is set."""
    return (bits[lane // WIDTH] >> (lane % WIDTH)) & 1 != 0


@njit(cache=True, nogil=True)
def _own(device: Any, nodes: Any, free: Any, cursor: Any, lane: int) -> None:
    """Let the running stay of a lane have a node of its own, if it has none yet: other lanes will come from it."""
    if _has(device["owned"], lane):
        return
    cursor[FREE] -= 1
    own = free[cursor[FREE]]
    past = device["node"][lane]
    stay = device["stay"]
    row = nodes[own]
    row["lane"] = lane
    row["parent"] = past
    row["lanes"] = 1
    row["children"] = 0
    row["start"] = stay[lane, START]
    row["left"] = stay[lane, LEFT]
    row["near"] = device["near"][lane]
    row["late"] = stay[lane, LATE]
    row["mark"] = stay[lane, TALLY] >> 32
    row["sure"] = stay[lane, TALLY] & LOW_32
    nodes[past]["lanes"] -= 1
    nodes[past]["children"] += 1
    device["node"][lane] = own
    device["owned"][lane // WIDTH] |= 1 << (lane % WIDTH)
    device["nodes"] += 1


@njit(inline="always")
def _leave(device: Any, nodes: Any, free: Any, cursor: Any, at: Any) -> None:
    """Take a lane off a node."""
    nodes[at]["lanes"] -= 1
    _let_go(device, nodes, free, cursor, at)


@njit(inline="always")
def _let_go(device: Any, nodes: Any, free: Any, cursor: Any, at: Any) -> None:
    """Free a node on which nothing hangs any more, and so on upwards."""
    while nodes[at]["lanes"] == 0 and nodes[at]["children"] == 0:
        above = nodes[at]["parent"]
        free[cursor[FREE]] = at
        cursor[FREE] += 1
        device["nodes"] -= 1
        nodes[above]["children"] -= 1
        at = above


@njit(inline="always")
def _doubt(device: Any, nodes: Any, best: Any, bar: Any, doubt: Any, now: Any) -> None:
    """Note where entering now instead of earlier would still have been possible: `late` of the running stay."""
    score = device["score"]
    for at in range(0, score.size, WIDTH):
        unsure = below(score, at, bar + doubt) & ~np.int64(device["reset"][at // WIDTH])
        while unsure != 0:
            lane = at + lowest(unsure)
            if lane != best:
                device["stay"][lane, LATE] = now
                if _has(device["owned"], lane):
                    nodes[device["node"][lane]]["late"] = now
            unsure &= unsure - 1


@njit(cache=True, nogil=True)
def _arrive(device: Any, nodes: Any, free: Any, silence: Any, rule: Any, cursor: Any, now: int) -> None:
    """Begin a store visit: every zone is as likely, and all lanes hang on a node before the first stay."""
    gap = now - device["last_at"]
    device["inside"] = 0
    if gap > rule["forget_us"]:
        device["gap_mean"] = rule["gap_mean_us"]
        device["gap_steps"] = 0
        device["gap_wide"] = 0
        device["offset_sum"] = 0
        device["offset_count"] = 0
        device["offset_due"] = OFFSET_EVERY
        device["offset_db"] = 0
    elif gap <= rule["silence_max_us"] and 0 < device["heard"] == device["step_signals"]:
        _learn_gap(device, rule, gap)  # one advertisement is no visit: it rather advertises seldom
    device["timeout"] = patience_us(device, rule)
    cursor[FREE] -= 1
    root = free[cursor[FREE]]
    lanes = device["score"].size
    nodes[root]["lane"] = NOTHING
    nodes[root]["parent"] = NOTHING
    nodes[root]["lanes"] = lanes
    nodes[root]["children"] = 0
    device["before"] = 0
    for lane in range(lanes):
        device["score"][lane] = silence[lane]
        device["node"][lane] = root
        device["near"][lane] = BEFORE
    for block in range(device["reset"].size):
        device["reset"][block] = ALL
        device["hung"][block] = ALL
        device["owned"][block] = 0
    device["root"] = root
    device["origin"] = root
    device["origin_lane"] = NOTHING
    device["nodes"] = 1
    device["best"] = 0
    device["open"] = 1
    device["arrived_at"] = now
    device["step_at"] = now
    device["left_at"] = now
    device["check_at"] = now + rule["undecided_us"]
    device["heard"] = 0
    device["sure"] = 0
    device["step_signals"] = 0
    device["forced"] = 0
    device["firm"] = 0
    device["blind"] = 0
    device["exited"] = 0
    device["clear_at"] = now
    device["gained"] = 0
    device["held"] = 0


@njit(cache=True, nogil=True)
def _exit(device: Any, tables: Any, rule: Any, anchor: int, now: int) -> None:
    """Take an app's word that it left a beacon's region; systems give it late, so it counts from before it came."""
    if not device["open"]:
        return
    if now - device["last_at"] > device["timeout"]:
        return  # it had left the store before, whether that was seen yet or not
    device["last_at"] = max(device["last_at"], now - rule["app_late_us"])
    device["inside"] = 0
    device["exited"] = 1
    device["timeout"] = rule["silence_us"]
    score = device["score"]
    row = tables.level.shape[1] - 1
    for lane in range(score.size):
        score[lane] = np.int16(score[lane] + tables.level[anchor, row, lane])
    _settle_scores(device)  # however many such words come between two advertisements


@njit(cache=True, nogil=True)
def _settle_scores(device: Any) -> None:
    """Keep scores within 16 bits while very many anchors hear one advertisement."""
    score = device["score"]
    top = np.int64(LOWEST)
    for at in range(0, score.size, WIDTH):
        top = max(top, highest(score, at))
    for lane in range(score.size):
        score[lane] = max(np.int64(score[lane]) - top, SCORE_FLOOR)


@njit(cache=True, nogil=True)
def _settle(place: int, device: Any, nodes: Any, free: Any, zone_of: Any, out: Any, cursor: Any) -> None:
    """While every survivor hangs on one child of the root, the root's stay is decided: write it, go down."""
    root = device["root"]
    while nodes[root]["lanes"] == 0 and nodes[root]["children"] == 1:
        child = device["node"][device["best"]]
        while nodes[child]["parent"] != root:
            child = nodes[child]["parent"]
        if nodes[root]["lane"] == NOTHING:
            _begin(device, nodes, child)
        elif zone_of[nodes[root]["lane"]] != zone_of[nodes[child]["lane"]]:
            _write(place, device, nodes, child, zone_of, out, cursor)
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
    device["visit_near"] = nodes[stay]["near"]
    device["visit_late"] = nodes[stay]["late"]
    device["visit_mark"] = nodes[stay]["mark"]
    device["visit_sure"] = nodes[stay]["sure"]


@njit(inline="always")
def _reach_us(device: Any) -> Any:
    """How long before its first signal it may have come, after its last have gone: 95%, by its gaps so far."""
    return max(GAP_BOUND * np.int64(device["gap_mean"]), np.int64(device["gap_wide"]))


@njit(cache=True, nogil=True)
def _arrived_from(device: Any) -> int:
    """Return the earliest arrival, by what is known of the gaps by now; never later than what visits told already."""
    device["before"] = max(np.int64(device["before"]), (_reach_us(device) + US_PER_MS - 1) // US_PER_MS)
    return int(device["arrived_at"] - US_PER_MS * np.int64(device["before"]))


@njit(cache=True, nogil=True)
def _earliest(device: Any) -> int:
    """Return the earliest entry into the zone visit that is about to be written."""
    if device["visit_near"] == BEFORE:
        return _arrived_from(device)
    return int(device["arrived_at"] + US_PER_MS * np.int64(device["visit_near"]))


@njit(cache=True, nogil=True)
def _write(place: int, device: Any, nodes: Any, after: int, zone_of: Any, out: Any, cursor: Any) -> None:
    """Write the zone visit that the stay of another zone, a child of the root, has ended."""
    row = out[cursor[OUT]]
    cursor[OUT] += 1
    row["kind"] = ZONE_KIND
    row["device"] = place
    row["zone"] = zone_of[nodes[nodes[after]["parent"]]["lane"]]
    row["next_zone"] = zone_of[nodes[after]["lane"]]
    row["entered_at"] = device["visit_start"]
    row["left_at"] = nodes[after]["left"]
    row["entered_earliest"] = _earliest(device)
    row["entered_latest"] = device["visit_late"]
    near = device["arrived_at"] + US_PER_MS * np.int64(nodes[after]["near"])
    row["left_earliest"] = max(min(nodes[after]["left"], near), device["arrived_at"])  # nobody leaves before arriving
    row["left_latest"] = nodes[after]["late"]
    row["signals"] = nodes[after]["mark"] - device["visit_mark"]
    row["sure"] = nodes[after]["sure"] - device["visit_sure"]
    row["closed_by"] = MOVED_ON
    row["forced"] = device["forced"]


@njit(cache=True, nogil=True)
def _why(device: Any, otherwise: int) -> int:
    """Return why somebody left who was not heard any more."""
    if device["exited"]:
        return APP_EXIT
    return ANCHOR_DOWN if device["blind"] else otherwise


@njit(cache=True, nogil=True)
def _close(
    place: int, device: Any, nodes: Any, free: Any, tables: Any, rule: Any, out: Any, cursor: Any, closed_by: int
) -> None:
    """End the store visit at the last signal: write the rest of the best path and the store visit itself."""
    zone_of = tables.zone_of
    best, lead = _leader(device, zone_of)
    _clear(device, best, lead, zone_of, rule)
    device["best"] = best
    sure = device["sure"]
    device["sure"] = (
        sure + tables.posterior[min(lead >> LEAD_SHIFT, tables.posterior.size - 1)] * (device["step_signals"])
    )
    if _has(device["reset"], best):
        _begin_stay(device, best, sure)
    # drop the other lanes: then the best path is the only one and settles
    _own(device, nodes, free, cursor, best)
    for lane in range(device["score"].size):
        if lane != best:
            _leave(device, nodes, free, cursor, device["node"][lane])
    _settle(place, device, nodes, free, zone_of, out, cursor)
    after = _reach_us(device)
    if device["exited"]:  # the word may have come at once: then it left as long after `last_at` as a word may be late
        after = max(after, rule["app_late_us"])
    if closed_by == ANCHOR_DOWN:  # while nobody could hear it, it may have left as late as it was waited for
        after = max(after, np.int64(device["timeout"]))
    row = out[cursor[OUT]]
    row["kind"] = ZONE_KIND
    row["device"] = place
    row["zone"] = zone_of[best]
    row["entered_at"] = device["visit_start"]
    row["left_at"] = device["last_at"]
    row["entered_earliest"] = _earliest(device)
    row["entered_latest"] = device["visit_late"]
    row["left_earliest"] = device["clear_at"]
    row["left_latest"] = device["last_at"] + after
    row["signals"] = device["heard"] - device["visit_mark"]
    row["sure"] = device["sure"] - device["visit_sure"]
    row["closed_by"] = closed_by
    row["forced"] = 0
    row["next_zone"] = NOTHING
    store = out[cursor[OUT] + 1]
    store["kind"] = STORE_KIND
    store["device"] = place
    store["zone"] = NOTHING
    store["entered_at"] = device["arrived_at"]
    store["left_at"] = device["last_at"]
    store["entered_earliest"] = _arrived_from(device)
    store["entered_latest"] = device["arrived_at"]
    store["left_earliest"] = device["last_at"]
    store["left_latest"] = device["last_at"] + after
    store["signals"] = device["heard"]
    store["sure"] = device["sure"]
    store["closed_by"] = closed_by
    store["forced"] = 0
    cursor[OUT] += 2
    free[cursor[FREE]] = device["root"]
    cursor[FREE] += 1
    device["nodes"] = 0
    device["open"] = 0


@njit(cache=True, nogil=True)
def _first_end(device: Any, nodes: Any, lane: int) -> int:
    """Return when the first undecided stay on a lane's path ended; the last signal if it still runs."""
    root = device["root"]
    ended = device["last_at"]
    before = ended
    at = device["node"][lane]
    if _has(device["reset"], lane):
        before = device["left_at"]
    elif not _has(device["owned"], lane):
        before = device["stay"][lane, LEFT]
    # `ended`: when the stay of the node last passed ended; `before`: when that of the node at hand did
    while at != root:
        ended = before
        before = nodes[at]["left"]
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
) -> None:
    """Decide for the best path: every lane off it starts anew from the best spot, as if it had just left it."""
    best = device["best"]
    _own(device, nodes, free, cursor, best)
    own = device["node"][best]
    for lane in range(device["score"].size):
        at = device["node"][lane]
        while at >= 0 and at != own:
            at = nodes[at]["parent"]
        if at == NOTHING:
            bit = 1 << (lane % WIDTH)
            device["reset"][lane // WIDTH] |= bit
            device["owned"][lane // WIDTH] &= ALL ^ bit
            nodes[own]["lanes"] += 1
            _leave(device, nodes, free, cursor, device["node"][lane])
            device["node"][lane] = own
            device["score"][lane] = silence[lane] - cost
            device["near"][lane] = (device["left_at"] - device["arrived_at"]) // US_PER_MS
    device["origin_lane"] = NOTHING  # who hangs on which node is looked up anew
    device["held"] = cost  # who starts anew may have been closer: what it loses here says nothing
    cursor[FORCED] += 1
    device["forced"] = 1
    _settle(place, device, nodes, free, zone_of, out, cursor)
    device["forced"] = 0


@njit(inline="always")
def _learn_gap(device: Any, rule: Any, gap: Any) -> None:
    """Follow the mean gap between adverts: quickly at first, then by a sixteenth. Follow how wide gaps are, too.

    A moment lies further than `gap_wide` from the advert before it for max(gap - gap_wide, 0) of each gap. As
    `gap_wide` rises by that and falls by a twentieth of the gap, in the long run these add up to a twentieth of the
    time, whatever the gaps are (the pinball loss's gradient, as in adaptive conformal inference).
    """
    device["gap_wide"] = max(np.int64(device["gap_wide"]), gap) - gap // MISSED
    steps = device["gap_steps"]
    if steps >= WARM_3:
        device["gap_mean"] += (gap - device["gap_mean"]) >> 4
    else:
        shift = 1
        if steps >= WARM_1:
            shift = 2
        if steps >= WARM_2:
            shift = 3
        device["gap_mean"] += (gap - device["gap_mean"]) >> shift
        device["gap_steps"] = steps + 1
    device["timeout"] = patience_us(device, rule)


@njit(cache=True, nogil=True)
def _learn_offset(device: Any, rule: Any) -> None:
    """Set how much louder than expected this device is, by what was heard of it while it was firmly in a zone."""
    count = np.int64(device["offset_count"])
    share = OFFSET_UNITS * (count + OFFSET_SHRINK)
    offset_db = (device["offset_sum"] + share // 2) // share
    device["offset_db"] = min(max(offset_db, -rule["offset_limit_db"]), rule["offset_limit_db"])
    if count >= OFFSET_MEMORY:
        device["offset_count"] = count // 2
        device["offset_sum"] = device["offset_sum"] // 2
    device["offset_due"] = device["offset_count"] + OFFSET_EVERY


@njit(cache=True, nogil=True)
def close_silent(
    state: Any,
    count: int,
    nodes: Any,
    free: Any,
    tables: Any,
    rules: Any,
    silence: Any,
    unseen: Any,
    watch: Any,
    present: Any,
    frontier: int,
    room: int,
    closed_by: int,
    out: Any,
    cursor: Any,
) -> bool:
    """Close every device whose departure lies before `frontier`. Return False if it stopped for want of room.

    `cursor[NEXT]` is the next device; `frontier` in microseconds: all signals before it have been decoded.
    """
    if closed_by == SILENCE and frontier >> TICK_SHIFT > cursor[TICK]:
        pass_ticks(cursor[TICK], frontier >> TICK_SHIFT, state, tables, rules, silence, unseen, watch, present)
        cursor[TICK] = frontier >> TICK_SHIFT
    for place in range(cursor[NEXT], count):
        device = state[place]
        if device["open"] and frontier - device["last_at"] > device["timeout"]:
            if out.size - cursor[OUT] < room or cursor[FREE] < NODES_A_STEP:
                cursor[NEXT] = place
                return False
            why = closed_by
            if closed_by == SILENCE:
                why = _why(device, SILENCE)
            _close(place, device, nodes, free, tables, rules[0], out, cursor, why)
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
