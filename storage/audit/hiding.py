"""Whether everybody whom the log hides behind a pseudonym was erased: list, receipts, and the list's copy outside.

Whoever may write as the service does could put a pseudonym in the place of somebody who is still there.
"""

from datetime import timedelta
from typing import Final

from core.privacy.retention import KINDS
from core.privacy.suppression import subject_hash
from storage.connect import Connection
from storage.privacy.keys import PrivacyFolder
from storage.privacy.suppression import check_key

RECEIPTS_KEPT: Final = timedelta(days=KINDS["receipts"].least)
"""No policy takes a receipt that is younger."""
_PEOPLE_AT_ONCE: Final = 10_000

_HIDDEN: Final = """
with hidden as (
    select pseudonym, count(*) as entries, min(entry_no) as entry_no
      from audit_subject where pseudonym is not null group by 1
), entered as (
    select decode(detail ->> 'pseudonym', 'hex') as pseudonym, min(at) as at
      from audit_entry where kind = 'erasure' and detail ? 'pseudonym' group by 1
), receipt as (
    select subject_hash as pseudonym, sum(erasure_place.rows) as entries
      from erasure join erasure_place using (erasure_id) where place = 'audit_subject' group by 1
)
select hidden.pseudonym, hidden.entry_no,
       exists (select from suppression where kind = 'profile' and subject_hash = hidden.pseudonym),
       coalesce(entered.at > now() - %s, false) and hidden.entries > coalesce(receipt.entries, 0)
  from hidden left join entered using (pseudonym) left join receipt using (pseudonym) order by hidden.entry_no
"""


def falsely_hidden(connection: Connection, folder: PrivacyFolder | None) -> tuple[int, str] | None:
    """Return the first entry that hides somebody who was not erased, and how that shows; None if there is none.

    Parameters
    ----------
    connection : Connection
    folder : PrivacyFolder or None
        The suppression list outside of the database, which whoever writes there alone does not reach, and its key.

    Raises
    ------
    ConfigurationError
        If the folder is not that of the list in the database.
    """
    if folder is not None:
        check_key(connection, folder)
    outside = {one.subject_hash for one in folder.entries() if one.kind == "profile"} if folder is not None else None
    rows = connection.execute(_HIDDEN, [RECEIPTS_KEPT]).fetchall()
    for pseudonym, entry_no, listed, unproven in rows:
        if not listed or (outside is not None and bytes(pseudonym) not in outside):
            where = "suppression list" if not listed else "suppression list outside of the database"
            return entry_no, f"hides somebody who is not on the {where}"
        if unproven:
            return entry_no, "and others hide more of somebody than the receipts of her erasure say"
    hidden = {bytes(pseudonym): entry_no for pseudonym, entry_no, *_ in rows}
    if folder is not None and hidden:
        with connection.transaction(), connection.cursor(name="sojourn_living", binary=True) as living:
            living.itersize = _PEOPLE_AT_ONCE
            for (profile,) in living.execute("select profile_id from profile where removed_at is null"):
                if (found := hidden.get(subject_hash(folder.key, "profile", profile.bytes))) is not None:
                    return found, "hides somebody whose profile is still there"
    return None
