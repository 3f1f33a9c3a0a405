"""The comparison of clocks in plain words: lists, dictionaries, exact fractions; nothing of the product."""

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Lag:
    """What is told at one lag (a bin of lags) by one width."""

    excess: Fraction = Fraction(0)
    doubt: Fraction = Fraction(0)
    compared: int = 0
    matched: int = 0
    lags: int = 0


@dataclass(frozen=True)
class Advert:
    """One advert as one anchor has it: its time and how long before it the adverts before came, shortest first."""

    at: int
    gaps: list[int] = field(default_factory=list)


def adverts(times: list[int], step: int, longest: int, most: int) -> list[Advert]:
    """One device's times at one anchor, ascending, as adverts."""
    begun: list[int] = []
    for at in times:
        if not begun or at - begun[-1] >= step:
            begun.append(at)
    made = []
    for place, at in enumerate(begun):
        before = reversed(begun[max(0, place - most) : place])
        made.append(Advert(at, [at - earlier for earlier in before if at - earlier <= longest]))
    return [advert for advert in made if advert.gaps]


def difference(one: Advert, other: Advert, within: int) -> int | None:
    """By how much the shortest gaps that are comparable differ."""
    pairs = [
        (mine, theirs, abs(gap - also))
        for mine, gap in enumerate(one.gaps)
        for theirs, also in enumerate(other.gaps)
        if abs(gap - also) < within
    ]
    return min(pairs, key=lambda pair: (pair[0] + pair[1], pair[0]))[2] if pairs else None


def told(
    devices: list[tuple[list[Advert], list[Advert]]], width: int, *, times: int, reach: int, bin_us: int, unit: int
) -> dict[int, Lag]:
    """What two anchors' adverts (a pair of lists for each device) tell by bin of lag."""
    by_lag: dict[int, Lag] = {}
    for ones, others in devices:
        seen = []
        for one in ones:
            for other in others:
                lag = one.at - other.at
                apart = difference(one, other, times * width)
                if abs(lag) <= reach and apart is not None:
                    seen.append((lag, apart < width))
        if not seen:
            continue
        share = Fraction(unit * sum(match for _, match in seen) // len(seen), unit)
        for lag, match in seen:
            here = by_lag.setdefault((lag + reach) // bin_us, Lag())
            here.excess += match - share
            here.doubt += share * (1 - share)
            here.compared += 1
            here.matched += match
            here.lags += lag if match else 0
    return by_lag
