"""Ways in which a full outbox may let go of the wrong thing: functions to put in the place of `Outbox`'s own."""

from collections.abc import Callable
from typing import Any, Final

from edge.outbox import _STORED, ROW_BYTES, Outbox, _Stored

_drop = Outbox._drop


def held_twice(self: Any) -> int:
    """Everything counts twice: rows give way when the outbox is half full."""
    held = self._held
    return 2 * int(held.payload_bytes + ROW_BYTES * held.rows)


def newest_first(self: Any) -> None:
    """The newest rows give way."""
    wanted = self.held_bytes - int(self._most_bytes * 0.95)
    chosen: list[_Stored] = []
    newest = self._database.execute(f"{_STORED} place > ? order by place desc", (self._offered_to,)).fetchall()
    for row in map(_Stored._make, newest):
        if chosen and (wanted <= 0 or row.boot != chosen[0].boot):
            break
        chosen.append(row)
        wanted -= row.payload_bytes + ROW_BYTES
    if len(chosen) > 1 or (chosen and not chosen[0].gap):
        self._drop(chosen[::-1])


def another_time(self: Any, run: Any) -> None:
    """A gap says of its signals that they were heard an hour before they were."""
    hour_us = 3_600_000_000
    _drop(self, [row._replace(from_us=row.from_us - hour_us, until_us=row.until_us - hour_us) for row in run])


def narrower(self: Any, run: Any) -> None:
    """A gap ends where the newest batch that it stands for begins."""
    _drop(self, [row._replace(until_us=row.from_us) for row in run])


MUTANTS: Final[dict[str, tuple[str, Callable[..., Any] | property]]] = {
    "drops_with_room": ("held_bytes", property(held_twice)),
    "drops_the_newest": ("_make_room", newest_first),
    "gaps_of_another_time": ("_drop", another_time),
    "gaps_too_narrow": ("_drop", narrower),
}
"""By name: what of `Outbox` is another, and what it is then."""
