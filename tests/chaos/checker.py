"""What must hold once everything has drained; each broken promise is one sentence."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from core.limits import NS_PER_US
from core.wire import decode
from ingest.feed import restore
from storage.connect import Connection, connect
from storage.instants import to_ns
from storage.occupancy import occupancy
from storage.rollups.keeping import refresh, waiting
from tests.chaos.house import await_that
from tests.chaos.journal import Identity, Journal, Line
from tests.edge.watched_outbox import told

_SHOWN: Final = 5
_DERIVED: Final = ("zone_visit", "store_visit", "presence", "engine_snapshot", "engine_progress")
_VISIT: Final = (
    "entered_at, visit_id, store_no, device, left_at, entered_earliest, entered_latest, left_earliest, left_latest,"
    " dwell_s, confidence, signals, closed_by, revision, forced, model_version, role"
)
_UNCOUNTED: Final = ("rollup_change", "rollup_stale")
"""What has not gone into the counts yet."""


class LoggedGap(NamedTuple):
    """What the database has been told of batches that gave way: since which sequence, how many signals, when (ns)."""

    first: int
    signals: int
    from_ns: int
    until_ns: int
    received_at: int


@dataclass
class Logged:
    """What the database has of the edges."""

    rows: list[tuple[Identity, bytes]] = field(default_factory=list)
    """In log order, with the hash that stands there."""
    gaps: dict[Identity, LoggedGap] = field(default_factory=dict)
    """By the identity that a gap stands under."""
    cursors: dict[tuple[str, bytes], int] = field(default_factory=dict)
    looked_at_ns: int = field(default_factory=time.time_ns)

    @property
    def covered(self) -> set[Identity]:
        """Identities that gave way to a gap."""
        return {
            (edge, boot, sequence)
            for (edge, boot, last), gap in self.gaps.items()
            for sequence in range(gap.first, last + 1)
        }


def logged(connection: Connection) -> Logged:
    """Read what the database has, all of it at one instant."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        return _logged(connection)


def _logged(connection: Connection) -> Logged:
    rows = connection.execute(
        "select edge.id, boot, sequence, sha256 from signal_log join edge using (edge_no) order by signal_log.log_no"
    ).fetchall()
    gaps = connection.execute(
        "select edge.id, boot, last_sequence, first_sequence, signals, from_at, until_at, received_at"
        " from signal_gap join edge using (edge_no)"
    ).fetchall()
    cursors = connection.execute(
        "select edge.id, boot, committed from edge_cursor join edge using (edge_no)"
    ).fetchall()
    return Logged(
        [((edge, boot.bytes, sequence), bytes(digest)) for edge, boot, sequence, digest in rows],
        {
            (edge, boot.bytes, last): LoggedGap(first, signals, *map(to_ns, times))
            for edge, boot, last, first, signals, *times in gaps
        },
        {(edge, boot.bytes): committed for edge, boot, committed in cursors},
    )


def missing(journal: Journal, connection: Connection) -> set[Identity]:
    """Return what was accepted and is neither in the log nor told as dropped."""
    found = logged(connection)
    return journal.accepted.keys() - {identity for identity, _ in found.rows} - found.covered


def check_log(journal: Journal, found: Logged) -> list[str]:
    """Return what does not hold of the log: nothing lost, nothing invented, nothing twice, nothing changed."""
    broken = []
    times = Counter(identity for identity, _ in found.rows)
    lost = journal.accepted.keys() - times.keys() - found.covered
    if lost:
        broken.append(f"accepted and not logged: {_some(lost)}")
    invented = [one for one in times if one not in journal.attempts and one not in journal.gaps]
    if invented:
        broken.append(f"logged and never attempted: {_some(invented)}")
    twice = [identity for identity, count in times.items() if count != 1]
    if twice:
        broken.append(f"logged more than once: {_some(twice)}")
    other = [identity for identity, digest in found.rows if digest not in _hashes(journal, found, identity)]
    if other:
        broken.append(f"logged with another content: {_some(other)}")
    return broken + _check_order(found) + _check_gaps(journal, found)


def _hashes(journal: Journal, found: Logged, identity: Identity) -> set[bytes]:
    """Return which contents may stand under an identity."""
    if identity in found.gaps:
        return {line.sha256 for line in journal.gaps.get(identity, [])}
    known = journal.accepted.get(identity) or journal.attempts.get(identity)
    return set() if known is None else {known.sha256}


def _check_order(found: Logged) -> list[str]:
    reached: dict[tuple[str, bytes], int] = defaultdict(int)
    broken = []
    for identity, _ in found.rows:
        edge, boot, sequence = identity
        first = found.gaps[identity].first if identity in found.gaps else sequence
        if first != reached[edge, boot] + 1:
            broken.append(f"{edge} {boot.hex()[:8]}: {first} stands behind {reached[edge, boot]}")
        reached[edge, boot] = max(sequence, reached[edge, boot])
    for key, committed in found.cursors.items():
        if committed != reached[key]:
            broken.append(f"{key[0]} {key[1].hex()[:8]}: the cursor says {committed}, the log {reached[key]}")
    return broken[:_SHOWN]


def _check_gaps(journal: Journal, found: Logged) -> list[str]:
    """Return which gaps are none that a full outbox made of its oldest rows, or say something else of them."""
    digests = dict(found.rows)
    broken = []
    for identity, gap in found.gaps.items():
        edge, boot, last = identity
        lines = [line for line in journal.gaps.get(identity, []) if line.sha256 == digests.get(identity)]
        name = f"{edge} {boot.hex()[:8]}: the gap {gap.first}..{last}"
        broken += [f"{name} {said}" for said in _of_gap(journal, identity, gap, lines)]
        made_at = min((line.at_ns for line in lines), default=0) // NS_PER_US * NS_PER_US
        if not made_at <= gap.received_at <= found.looked_at_ns:
            broken.append(f"{name} was received at {gap.received_at}, made at {made_at}")
    return broken


def _of_gap(journal: Journal, identity: Identity, gap: LoggedGap, lines: list[Line]) -> Iterator[str]:
    edge, boot, last = identity
    dropped = [journal.attempts.get((edge, boot, sequence)) for sequence in range(gap.first, last + 1)]
    if None in dropped:
        yield "stands for what was never attempted"
    else:
        true = told(decode(line.payload) for line in dropped if line is not None)
        if (gap.signals, gap.from_ns, gap.until_ns) != true:
            yield f"does not say what was dropped: (signals, from, until) {gap[1:4]}, not {true}"
    looks = [line.look for line in lines if line.look is not None]
    due = [(run[0].boot, run[0].first, run[-1].last) for look in looks for run in look.due()]
    if not any(look.is_full for look in looks):
        yield "was made though no outbox was full"
    elif (boot, gap.first, last) not in due:
        yield f"is not of the oldest that had to give way: {[(first, last) for _, first, last in due]}"


def visits(connection: Connection, store_no: int) -> dict[str, str]:
    """Return the visits as text, every column."""
    return {
        name: _text(
            connection,
            store_no,
            f"select row_to_json(v)::text from (select {columns} from {table} where store_no = %s) v"
            " order by entered_at, visit_id",
        )
        for name, table, columns in (
            ("zone visits", "zone_visit", f"zone_no, {_VISIT}"),
            ("store visits", "store_visit", _VISIT),
        )
    }


def counts(connection: Connection, store_no: int) -> dict[str, str]:
    """Return every table of counts that pages read as text, every column, once it is level with the visits.

    What is behind is counted as ingest counts it, twice a minute.
    """

    def level() -> bool:
        refresh(connection, most_days=100)
        return not waiting(connection)

    await_that(level, "visits to be counted")
    return {
        f"counts in {table}": _text(
            connection,
            store_no,
            f"select row_to_json(c)::text from (select * from {table} where store_no = %s) c order by 1",
        )
        for table in _rollups(connection)
    }


def _rollups(connection: Connection) -> list[str]:
    """Every table of counts there is: one that is added later is compared too."""
    rows = connection.execute(
        "select relname from pg_class where relkind in ('r', 'p') and relname like '%%\\_rollup'"
        " and relnamespace = 'public'::regnamespace order by relname"
    ).fetchall()
    return [name for (name,) in rows]


def _text(connection: Connection, store_no: int, query: str) -> str:
    return "\n".join(row[0] for row in connection.execute(query, [store_no]).fetchall())


def figures(connection: Connection, store_no: int) -> dict[str, str]:
    """Return visits, dwell, occupancy and counts as text: equal text is equal to the last byte."""

    def text(query: str) -> str:
        return _text(connection, store_no, query)

    found = visits(connection, store_no) | counts(connection, store_no)
    found["dwell"] = text(
        "select concat_ws(' ', zone_no, count(*), sum(dwell_s::numeric),"
        " percentile_cont(0.5) within group (order by dwell_s), sum(signals)) from zone_visit where store_no = %s"
        " group by zone_no order by zone_no"
    )
    found["entries by minute"] = text(
        "select concat_ws(' ', date_trunc('minute', entered_at), zone_no, count(*)) from zone_visit"
        " where store_no = %s group by date_trunc('minute', entered_at), zone_no"
        " order by date_trunc('minute', entered_at), zone_no"
    )
    found["presence"] = text(
        "select concat_ws(' ', device, zone_no, arrived_at, in_zone_since, role) from presence where store_no = %s"
        " order by device"
    )
    now = occupancy(connection, store_no)
    found["occupancy"] = f"{sorted(now.people.items())} {now.residents}"
    found["counts"] = text("select concat_ws(' ', decoded, late, repeated) from engine_progress where store_no = %s")
    return found


def check_visits(connection: Connection, store_no: int) -> list[str]:
    """Return what does not hold of the visits by themselves: none twice, and all signals went in once."""
    broken = []
    for table, key in (("zone_visit", "device, zone_no, entered_at"), ("store_visit", "device, entered_at")):
        twice = connection.execute(
            f"select count(*) from (select 1 from {table} where store_no = %s group by {key} having count(*) > 1) v",
            [store_no],
        ).fetchone()
        if twice != (0,):
            broken.append(f"{table}: {twice and twice[0]} visits stand there twice")
    row = connection.execute(
        "select decoded, (select sum(signals) from signal_log where store_no = %(no)s) from engine_progress"
        " where store_no = %(no)s",
        {"no": store_no},
    ).fetchone()
    if row is None or row[0] != row[1]:
        broken.append(f"signals that went into the engine, and those in the log: {row}")
    return broken


def check_counts(connection: Connection, store_no: int) -> list[str]:
    """Return in what the counts, kept change by change, differ from the visits counted anew as a whole."""
    kept = counts(connection, store_no)
    empty = [name for name, text in kept.items() if not text]
    connection.execute("select recount_store(%s)", [store_no])
    broken = differences("the visits counted anew", kept, counts(connection, store_no))
    return broken + ([f"nothing was checked about {', '.join(empty)}"] if empty else [])


def cold_replay(connection: Connection, store_no: int) -> dict[str, str]:
    """Throw away all that was derived, derive it from the log alone, and return the figures."""
    for table in (*_DERIVED, *_rollups(connection), *_UNCOUNTED):  # in this order: a visit that goes is a change
        connection.execute(f"delete from {table} where store_no = %s", [store_no])
    feed = restore(connection, store_no)
    feed.catch_up(connection, stopped=lambda: False)
    feed.write(connection)
    return figures(connection, store_no)


def differences(of: str, one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Return in which figures a run differs from another."""
    broken = []
    for name, text in one.items():
        if text != other[name]:
            lines, wanted = text.splitlines(), other[name].splitlines()
            only, lacking = Counter(lines) - Counter(wanted), Counter(wanted) - Counter(lines)
            broken.append(
                f"{name} differ from {of}: {len(lines)} lines, not {len(wanted)};"
                f" only here {_some(only)}; lacking {_some(lacking)}"
            )
    return broken


def check(journal: Journal, url: str, store_no: int, quiet: dict[str, str] | None = None) -> list[str]:
    """Return every promise that is broken; what was derived is thrown away and derived again in the course of it.

    quiet : figures of the uninterrupted run, if there was one
    """
    with connect(url) as connection:
        broken = check_log(journal, logged(connection)) + check_visits(connection, store_no)
        found = figures(connection, store_no)
        if not found["zone visits"] or not found["store visits"]:
            broken.append("there is no visit, so nothing was checked about visits")
        if quiet is not None:
            broken += differences("the uninterrupted run", found, quiet)
        broken += check_counts(connection, store_no)
        broken += differences("a cold replay", found, cold_replay(connection, store_no))
    return broken


def _some(of: Iterable[Any]) -> str:
    some = sorted(map(str, of))
    return f"{len(some)} ({'; '.join(some[:_SHOWN])}{' …' if len(some) > _SHOWN else ''})"
