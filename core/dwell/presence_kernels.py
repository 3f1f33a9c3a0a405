"""Where devices are now: the decoder's scores carried on over signals that are not in order yet.

The same steps as in decoder_kernels.decode, without the past. Constants stand here because of `cache=True`.
"""

from typing import Any

import numpy as np
from numba import njit

NO_SCORE = -(1 << 30)
GAP_SHIFT = 17
LEAD_SHIFT = 5


@njit(cache=True, nogil=True)
def carry_on(
    signals: Any,
    rows: Any,
    state: Any,
    level: Any,
    silence: Any,
    penalty: Any,
    rules: Any,
) -> None:
    """Advance copies of device records over signals (sorted, microseconds); `rows` are places in `state`."""
    rule = rules[0]
    lanes = silence.size
    for index in range(signals.size):
        device = state[rows[index]]
        signal = signals[index]
        score = device["score"]
        now = signal["ts"]
        gap = now - device["last_at"]
        if not device["open"] or gap > device["timeout"] or now - device["arrived_at"] >= rule["visit_max_us"]:
            for lane in range(lanes):
                score[lane] = silence[lane]
                device["start"][lane] = now
            device["open"] = 1
            device["arrived_at"] = now
            device["step_at"] = now
            if device["gap_mean"] == 0:
                device["gap_mean"] = rule["gap_mean_us"]
                device["timeout"] = rule["silence_us"]
        elif now - device["step_at"] >= rule["step_us"]:
            top = score[0]
            for lane in range(1, lanes):
                top = max(top, score[lane])
            cost = penalty[min(gap >> GAP_SHIFT, penalty.size - 1)]
            for lane in range(lanes):
                margin = score[lane] - top + cost
                device["start"][lane] = now if margin < 0 else device["start"][lane]
                score[lane] = max(margin, 0) - cost + silence[lane]
            device["step_at"] = now
        device["last_at"] = now
        row = min(max(signal["rssi_dbm"] - rule["rssi_floor_dbm"], 0), level.shape[1] - 1)
        for lane in range(lanes):
            score[lane] += level[signal["anchor"], row, lane]


@njit(cache=True, nogil=True)
def leaders(state: Any, best: Any, lead: Any) -> None:
    """Write each device's leading zone and its lead over the next in quanta."""
    for place in range(state.size):
        score = state[place]["score"]
        first = 0
        for lane in range(1, score.size):
            if score[lane] > score[first]:
                first = lane
        second = np.int32(NO_SCORE)
        for lane in range(score.size):
            if lane != first and score[lane] > second:
                second = score[lane]
        best[place] = first
        lead[place] = score[first] - second
