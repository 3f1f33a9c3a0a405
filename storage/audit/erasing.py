"""What erasure and retention may do to the audit log. The chain holds through both."""

from datetime import datetime, timedelta
from uuid import UUID

from core.privacy.retention import KINDS
from storage.audit.acting import Acting
from storage.audit.entries import enter
from storage.connect import Connection


def pseudonymise(connection: Connection, who: Acting, profile: UUID, pseudonym: bytes) -> int:
    """Replace a profile in every entry by a keyed hash, and enter that.

    Call it in the erasure's transaction, as its last step: the rows that the others take away are entered too.

    Parameters
    ----------
    who : Acting
        Who erases.
    profile : UUID
        Whom.
    pseudonym : bytes
        16 to 64 bytes: a keyed hash of the profile, the same as in the suppression list.

    Returns
    -------
    int
        In how many entries the person stood. Calling it again changes nothing and returns 0.
    """
    done = connection.execute(
        "update audit_subject set profile_id = null, salt = null, pseudonym = %s where profile_id = %s",
        [pseudonym, profile],
    ).rowcount
    if done:
        enter(connection, who, "erasure", fields=("audit",), detail={"pseudonym": pseudonym.hex(), "entries": done})
    return done


def named(connection: Connection, profile: UUID) -> int:
    """Return in how many entries a profile still stands: 0 after its erasure."""
    row = connection.execute("select count(*) from audit_subject where profile_id = %s", [profile]).fetchone()
    return int(row[0]) if row is not None else 0


def forget_before(connection: Connection, before: datetime) -> int:
    """Take the oldest links away up to the first that was sealed later; call it in a transaction.

    How old an entry is says the day of its link: the time that it says itself is whatever its writer said. Nothing
    goes that every policy keeps, by the database's clock: its triggers hold that against whoever says that he is
    retention. The last hash that goes is kept in `audit_start`, so that what stays can still be verified. Entries
    that wait to be sealed stay. The run is noted here, in the same transaction: `storage.audit.verifying` looks for
    it.

    Returns
    -------
    int
        How many entries went.
    """
    at = connection.execute("select least(%s, now() - %s)", [before, timedelta(days=KINDS["audit"].least)]).fetchone()
    row = connection.execute(
        "select link_no, hash from audit_link where link_no < coalesce("
        " (select min(link_no) from audit_link where sealed_on >= (%s at time zone 'UTC')::date),"
        " (select max(link_no) + 1 from audit_link)) order by link_no desc limit 1",
        at,
    ).fetchone()
    if at is None or row is None:
        return 0
    last, digest = row
    connection.execute("select set_config('sojourn.forgetting', 'on', true)")
    connection.execute("insert into audit_start (link_no, hash) values (%s, %s)", [last, digest])
    # the entries first: how old each is says its link
    gone = connection.execute(
        "delete from audit_entry using audit_link link where link.link_no <= %s"
        " and audit_entry.entry_no = link.entry_no",
        [last],
    ).rowcount
    connection.execute("delete from audit_link where link_no <= %s", [last])
    connection.execute("select set_config('sojourn.forgetting', 'off', true)")
    connection.execute(
        "insert into retention_run (kind, before_at, rows, unit) values ('audit', %s, %s, 'rows')", [at[0], gone]
    )
    return gone
