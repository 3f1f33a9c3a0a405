"""What `sojourn archive` does; it answers with what a person reads."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from core.errors import ConfigurationError, InputError
from core.limits import PSEUDONYM_BYTES
from core.privacy.suppression import Span
from storage.archive.keeping import Erased, drop_before, erase, sweep
from storage.archive.partitions import DAY_NS, Manifest, Partition, partitions
from storage.archive.places import Place
from storage.archive.writing import archive_day, days_of, renew
from storage.connect import Connection
from storage.privacy.keys import PrivacyFolder
from storage.privacy.suppression import list_version, load_suppressed
from storage.stores import load_plans

_DAY: Final = timedelta(microseconds=DAY_NS // 1000)
_NAMED: Final = 10
"""Days that an error names; a bucket that lost more is looked at otherwise."""


def archive(
    connection: Connection,
    place: Place,
    stores: Sequence[str],
    now: datetime,
    *,
    keep_days: int,
    check: bool = False,
    privacy: PrivacyFolder | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> str:
    """Bring an archive to where the log is, for days that are over, and take away what shall not be kept.

    That is what is older than `keep_days`, as the policy has it for the signal log, and the signals of people who are
    on the suppression list (its key is in `privacy`): days that were gone through with this version of it are left.
    With `check` each day is read back. A damaged one is made anew from the log; where that cannot be, the others are
    gone through all the same.

    Raises
    ------
    InputError
        If there is no such store; at the end, if days are damaged or lost that the log has no more.
    UnavailableError
        If database or archive are away; the same call goes on.
    """
    plans = load_plans(connection, None)
    numbers = {stored.plan.id: stored.store_no for stored in plans}
    missing = set(stores) - set(numbers)
    if missing:
        raise InputError(f"The database has no store {min(missing)!r}.", hint="`sojourn floorplan load` brings it.")
    version, spans = list_version(connection), load_suppressed(connection, privacy)
    first = (now - keep_days * _DAY).date()
    wanted = [one for store in stores or numbers for one in days_of(connection, numbers[store], now)]
    wanted = [one for one in wanted if one.day >= first]
    written: list[Manifest] = []
    bad: set[Partition] = set()
    there = 0
    for turn, one in enumerate(wanted):
        progress(turn / len(wanted))
        try:
            made = archive_day(connection, place, numbers[one.store], one, check=check)
        except InputError:
            bad.add(one)
        else:
            there += made is None
            written += [] if made is None else [made]
    gone = drop_before(place, first)

    def renewed(one: Partition) -> bool:
        try:
            made = renew(connection, place, numbers[one.store], one) if one.store in numbers else None
        except InputError:
            return False
        written.extend([] if made is None else [made])
        return one.store in numbers

    bad.update(sweep(place, renewed))
    erased = Erased() if spans is None else erase(place, spans, version, renewed=renewed)
    bad.update(erased.lost)
    rows, size = sum(made.rows for made in written), sum(made.bytes for made in written)
    said = f"{place.target}: {len(written):,} days of stores written, {rows:,} signals in {size / 1e6:,.1f} MB"
    said += f"; {there:,} were there, {len(gone):,} older than {keep_days} days are gone"
    said += f", {erased.signals:,} signals of people who were erased."
    if bad:
        raise InputError(f"{said} {_lost(bad)}", hint="Copies of your own may have them: put them back whole.")
    return said


def _lost(days: Iterable[Partition]) -> str:
    """Say which days cannot be read."""
    named = sorted(one.folder for one in days)
    more = f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else ""
    return (
        f"Damaged or lost, and not in the signal log any more: {', '.join(named[:_NAMED])}{more}."
        " Where somebody was to be erased, the whole file went, as she may have been in it."
    )


def erase_devices(place: Place, devices: Sequence[str]) -> str:
    """Take the signals of pseudonyms out of an archive; a damaged day goes as a whole.

    Raises
    ------
    ConfigurationError
        If one is no pseudonym.
    InputError
        If there is nothing in the archive.
    UnavailableError
        If the archive is away; the same call goes on.
    """
    named = {_pseudonym(device) for device in devices}
    if not partitions(place):
        raise InputError(f"There is no archive at {place.target}.", hint="Is it spelled right?")
    swept = sweep(place, lambda _: False)
    erased = erase(place, lambda pseudonym: (Span(),) if pseudonym in named else ())
    said = f"{place.target}: {erased.signals:,} signals were taken out of {len(erased.days):,} days of stores."
    lost = sorted({one.folder for one in (*swept, *erased.lost)})
    if lost:
        said += (
            f" {len(lost):,} days could not be read and went as a whole, whoever was in them: {', '.join(lost)}."
            " `sojourn archive` makes them anew while the signal log has them."
        )
    return said


def _pseudonym(text: str) -> bytes:
    try:
        read = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        read = b""
    if len(read) != PSEUDONYM_BYTES:
        raise ConfigurationError(
            "A pseudonym cannot be read.", hint="32 hexadecimal digits, as the columns `device` have them."
        )
    return read
