"""Where devices are now: the decoder's scores carried on over signals that are not in order yet.

The same steps as in decoder_kernels.decode, without the past. Constants stand here because of `cache=True`.
"""

from typing import Any

import numpy as np
from numba import njit

LOWEST = -(1 << 15)
START = 0  # column of `stay`
OUTSIDE = -1  # parent of the root, lane of the node before the first stay
GAP_SHIFT = 17
WIDTH = 16  # lanes whose bits stand in one number
SCORE_FLOOR = -(1 << 14)
AT_ONCE = 16


@njit(cache=True, nogil=True)
def carry_on(
    signals: Any,
    rows: Any,
    state: Any,
    starts: Any,
    level: Any,
    silence: Any,
    penalty: Any,
    zone_of: Any,
    rules: Any,
) -> None:
    """Advance copies of device records over signals (sorted, microseconds); `rows` are places in `state`.

    starts : int64 (devices, lanes), when each lane's path entered the lane's zone, see `zone_starts`; updated
    """
    rule = rules[0]
    lanes = silence.size
    top_row = level.shape[1] - 3  # the last two rows are those of app events
    for index in range(signals.size):
        device = state[rows[index]]
        start = starts[rows[index]]
        signal = signals[index]
        score = device["score"]
        now = signal["ts"]
        rssi_dbm = signal["rssi_dbm"]
        gap = now - device["last_at"]
        if rssi_dbm > rule["app_enter"]:
            if device["open"] and gap <= device["timeout"]:
                device["last_at"] = max(device["last_at"], now - rule["app_late_us"])
                device["timeout"] = rule["silence_us"]
                _hear(score, level[signal["anchor"], top_row + 2], True)
            continue
        if not device["open"] or gap > device["timeout"] or now - device["arrived_at"] >= rule["visit_max_us"]:
            for lane in range(lanes):
                score[lane] = silence[lane]
                start[lane] = now
            device["open"] = 1
            device["arrived_at"] = now
            device["step_at"] = now
            device["step_signals"] = 0
            if device["gap_mean"] == 0:
                device["gap_mean"] = rule["gap_mean_us"]
                device["timeout"] = rule["silence_us"]
        elif now - device["step_at"] >= rule["step_us"]:
            top = np.int64(LOWEST)
            for lane in range(lanes):
                top = max(top, np.int64(score[lane]))
            best = 0
            while score[best] != top:
                best += 1
            if score[device["best"]] == top:
                best = device["best"]
            device["best"] = best
            since = start[best]
            cost = penalty[min(gap >> GAP_SHIFT, penalty.size - 1)]
            for lane in range(lanes):
                margin = np.int64(score[lane]) - top + cost
                begun = since if zone_of[lane] == zone_of[best] else now
                start[lane] = begun if margin < 0 else start[lane]
                score[lane] = max(margin, 0) - cost + silence[lane]
            device["step_at"] = now
            device["step_signals"] = 0
        device["last_at"] = now
        device["step_signals"] += 1
        if rssi_dbm == rule["app_enter"]:
            device["timeout"] = rule["silence_max_us"]
            _hear(score, level[signal["anchor"], top_row + 1], True)
        else:
            row = min(max(rssi_dbm - device["offset_db"] - rule["rssi_floor_dbm"], 0), top_row)
            _hear(score, level[signal["anchor"], row], device["step_signals"] & (AT_ONCE - 1) == 0)


@njit(cache=True, nogil=True)
def _hear(score: Any, says: Any, settle: bool) -> None:
    """Add what one signal says; `settle` keeps the scores within 16 bits."""
    for lane in range(score.size):
        score[lane] += says[lane]
    if settle:
        top = np.int64(LOWEST)
        for lane in range(score.size):
            top = max(top, np.int64(score[lane]))
        for lane in range(score.size):
            score[lane] = max(np.int64(score[lane]) - top, SCORE_FLOOR)


@njit(cache=True, nogil=True)
def zone_starts(state: Any, nodes: Any, zone_of: Any, starts: Any) -> None:
    """Write when each lane's path entered the lane's zone: starts int64 (devices, lanes), microseconds."""
    for place in range(state.size):
        device = state[place]
        for lane in range(zone_of.size):
            if not device["open"]:
                continue
            at = device["node"][lane]
            if (device["reset"][lane // WIDTH] >> (lane % WIDTH)) & 1:
                starts[place, lane] = device["step_at"]
            elif not (device["owned"][lane // WIDTH] >> (lane % WIDTH)) & 1:
                starts[place, lane] = device["stay"][lane, START]
            while at != OUTSIDE and nodes[at]["lane"] != OUTSIDE and zone_of[nodes[at]["lane"]] == zone_of[lane]:
                starts[place, lane] = nodes[at]["start"]
                at = nodes[at]["parent"]
            if at == OUTSIDE:  # its path has been in this zone since before what is undecided
                starts[place, lane] = device["visit_start"]


@njit(cache=True, nogil=True)
def leaders(state: Any, zone_of: Any, best: Any, lead: Any) -> None:
    """Write each device's leading spot and the lead of its zone over the next in quanta."""
    for place in range(state.size):
        score = state[place]["score"]
        first = 0
        for lane in range(1, score.size):
            if score[lane] > score[first]:
                first = lane
        second = np.int64(LOWEST)
        for lane in range(score.size):
            if zone_of[lane] != zone_of[first] and score[lane] > second:
                second = np.int64(score[lane])
        best[place] = first
        lead[place] = np.int64(score[first]) - second
