"""What the endpoints of notes and follow-ups take and answer; each limit stands with its field."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, computed_field

from api.texts import LINE_PATTERN, OneLine, Written, WrittenTime
from api.wording import sure
from core.journey.feeling import Reading
from core.journey.reminder import Reminder
from storage.notes.choices import LABEL_CHARACTERS, Choice, FeelingWord, ListWord
from storage.notes.follow_ups import INSTRUCTIONS_CHARACTERS, RESULT_CHARACTERS, FollowUpRow
from storage.notes.notes import (
    DETAIL_CHARACTERS,
    OPERATOR_CHARACTERS,
    SUBJECT_CHARACTERS,
    TAGS_PER_NOTE,
    NoteChange,
    NoteRow,
    NoteText,
    SourceWord,
)
from storage.notes.search import GroupWord, NoteCount

StateWord = Literal["overdue", "today", "later", "done"]
_Word = Annotated[str, StringConstraints(max_length=40)]
_Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=OPERATOR_CHARACTERS), Written, OneLine
]
_Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LABEL_CHARACTERS), Written, OneLine
]
_SEEN: Final = "Save it although it has words that POST /v1/notes/reading flags"
_Zone = Annotated[str, StringConstraints(max_length=64)]


class _In(BaseModel):
    """A misspelt field is an error, not silence."""

    model_config = ConfigDict(extra="forbid")


class FollowUpIn(_In):
    """What is to be done, by whom and by when."""

    operator: _Name | None = Field(
        None, description="One of GET /v1/colleagues. Default: whoever writes this", examples=["Ines Vogt"]
    )
    due_at: WrittenTime = Field(
        description="With an offset, or without one on the clocks of `timezone`", examples=["2026-11-30T10:00"]
    )
    timezone: str | None = Field(
        None, max_length=64, description="Default: the note's store's, else UTC", examples=["Europe/Berlin"]
    )
    instructions: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=INSTRUCTIONS_CHARACTERS), Written
    ] = Field(examples=["Call her when size 38 is in."])


class NewFollowUpIn(FollowUpIn):
    """A follow-up of its own; one that comes with a note or a result is read together with that."""

    reminder_seen: bool = Field(False, description=_SEEN)


class NoteTextIn(_In):
    """The part of a note that may be edited; the words come from GET /v1/note-choices."""

    purpose: _Word = Field(examples=["observation"])
    subject: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=SUBJECT_CHARACTERS), Written, OneLine
    ] = Field(
        "", pattern=LINE_PATTERN, description="One line; default: what the tags say", examples=["Size 38 missing"]
    )
    detail: Annotated[str, StringConstraints(strip_whitespace=True, max_length=DETAIL_CHARACTERS), Written] = ""
    outcome: _Word | None = None
    mood: _Word | None = None
    tags: list[_Word] = Field(default_factory=list, max_length=TAGS_PER_NOTE, examples=[["hesitated"]])
    feeling: FeelingWord | None = Field(
        None,
        description="What whoever was there says; it wins over the suggestion. Default: what the mood says; in an"
        " edit what was said before, null takes it back",
    )
    reminder_seen: bool = Field(False, description=_SEEN)


class NoteIn(NoteTextIn):
    """A note, about a profile, a store or a zone."""

    profile_id: UUID | None = None
    store: _Zone | None = Field(None, description="Default: where the profile is", examples=["marktplatz"])
    zone: _Zone | None = Field(None, examples=["shoes"])
    noted_at: WrittenTime | None = Field(
        None, description="When it was written offline, with an offset; within the last 7 days. Default: now"
    )
    source: SourceWord = Field("staff", description="Where the text comes from: staff, or the customer's own words")
    follow_up: FollowUpIn | None = None


class NoteEditIn(NoteTextIn):
    """The whole text as it is to be."""

    revision: int = Field(ge=0, description="The one that was read; another one is a 409", examples=[0])


class TextIn(_In):
    """A text to be read."""

    text: str = Field(max_length=SUBJECT_CHARACTERS + 1 + DETAIL_CHARACTERS, examples=["Loved it, but no size 38."])


class SnoozeIn(_In):
    """When to be reminded again."""

    due_at: WrittenTime = Field(
        description="With an offset, or without one on the clocks of the follow-up's time zone"
    )


class ReassignIn(_In):
    """Who takes over."""

    operator: _Name = Field(description="One of GET /v1/colleagues", examples=["Jo Lindt"])


class DoneIn(_In):
    """What came of it, and what comes next."""

    result: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=RESULT_CHARACTERS), Written
    ] = Field(examples=["Reached her, she comes on Saturday."])
    reminder_seen: bool = Field(False, description=f"{_SEEN}; of the next one's instructions too")
    next: FollowUpIn | None = None
    alert_right: bool | None = Field(None, description="Of an alert's task: whether the alert was right")


class ChoiceIn(_In):
    """An entry of a list."""

    label: _Label
    place: int = Field(0, ge=0, le=1_000, description="Its place in the list")
    feeling: FeelingWord | None = Field(None, description="What choosing it says of the feeling; of moods")
    retired: bool = Field(False, description="Not offered any more; notes that have it keep it")


class NewChoiceIn(_In):
    """An entry to be added; its word is made of the label."""

    label: _Label
    feeling: FeelingWord | None = Field(None, description="What choosing it says of the feeling; of moods")


class ChoiceOut(BaseModel):
    """An entry of a list."""

    word: str = Field(examples=["hesitated"])
    label: str = Field(examples=["Hesitated"])
    place: int
    feeling: FeelingWord | None
    retired: bool

    @classmethod
    def of(cls, row: Choice) -> Self:
        """Return the answer for an entry."""
        return cls(word=row.word, label=row.label, place=row.place, feeling=row.feeling, retired=row.retired)


class ChoicesOut(BaseModel):
    """The lists that notes choose from, each in its order."""

    purpose: list[ChoiceOut]
    outcome: list[ChoiceOut]
    mood: list[ChoiceOut]
    tag: list[ChoiceOut]


class CueOut(BaseModel):
    """A word or phrase at [begin, end) of the text; `valence` is what it adds to its clause, -4..4."""

    begin: int
    end: int
    valence: float


class ClauseOut(BaseModel):
    """A clause at [begin, end) of the text, with what carries its feeling."""

    begin: int
    end: int
    feeling: FeelingWord
    score: float = Field(description="-1..1")
    cues: list[CueOut]


class FeelingOut(BaseModel):
    """What a model suggests for a text, with the model and its version."""

    feeling: FeelingWord
    score: float = Field(description="-1..1")
    model: str = Field(examples=["vader+retail-en"])
    version: str = Field(examples=["1.0.0+1"])
    clauses: list[ClauseOut]
    likelihood: float | None = Field(
        None, description="Of the feeling, 0..1, where a sentence model read it; null: by words alone"
    )
    doubted: bool = Field(False, description="Something is denied in it, and what that says is not clear")

    @computed_field(description="Whether it is to be told as it is; else ask whoever was there")  # type: ignore[prop-decorator]
    @property
    def sure(self) -> bool:
        """Return what `is_sure` says, of readings of before as well."""
        return sure(self.model_dump(include={"feeling", "score", "clauses", "likelihood", "doubted"}))

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Return the answer for a reading."""
        return cls.model_validate(msgspec.to_builtins(reading))


class FlagOut(BaseModel):
    """A word or phrase at [begin, end) of the text that asserts something of this topic."""

    begin: int
    end: int
    word: str = Field(examples=["pregnant"])
    topic: str = Field(examples=["health"])


class ReadingOut(BaseModel):
    """What a text would look like as a note, before it is saved."""

    suggestion: FeelingOut
    reminder: str = Field(examples=["Write what you saw or heard, not what you assume about somebody."])
    flags: list[FlagOut]

    @classmethod
    def of(cls, text: str, reading: Reading, reminder: Reminder) -> Self:
        """Return the answer for a text."""
        return cls(
            suggestion=FeelingOut.of(reading),
            reminder=reminder.lexicon.says,
            flags=[
                FlagOut(begin=flag.begin, end=flag.end, word=text[flag.begin : flag.end], topic=flag.topic)
                for flag in reminder.flags(text)
            ],
        )


class NoteOut(BaseModel):
    """A note. The suggestion's clauses and cues count characters of the subject, a line end and the detail."""

    note_id: UUID
    profile_id: UUID | None
    profile_name: str | None = Field(examples=["Amara Okafor"])
    store: str | None = Field(examples=["marktplatz"])
    timezone: str | None = Field(examples=["Europe/Berlin"])
    zone: str | None = Field(examples=["shoes"])
    visit_id: UUID | None = Field(description="The store visit that it was noted in")
    noted_at: datetime
    received_at: datetime = Field(description="Later than noted_at where it was written offline")
    operator: str = Field(examples=["Ines Vogt"])
    source: SourceWord
    purpose: str = Field(examples=["observation"])
    subject: str = Field(examples=["Size 38 missing"])
    detail: str
    outcome: str | None
    mood: str | None
    tags: list[str] = Field(examples=[["hesitated"]])
    feeling: FeelingWord = Field(description="What staff chose, else what was suggested")
    feeling_chosen: FeelingWord | None
    suggestion: FeelingOut
    complete: bool = Field(description="No follow-up is open")
    open_follow_up_count: int
    revision: int
    edited_at: datetime | None

    @classmethod
    def of(cls, row: NoteRow) -> Self:
        """Return the answer for a note."""
        return cls(
            suggestion=FeelingOut.model_validate(row.feeling_read),
            complete=row.open_follow_up_count == 0,
            **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)},
        )


class NotesOut(BaseModel):
    """A page of notes, the newest first."""

    notes: list[NoteOut]
    next_cursor: str | None


class NoteCountOut(BaseModel):
    """How many notes there are of a word; null: those without one."""

    word: str | None = Field(examples=["confused_by_sign"])
    profile_id: UUID | None = Field(None, description="Of `by=profile`, whose name it is: two may have one name")
    note_count: int
    positive_count: int
    negative_count: int
    mixed_count: int
    neutral_count: int

    @classmethod
    def of(cls, row: NoteCount) -> Self:
        """Return the answer for a line of the report."""
        return cls(
            word=row.word,
            profile_id=row.profile_id,
            note_count=row.notes,
            positive_count=row.positive,
            negative_count=row.negative,
            mixed_count=row.mixed,
            neutral_count=row.neutral,
        )


class NoteCountsOut(BaseModel):
    """A report: the wanted notes, counted by a field."""

    by: GroupWord
    counts: list[NoteCountOut]


class FollowUpChangeOut(BaseModel):
    """A time that a follow-up was put off or given away."""

    change: Literal["snoozed", "reassigned"]
    changed_at: datetime
    operator: str = Field(description="Who did it")
    before: str
    after: str


class NoteTextOut(BaseModel):
    """A note's text as it once stood."""

    purpose: str
    subject: str
    detail: str
    outcome: str | None
    mood: str | None
    tags: list[str]
    feeling_chosen: FeelingWord | None

    @classmethod
    def of(cls, text: NoteText) -> Self:
        """Return the answer for a text."""
        return cls(**{name: getattr(text, name) for name in cls.model_fields})


class NoteChangeOut(BaseModel):
    """One edit; `before` is how the note stood until then."""

    revision: int
    edited_at: datetime
    operator: str
    before: NoteTextOut

    @classmethod
    def of(cls, row: NoteChange) -> Self:
        """Return the answer for an edit."""
        return cls(
            revision=row.revision, edited_at=row.edited_at, operator=row.operator, before=NoteTextOut.of(row.before)
        )


class NoteHistoryOut(BaseModel):
    """A note as it stands, and its edits, the oldest first."""

    note: NoteOut
    changes: list[NoteChangeOut]


class FollowUpOut(BaseModel):
    """A follow-up, of a note or of an alert."""

    follow_up_id: UUID
    note_id: UUID | None
    alert_id: UUID | None
    subject: str = Field(description="Of its note, or why there is an alert", examples=["Size 38 missing"])
    profile_id: UUID | None
    profile_name: str | None = Field(examples=["Amara Okafor"])
    after: UUID | None = Field(description="The follow-up that it was chained to")
    operator: str = Field(examples=["Ines Vogt"])
    nobodys: bool = Field(
        description="Open, and whoever has it has no open account, or does not see it: hand it over"
    )
    due_at: datetime
    timezone: str = Field(examples=["Europe/Berlin"])
    instructions: str = Field(examples=["Call her when size 38 is in."])
    state: StateWord = Field(description="On the day's calendar in `timezone`")
    made_at: datetime
    snoozed_count: int
    done_at: datetime | None
    done_by: str | None
    result: str | None

    @classmethod
    def of(cls, row: FollowUpRow, state: StateWord, *, nobodys: bool) -> Self:
        """Return the answer for a follow-up."""
        return cls(state=state, nobodys=nobodys, **msgspec.structs.asdict(row))


class FollowUpDetailOut(FollowUpOut):
    """A follow-up and how it changed, the oldest first."""

    changes: list[FollowUpChangeOut]


class FollowUpsOut(BaseModel):
    """A page of follow-ups."""

    follow_ups: list[FollowUpOut]
    next_cursor: str | None


class DueCountOut(BaseModel):
    """What is due by the end of today."""

    due_count: int
    overdue_count: int = Field(description="Of which the time is over")
    nobodys_count: int = Field(
        description="Due too, and nobody's: whoever has it has no open account, or does not see it"
    )


class ColleaguesOut(BaseModel):
    """Who can be given a follow-up."""

    colleagues: list[str] = Field(description="In the order of the alphabet", examples=[["Ines Vogt", "Jo Lindt"]])


class DoneOut(BaseModel):
    """A follow-up that is done, and the next one of the chain."""

    done: FollowUpOut
    next: FollowUpOut | None


LISTS: tuple[ListWord, ...] = ("purpose", "outcome", "mood", "tag")
"""In the order of the page."""
