"""The memory of a customer in sentences; each is made from its evidence and says so, nothing else is told."""

from typing import Final

import msgspec

from core.journey.records import Evidence
from core.memory.fading import age
from core.memory.remembering import Memory, Promise, TopicFeeling, newest

_CLEAR: Final = 1 / 3
"""Two of three on one side: a mean of 1/3 is where one feeling has twice the weight of the other."""
_TOPICS: Final = 3
"""Topics of each side that a summary names; the page lists all."""
_QUOTED: Final = 3


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence and what it rests on, newest first; never empty."""

    text: str
    evidence: tuple[Evidence, ...]


def tell(memory: Memory) -> tuple[Sentence, ...]:
    """Return the summary: how it stands, where it was best and worst, delights, frustrations, wishes, promises."""
    told = [*_standing(memory), *_stages(memory)]
    told += [_topic("Delighted by", topic, memory.as_of) for topic in memory.delights[:_TOPICS]]
    told += [_topic("Frustrated by", topic, memory.as_of) for topic in memory.frustrations[:_TOPICS]]
    told += [
        Sentence(
            text=f"Preference: “{quote.text}” ({age(quote.evidence.at, memory.as_of)}).", evidence=(quote.evidence,)
        )
        for quote in memory.preferences[:_QUOTED]
    ]
    pending = [one for one in memory.promises if one.state in {"overdue", "open", "undated"}]
    told += [_promise(one, memory.as_of) for one in pending[:_QUOTED]]
    return tuple(told)


def _standing(memory: Memory) -> list[Sentence]:
    now = memory.now
    if not now.n:
        return []
    newest_ago = age(now.evidence[0].at, memory.as_of)
    if now.value is None:
        text = f"What is known of feelings has faded: the newest of {now.n} is from {newest_ago}."
        return [Sentence(text=text, evidence=now.evidence)]
    word = "divided" if now.mixed or (now.positive and now.negative) else "neutral"
    if now.value >= _CLEAR:
        word = "good"
    elif now.value <= -_CLEAR:
        word = "bad"
    parts = [
        f"{count} {name}"
        for count, name in (
            (now.positive, "positive"), (now.negative, "negative"), (now.mixed, "mixed"), (now.neutral, "neutral"),
        )
        if count
    ]  # fmt: skip
    text = f"The feeling is {word}, by {now.n} {_noun(now.n)} ({', '.join(parts)}), the newest {newest_ago}."
    return [Sentence(text=text, evidence=now.evidence)]


def _stages(memory: Memory) -> list[Sentence]:
    """Say where it was best and worst, where stages differ clearly."""
    felt = [(one.mean.value, one) for one in memory.stages if one.mean.value is not None]
    if len(felt) < 2:
        return []
    best, worst = max(felt, key=lambda pair: pair[0]), min(felt, key=lambda pair: pair[0])
    if best[0] - worst[0] < _CLEAR:
        return []
    text = (
        f"Best at {best[1].stage.label} ({best[1].mean.n} {_noun(best[1].mean.n)}),"
        f" worst at {worst[1].stage.label} ({worst[1].mean.n})."
    )
    return [Sentence(text=text, evidence=best[1].mean.evidence + worst[1].mean.evidence)]


def _topic(begins: str, topic: TopicFeeling, as_of: int) -> Sentence:
    text = f"{begins} {topic.label} ({topic.n} {_noun(topic.n)}, the newest {age(newest(topic.evidence).at, as_of)})."
    return Sentence(text=text, evidence=topic.evidence)


def _promise(promise: Promise, as_of: int) -> Sentence:
    said = f"Promised by {promise.operator}: “{promise.text}”"
    if promise.due_at is None:
        text = f"{said}, {age(promise.evidence.at, as_of)}; no date, and no follow-up is open."
    elif promise.state == "overdue":
        text = f"{said}, overdue: it was due {age(promise.due_at, as_of)}."
    elif promise.was_due_at is not None:
        text = f"{said}, put off: it was due {age(promise.was_due_at, as_of)}."
    else:
        text = f"{said}, not due yet."
    return Sentence(text=text, evidence=(promise.evidence,))


def _noun(count: int) -> str:
    return "statement" if count == 1 else "statements"
