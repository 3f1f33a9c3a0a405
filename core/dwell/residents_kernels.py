"""Who never leaves: the kernels. Constants stand here because of `cache=True`."""

from typing import Any

from numba import njit

ZONE_KIND = 0
VISITOR = 0
FIXTURE = 1
STAFF = 2
DAY_US = 86_400_000_000


@njit(cache=True, nogil=True)
def judge(stays: Any, memory: Any, family: Any, resident: int, forget: int) -> None:
    """Sum up where devices stay and write what they are thought to be.

    stays : core.dwell.decoder.STAY; memory : core.dwell.residents.MEMORY (devices,), updated
    family : int64 (zones,), the same number for zones that lie side by side in one
    resident : microseconds within a day that make somebody a resident
    forget : microseconds of absence after which a device is as new
    """
    for at in range(stays.size):
        stay = stays[at]
        row = memory[stay["device"]]
        if stay["kind"] == ZONE_KIND:
            days = _days(row, stay["entered_at"], forget)
            if days > 0:
                role = VISITOR
                if days == 1:
                    role = _judged(row["stayed"], row["credit"], _of_pair(row, family), resident)
                row["role"] = role
                row["since"] = stay["entered_at"]
                row["stayed"] = 0
                row["credit"] = 0
                row["first"] = 0
                row["second"] = 0
            duration = stay["left_at"] - stay["entered_at"]
            row["stayed"] += duration
            row["until"] = stay["left_at"]
            # the majority vote of Boyer and Moore, by time
            if stay["zone"] == row["main_zone"]:
                row["credit"] += duration
            elif duration > row["credit"]:
                row["main_zone"] = stay["zone"]
                row["credit"] = duration - row["credit"]
            else:
                row["credit"] -= duration
            _count_pair(row, stay["zone"], duration)
        stay["role"] = max(_judged(row["stayed"], row["credit"], _of_pair(row, family), resident), row["role"])


@njit(cache=True, nogil=True)
def roles_now(
    memory: Any, entered: Any, running: Any, in_zone: Any, family: Any, resident: int, forget: int, roles: Any
) -> None:
    """Write the roles of devices in the store, as `judge` would of the stay that runs.

    memory : core.dwell.residents.MEMORY (k,); entered, running, in_zone : int64 (k,), when the stay began, how long
    the store visit and the stay have run; family : as for `judge`; roles : int64 (k,), written
    """
    for at in range(roles.size):
        row = memory[at]
        days = _days(row, entered[at], forget)
        roles[at] = VISITOR
        if days <= 1:
            roles[at] = _judged(row["stayed"], row["credit"], _of_pair(row, family), resident)
        if days < 1:
            roles[at] = max(roles[at], row["role"])
        if roles[at] == VISITOR:  # nothing of a long visit need be decided yet
            roles[at] = _judged(running[at], in_zone[at], 0, resident)


@njit(cache=True, nogil=True)
def _days(row: Any, entered: int, forget: int) -> int:
    """Return how many days a stay lies behind the day that is summed up: 0 within it, 2 if that tells nothing.

    After an absence of `forget` the table may have let go of the device or not: neither may show.
    """
    if entered - row["until"] > forget:
        return 2
    days: int = (entered - row["since"]) // DAY_US
    return min(max(0, days), 2)


@njit(cache=True, nogil=True)
def _count_pair(row: Any, zone: int, duration: int) -> None:
    """Count for the two zones that lead: the majority vote for two (Misra and Gries 1982), by time."""
    if zone == row["first_zone"]:
        row["first"] += duration
    elif zone == row["second_zone"]:
        row["second"] += duration
    else:
        against = min(duration, row["first"], row["second"])
        row["first"] -= against
        row["second"] -= against
        if duration > against and row["first"] == 0:
            row["first_zone"] = zone
            row["first"] = duration - against
        elif duration > against:
            row["second_zone"] = zone
            row["second"] = duration - against


@njit(cache=True, nogil=True)
def _of_pair(row: Any, family: Any) -> int:
    """Return the credit of the two zones that lead if they lie side by side in one, else 0."""
    if min(row["first"], row["second"]) == 0 or family[row["first_zone"]] != family[row["second_zone"]]:
        return 0
    credit: int = row["first"] + row["second"]
    return credit


@njit(cache=True, nogil=True)
def _judged(stayed: int, credit: int, pair: int, resident: int) -> int:
    """Return the role of who stayed so long within a day, by the credit of a zone and that of two side by side."""
    if stayed < resident:
        return VISITOR
    # 95% of the time in one zone leave it a credit of 90%: noise carries a tag away now and then, work does more.
    # A tag between two shelves is heard at either; 97% of the time at those two leave them 90% together.
    return FIXTURE if 10 * max(credit, pair) >= 9 * stayed else STAFF
