"""Who comes to one store on one day, and with what device."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Final

from core.limits import PSEUDONYM_BYTES
from simulators.chain.air import Sender
from simulators.chain.calendar import Hours, arrival, busy
from simulators.chain.draws import Draws
from simulators.chain.ground import Ground
from simulators.chain.settings import ChainSettings
from simulators.chain.ways import Manner, Way, pass_by, shop, work

_NS_PER_US: Final = 1000
_GRABS: Final = 0.35
_TOGETHER: Final = 0.15
"""Share of parties that are groups: two to four people who walk one behind the other."""
_BUYS: Final = {Manner.GRAB_AND_GO: 0.9, Manner.BROWSER: 0.5, Manner.GROUP: 0.5, Manner.RETURNING: 0.7}
_PASS: Final = 0.5
"""People on the street whose devices are heard, for each party that comes in."""
_PHONES: Final = 0.3
"""Share of shoppers whose device is a phone: it takes a new address about every quarter of an hour."""
_BURSTS: Final = 0.3
"""Share of phones that send three adverts in a row and then rest."""
_ROTATE_US: Final = 15 * 60 * 1_000_000
"""As the Bluetooth Core Specification recommends for private addresses (Vol. 3, Part C, Appendix A: 900 s)."""
_STEP_BEHIND_US: Final = (1_000_000, 4_000_000)
_TAG: Final = Sender(interval_us=2_000_000)
_BURSTING: Final = Sender(interval_us=2_000_000, burst=3)
_STAFF_TAG: Final = Sender(interval_us=6_000_000)  # a battery that lasts a year
_OFTEN: Final = (0.02, 0.25)
"""How likely a member comes on a usual day, from the rarest to the keenest."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person's presence: `device` names the tag, or with `rotates` the phone whose names change."""

    manner: Manner
    name: str
    party: str
    member: int | None
    begin_us: int
    way: Way
    sender: Sender
    rotates: bool = False


def visitors(settings: ChainSettings, ground: Ground, store: str, day: date, hours: Hours | None) -> Iterator[Person]:
    """Yield everybody of a day, each from chance of their own."""
    if hours is None:
        return
    seed, stamp = settings.seed, day.isoformat()
    crowd = busy(day, Draws(seed, "crowd", store, stamp))
    size = Draws(seed, "size", store).log_normal(1.0, 0.3)
    parties = round(settings.visits * crowd * size)
    for number in range(parties):
        yield from _party(Draws(seed, "party", store, stamp, number), ground, hours, f"{stamp}-p{number}")
    for number in range(settings.members):
        draws = Draws(seed, "member", store, number, stamp)
        if draws.chance(_keenness(seed, store, number) * crowd):
            yield _member(draws, ground, hours, number, f"{stamp}-m{number}")
    for number in range(settings.staff):
        yield _worker(Draws(seed, "staff", store, stamp, number), ground, hours, f"staff-{number}")
    for number in range(round(_PASS * parties)):
        yield _passer_by(Draws(seed, "street", store, stamp, number), ground, hours, f"{stamp}-s{number}")


def device_name(seed: int, store: str, of: str, address: int = 0) -> str:
    """Return what stands for a device in the recording: 32 hexadecimal digits, as pseudonyms have."""
    text = f"{seed}/{store}/{of}/{address}".encode()
    return blake2b(text, digest_size=PSEUDONYM_BYTES, person=b"sojourn-device").hexdigest()


def changes_of_address(person: Person, draws: Draws) -> list[int]:
    """Return when a phone takes a new address during its way, us since the epoch; none for a tag."""
    if not person.rotates:
        return []
    end_us = person.begin_us + int(person.way.t_us[-1])
    at_us = person.begin_us + int(draws.uniform() * _ROTATE_US)
    return list(range(at_us, end_us, _ROTATE_US))


def _party(draws: Draws, ground: Ground, hours: Hours, party: str) -> Iterator[Person]:
    drawn = draws.uniform()
    manner = Manner.BROWSER
    if drawn < _TOGETHER:
        manner = Manner.GROUP
    elif drawn < _TOGETHER + _GRABS:
        manner = Manner.GRAB_AND_GO
    begin_us = arrival(hours, draws) // _NS_PER_US
    way = shop(ground, browses=manner is not Manner.GRAB_AND_GO, buys=_BUYS[manner], draws=draws)
    for number in range(2 + draws.below(3) if manner is Manner.GROUP else 1):
        phone = draws.chance(_PHONES)
        yield Person(
            manner=manner,
            name=f"{party}-{number}",
            party=party,
            member=None,
            begin_us=begin_us,
            way=way,
            sender=_BURSTING if phone and draws.chance(_BURSTS) else _TAG,
            rotates=phone,
        )
        begin_us += int(draws.uniform(*_STEP_BEHIND_US))


def _member(draws: Draws, ground: Ground, hours: Hours, number: int, party: str) -> Person:
    begin_us = arrival(hours, draws) // _NS_PER_US
    way = shop(ground, browses=draws.chance(1 - _GRABS), buys=_BUYS[Manner.RETURNING], draws=draws)
    return Person(
        manner=Manner.RETURNING,
        name=f"member-{number}",
        party=party,
        member=number,
        begin_us=begin_us,
        way=way,
        sender=_TAG,
    )


def _worker(draws: Draws, ground: Ground, hours: Hours, name: str) -> Person:
    opens_us, closes_us = hours.opens_at // _NS_PER_US, hours.closes_at // _NS_PER_US
    way = work(ground, (closes_us - opens_us) / 1e6, draws)
    begin_us = opens_us - int(draws.uniform(300e6, 900e6))
    return Person(
        manner=Manner.STAFF,
        name=name,
        party=name,
        member=None,
        begin_us=begin_us,
        way=way,
        sender=_STAFF_TAG,
    )


def _passer_by(draws: Draws, ground: Ground, hours: Hours, party: str) -> Person:
    return Person(
        manner=Manner.PASSER_BY,
        name=party,
        party=party,
        member=None,
        begin_us=arrival(hours, draws) // _NS_PER_US,
        way=pass_by(ground, draws),
        sender=_TAG,
        rotates=True,
    )


def _keenness(seed: int, store: str, number: int) -> float:
    return Draws(seed, "keen", store, number).uniform(*_OFTEN)
