"""Who never leaves, told slowly: the time in stays of a day, and how much of it at one place."""

from collections import Counter

DAY = 86_400 * 10**6


def role(stays: list[tuple[int, int, int]], resident: int, forget: int, siblings: frozenset[int]) -> int:
    """Return 0 visitor, 1 fixture, 2 staff after stays (zone, entered, left) in order of time, in microseconds.

    `siblings` are the zones that lie side by side in one.
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
        before = _of_a_day(days[-2], resident, siblings)
    return max(before, _of_a_day(days[-1], resident, siblings))


def _of_a_day(stays: list[tuple[int, int, int]], resident: int, siblings: frozenset[int]) -> int:
    by_zone: Counter[int] = Counter()
    for zone, entered, left in stays:
        by_zone[zone] += left - entered
    total = sum(by_zone.values())
    if total < resident:
        return 0
    pair = _pair(stays)
    of_pair = sum(pair.values()) if len(pair) == 2 and siblings.issuperset(pair) else 0
    return 1 if 10 * max(_credit(stays), of_pair) >= 9 * total else 2


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


def _pair(stays: list[tuple[int, int, int]]) -> Counter[int]:
    """The same with two that lead: each other one takes a vote off both."""
    votes: Counter[int] = Counter()
    for zone, entered, left in stays:
        for _ in range(left - entered):
            if zone in votes or len(votes) < 2:
                votes[zone] += 1
            else:
                votes = Counter({leading: count - 1 for leading, count in votes.items() if count > 1})
    return votes
