"""Who is not counted as a visitor, by rules of a store that can be changed and taken back; visits stay as they are.

A rule looks at what one device did on one day, because a pseudonym lasts a day. Where several apply, the first in the
order of `CountedAs` after VISITOR names the reason.
"""

from enum import IntEnum
from typing import Final

import msgspec

from core.errors import InputError

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY_MIN: Final = 24 * 60
WEEKDAYS: Final = 7
HOURS_STEP_MIN: Final = 15
"""Opening hours change by quarters of an hour: by a minute, the figures before and after would differ by who came in
that minute, who may be one. No shop opens at 9:07."""
CHANGES_A_DAY: Final = 6
"""How often rules of a store change within 24 hours: enough to correct a slip, too few to go through a day step
by step and compare its figures."""
SMALL_GROUPS: Final = ("staff", "fixtures", "staff_zone_s", "long_stay_s")
"""Rules that keep groups of a few people out of every figure: the staff of a day, one cleaner. With such a rule and
without it figures differ by what these few did, so whoever reads figures for their work must not switch them."""
_LENGTHS: Final = ("staff_zone_s", "long_stay_s", "passer_by_s")
_STEP_BELOW_S: Final = 10
"""Lengths change by whole minutes for the same reason; below a minute, as passers-by take, by ten seconds."""


class CountedAs(IntEnum):
    """As what a visit counts; the first three are those of `core.records.Role`."""

    VISITOR = 0
    FIXTURE = 1
    STAFF = 2
    LONG_STAY = 3
    PASSER_BY = 4
    CLOSED = 5

    @property
    def word(self) -> str:
        """The word used in answers."""
        return self.name.lower()


class OpeningHours(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes of a day on the store's clocks; a visit counts that begins at or after one and before the other."""

    opens_min: int
    closes_min: int


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is left out; None switches a rule off."""

    staff: bool = True
    """Devices that the engine or a person named staff."""
    fixtures: bool = True
    """Tags that never leave their zone."""
    staff_zone_s: int | None = 10 * _MINUTE
    """Who spent as long in staff-only zones on that day: a customer who took a wrong door is out within a minute."""
    long_stay_s: int | None = 8 * _HOUR
    """Whoever stayed as long is at work or a forgotten tag: a shift, and longer than any shop keeps a customer."""
    passer_by_s: int | None = None
    """Who never stayed as long on that day only passed. Off: the engine leaves out what was no visit already."""
    opening_hours: tuple[OpeningHours | None, ...] | None = None
    """From Monday to Sunday, None on a day that is closed; None: at all hours."""


DEFAULT_RULES: Final = Rules()


def changed_groups(before: Rules, after: Rules) -> list[str]:
    """Return which of SMALL_GROUPS differ: what would let a few people into every figure, or take them out."""
    return [name for name in SMALL_GROUPS if getattr(before, name) != getattr(after, name)]


def checked(rules: Rules) -> Rules:
    """Return rules that can be counted by.

    Raises
    ------
    InputError
        If a length is not positive, a value lies between two steps, or hours do not fit a day or a week.
    """
    for name in _LENGTHS:
        length_s = getattr(rules, name)
        if length_s is not None and not 1 <= length_s <= 24 * _HOUR:
            raise InputError(
                f"{length_s} s is no length of a stay within a day.", hint="Give 1 to 86400, or null.", where=name
            )
    if rules.passer_by_s is not None and rules.long_stay_s is not None and rules.passer_by_s >= rules.long_stay_s:
        raise InputError(
            "Everybody would be left out.", hint="Let passer_by_s be less than long_stay_s.", where="passer_by_s"
        )
    for name in _LENGTHS:
        length_s = getattr(rules, name)
        step_s = _MINUTE if length_s is None or length_s >= _MINUTE else _STEP_BELOW_S
        if length_s is not None and length_s % step_s:
            steps = max(1, length_s // step_s)
            raise InputError(
                f"{length_s} s lies between two steps of {step_s} s.",
                hint=f"Give {steps * step_s} or {(steps + 1) * step_s}.",
                where=name,
            )
    if rules.opening_hours is not None:
        if len(rules.opening_hours) != WEEKDAYS:
            raise InputError(
                f"A week has seven days, not {len(rules.opening_hours)}.",
                hint="Give Monday to Sunday, null where it is closed.",
                where="opening_hours",
            )
        for hours in rules.opening_hours:
            if hours is not None and not 0 <= hours.opens_min < hours.closes_min <= _DAY_MIN:
                raise InputError(
                    f"From minute {hours.opens_min} to {hours.closes_min} is no part of a day.",
                    hint="Let opens_min be less than closes_min, both within 0..1440.",
                    where="opening_hours",
                )
            if hours is not None and (hours.opens_min % HOURS_STEP_MIN or hours.closes_min % HOURS_STEP_MIN):
                raise InputError(
                    f"From minute {hours.opens_min} to {hours.closes_min} is not in quarters of an hour.",
                    hint=f"Give multiples of {HOURS_STEP_MIN}.",
                    where="opening_hours",
                )
    return rules
