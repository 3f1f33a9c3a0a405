"""How often, and how much: rates of principals and addresses, waits after failed logins, people seen a day.

Rates and waits are counted in the memory of each process of the API: with several, each lets through as much. They
bound what one caller costs, not how much is told in all; those are the budgets of profiles and of people, which the
database counts.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from threading import Lock
from typing import Final
from uuid import UUID

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.access.asking import asking_now
from api.access.principal import Principal
from api.problems import ProblemError
from storage.access.reads import forget_old_reads, lists_are_closed, open_profile
from storage.audit.acting import Acting
from storage.audit.entries import Shown
from storage.audit.hints import BUDGET
from storage.connect import Connection
from storage.writing import Writer

_HELD: Final = 10_000
"""Pairs of address and name, and profiles opened today, that are remembered at most; the oldest is forgotten."""


@dataclass(frozen=True)
class Rates:
    """Requests a minute that one principal, or one address without a login, may send.

    Parameters
    ----------
    read : int
        A page with everything on it asks a dozen times, and a live one twenty times a minute: sixty people's worth
        for a program with one key.
    route : int
        Of these to one route: whoever asks the same thing a dozen times a second still has a third for the rest.
    write : int
        Nobody types ten things a second; a shop's program sends hundreds of orders a minute at its busiest.
    heavy : int
        Exports, reports and figures over a year read thousands of rows each.
    nobody : int
        A whole store's phones come from one address.
    login : int
        A whole office logs in from one address in the morning, and each one mistypes twice.
    figures : int
        Figures of stores in a minute, however many questions ask for them: a page asks for some hundred, and a
        program that fills a table with thirty of the largest questions waits for a minute.
    heavy_at_once : int
        Heavy requests of one principal under way: each may hold one of eight connections for seconds, and the others
        are everybody else's.
    profiles_a_day, profiles_a_day_key : int
        Different profiles one person, or one key, opens in a day (UTC). A shop assistant serves some sixty customers
        in a shift, a busy service desk two hundred; who opens three hundred reads for another reason than to serve.
        A program that greets every customer of a busy day in a large store stays below five thousand.
    people_a_day, people_a_day_key : int
        Different people one person, or one key, is shown in a day (UTC) beside the profiles that are opened: lists,
        notes, tasks, cues. Whoever has the cues of a large store open all day is shown some 1,500 (5,000 visitors, a
        third of whom consented): twice that, ten for each profile that may be opened. To page through 100,000
        customers takes a month then, and is asked about after a thousand (`listed` of core.audit.hints). A program
        has twice of what it may open.
    """

    read: int = 1_200
    route: int = 800
    write: int = 600
    heavy: int = 120
    nobody: int = 1_200
    login: int = 30
    figures: int = 600_000
    heavy_at_once: int = 2
    profiles_a_day: int = 300
    profiles_a_day_key: int = 5_000
    people_a_day: int = 3_000
    people_a_day_key: int = 10_000


_HEAVY: Final = frozenset(
    {
        "GET /v1/exports/{what}", "GET /v1/stores/{store}/cells", "GET /v1/journey-map", "GET /journey-map",
        "GET /notes.csv", "GET /notes/reports", "GET /notes/reports.csv", "POST /v1/segments/count",
        "POST /v1/imports/profiles", "POST /v1/imports/{given_input}", "POST /v1/alerts/look",
        "GET /stores/{store}/compare", "GET /stores/{store}/note-tags", "GET /v1/stores/{store}/presets",
    }
)  # fmt: skip
_ASK_AGAIN_S: Final = 3_600
"""A budget is whole again at midnight UTC; whoever asks each hour is not late."""
_SOON_S: Final = 5
"""A report takes as long at most."""
_FREE: Final = 5
"""Failed logins before the first wait: a person's own mistakes."""
_LONGEST_S: Final = 900.0
"""Waits double from two seconds on; a quarter of an hour is as good as never for a program that guesses."""
_FORGOTTEN_AFTER_S: Final = 86_400.0


@dataclass
class _Failures:
    count: int = 0
    last_s: float = 0.0


@dataclass
class Limits:
    """The counters of one process; safe to use from several threads."""

    rates: Rates = field(default_factory=Rates)
    clock_s: Callable[[], float] = time.monotonic
    today: Callable[[], date] = lambda: datetime.now(UTC).date()

    def __post_init__(self) -> None:
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._items: dict[str, RateLimitItem] = {
            word: RateLimitItemPerMinute(getattr(self.rates, word))
            for word in ("read", "route", "write", "heavy", "nobody", "login", "figures")
        }
        self._under_way: Counter[str] = Counter()
        self._lock = Lock()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._day = date.min
        self._opened: OrderedDict[tuple[str, UUID], None] = OrderedDict()
        self._closed: dict[str, bool] = {}
        """Of whoever asked for a list today, whether lists are closed to them; asked of the database once a day."""

    def ask(self, route: str, who: str, *, known: bool) -> None:
        """Count one request.

        Raises
        ------
        ProblemError
            429 if there were too many within a minute.
        """
        if route == "POST /login" or route.startswith("POST /login/"):
            kind = "login"
        elif not known:
            kind = "nobody"
        elif route in _HEAVY:
            kind = "heavy"
        else:
            kind = "read" if route.startswith("GET ") else "write"
        item = self._items[kind]
        over = not self._window.hit(item, kind, who)
        if not over and kind == "read":
            item = self._items["route"]
            over = not self._window.hit(item, route, who)
        if over:
            raise too_many(
                f"More than {item.amount} requests of this kind came within a minute.",
                hint="Wait a minute; a program should ask for larger pages, or follow a live stream.",
                retry_s=60,
            )

    @contextmanager
    def at_once(self, route: str, who: str) -> Iterator[None]:
        """Hold one of the places of a principal's heavy requests; others need none.

        Raises
        ------
        ProblemError
            429 if all are taken.
        """
        if route not in _HEAVY:
            yield
            return
        with self._lock:
            if self._under_way[who] >= self.rates.heavy_at_once:
                raise too_many(
                    f"{self.rates.heavy_at_once} exports or reports of yours are under way.",
                    hint="Wait until one of them is done.",
                    retry_s=_SOON_S,
                )
            self._under_way[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[who] -= 1
                if not self._under_way[who]:
                    del self._under_way[who]

    def spend(self, figures: int) -> None:
        """Count figures of stores that whoever is served asks for.

        Raises
        ------
        ProblemError
            429 if there were too many within a minute.
        """
        principal = asking_now().principal
        if principal is not None and not self._window.hit(
            self._items["figures"], "figures", principal.principal_id, cost=figures
        ):
            raise too_many(
                f"More than {self.rates.figures:,} figures were asked for within a minute.",
                hint="Wait a minute, or ask for fewer days, a coarser bucket or one zone.",
                retry_s=60,
            )

    def may_log_in(self, address: str, name: str) -> None:
        """Refuse a login that came too soon after failed ones of the same name from the same address.

        Bound to both, so that nobody locks somebody else out by typing their name elsewhere.

        Raises
        ------
        ProblemError
            429 with the seconds to wait.
        """
        with self._lock:
            held = self._failures.get((address, name))
            if held is None or held.count <= _FREE:
                return
            wait_s = min(_LONGEST_S, 2.0 ** (held.count - _FREE))
            left_s = held.last_s + wait_s - self.clock_s()
        if left_s > 0:
            raise too_many(
                f"This login failed {held.count} times from here.",
                hint=f"Wait {left_s:.0f} s; an admin can give you a one-time secret.",
                retry_s=int(left_s) + 1,
            )

    def login_failed(self, address: str, name: str) -> None:
        """Count a failed login."""
        with self._lock:
            held = self._failures.pop((address, name), _Failures())
            if self.clock_s() - held.last_s > _FORGOTTEN_AFTER_S:
                held.count = 0
            held.count += 1
            held.last_s = self.clock_s()
            self._failures[address, name] = held
            while len(self._failures) > _HELD:
                self._failures.popitem(last=False)

    def login_worked(self, address: str, name: str) -> None:
        """Forget failed logins."""
        with self._lock:
            self._failures.pop((address, name), None)

    def open_profile(self, writer: Writer, principal: Principal, profile: str) -> None:
        """Count a profile that a person or a key opens, once a day.

        Raises
        ------
        ProblemError
            429 if it is one too many today.
        UnavailableError
            If the database is away.
        """
        try:
            wanted = UUID(profile)
        except ValueError:
            return  # whoever reads it says that this is no profile
        held = (principal.principal_id, wanted)
        self._begin_day(writer)
        with self._lock:
            if held in self._opened:
                return
        most = self.rates.profiles_a_day if principal.kind == "person" else self.rates.profiles_a_day_key
        if not writer.write(lambda lent: open_profile(lent, principal.principal_id, wanted, most=most)):
            raise over_budget(
                f"You have opened {most:,} different profiles today, as many as one {principal.kind} may in a day.",
                hint="Those that you opened already stay open to you; ask an admin if your work needs more.",
            )
        with self._lock:
            self._opened[held] = None
            while len(self._opened) > _HELD:
                self._opened.popitem(last=False)

    def show_people(
        self, writer: Writer, who: Acting, people: Sequence[UUID], enter: Callable[[Connection, Shown], int | None]
    ) -> None:
        """Enter a look that shows people to whoever is logged in, and count them, each once a day.

        Who is refused a list once gets no further one today, see `check_lists`.

        Raises
        ------
        ProblemError
            429 if they are more than are left of today; then nothing is entered, and nothing may be shown.
        UnavailableError
            If the database is away.
        """
        if who.actor_id is None:
            raise RuntimeError("who is not logged in is shown nobody")
        self._begin_day(writer)
        most = self.rates.people_a_day if who.actor_kind == "person" else self.rates.people_a_day_key
        shown = Shown(principal=who.actor_id, people=people, most=most)
        if writer.add(lambda connection: enter(connection, shown)) is None:
            with self._lock:
                self._closed[who.actor_id] = True
            raise _lists_closed(most, who.actor_kind)

    def check_lists(self, writer: Writer, principal: Principal) -> None:
        """Refuse a list before it is asked for, if one was refused today: whatever would be found, or nobody.

        Else the refusal itself would tell whether somebody is found, and a name could be spelled by it. Each process
        asks the database once a day for each principal, and remembers its own refusals.

        Raises
        ------
        ProblemError
            429 if lists are closed.
        UnavailableError
            If the database is away.
        """
        self._begin_day(writer)
        who = principal.principal_id
        with self._lock:
            closed = self._closed.get(who)
        if closed is None:
            closed = writer.add(lambda connection: lists_are_closed(connection, who))
            with self._lock:
                closed = self._closed.setdefault(who, closed)
        if closed:
            most = self.rates.people_a_day if principal.kind == "person" else self.rates.people_a_day_key
            raise _lists_closed(most, principal.kind)

    def _begin_day(self, writer: Writer) -> None:
        """Forget, with the first look of a day, what no budget looks at any more."""
        with self._lock:
            if self._day == self.today():
                return
            self._day = self.today()
            self._opened.clear()
            self._closed.clear()
        writer.write(forget_old_reads)


def too_many(detail: str, *, hint: str, retry_s: int) -> ProblemError:
    """Return the problem of somebody who asks too often."""
    problem = ProblemError(429, "too-many", "Too many requests", detail=detail, hint=hint)
    problem.retry_s = retry_s
    return problem


def _lists_closed(most: int, kind: str) -> ProblemError:
    return over_budget(
        f"Lists, notes and tasks would have shown you more than {most:,} different people today, as many as one"
        f" {kind} may be shown in a day.",
        hint="Lists are closed to you until midnight (UTC); profiles can still be opened by their links. Ask an admin"
        " if your work needs more, or the privacy desk for an export.",
    )


def over_budget(detail: str, *, hint: str) -> ProblemError:
    """Return the problem of somebody who has used up what a day holds."""
    problem = ProblemError(429, BUDGET, "More people than a day holds", detail=detail, hint=hint)
    problem.retry_s = _ASK_AGAIN_S
    return problem
