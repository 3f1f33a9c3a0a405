"""From what people send to notes and follow-ups that storage keeps: places, choices, dates, suggestions."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec

from api.lexicons import feeling_reader, reminder
from api.notes.models import FollowUpIn, NoteIn, NoteTextIn, StateWord
from api.problems import profile_unknown, reminded
from api.service import Service, find_store
from core.errors import InputError
from core.floorplan import timezones
from core.limits import FUTURE_BOUND_NS, NS_PER_US, PAST_BOUND_NS
from storage.access.colleagues import About, colleague
from storage.connect import Connection
from storage.notes.choices import Choices, FeelingWord, ListWord
from storage.notes.follow_ups import FollowUpRow, NewFollowUp
from storage.notes.notes import SUBJECT_CHARACTERS, NewNote, NoteRow, NoteText, find_sent, used_otherwise
from storage.notes.place import place_at
from storage.profiles.people import are_one_person, kept_profile

DUE_AGO: Final = timedelta(microseconds=PAST_BOUND_NS // NS_PER_US)
"""So long ago a note may have been written, and its follow-up been due."""
_FUTURE: Final = timedelta(microseconds=FUTURE_BOUND_NS // NS_PER_US)
DUE_WITHIN: Final = timedelta(days=2 * 366)
"""Warranties end within two years in the EU; what lies further ahead is a mistyped year."""


def digest(note: NoteIn, profile: UUID | None) -> bytes:
    """Return what two sendings of one note that is kept on this profile have in common.

    That is all but the time, which a device may say only later.
    """
    kept = note.model_copy(update={"profile_id": profile})
    return sha256(kept.model_dump_json(exclude={"noted_at"}).encode()).digest()


def was_sent(connection: Connection, note: UUID, asked: NoteIn) -> bool:
    """Return whether this very note was kept before, on whichever profile of the person it names.

    Raises
    ------
    InputError
        If another note was sent under this id.
    """
    sent = find_sent(connection, note)
    if sent is None:
        return False
    profile = asked.profile_id
    if profile is not None and sent.profile_id is not None and are_one_person(connection, profile, sent.profile_id):
        profile = sent.profile_id
    if sent.asked_sha256 != digest(asked, profile):
        raise used_otherwise()
    return True


def new_note(
    service: Service, connection: Connection, asked: NoteIn, choices: Choices, *, note_id: UUID, operator: str
) -> NewNote:
    """Return a note to be kept, attached to where its profile was.

    Raises
    ------
    InputError, ProblemError
        If it cannot be kept as it is; says why.
    """
    now = service.now()
    noted_at = _noted_at(asked.noted_at, now)
    profile = _kept(connection, asked.profile_id)
    store_no, zone_no, visit_id = _place(service, connection, asked, profile, noted_at)
    return NewNote(
        note_id=note_id,
        asked_sha256=digest(asked, profile),
        profile_id=profile,
        store_no=store_no,
        zone_no=zone_no,
        visit_id=visit_id,
        noted_at=noted_at,
        operator=operator,
        source=asked.source,
        text=note_text(asked, choices, beside=asked.follow_up.instructions if asked.follow_up is not None else ""),
    )


def note_text(asked: NoteTextIn, choices: Choices, *, before: NoteRow | None = None, beside: str = "") -> NoteText:
    """Return the text with its suggestion; what `before` has already may stay even where it is retired.

    `beside` is what is written together with it.

    Raises
    ------
    InputError
        If a word is in none of the lists, or nothing is said.
    ProblemError
        If something is asserted that nobody can observe and it is not said that the reminder was seen.
    """
    held = before.text if before is not None else None
    _check_choice(choices, "purpose", asked.purpose, [held.purpose] if held is not None else [])
    if asked.outcome is not None:
        _check_choice(choices, "outcome", asked.outcome, [held.outcome] if held is not None else [])
    if asked.mood is not None:
        _check_choice(choices, "mood", asked.mood, [held.mood] if held is not None else [])
    tags = tuple(dict.fromkeys(asked.tags))
    for tag in tags:
        _check_choice(choices, "tag", tag, held.tags if held is not None else [])
    labels = [choices["tag"][tag].label for tag in tags]
    by_hand = asked.subject
    if held is not None and by_hand == held.subject and not is_by_hand(held):
        by_hand = ""  # sent back as it was read: nobody wrote it now either
    subject = by_hand or _subject(asked, labels)
    remind([*labels, by_hand, asked.detail, beside], seen=asked.reminder_seen)
    # a tag is an observation: its label, which stands for a subject that nobody wrote, says nothing of a feeling
    written = by_hand or " " * len(subject)
    said = f"{written}\n{asked.detail}" if asked.detail else written
    return NoteText(
        purpose=asked.purpose,
        subject=subject,
        detail=asked.detail,
        outcome=asked.outcome,
        mood=asked.mood,
        tags=tags,
        feeling_chosen=_chosen(asked, choices, held),
        feeling_read=msgspec.to_builtins(feeling_reader().read(said)),
    )


def is_by_hand(text: NoteText) -> bool:
    """Return whether somebody wrote the subject of a note; else it is made of its tags, or of how its detail begins.

    One that nobody wrote was not read: no clause begins in it, though there are words.
    """
    if any(clause["begin"] < len(text.subject) for clause in text.feeling_read["clauses"]):
        return True
    return not feeling_reader().read(text.subject).clauses


def remind(texts: Iterable[str], *, seen: bool) -> None:
    """Refuse what asserts something that nobody can observe, unless whoever writes has seen the reminder.

    Raises
    ------
    ProblemError
        With what was found.
    """
    if seen:
        return
    text = "\n".join(texts)
    found = reminder().flags(text)
    if found:
        lexicon = reminder().lexicon
        labels = {topic.topic: topic.label for topic in lexicon.topics}
        raise reminded(
            lexicon.says, [{"where": text[flag.begin : flag.end], "what": labels[flag.topic]} for flag in found]
        )


def new_follow_up(
    connection: Connection,
    asked: FollowUpIn,
    note: UUID | None,
    *,
    operator: str,
    timezone: str | None,
    now: datetime,
    before: FollowUpRow | None = None,
    key: UUID | None = None,
) -> NewFollowUp:
    """Return a follow-up to be kept, of a note or of what the one `before` it is about; `timezone` is the default.

    `key` is the id that it is sent with.

    Raises
    ------
    InputError
        If the time zone is unknown, the date is not possible, or nobody who would see it has this name.
    """
    name = asked.timezone if asked.timezone is not None else (timezone if timezone is not None else "UTC")
    about = About(note=before.note_id, alert=before.alert_id) if before is not None else About(note=note)
    return NewFollowUp(
        follow_up_id=key if key is not None else uuid4(),
        note_id=about.note,
        alert_id=about.alert,
        after=before.follow_up_id if before is not None else None,
        operator=colleague(connection, asked.operator if asked.operator is not None else operator, about),
        due_at=due_instant(asked.due_at, name, now),
        timezone=name,
        instructions=asked.instructions,
        made_at=now,
        made_by=operator,
    )


def due_instant(due_at: datetime, timezone: str, now: datetime, *, ahead: bool = False) -> datetime:
    """Return when something is due, in UTC; without an offset it is read on the clocks of `timezone`.

    A time that clocks leave out in spring is read as if they had not yet been put forward; one that they show twice
    in autumn is the first of the two.

    Raises
    ------
    InputError
        If the time zone is unknown, or the time is more than DUE_WITHIN ahead or a week ago (`ahead`: not ahead).
    """
    if timezone not in timezones():
        raise InputError(
            f"There is no time zone {timezone[:64]!r}.", hint="Use an IANA name like Europe/Berlin.", where="timezone"
        )
    zone = ZoneInfo(timezone)
    try:
        due = (due_at if due_at.tzinfo is not None else due_at.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise _due_bounds() from error
    if ahead and due <= now:
        raise InputError("This time has passed already.", hint="Choose a later one.", where="due_at")
    if not now - DUE_AGO <= due <= now + DUE_WITHIN:
        raise _due_bounds()
    return due


def state_of(row: FollowUpRow, now: datetime) -> StateWord:
    """Return whether a follow-up is overdue, due later today on its own calendar, later, or done."""
    if row.done_at is not None:
        return "done"
    if row.due_at < now:
        return "overdue"
    zone = ZoneInfo(row.timezone)
    return "today" if row.due_at.astimezone(zone).date() == now.astimezone(zone).date() else "later"


def _due_bounds() -> InputError:
    return InputError("A follow-up is due within the next two years.", hint="Check the year.", where="due_at")


def _kept(connection: Connection, asked: UUID | None) -> UUID | None:
    """Return whom a note is kept on: a phone or a program may know her by a profile that was merged since."""
    if asked is None:
        return None
    kept = kept_profile(connection, asked)
    if kept is None:
        raise profile_unknown()
    return kept


def _noted_at(asked: datetime | None, now: datetime) -> datetime:
    if asked is None:
        return now
    if asked.tzinfo is None:
        raise InputError("The time has no offset.", hint="Write it like 2026-11-21T09:00+01:00.", where="noted_at")
    if not now - DUE_AGO <= asked <= now + _FUTURE:
        raise InputError(
            f"A note was written within the last {DUE_AGO.days} days, by the clock here {now:%Y-%m-%dT%H:%M}Z.",
            hint="Is the device's clock right?",
            where="noted_at",
        )
    return min(asked, now).astimezone(UTC)


def _place(
    service: Service, connection: Connection, asked: NoteIn, profile: UUID | None, at: datetime
) -> tuple[int | None, int | None, UUID | None]:
    """Return store, zone and store visit: what was asked for, else where the profile was."""
    seen = place_at(connection, profile, at) if profile is not None else None
    if asked.store is None:
        if asked.zone is not None:
            raise InputError("A zone needs its store.", hint="Send `store` too.", where="zone")
        return (seen.store_no, seen.zone_no, seen.visit_id) if seen is not None else (None, None, None)
    stored = find_store(service, connection, asked.store)
    there = seen if seen is not None and seen.store_no == stored.store_no else None
    zone_no = there.zone_no if there is not None else None
    if asked.zone is not None:
        if asked.zone not in stored.plan.zone_index:
            raise InputError(f"The store {stored.plan.id!r} has no zone {asked.zone!r}.", where="zone")
        zone_no = stored.plan.zone_index[asked.zone]
    return stored.store_no, zone_no, there.visit_id if there is not None else None


def _check_choice(choices: Choices, list_word: ListWord, word: str, held: Iterable[str | None]) -> None:
    found = choices[list_word].get(word)
    if found is not None and (not found.retired or word in held):
        return
    offered = ", ".join(choice.word for choice in choices[list_word].values() if not choice.retired)
    raise InputError(f"There is no {list_word} {word!r}.", hint=f"There are: {offered}.", where=list_word)


def _subject(asked: NoteTextIn, labels: list[str]) -> str:
    """Return the one line that nobody wrote: what the tags say, else how the detail begins."""
    said = ", ".join(label if not place else label[:1].lower() + label[1:] for place, label in enumerate(labels))
    line = said or " ".join(asked.detail.split())
    if not line:
        raise InputError("A note without words.", hint="Choose a tag or write a subject.", where="subject")
    return line if len(line) <= SUBJECT_CHARACTERS else line[: SUBJECT_CHARACTERS - 1].rstrip() + "…"


def _chosen(asked: NoteTextIn, choices: Choices, held: NoteText | None) -> FeelingWord | None:
    """Return what staff say of the feeling: in this text, else as they said before, else by the mood."""
    if asked.feeling is None and "feeling" not in asked.model_fields_set and held is not None:
        by_mood = _of_mood(choices, held.mood)
        if held.feeling_chosen != by_mood:
            return held.feeling_chosen
    return asked.feeling if asked.feeling is not None else _of_mood(choices, asked.mood)


def _of_mood(choices: Choices, mood: str | None) -> FeelingWord | None:
    found = choices["mood"].get(mood) if mood is not None else None
    return found.feeling if found is not None else None
