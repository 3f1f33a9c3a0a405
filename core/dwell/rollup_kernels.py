"""Stays in a zone are stays in every zone around it: the kernel. Constants stand here because of `cache=True`."""

from typing import Any

from numba import njit

ZONE_KIND = 0


@njit(cache=True, nogil=True)
def roll_up(stays: Any, around: Any, leaf: Any, open_stays: Any, out: Any) -> int:
    """Write stays in leaves, store visits, and the stays around them that are over; return how many rows those are.

    stays : core.dwell.decoder.STAY, those of a device in order of time, of its store visit after them
    around : int16 (zones, levels), the zones that have others within them and that a zone is or lies in, outermost
        first, -1 behind the last
    leaf : bool (zones,), no zone lies within it
    open_stays : core.dwell.rollup.OPEN_STAY (devices, levels), updated
    out : STAY, with room for 1 + levels rows a stay
    """
    written = 0
    for at in range(stays.size):
        stay = stays[at]
        if stay["kind"] != ZONE_KIND:
            out[written] = stay
            written += 1
            continue
        zone = stay["zone"]
        following = stay["next_zone"]
        for level in range(around.shape[1]):
            outer = around[zone, level]
            if outer < 0:
                break
            row = open_stays[stay["device"], level]
            if not row["open"]:
                row["open"] = 1
                row["entered_at"] = stay["entered_at"]
                row["entered_earliest"] = stay["entered_earliest"]
                row["entered_latest"] = stay["entered_latest"]
                row["signals"] = 0
                row["sure"] = 0
                row["forced"] = 0
            row["signals"] += stay["signals"]
            row["sure"] += stay["sure"]
            row["forced"] |= stay["forced"]
            if following < 0 or around[following, level] != outer:
                row["open"] = 0
                out[written] = stay
                whole = out[written]
                whole["zone"] = outer
                whole["entered_at"] = row["entered_at"]
                whole["entered_earliest"] = row["entered_earliest"]
                whole["entered_latest"] = row["entered_latest"]
                whole["signals"] = row["signals"]
                whole["sure"] = row["sure"]
                whole["forced"] = row["forced"]
                written += 1
        if leaf[zone]:
            out[written] = stay
            written += 1
    return written
