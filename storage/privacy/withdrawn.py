"""Devices whose customer's consent does not hold any more: ingest keeps their signals out while that is so."""

from typing import Final

from storage.connect import Connection
from storage.profiles.profiles import PURPOSE

_WITHDRAWN: Final = """
select distinct link.device
  from (select distinct profile_id from consent_event
         where purpose = %(purpose)s and (status = 'withdrawn' or expires_at is not null)) ended
  join device_link link using (profile_id)
 where link.valid_to is null and link.undone_at is null and not consent_holds(profile_id, %(purpose)s)
"""


def withdrawn_devices(connection: Connection) -> frozenset[bytes]:
    """Return the pseudonyms of devices that are linked to a customer whose consent has ended."""
    rows = connection.execute(_WITHDRAWN, {"purpose": PURPOSE}).fetchall()
    return frozenset(row[0].bytes for row in rows)


def consented_devices(connection: Connection) -> frozenset[bytes]:
    """Return the pseudonyms that belong to a customer whose consent holds now: what an edge's list may hold."""
    rows = connection.execute(
        "select distinct device from profile_device where valid_from <= now() and valid_to > now()"
    ).fetchall()
    return frozenset(row[0].bytes for row in rows)
