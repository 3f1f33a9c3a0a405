"""What a text says about a feeling, clause by clause, with the words that say it: a suggestion, never the last word.

Words are weighed by VADER (Hutto & Gilbert, 2014, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of
Social Media Text") with a lexicon of retail talk over its own. The score of a text is VADER's for its sentences. Each
clause is read once more by itself, so that one feeling does not hide another and a negation does not reach further
than it is meant: whoever loved the shoes and did not find her size is neither pleased nor indifferent.

Where a sentence model is there, it decides with the words what the text as a whole says (sentences.py): a feeling may
be in what happened and in no word. The clauses and their cues stay what the words say.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from math import sqrt
from typing import Final

import msgspec
import vader
from vader.constants import BOOSTER_DICT, NEGATE
from vader.data.emoji import EMOJI
from vader.data.lexicon import MULTIWORD

from core.journey.negation import BLANK, NegationLexicon, NegationReader, scale
from core.journey.sentences import SENTENCE_CHARACTERS, SaidByWords, SentenceReader

TEXT_CHARACTERS: Final = 5_000
"""The longest note: its subject and its detail; what comes after is not read."""
CUES_MOST: Final = 12
"""Of a clause: each costs a reading of the clause without it. What people say in one breath has a handful; a text of
nothing but rated words took a quarter of a minute."""
FEELS_AT: Final = 0.05
"""VADER's own bound between neutral and a feeling, on its scale of -1..1."""
CLEAR_AT: Final = 0.25
"""A clause that carries a mixed feeling says so with at least one plain word: valence 1 (of 4) alone gives 0.25."""
LIKELY_AT: Final = 0.5
"""Good or bad is read where it is likelier than not."""
SURE_AT: Final = 0.55
"""Likelihood from which a feeling is told. Of 580 notes, each read by what was learnt from others, 0.68 are told, and
0.76 of these right (of all: 0.67); from 0.6 on 0.59 would be told and 0.80 of these right."""
_ALPHA: Final = 15.0
"""VADER's normalisation: a sum x of valences becomes x / sqrt(x^2 + 15)."""
_FULL: Final = 0.9999
"""Just short of 1, where the way back to a sum of valences has no end."""
_APOSTROPHE: Final = "\N{RIGHT SINGLE QUOTATION MARK}"
_DASHES: Final = "-\N{EN DASH}\N{EM DASH}"
_WORD: Final = rf"[^\W_]+(?:['{_APOSTROPHE}-][^\W_]+)*"
_SAYS: Final = re.compile("[^\\W_]|[\u2600-\u27bf\U0001f300-\U0001faff]")
"""What a piece must have to be one: a letter, a digit or a pictograph."""
_GAP: Final = r"\s+"
AMID_WORDS: Final = 5
"""So far from "I don't think" to its verb: "that the new till upstairs is". What is further on is another thought."""
_AMID: Final = rf"((?:{_WORD}\s+){{0,{AMID_WORDS}}}?)"
_PLACE: Final = re.compile(r"\*|\$(?P<place>\d)")
_SHOWN_AS_PICTURE: Final = "\N{VARIATION SELECTOR-16}"
_END: Final = re.compile(rf"[.!?;\n]+[\"')\]]*(?=\s|$)|\n|\s[{_DASHES}]\s")


class Feeling(StrEnum):
    """What a text or a clause of it says."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    MIXED = "mixed"


class FeelingLexicon(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one language, as data: `words` and `phrases` with their valence, -4..4.

    `contrast` are words that begin a clause against the one before, `concession` those that begin the weaker one,
    `addition` those that join opposite feelings as well as like ones. `negations` turn what follows them, beside
    those that VADER knows. `awaited` are words of a clause that says what was hoped or feared: where it came
    otherwise, that is no feeling of what came. `denied_after` ends, `denied_before` begins a clause without words
    of its own that takes back what the one before says ("the rug is a dream, its smell is not"). `rewrites` are
    phrases that mean something else than their words add up to, with what is read in their place: `*` is any one
    word, `...` none to AMID_WORDS of them, `@group` one of `groups`; in their place `*` is the first of these, `$2`
    the second. `emoji` have valences as words have. `negation` is how the language denies.
    """

    language: str
    version: int
    words: dict[str, float]
    phrases: dict[str, float]
    contrast: tuple[str, ...]
    concession: tuple[str, ...]
    addition: tuple[str, ...]
    negations: tuple[str, ...]
    awaited: tuple[str, ...]
    denied_after: tuple[str, ...]
    denied_before: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    rewrites: dict[str, str]
    emoji: dict[str, float]
    negation: NegationLexicon


class Cue(msgspec.Struct, frozen=True, kw_only=True):
    """A word or phrase at [begin, end) of the text; `valence` is what it adds to its clause, negation included."""

    begin: int
    end: int
    valence: float


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """One clause, [begin, end) of the text; `score` is -1..1."""

    begin: int
    end: int
    feeling: Feeling
    score: float
    cues: tuple[Cue, ...]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a text says as a whole (`score` -1..1) and in its clauses, and by which model.

    By words alone `score` is as VADER normalises. With a sentence model it is how much likelier something good is
    than something bad, and `likelihood` is that of `feeling`, 0..1. `doubted` is a text that denies something where
    the two contradict each other, or where words alone find no feeling in what is denied.
    """

    feeling: Feeling
    score: float
    clauses: tuple[Clause, ...]
    model: str
    version: str
    likelihood: float | None = None
    doubted: bool = False


class FeelingReader:
    """Reads texts of one language; safe to use from several threads.

    Parameters
    ----------
    lexicon : FeelingLexicon
    sentences : SentenceReader, optional
        Of the same language; without it texts are read by their words alone.
    """

    def __init__(self, lexicon: FeelingLexicon, sentences: SentenceReader | None = None) -> None:
        self._sentences = sentences
        drawn = {emoji: f"{BLANK}emoji{number}" for number, emoji in enumerate(lexicon.emoji)}
        self._scorer = vader.SentimentIntensityAnalyzer(
            extra_lexicon=lexicon.words | scale() | {drawn[sign]: valence for sign, valence in lexicon.emoji.items()},
            multiword=dict(MULTIWORD) | lexicon.phrases,
            booster={word: weight for word, weight in BOOSTER_DICT.items() if word not in lexicon.negations},
            negations=(),
            emoji=dict(EMOJI) | drawn | {emoji + _SHOWN_AS_PICTURE: word for emoji, word in drawn.items()},
        )
        self._negation = NegationReader(
            lexicon.negation,
            (NEGATE | set(lexicon.negations)) - set(lexicon.concession),
            self._scorer.lexicon,
            self._scorer.multiword,
        )
        self._word = re.compile("|".join((_WORD, *map(re.escape, lexicon.emoji))))
        self._rewrites = tuple(
            (_rewritten(said, lexicon.groups), _PLACE.sub(lambda found: rf"\g<{found['place'] or 1}>", meant))
            for said, meant in lexicon.rewrites.items()
        )
        known = {word for word, valence in self._scorer.lexicon.items() if valence}
        self._words = frozenset(known) | lexicon.emoji.keys()
        phrases = {tuple(phrase.split()): valence for phrase, valence in self._scorer.multiword.items()}
        self._phrases = frozenset(phrase for phrase, valence in phrases.items() if valence)
        self._silent = frozenset(phrases) - self._phrases
        self._longest = max(map(len, self._phrases | self._silent), default=1)
        self._joint = _joint_pattern(lexicon.contrast + lexicon.concession)
        self._adds = _joint_pattern(lexicon.addition)
        self._begins_weaker = re.compile(rf"\W*(?:{_either(lexicon.concession)})\b", re.IGNORECASE)
        self._awaits = re.compile(rf"\b(?:{_either(lexicon.awaited)})\b", re.IGNORECASE)
        self._denies = re.compile(
            rf"(?:.*\b(?:{_either(lexicon.denied_after)})|\W*(?:{_either(lexicon.denied_before)})\b.*)\W*",
            re.IGNORECASE | re.DOTALL,
        )
        self.model = f"vader+retail-{lexicon.language}"
        self.version = f"{vader.__version__}+{lexicon.version}"

    def read(self, text: str) -> Reading:
        """Return what a text says; one without a letter is neutral."""
        text = text[:TEXT_CHARACTERS]
        by_words = self._by_words(text)
        if self._sentences is None or not by_words.clauses or len(text) > SENTENCE_CHARACTERS:
            return by_words
        good, bad = self._sentences.likely(text, self.said_by_words(text, by_words))
        feeling, likelihood = _likeliest(good, bad)
        return msgspec.structs.replace(
            by_words,
            feeling=feeling,
            score=round(good - bad, 4),
            likelihood=round(likelihood, 4),
            model=f"{self._sentences.model}+{self.model}",
            version=f"{self._sentences.version}+{self.version}",
            doubted=feeling is not by_words.feeling and self._negation.denies(text),
        )

    def said_by_words(self, text: str, reading: Reading) -> SaidByWords:
        """Return what the clauses of a reading of a text say by their words."""
        denied = [clause for clause in reading.clauses if self._negation.denies(text[clause.begin : clause.end])]
        return SaidByWords(*_best_and_worst(reading.clauses), *_best_and_worst(denied))

    def _by_words(self, text: str) -> Reading:
        read = [self._clause(text, begin, end) for begin, end in self._spans(text)]
        clauses = self._as_it_came(text, self._denied(text, read))
        sentences = _cut(text, 0, len(text), _ends(text))
        score = _normal(sum(_sum(self._score(text[begin:end])) for begin, end in sentences))
        if clauses != read:  # what a clause means beside the others no sentence says by itself
            score = _normal(sum(_sum(clause.score) for clause in clauses))
        feeling = _whole(clauses, score)
        return Reading(
            feeling=feeling,
            score=round(score, 4),
            clauses=tuple(clauses),
            model=self.model,
            version=self.version,
            doubted=feeling is Feeling.NEUTRAL and self._negation.denies(text),
        )

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the clauses: cut at sentence ends and contrasts, and at commas and at "and" between opposites."""
        whole = [match.span() for said, _ in self._rewrites for match in said.finditer(text)]
        for begin, end in _cut(text, 0, len(text), _ends(text)):
            joints = [match.start("joint") for match in self._joint.finditer(text, begin, end)]
            joints = [joint for joint in joints if not any(first < joint < last for first, last in whole)]
            for inner_begin, inner_end in _cut(text, begin, end, joints):
                commas = [match + 1 for match in _commas(text, inner_begin, inner_end)]
                adds = [match.start("joint") for match in self._adds.finditer(text, inner_begin, inner_end)]
                if self._begins_weaker.match(text, inner_begin, inner_end):
                    yield from _cut(text, inner_begin, inner_end, commas[:1])
                elif commas + adds and self._turns(text, inner_begin, inner_end, commas):
                    yield from _cut(text, inner_begin, inner_end, commas)
                elif commas + adds and self._opposed(text, inner_begin, inner_end):
                    yield from _cut(text, inner_begin, inner_end, sorted({*commas, *adds}))
                else:
                    yield inner_begin, inner_end

    def _turns(self, text: str, begin: int, end: int, commas: list[int]) -> bool:
        """Return whether what follows a comma takes back what stands before it."""
        return any(self._takes_back(text[first:last]) for first, last in [*_cut(text, begin, end, commas)][1:])

    def _takes_back(self, clause: str) -> bool:
        return self._denies.fullmatch(clause) is not None and not any(self._rated(clause))

    def _denied(self, text: str, clauses: list[Clause]) -> list[Clause]:
        """Return the clauses, those that take back the one before with the opposite of its feeling."""
        found: list[Clause] = []
        for clause in clauses:
            if found and found[-1].cues and self._takes_back(text[clause.begin : clause.end]):
                clause = _scored(clause, -found[-1].score)  # noqa: PLW2901 - the same one, as it is meant
            found.append(clause)
        return found

    def _as_it_came(self, text: str, clauses: list[Clause]) -> list[Clause]:
        """Return the clauses; what was hoped or feared and came otherwise feels like nothing any more."""
        return [
            _scored(clause, 0.0)
            if self._awaits.search(text, clause.begin, clause.end)
            and any(after.score * clause.score < 0 and abs(after.score) >= CLEAR_AT for after in clauses[place + 1 :])
            else clause
            for place, clause in enumerate(clauses)
        ]

    def _opposed(self, text: str, begin: int, end: int) -> bool:
        signs = {cue.valence > 0 for cue in self._cues(text, begin, end)}
        return len(signs) == 2 and not self._negation.is_between(text[begin:end])

    def _clause(self, text: str, begin: int, end: int) -> Clause:
        score = self._score(text[begin:end])
        return Clause(
            begin=begin,
            end=end,
            feeling=_plain(score),
            score=round(score, 4),
            cues=tuple(self._cues(text, begin, end)),
        )

    def _cues(self, text: str, begin: int, end: int) -> list[Cue]:
        """Return what carries the feeling of a clause: each word or phrase by what is missing without it."""
        clause = text[begin:end]
        whole = _sum(self._score(clause))
        found = []
        denied = [*islice(self._negation.says(clause), CUES_MOST)]
        rated = [span for span in islice(self._rated(clause), CUES_MOST) if not _overlaps(span, denied)]
        for first, last in sorted([*rated, *denied])[:CUES_MOST]:
            valence = whole - _sum(self._score(clause[:first] + BLANK + clause[last:]))
            if abs(valence) >= FEELS_AT:
                found.append(Cue(begin=begin + first, end=begin + last, valence=round(valence, 2)))
        return found

    def _rated(self, clause: str) -> Iterator[tuple[int, int]]:
        """Yield where rated phrases and words stand, the longest first, none within another."""
        tokens = [
            (match.group().lower().replace(_APOSTROPHE, "'"), *match.span()) for match in self._word.finditer(clause)
        ]
        place = 0
        while place < len(tokens):
            for length in range(min(self._longest, len(tokens) - place), 1, -1):
                phrase = tuple(token for token, _, _ in tokens[place : place + length])
                if phrase in self._phrases:
                    yield tokens[place][1], tokens[place + length - 1][2]
                if phrase in self._phrases or phrase in self._silent:
                    place += length
                    break
            else:
                if tokens[place][0] in self._words:
                    yield tokens[place][1:]
                place += 1

    def _score(self, clause: str) -> float:
        clause = clause.replace(" n't", "n't").replace(_APOSTROPHE, "'")
        for said, meant in self._rewrites:
            clause = said.sub(meant, clause)
        return float(self._scorer.polarity_scores(self._negation.meant(clause))["compound"])


def is_sure(
    feeling: Feeling,
    score: float,
    valences: Iterable[float],
    likelihood: float | None = None,
    doubted: bool = False,
) -> bool:
    """Return whether a reading is to be told as what it says; `valences` are of the cues of all its clauses.

    With a sentence model it is where the feeling is likely enough. By words alone it is not where its cues
    contradict each other and no clause decides, nor where all of them weigh less than one plain word. What is doubted
    is not either way. How often those that are told so are right stands in docs/notes.md.
    """
    if doubted:
        return False
    if likelihood is not None:
        return likelihood >= SURE_AT
    if feeling is Feeling.MIXED:
        return True
    opposed = len({valence > 0 for valence in valences}) == 2
    return not opposed and (feeling is Feeling.NEUTRAL or abs(score) >= CLEAR_AT)


def _likeliest(good: float, bad: float) -> tuple[Feeling, float]:
    """Return the feeling that these probabilities make, and its own."""
    likelihood = max(good, 1 - good) * max(bad, 1 - bad)
    if good >= LIKELY_AT and bad >= LIKELY_AT:
        return Feeling.MIXED, likelihood
    if good < LIKELY_AT and bad < LIKELY_AT:
        return Feeling.NEUTRAL, likelihood
    return (Feeling.POSITIVE if good > bad else Feeling.NEGATIVE), likelihood


def _best_and_worst(clauses: Iterable[Clause]) -> tuple[float, float]:
    scores = [0.0, *(clause.score for clause in clauses)]
    return max(scores), -min(scores)


def _scored(clause: Clause, score: float) -> Clause:
    return msgspec.structs.replace(clause, score=score, feeling=_plain(score))


def _whole(clauses: list[Clause], score: float) -> Feeling:
    if any(clause.score >= CLEAR_AT for clause in clauses) and any(clause.score <= -CLEAR_AT for clause in clauses):
        return Feeling.MIXED
    return _plain(score)


def _plain(score: float) -> Feeling:
    if abs(score) < FEELS_AT:
        return Feeling.NEUTRAL
    return Feeling.POSITIVE if score > 0 else Feeling.NEGATIVE


def _sum(score: float) -> float:
    """Return the sum of valences that a score came of."""
    bounded = max(-_FULL, min(_FULL, score))
    return bounded * sqrt(_ALPHA / (1 - bounded * bounded))


def _normal(total: float) -> float:
    return total / sqrt(total * total + _ALPHA)


def _overlaps(one: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(one[0] < last and first < one[1] for first, last in others)


def _ends(text: str) -> list[int]:
    return [match.end() for match in _END.finditer(text)]


def _either(words: tuple[str, ...]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _rewritten(phrase: str, groups: dict[str, tuple[str, ...]]) -> re.Pattern[str]:
    pattern = ""
    for part in phrase.split():
        if part == "...":  # brings the gap after each of its words along
            pattern += _AMID
        elif part.startswith("@"):
            pattern += rf"({_either(groups[part[1:]])}){_GAP}"
        else:
            pattern += (r"([\w'-]+)" if part == "*" else re.escape(part)) + _GAP
    return re.compile(rf"\b{pattern.removesuffix(_GAP)}\b", re.IGNORECASE)


def _joint_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<=\S)[\s,]+(?P<joint>(?:{_either(words)})\b)", re.IGNORECASE)


def _commas(text: str, begin: int, end: int) -> Iterator[int]:
    place = text.find(",", begin, end)
    while place >= 0:
        yield place
        place = text.find(",", place + 1, end)


def _cut(text: str, begin: int, end: int, places: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the pieces of [begin, end) between these places, without the space around them; none is empty."""
    for first, last in zip([begin, *places], [*places, end], strict=True):
        piece = text[first:last]
        if _SAYS.search(piece) is not None:
            yield first + len(piece) - len(piece.lstrip()), last - len(piece) + len(piece.rstrip())
