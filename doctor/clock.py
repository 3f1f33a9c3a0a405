"""The clock of this machine. A signal's time is an edge's clock, and a visit's bounds rest on it."""

import ctypes
import statistics
import sys
import time
from collections.abc import Callable
from typing import Final

from core.limits import NS_PER_S
from doctor.findings import Finding, fail, ok, warn

WARN_S: Final = 1.0
"""Two clocks that NTP keeps differ by milliseconds; a second is what a page may be late."""
FAIL_S: Final = 60.0
"""Half of the way to where signals are refused as coming from the future (core.limits.FUTURE_BOUND_NS)."""
_ASKED: Final = 5
_UNSYNCHRONISED: Final = 0x40  # STA_UNSYNC of adjtimex(2)
_STRUCTURE_BYTES: Final = 208
_STATUS_AT: Final = 40
"""Place of `status` in struct timex on 64-bit Linux: modes, four longs, status."""
_SET_UP: Final = "Set up NTP: `sudo apt install systemd-timesyncd && sudo timedatectl set-ntp true`, or chrony."


def synchronised() -> bool | None:
    """Return whether the kernel takes its clock for synchronised; None where it cannot be asked.

    Source: adjtimex(2), read only, which needs no right.
    """
    if not sys.platform.startswith("linux") or sys.maxsize <= 2**32:
        return None
    buffer = ctypes.create_string_buffer(_STRUCTURE_BYTES)
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
            return None
    except (OSError, AttributeError):
        return None
    status = int.from_bytes(buffer.raw[_STATUS_AT : _STATUS_AT + 4], sys.byteorder)
    return not status & _UNSYNCHRONISED


def check_ntp(in_step: bool | None) -> Finding:
    """Judge what `synchronised` said."""
    if in_step is None:
        return warn("clock", "Whether this machine's clock is kept by NTP cannot be asked here.", _SET_UP)
    if not in_step:
        return warn("clock", "The kernel does not take this machine's clock for synchronised.", _SET_UP)
    return ok("clock", "Kept by NTP.")


def offset_s(ask_ns: Callable[[], int], now_ns: Callable[[], int] = time.time_ns) -> tuple[float, float]:
    """Return by how much another clock is ahead of ours, and half of the shortest round trip: how sure that is."""
    found = []
    for _ in range(_ASKED):
        before = now_ns()
        theirs = ask_ns()
        after = now_ns()
        found.append(((theirs - (before + after) / 2) / NS_PER_S, (after - before) / 2 / NS_PER_S))
    sure_s = min(half for _, half in found)
    return statistics.median(offset for offset, half in found if half <= 2 * sure_s), sure_s


def check_offset(offset: float, sure_s: float) -> Finding:
    """Judge the offset against the database."""
    says = f"The database's clock is {abs(offset):.3f} s {'ahead' if offset > 0 else 'behind'} (± {sure_s:.3f} s)."
    if abs(offset) - sure_s > FAIL_S:
        return fail("clock of the database", says, f"One of the two is wrong. {_SET_UP}")
    if abs(offset) - sure_s > WARN_S:
        return warn("clock of the database", says, f"One of the two drifts. {_SET_UP}")
    return ok("clock of the database", says)
