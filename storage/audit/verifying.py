"""Go through the whole chain and name the first entry that is not as it was sealed."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from core.audit.chain import GENESIS, chained, commitment
from core.privacy.retention import KINDS
from storage.audit.hiding import falsely_hidden
from storage.audit.sealing import ENTRY_COLUMNS, chained_entry
from storage.connect import Connection
from storage.privacy.keys import PrivacyFolder

_READ_AT_ONCE: Final = 5_000
WAITS_AT_MOST: Final = timedelta(minutes=10)
"""The API seals each second; an entry that waits longer says that no API runs, or that it is kept from it."""

SURELY_KEPT: Final = timedelta(days=KINDS["audit"].least - 31)
"""No policy takes anything younger; an entry is sealed within a second, or after a month in which no API ran."""

_LINKS: Final = (
    f"select link.link_no, link.entry_no, link.sealed_on, link.hash, {ENTRY_COLUMNS}"
    "  from audit_link link left join audit_entry entry using (entry_no) where link.link_no > %s"
    " order by link.link_no limit %s"
)
_SUBJECTS: Final = (
    "select entry_no, place, profile_id, salt, pseudonym from audit_subject"
    " where entry_no = any(%s) order by entry_no, place"
)
_UNCHAINED: Final = """
select entry_no from audit_entry entry
 where not exists (select from audit_link where audit_link.entry_no = entry.entry_no)
   and not exists (select from audit_waiting where audit_waiting.entry_no = entry.entry_no)
 order by entry_no limit 1
"""
_ERASED: Final = (
    "select decode(detail ->> 'pseudonym', 'hex') from audit_entry where kind = 'erasure' and detail ? 'pseudonym'"
)
_UNNOTED: Final = """
select from audit_start start
 where begun_at > now() - %(least)s  -- receipts of runs are kept for as long at least
   and not exists (select from retention_run where kind = 'audit' and before_at < start.begun_at - %(least)s + '1 day'
                   and finished_at between start.begun_at and start.begun_at + '1 hour')
 limit 1
"""
_WAITING: Final = "select count(*), min(entry.at) from audit_waiting join audit_entry entry using (entry_no)"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: `broken` is one sentence on the first thing that does not hold, None if all does.

    `entry_no` is the entry it is about, where there is one; `links` were checked, `waiting` entries not sealed yet.
    Of the published heads `compared` agree, `untold` are of links that retention took: of those nothing is known.
    """

    links: int
    waiting: int
    head: bytes
    broken: str | None = None
    entry_no: int | None = None
    compared: int = 0
    untold: int = 0


def verify(
    connection: Connection,
    published: Mapping[date, tuple[int, bytes]] | None = None,
    folder: PrivacyFolder | None = None,
) -> Verdict:
    """Check every link, whom each entry is about, that no entry stands outside, and the heads that were published.

    Parameters
    ----------
    published : mapping, optional
        Heads that were kept elsewhere, by day: number of the link and hash. Only they show that the end was cut off,
        or more of the beginning than retention takes.
    folder : PrivacyFolder, optional
        Whom entries hide is looked for in the suppression list there, too.
    """
    began = connection.execute("select link_no, hash from audit_start order by link_no desc limit 1").fetchone()
    place, before = (began[0], began[1]) if began is not None else (0, GENESIS)
    checked = 0
    heads = {number: (day, digest) for day, (number, digest) in (published or {}).items()}
    wanted = {number: head for number, head in heads.items() if number > place}
    same, taken = _beginning(connection, {number: heads[number] for number in heads.keys() - wanted.keys()}, place)
    if taken is not None:
        return Verdict(links=0, waiting=0, head=before, broken=taken)
    count = len(wanted) + same
    erased = {bytes(row[0]) for row in connection.execute(_ERASED)}
    while rows := connection.execute(_LINKS, [place, _READ_AT_ONCE]).fetchall():
        subjects = _subjects(connection, [row[1] for row in rows])
        for number, entry_no, sealed_on, digest, *entry in rows:
            said = f"follows a gap: link {place + 1} is missing before it" if number != place + 1 else None
            said = said or _link(before, digest, sealed_on, entry)
            said = said or _people(entry[12], subjects.get(entry_no, []), erased)
            if said is None and number in wanted and wanted[number][1] != digest:
                said = f"was published with another hash on {wanted[number][0]}"
            if said is not None:
                return Verdict(
                    links=checked, waiting=0, head=before, broken=f"Entry {entry_no} {said}.", entry_no=entry_no
                )
            place, before, checked = number, digest, checked + 1
            wanted.pop(number, None)
    found = _rest(connection, wanted, place, before, checked)
    if found.broken is None and (hides := falsely_hidden(connection, folder)) is not None:
        found = msgspec.structs.replace(found, entry_no=hides[0], broken=f"Entry {hides[0]} {hides[1]}.")
    return msgspec.structs.replace(found, compared=count - len(wanted), untold=len(heads) - count)


def _beginning(connection: Connection, heads: Mapping[int, tuple[date, bytes]], place: int) -> tuple[int, str | None]:
    """Look at heads of links that went: how many are those that the chain says it begins after, and what is wrong.

    Whoever may write as the API does can take links as retention does; what is younger than anything that it takes
    shows that.
    """
    if connection.execute(_UNNOTED, {"least": timedelta(days=KINDS["audit"].least)}).fetchone() is not None:
        return 0, f"Links up to {place} were taken away, and no run of retention says that it did."
    starts = {number: bytes(digest) for number, digest in connection.execute("select link_no, hash from audit_start")}
    row = connection.execute("select (now() at time zone 'UTC')::date").fetchone()
    surely_kept: date = date.max if row is None else row[0] - SURELY_KEPT
    same = 0
    for number, (day, digest) in sorted(heads.items()):
        if starts.get(number, digest) != digest:
            return same, f"The chain begins after link {number} with another hash than was published on {day}."
        if day > surely_kept:
            return same, (
                f"Links up to {place} were taken away, with what was published on {day}: retention takes nothing that"
                f" is younger than {KINDS['audit'].least} days."
            )
        same += number in starts
    return same, None


def _link(before: bytes, digest: bytes, sealed_on: date, entry: list[Any]) -> str | None:
    if entry[0] is None:
        return "was taken away"
    if chained(before, chained_entry(entry, sealed_on)) != digest:
        return "is not as it was sealed"
    return None


def _people(commitments: list[bytes], subjects: list[tuple[Any, ...]], erased: set[bytes]) -> str | None:
    if [place for place, *_ in subjects] != list(range(1, len(commitments) + 1)):
        return "has lost whom it is about"
    for (_, profile, salt, pseudonym), said in zip(subjects, commitments, strict=True):
        if profile is not None and commitment(salt, profile) != said:
            return "is about somebody else than when it was written"
        if pseudonym is not None and bytes(pseudonym) not in erased:
            return "hides somebody of whom no erasure is entered"
    return None


def _subjects(connection: Connection, numbers: list[int]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for number, *subject in connection.execute(_SUBJECTS, [numbers]):
        found.setdefault(number, []).append(tuple(subject))
    return found


def _rest(
    connection: Connection, wanted: dict[int, tuple[date, bytes]], place: int, head: bytes, checked: int
) -> Verdict:
    """Look at what no link can tell: heads that the chain does not reach, entries outside of it."""
    row = connection.execute(_WAITING).fetchone()
    waiting, oldest = row if row is not None else (0, None)
    verdict = Verdict(links=checked, waiting=waiting, head=head)
    if wanted:
        number, (day, _) = max(wanted.items())
        return msgspec.structs.replace(
            verdict, broken=f"The end was cut off: link {number} was published on {day}, the chain ends at {place}."
        )
    outside = connection.execute(_UNCHAINED).fetchone()
    if outside is not None:
        return msgspec.structs.replace(
            verdict, broken=f"Entry {outside[0]} stands outside of the chain.", entry_no=outside[0]
        )
    late = connection.execute("select %s::timestamptz < now() - %s", [oldest, WAITS_AT_MOST]).fetchone()
    if late is not None and late[0]:
        return msgspec.structs.replace(
            verdict, broken=f"An entry of {oldest:%Y-%m-%d %H:%M} UTC still waits to be sealed: is the API running?"
        )
    return verdict
