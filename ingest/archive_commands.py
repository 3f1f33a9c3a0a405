"""What `sojourn archive` does; it answers with what a person reads."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from core.errors import ConfigurationError, InputError
from core.limits import PSEUDONYM_BYTES
from core.privacy.suppression import Span
from storage.archive.keeping import drop_before, erase
from storage.archive.partitions import DAY_NS
from storage.archive.places import Place
from storage.archive.writing import archive_day, days_of
from storage.connect import Connection
from storage.privacy.keys import PrivacyFolder
from storage.privacy.suppression import list_version, load_suppressed
from storage.stores import load_plans

_DAY: Final = timedelta(microseconds=DAY_NS // 1000)


def archive(
    connection: Connection,
    place: Place,
    stores: Sequence[str],
    now: datetime,
    *,
    keep_days: int,
    privacy: PrivacyFolder | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> str:
    """Bring an archive to where the log is, for days that are over, and take away what shall not be kept.

    That is what is older than `keep_days`, as the policy has it for the signal log, and the signals of people who are
    on the suppression list (its key is in `privacy`): days that were gone through with this version of it are left.

    Raises
    ------
    InputError
        If there is no such store, or what is there is damaged and the log has it no more.
    UnavailableError
        If database or archive are away; the same call goes on.
    """
    plans = load_plans(connection, list(stores) if stores else None)
    missing = set(stores) - {stored.plan.id for stored in plans}
    if missing:
        raise InputError(f"The database has no store {min(missing)!r}.", hint="`sojourn floorplan load` brings it.")
    version, spans = list_version(connection), load_suppressed(connection, privacy)
    first = (now - keep_days * _DAY).date()
    wanted = [(stored.store_no, one) for stored in plans for one in days_of(connection, stored.store_no, now)]
    wanted = [(store_no, one) for store_no, one in wanted if one.day >= first]
    written = rows = size = 0
    for turn, (store_no, one) in enumerate(wanted):
        progress(turn / len(wanted))
        made = archive_day(connection, place, store_no, one)
        if made is not None:
            written, rows, size = written + 1, rows + made.rows, size + made.bytes
    gone = drop_before(place, first)
    erased = 0 if spans is None else erase(place, spans, version)
    said = f"{place.target}: {written:,} days of stores written, {rows:,} signals in {size / 1e6:,.1f} MB"
    said += f"; {len(wanted) - written:,} were there, {len(gone):,} older than {keep_days} days are gone"
    return f"{said}, {erased:,} signals of people who were erased."


def erase_devices(place: Place, devices: Sequence[str]) -> str:
    """Take the signals of pseudonyms out of an archive.

    Raises
    ------
    ConfigurationError
        If one is no pseudonym.
    InputError
        If a day of it is damaged.
    UnavailableError
        If the archive is away; the same call goes on.
    """
    named = {_pseudonym(device) for device in devices}
    days = 0

    def count(*_: object) -> None:
        nonlocal days
        days += 1

    signals = erase(place, lambda pseudonym: (Span(),) if pseudonym in named else (), told=count)
    return f"{place.target}: {signals:,} signals were taken out of {days:,} days of stores."


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
