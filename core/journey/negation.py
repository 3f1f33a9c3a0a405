"""What a negation reaches and what it makes of it, before words are weighed.

A scorer of words turns what stands within three words of a negator. People deny further ("nobody at the desk was
rude"), deny what nobody would rate ("no seats", "never called back"), and praise by it ("never had a better fitting",
"can't thank you enough"). So what a negator reaches is found first: from it to the end of its clause, by words that
end it, with triggers that come after what they deny as well. That is the form of NegEx (Chapman et al. 2001); that
the border matters and not the distance is from Councill et al. 2010. All words are data of a language.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

REACH: Final = 9
"""Words that a negator reaches at most: what is longer is mostly two clauses, whose border only a parser finds."""
UNDOES: Final = 5
"""Words before a trigger that comes after: "the wobble of the shelf is gone"."""
DENIED: Final = -0.74
"""What a denied word is worth of itself, VADER's (Hutto & Gilbert 2014): "not good" is not quite "bad"."""
MISSED: Final = -1.6
"""What is wanted and is not there, as "not available" in the lexicon; as much too much is as bad."""
HEIGHT: Final = 1.25
"""What praise or blame by a negation is worth of its word, VADER's for "never so"."""
PRAISE: Final = 1.6
"""Of "can't ... enough" around words that nobody rated."""
MIDDLE: Final = 3
"""So near to each other two opposites are denied as one: "neither good nor really bad"."""
BLANK: Final = "xx"
"""Stands for a word that says nothing; no lexicon has it."""
_TENTHS: Final = range(-60, 61)
_TOKEN: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|[^\w\s]")
_QUOTES: Final = frozenset("\"'()*")
_COMPARED: Final = (("ier", "y"), ("er", ""), ("er", "e"), ("iest", "y"), ("est", ""), ("est", "e"))
_HARDLY_MORE: Final = frozenset({"er", "ier"})


class NegationLexicon(msgspec.Struct, frozen=True, kw_only=True):
    """How one language denies.

    `triggers` deny what follows them; the number is what they say where they deny nothing that is known ("hardly
    any"). `ends` are words that end what they reach, `relatives` too unless the trigger or a word of `widens` before
    them is about anything ("nothing that I liked"), `joins` unless rated words stand on both sides, `links` once
    something was denied ("not happy with the rude reply"). `whoever` are triggers that a second one turns back
    ("nobody who isn't kind"); any other second one begins anew. `undone` deny what stands before them ("the wobble is
    gone"). `wanted` say nothing by themselves; denied, they are missed.

    `heights` turn a comparative, or a word after one of `comparing` ("more"), into praise or blame ("couldn't be
    happier"), unless one of `changes` stands between ("never got better"); those of `bare` need a noun after it ("no
    better shop"). `records` do so with what is `so` ("never such rudeness"), `endless` with what is `enough` and ends
    there or before one of `enough_before`. `excess` ("too") makes any word bad but those of `not_excess`.
    """

    triggers: dict[str, float]
    ends: tuple[str, ...]
    relatives: tuple[str, ...]
    joins: tuple[str, ...]
    links: tuple[str, ...]
    widens: tuple[str, ...]
    whoever: tuple[str, ...]
    undone: tuple[str, ...]
    wanted: tuple[str, ...]
    heights: tuple[str, ...]
    bare: tuple[str, ...]
    comparing: tuple[str, ...]
    changes: tuple[str, ...]
    records: tuple[str, ...]
    so: tuple[str, ...]
    endless: tuple[str, ...]
    enough: tuple[str, ...]
    enough_before: tuple[str, ...]
    excess: tuple[str, ...]
    not_excess: tuple[str, ...]


class _Unit:
    """A word, a phrase that is one, or a sign, at [begin, end); `meant` is its valence once denials are known."""

    __slots__ = ("begin", "by_denial", "compared", "denials", "end", "meant", "said", "valence")

    def __init__(self, said: str, begin: int, end: int, valence: float, compared: bool) -> None:
        self.said, self.begin, self.end = said, begin, end
        self.valence, self.compared = valence, compared
        self.denials = 0
        self.meant: float | None = None
        self.by_denial = False  # says something that no word of it says


class NegationReader:
    """Rewrites a text so that a scorer of single words reads its denials as they are meant.

    Parameters
    ----------
    lexicon : NegationLexicon
    negators : iterable of str
        Words that deny, beside the triggers and what ends in "n't".
    valences : mapping of str to float
        Of words.
    phrases : mapping of str to float
        Of phrases, words with a space between; one of 0 hides what is in it.
    """

    def __init__(
        self,
        lexicon: NegationLexicon,
        negators: Iterable[str],
        valences: Mapping[str, float],
        phrases: Mapping[str, float],
    ) -> None:
        self._lexicon = lexicon
        self._triggers = dict.fromkeys(negators, 0.0) | lexicon.triggers
        self._valences = valences
        self._phrases = phrases
        roles = [getattr(lexicon, name) for name in NegationLexicon.__struct_fields__]
        known = {word for role in roles for word in role} | phrases.keys()
        self._borders = frozenset(lexicon.ends + lexicon.relatives)
        self._whole = frozenset(word for word in known if " " in word)
        self._longest = max((word.count(" ") + 1 for word in self._whole), default=1)

    def meant(self, text: str) -> str:
        """Return a text with its negators blank and what they deny as words of SCALE."""
        said = []
        place = 0
        for unit in self._read(text):
            if unit.meant is not None:
                said += [text[place : unit.begin], _on_scale(unit.meant)]
                place = unit.end
        return "".join(said) + text[place:]

    def says(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where words stand that only a negation makes say something: what is missed, or denied as such."""
        for unit in self._read(text):
            if unit.by_denial:
                yield unit.begin, unit.end

    def denies(self, text: str) -> bool:
        """Return whether anything in a text is denied."""
        return any(self._is_trigger(unit) or unit.said in self._lexicon.undone for unit in self._units(text))

    def is_between(self, text: str) -> bool:
        """Return whether a text denies two opposites: "not great, not terrible"."""
        return any(unit.denials and unit.meant == 0 for unit in self._read(text))

    def _read(self, text: str) -> list[_Unit]:
        units = self._units(text)
        for place, unit in enumerate(units):
            if unit.said in self._lexicon.excess:
                self._exceed(units[place + 1 : place + 2])
        for place, unit in enumerate(units):
            if self._is_trigger(unit):
                self._deny(units, place)
            elif unit.said in self._lexicon.undone:
                self._undo(units[max(0, place - UNDOES) : place])
        _weigh(units)
        return units

    def _units(self, text: str) -> list[_Unit]:
        """Return the words of a text, those of a known phrase as one, the longest first."""
        tokens = [(match.group().lower(), *match.span()) for match in _TOKEN.finditer(text)]
        units = []
        place = 0
        while place < len(tokens):
            length = 1
            for longer in range(min(self._longest, len(tokens) - place), 1, -1):
                if " ".join(token for token, _, _ in tokens[place : place + longer]) in self._whole:
                    length = longer
                    break
            said = " ".join(token for token, _, _ in tokens[place : place + length])
            valence, compared = self._rated(said)
            unit = _Unit(said, tokens[place][1], tokens[place + length - 1][2], valence, compared)
            if said not in self._triggers and (said in self._phrases or (valence and said not in self._valences)):
                unit.meant = valence  # a phrase as one word: no "no" in it denies the next; "kindest" as "kind"
            units.append(unit)
            place += length
        return units

    def _rated(self, said: str) -> tuple[float, bool]:
        """Return the valence of a word or phrase, and whether it is a comparative of something rated."""
        if said in self._triggers:
            return 0.0, False
        if said in self._phrases:
            return self._phrases[said], False
        valence = self._valences.get(said)
        for ending, base in _COMPARED:
            root = said.removesuffix(ending) + base
            if said.endswith(ending) and len(root) > 2 and self._valences.get(root):
                found = valence if valence is not None else self._valences[root]
                return found, ending in _HARDLY_MORE
        return valence or 0.0, said in {"better", "worse"}

    def _is_trigger(self, unit: _Unit) -> bool:
        return unit.said in self._triggers or (unit.said.endswith("n't") and " " not in unit.said)

    def _deny(self, units: list[_Unit], place: int) -> None:
        trigger = units[place]
        reached = self._reach(units, place)
        if trigger.meant is not None:  # it belongs to one before
            return
        if self._praises(units, place, reached):
            trigger.meant = 0.0
            return
        denied: _Unit | None = None
        for unit in reached:
            if unit.said in self._lexicon.links and denied is not None:
                break
            if unit.said in self._lexicon.wanted and denied is None:
                unit.meant = MISSED
                unit.by_denial = trigger.by_denial = True
                denied = unit
            elif unit.valence and not (denied is not None and denied.meant == MISSED):
                unit.denials += 1
                denied = denied or unit
        if denied is not None and denied.valence < 0:  # "not annoyed by the delay": then it is none
            for unit in reached[reached.index(denied) + 1 :]:
                if unit.valence < 0 and not unit.denials:
                    unit.meant = 0.0
        alone = self._triggers.get(trigger.said, 0.0)
        trigger.meant = alone if denied is None else 0.0
        trigger.by_denial = trigger.by_denial or alone != 0

    def _reach(self, units: list[_Unit], place: int) -> list[_Unit]:
        """Return what a trigger reaches: to the end of its clause."""
        wide = units[place].said in self._lexicon.whoever
        anything = wide
        reached: list[_Unit] = []
        for offset, unit in enumerate(units[place + 1 : place + 1 + REACH], place + 1):
            said = unit.said
            if said in self._lexicon.ends or (not said[0].isalnum() and said not in _QUOTES):
                break
            if said in self._lexicon.relatives and not anything:
                break
            if said in self._lexicon.joins and not _between_rated(units, offset):
                break
            if self._is_trigger(unit) and not wide:
                break
            anything = anything or said in self._lexicon.widens
            reached.append(unit)
        return reached

    def _praises(self, units: list[_Unit], place: int, reached: list[_Unit]) -> bool:
        """Return whether a negation lifts what it reaches, which is then not denied: three ways to say so."""
        said, words = units[place].said, self._lexicon
        if said in words.heights:
            high = self._highest(reached)
            if high is not None and (said not in words.bare or _noun_after(units, place, high)):
                _lift(high)
                return True
        so = [unit.said in words.so for unit in reached]
        if said in words.records and any(so):
            for unit in [*reached[so.index(True) :], *reached]:
                if unit.valence:
                    _lift(unit)
                    return True
        if said in words.endless:
            return self._endless(units, place, reached)
        return False

    def _highest(self, reached: list[_Unit]) -> _Unit | None:
        more = False
        for unit in reached:
            if unit.said in self._lexicon.changes:
                return None
            if unit.valence and (more or unit.compared):
                return unit
            more = more or unit.said in self._lexicon.comparing
        return None

    def _endless(self, units: list[_Unit], place: int, reached: list[_Unit]) -> bool:
        for offset, unit in enumerate(reached):
            if unit.said in self._lexicon.enough:
                after = units[place + offset + 2 : place + offset + 3]
                if after and after[0].said[0].isalnum() and after[0].said not in self._lexicon.enough_before:
                    return False
                rated = [before for before in reached[:offset] if before.valence]
                unit.meant = 0.0 if rated else PRAISE
                unit.by_denial = not rated
                for before in rated:
                    _lift(before)
                return True
        return False

    def _undo(self, before: list[_Unit]) -> None:
        for unit in reversed(before):
            if unit.said in self._borders or not unit.said[0].isalnum():
                break
            unit.denials += unit.valence != 0

    def _exceed(self, after: list[_Unit]) -> None:
        for unit in after:
            if unit.said[0].isalnum() and not unit.valence and unit.said not in self._lexicon.not_excess:
                unit.valence = unit.meant = MISSED
                unit.by_denial = True


def scale() -> dict[str, float]:
    """Return the words that stand for a valence."""
    return {_on_scale(tenths / 10): tenths / 10 for tenths in _TENTHS}


def _on_scale(valence: float) -> str:
    tenths = min(max(round(valence * 10), _TENTHS[0]), _TENTHS[-1])
    return f"{BLANK}{'b' if tenths < 0 else 'g'}{abs(tenths)}" if tenths else BLANK


def _lift(unit: _Unit) -> None:
    unit.meant = unit.valence * HEIGHT


def _weigh(units: list[_Unit]) -> None:
    """Give what is denied its valence; two opposites denied side by side say nothing."""
    denied = [(place, unit) for place, unit in enumerate(units) if unit.denials % 2]
    for _, unit in denied:
        unit.meant = unit.valence * DENIED
    if len(denied) == 2 == sum(unit.valence != 0 for unit in units):
        (place, one), (later, other) = denied
        if later - place <= MIDDLE and one.valence * other.valence < 0:
            one.meant = other.meant = 0.0


def _noun_after(units: list[_Unit], place: int, high: _Unit) -> bool:
    """Return whether a comparative that follows at once has something that it tells of."""
    at = units.index(high)
    after = units[at + 1].said if at + 1 < len(units) else ""
    return at > place + 1 or (after[:1].isalnum() and after != "than")


def _between_rated(units: list[_Unit], place: int) -> bool:
    beside = units[place - 1 : place] + units[place + 1 : place + 2]
    return len(beside) == 2 and all(unit.valence for unit in beside)
