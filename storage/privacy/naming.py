"""What others' notes and tasks say of somebody who is erased: found while her name is known, for people to look at.

Nothing is deleted here: a name may be of two people, and a note about somebody else is that customer's.
"""

import re
from collections.abc import Sequence
from typing import Final, LiteralString
from unicodedata import normalize

from core.privacy.masking import masked
from storage.connect import Connection
from storage.privacy.places import Subject

IDS_KEPT: Final = 100
"""As many as somebody looks through by hand; of more the count tells."""
_SHORTEST: Final = 3
"""Characters: a customer number of two digits stands in every other note, and says nothing there."""

_OTHERS: Final[dict[str, LiteralString]] = {
    "note": "select note.note_id from note where (note.profile_id is null or note.profile_id <> all(%(profiles)s))"
    " and (note::text ~* any(%(words)s) or exists (select from note_revision earlier,"
    "   jsonb_each_text(earlier.before) field"
    "   where earlier.note_id = note.note_id and field.value ~* any(%(words)s)))",
    "follow_up": "select task.follow_up_id from follow_up task left join note on note.note_id = task.note_id"
    " left join alert on alert.alert_id = task.alert_id"
    " where (coalesce(note.profile_id, alert.profile_id) is null"
    "   or coalesce(note.profile_id, alert.profile_id) <> all(%(profiles)s)) and task::text ~* any(%(words)s)",
}


def naming_rows(
    connection: Connection, subject: Subject, identifiers: Sequence[tuple[str, str]]
) -> dict[str, dict[str, int | list[str]]]:
    """Return by table how many rows that are not hers name her, `rows`, and the first `ids`; none left out.

    Looked for are her display names and identifiers, as whole words, in capitals or not; as written elsewise nobody
    finds them.
    """
    names = connection.execute(
        "select display_name from profile where profile_id = any(%s)", [list(subject.profiles)]
    ).fetchall()
    words = {word.strip() for word in [*(row[0] for row in names), *(value for _, value in identifiers)] if word}
    asked = {"profiles": list(subject.profiles), "words": [_whole(w) for w in sorted(words) if len(w) >= _SHORTEST]}
    found: dict[str, dict[str, int | list[str]]] = {}
    for table, question in _OTHERS.items():
        ids = sorted(str(row[0]) for row in connection.execute(question, asked)) if asked["words"] else []
        if ids:
            found[table] = {"rows": len(ids), "ids": ids[:IDS_KEPT]}
    return found


def names_her(connection: Connection, subject: Subject, text: str) -> bool:
    """Return whether a text holds a word of her names, one of her identifiers, or anybody's address or number.

    Broader than `naming_rows`: to leave something out of a receipt costs nothing.
    """
    if masked(text) != text:
        return True
    names = connection.execute(
        "select display_name from profile where profile_id = any(%s)", [list(subject.profiles)]
    ).fetchall()
    held = connection.execute(
        "select value from profile_identifier where profile_id = any(%s)", [list(subject.profiles)]
    ).fetchall()
    words = {word for (name,) in names for word in _words(name).split()} | {_words(value) for (value,) in held}
    said = f" {_words(text)} "
    return any(len(word) >= _SHORTEST and f" {word} " in said for word in words)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", normalize("NFKC", text).casefold()))


def _whole(word: str) -> str:
    escaped = re.sub(r"(\W)", r"\\\1", word)
    return rf"(^|\W){escaped}(\W|$)"
