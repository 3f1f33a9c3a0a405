"""What is unusual among looks at profiles: each hint with its formula and the reason of its threshold, said once.

A hint is a question to ask, not a verdict: each has a good reason now and then.
"""

from typing import Final, Literal, TypeAlias

import msgspec

HintWord: TypeAlias = Literal["many", "listed", "night", "again", "elsewhere", "export", "budget"]

LOOK_MINUTES: Final = 10
"""A page that is loaded anew and its parts are one look: who serves a customer stays that long on a profile."""
LOOKED_AT_DAYS: Final = 7
"""A privacy desk that looks each week misses nothing."""
USUAL_DAYS: Final = 28
"""Four weeks hold each weekday four times, and no longer, so that a new task becomes usual within a month."""
MANY_AN_HOUR: Final = 20
"""One each three minutes, the pace of somebody who serves customer after customer: fewer is everybody's work."""
TIMES_USUAL: Final = 3
"""Thrice the own middle: sales days double the pace, they do not treble it."""
NIGHT_FROM_HOUR: Final = 22
NIGHT_TO_HOUR: Final = 6
"""Between these hours by the store's clock no store of the chains we know is open to customers."""
LISTED_A_DAY: Final = 1_000
"""Ten full pages of the longest list: who serves finds a customer by her name, and a store's page of arrivals shows a
day's customers of a large store, some hundreds."""
AGAIN_DAYS: Final = 4
"""Days of a week on which somebody looks at the same profile: a visit, its follow-up and a complaint make three."""
HINTS_SHOWN: Final = 100
"""What one person can ask about in a week; there is more behind the filters."""


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of hint: its title, how it is found and why the threshold is what it is."""

    hint: HintWord
    title: str
    formula: str
    reason: str


HINTS: Final[tuple[Hint, ...]] = (
    Hint(
        hint="many",
        title="Many profiles in an hour",
        formula=f"Different profiles that one person read within a clock hour > {MANY_AN_HOUR} and > {TIMES_USUAL}"
        f" times the median of the person's own hours with reads in the {USUAL_DAYS} days before.",
        reason=f"{MANY_AN_HOUR} an hour is one each three minutes, the pace of serving customer after customer; sales"
        " days double a person's pace, they do not treble it.",
    ),
    Hint(
        hint="listed",
        title="Many people in lists in a day",
        formula=f"Different profiles that somebody, or a key, was shown in lists (customers, cues, tasks) on a day"
        f" (UTC) > {LISTED_A_DAY:,} and > {TIMES_USUAL} times the median of their own days with lists in the"
        f" {USUAL_DAYS} days before.",
        reason="Nobody works without lists, so their budget is large (docs/access.md, Limits); each line has a name"
        " and where she is. Ten full pages in a day are more than service needs.",
    ),
    Hint(
        hint="night",
        title="At night",
        formula=f"Reads by a person between {NIGHT_FROM_HOUR}:00 and {NIGHT_TO_HOUR:02}:00 by the clock of the"
        " person's stores; without stores of one's own, by the clocks of all stores.",
        reason="No customer is served at that hour.",
    ),
    Hint(
        hint="again",
        title="The same profile again and again",
        formula=f"One person read one profile on at least {AGAIN_DAYS} days of the last {LOOKED_AT_DAYS}.",
        reason="A visit, its follow-up and a complaint make three days; a fourth is curiosity or a long story.",
    ),
    Hint(
        hint="elsewhere",
        title="Profiles without a visit in own stores",
        formula="Profiles that a person with stores of her own read, none of whose linked devices visited one of"
        " those stores.",
        reason="Whoever serves in a store has no customer who was never there; new customers at the desk are the"
        " exception.",
    ),
    Hint(
        hint="export",
        title="Exports",
        formula="Every export of what is known of customers.",
        reason="What has left cannot be taken back: each is worth a look.",
    ),
    Hint(
        hint="budget",
        title="More people than a day holds",
        formula="Somebody, or a key, was refused a profile because the day's budget of different profiles was used"
        " up, or a list because that of different people shown was (docs/access.md, Limits).",
        reason="Who serves customers does not come near it: either the budget is too small for the work, or somebody"
        " collects.",
    ),
)
