"""The lists that notes choose from: purposes, outcomes, moods and tags. The user defines them."""

import re
from collections.abc import Container
from typing import Final, Literal, TypeAlias, get_args
from unicodedata import normalize

import msgspec

from core.errors import InputError
from storage.connect import Connection
from storage.storable import storable

ListWord: TypeAlias = Literal["purpose", "outcome", "mood", "tag"]
FeelingWord: TypeAlias = Literal["positive", "negative", "neutral", "mixed"]

CHOICES_PER_LIST: Final = 60
"""Five screens of large tags on a phone; whoever has more searches longer than it takes to type."""
LABEL_CHARACTERS: Final = 60
"""Two lines on a tag of a phone's width."""
WORD_PATTERN: Final = r"^[a-z0-9][a-z0-9_]{0,39}$"
"""A choice's own name, in notes and URLs; it stays when the label changes."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a list; `feeling` is what choosing it (a mood) says, `retired` ones are not offered any more."""

    list: ListWord
    word: str
    label: str
    place: int
    feeling: FeelingWord | None
    retired: bool


Choices: TypeAlias = dict[ListWord, dict[str, Choice]]
"""Each list, its entries by their words in the list's order."""


def read_choices(connection: Connection) -> Choices:
    """Return every list with every entry, retired ones too."""
    found: Choices = {word: {} for word in get_args(ListWord)}
    for row in connection.execute(
        "select list, word, label, place, feeling, retired from note_choice order by list, place, word"
    ):
        choice = Choice(list=row[0], word=row[1], label=row[2], place=row[3], feeling=row[4], retired=row[5])
        found[choice.list][choice.word] = choice
    return found


def word_of(label: str, held: Container[str]) -> str:
    """Return a word for a label that no other entry has: its letters and digits, else a number behind them."""
    plain = normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    word = "_".join(re.findall("[a-z0-9]+", plain))[:36].strip("_") or "choice"
    return next(tried for tried in (word, *(f"{word}_{number}" for number in range(2, 1_000))) if tried not in held)


def save_choice(connection: Connection, choice: Choice) -> None:
    """Add an entry or change the one of this word.

    Raises
    ------
    InputError
        If the list is full, or the label is empty, too long, or on another entry that is offered.
    """
    label = storable(choice.label).strip()
    if not 1 <= len(label) <= LABEL_CHARACTERS:
        raise InputError(f"A label has 1 to {LABEL_CHARACTERS} characters.", where="label")
    # two people who add at once must not pass the bound together
    connection.execute("select pg_advisory_xact_lock(hashtext('note_choice'))")
    row = connection.execute(
        "select count(*) from note_choice where list = %s and word <> %s", [choice.list, choice.word]
    ).fetchone()
    if row is not None and row[0] >= CHOICES_PER_LIST:
        raise InputError(
            f"A list has at most {CHOICES_PER_LIST} entries.",
            hint="Change one that is not needed any more.",
            where=choice.list,
        )
    twin = connection.execute(
        "select word from note_choice where list = %s and word <> %s and not retired and lower(label) = lower(%s)",
        [choice.list, choice.word, label],
    ).fetchone()
    if twin is not None and not choice.retired:
        raise InputError(
            f"The list has an entry {label!r} already: {twin[0]}.",
            hint="Choose another label, or retire the other entry.",
            where="label",
        )
    connection.execute(
        "insert into note_choice (list, word, label, place, feeling, retired)"
        " values (%(list)s, %(word)s, %(label)s, %(place)s, %(feeling)s, %(retired)s)"
        " on conflict (list, word) do update set label = excluded.label, place = excluded.place,"
        " feeling = excluded.feeling, retired = excluded.retired",
        msgspec.structs.asdict(choice) | {"label": label},
    )
