"""The suppression list: who was erased, kept so that late batches, imports and backups do not bring her back."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from core.errors import ConfigurationError
from core.privacy.suppression import EVER_NS, Kind, Span, Suppressed, identifier_bytes, subject_hash
from core.resolution import Identifier, spellings
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.privacy.keys import Entry, PrivacyFolder

_US: Final = 1_000
_HINT: Final = "Start it with the privacy folder that erased (SOJOURN_PRIVACY)."
_SPAN: Final = (
    "case when isfinite(from_at) then (extract(epoch from from_at) * 1000000)::bigint end,"
    " case when isfinite(until_at) then (extract(epoch from until_at) * 1000000)::bigint end"
)


def list_version(connection: Connection) -> int:
    """Return how often the list has changed; 0 where nobody was ever erased."""
    row = connection.execute("select version from suppression_state").fetchone()
    return 0 if row is None else int(row[0])


def adopted_version(connection: Connection) -> int:
    """Return the version that ingest has taken into use."""
    row = connection.execute("select adopted from suppression_state").fetchone()
    return 0 if row is None else int(row[0])


def adopt_version(connection: Connection, version: int) -> None:
    """Note that engines, snapshots and presence know nobody of the list up to a version."""
    connection.execute("update suppression_state set adopted = greatest(adopted, %s)", [version])


def check_key(connection: Connection, folder: PrivacyFolder | None) -> None:
    """Raise ConfigurationError if there is a list and this is not its key."""
    row = connection.execute("select key_check from suppression_state").fetchone()
    if row is None:
        return
    if folder is None:
        raise ConfigurationError("People were erased, and the key of their list is not here.", hint=_HINT)
    if bytes(row[0]) != folder.key_check:
        raise ConfigurationError("This is not the key of the suppression list in the database.", hint=_HINT)


def load_suppressed(connection: Connection, folder: PrivacyFolder | None) -> Suppressed | None:
    """Return the devices of everybody who was erased; None where nobody was.

    Raises
    ------
    ConfigurationError
        If there is a list and its key is not the one of the folder.
    """
    check_key(connection, folder)
    if folder is None:
        return None
    devices: dict[bytes, tuple[Span, ...]] = defaultdict(tuple)
    for digest, from_us, until_us in connection.execute(
        f"select subject_hash, {_SPAN} from suppression where kind = 'device'"
    ):
        devices[bytes(digest)] += (_span(from_us, until_us),)
    return Suppressed(folder.key, dict(devices)) if devices else None


def suppress(connection: Connection, folder: PrivacyFolder, entries: Sequence[Entry]) -> int:
    """Write entries into the database's list and return its version; what is as new there stays as it is.

    To be called in a transaction; `folder.append` is to be called before, so that the file never knows less.
    """
    check_key(connection, folder)
    connection.execute(
        "insert into suppression_state (key_check) values (%s) on conflict do nothing", [folder.key_check]
    )
    for entry in entries:
        connection.execute(
            "insert into suppression (kind, subject_hash, from_at, until_at, made_at) select %(kind)s, %(digest)s,"
            " coalesce(timestamptz 'epoch' + %(from_us)s * interval '1 microsecond', '-infinity'),"
            " coalesce(timestamptz 'epoch' + %(until_us)s * interval '1 microsecond', 'infinity'),"
            " timestamptz 'epoch' + %(made_us)s * interval '1 microsecond'"
            # erased once more after a new consent: it holds without an end again
            " on conflict (kind, subject_hash, from_at) do update set until_at = excluded.until_at,"
            " made_at = excluded.made_at where excluded.made_at > suppression.made_at",
            {
                "kind": entry.kind,
                "digest": entry.subject_hash,
                "from_us": entry.from_us,
                "until_us": entry.until_us,
                "made_us": entry.made_us,
            },
        )
    return _changed(connection)


def missing(connection: Connection, folder: PrivacyFolder) -> list[Entry]:
    """Return what the file's list knows and the database does not: the database was restored from a backup."""
    rows = connection.execute(
        f"select kind, subject_hash, {_SPAN}, (extract(epoch from made_at) * 1000000)::bigint from suppression"
    ).fetchall()
    known = {(kind, bytes(digest), from_us): made_us for kind, digest, from_us, _, made_us in rows}
    return [
        entry
        for entry in folder.entries()
        if known.get((entry.kind, entry.subject_hash, entry.from_us), -1) < entry.made_us
    ]


class Guard:
    """Refuses customers who were erased where another system brings them back, unless they consented anew.

    Parameters
    ----------
    folder : PrivacyFolder or None
        None is right only as long as nobody was erased.
    """

    def __init__(self, folder: PrivacyFolder | None) -> None:
        self._folder = folder

    def refused(
        self, connection: Connection, identifiers: Sequence[Identifier], devices: Sequence[bytes], since: Any
    ) -> tuple[str, ...]:
        """Return the fields (kinds of identifiers, `devices`) of somebody who was erased; none where she may come.

        A consent that was given after the erasure is a new word of hers: what it names is suppressed no longer, from
        then on. To be called in the transaction that writes the customer; `since` is when the consent was given.

        Raises
        ------
        ConfigurationError
            If people were erased and the key of their list is not here.
        """
        self.check(connection)
        leaving = self._leaving(connection, identifiers, devices)
        if leaving or self._folder is None:
            return leaving
        asked: list[tuple[str, Kind, bytes]] = [
            (one.kind, "identifier", identifier_bytes(one.kind, spelled.value))
            for one in identifiers
            for spelled in spellings(one)
        ]
        asked += [("devices", "device", bytes(device)) for device in devices]
        found: list[str] = []
        for where, kind, value in asked:
            row = connection.execute(
                "select bool_or(made_at >= %s) from suppression where kind = %s and subject_hash = %s"
                " and until_at = 'infinity'",
                [since, kind, subject_hash(self._folder.key, kind, value)],
            ).fetchone()
            if row == (True,):
                found.append(where)
        if not found:
            self._lift(connection, [(kind, value) for _, kind, value in asked], since)
        return tuple(dict.fromkeys(found))

    def check(self, connection: Connection) -> None:
        """Raise ConfigurationError if people were erased and the key of their list is not here."""
        check_key(connection, self._folder)

    @property
    def can_erase(self) -> bool:
        """Whether there is a key, so that somebody who is erased here stays away."""
        return self._folder is not None

    @staticmethod
    def _leaving(
        connection: Connection, identifiers: Sequence[Identifier], devices: Sequence[bytes]
    ) -> tuple[str, ...]:
        """Return the fields of somebody whose erasure is under way."""
        with in_own_right(connection):  # whose erasure is under way is nobody's to read
            rows = connection.execute(
                "with leaving as (select value as profile_id from erasure_subject where kind = 'profile')"
                " select held.kind from unnest(%s::text[], %s::text[]) asked (kind, value)"
                "  join profile_identifier held on held.kind = asked.kind"
                "   and normalize(held.value, nfkc) = normalize(asked.value, nfkc)"
                "  join leaving using (profile_id) where not exists"
                "   (select from profile_identifier other where (other.kind, other.value) = (held.kind, held.value)"
                "     and other.ended_at is null and other.profile_id not in (select profile_id from leaving))"
                " union select 'devices' from device_link join leaving using (profile_id)"
                "  where device = any(%s::uuid[])",
                [
                    [one.kind for one in identifiers],
                    [one.value for one in identifiers],
                    [bytes(device).hex() for device in devices],
                ],
            ).fetchall()
        return tuple(row[0] for row in rows)

    def _lift(self, connection: Connection, asked: Sequence[tuple[Kind, bytes]], since: Any) -> None:
        if self._folder is None:
            return
        key = self._folder.key
        with in_own_right(connection):  # who writes customers reads the list, and changes it by a new consent alone
            lifted = connection.execute(
                "update suppression set until_at = %s where subject_hash = any(%s) and until_at = 'infinity'"
                " and made_at < %s",
                [since, [subject_hash(key, kind, value) for kind, value in asked], since],
            )
            if lifted.rowcount:
                _changed(connection)


def _span(from_us: int | None, until_us: int | None) -> Span:
    return Span(-EVER_NS if from_us is None else from_us * _US, EVER_NS if until_us is None else until_us * _US)


def _changed(connection: Connection) -> int:
    row = connection.execute("update suppression_state set version = version + 1 returning version").fetchone()
    if row is None:  # the row is made with the first entry
        raise RuntimeError("The suppression list has no state.")
    return int(row[0])
