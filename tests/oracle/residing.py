"""Who never leaves, told slowly: the time in stays of a day, and how much of it at one place."""

from collections import Counter

DAY = 86_400 * 10**6


def role(stays: list[tuple[int, int, int]], resident: int, forget: int) -> int:
    """Return 0 visitor, 1 fixture, 2 staff after stays (zone, entered, left) in order of time, in microseconds.

    What lies before an absence of more than `forget` is not known any more.
    """
    for place in range(len(stays) - 1, 0, -1):
        if stays[place][1] - stays[place - 1][2] > forget:
            stays = stays[place:]
            break
    days: list[list[tuple[int, int, int]]] = []
    for stay in stays:
        if not days or stay[1] - days[-1][0][1] >= DAY:
            days.append([])
        days[-1].append(stay)
    before = 0
    if len(days) > 1 and days[-1][0][1] - days[-2][0][1] < 2 * DAY:
        before = _of_a_day(days[-2], resident)
    return max(before, _of_a_day(days[-1], resident))


def _of_a_day(stays: list[tuple[int, int, int]], resident: int) -> int:
    by_zone: Counter[int] = Counter()
    for zone, entered, left in stays:
        by_zone[zone] += left - entered
    total = sum(by_zone.values())
    if total < resident:
        return 0
    return 1 if 10 * _credit(stays) >= 9 * total else 2


def _credit(stays: list[tuple[int, int, int]]) -> int:
    """Second by second: each votes for its zone or takes a vote off another's."""
    leading, votes = 0, 0
    for zone, entered, left in stays:
        for _ in range(left - entered):
            if zone == leading:
                votes += 1
            elif votes == 0:
                leading, votes = zone, 1
            else:
                votes -= 1
    return votes
