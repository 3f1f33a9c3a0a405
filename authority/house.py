"""Everything that a house with one broker needs, made once and renewed in time: for the start of a container."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from authority.access import MEMBERS
from authority.authority import Authority
from edge.broker import CA, CERTIFICATE
from edge.tls import RENEW_BEFORE

RUNNING: Final = ("ingest", "kafka-bridge", "app-presence")
"""The services that run all day beside the broker; the others are certified when somebody needs them."""
WATCH: Final = "watch"
GROUP: Final = "kafka-ingest"
"""The folder that the ingests on Kafka share; each draws an identity of its own from it."""


def equip(authority: Authority, hosts: Sequence[str], out: Path, now: datetime, *, members: int = 0) -> list[str]:
    """Make what is missing, ends within a month, or is another authority's; return what was made.

    Parameters
    ----------
    authority : Authority
    hosts : sequence of str
        Each name and address that the broker is reached by.
    out : Path
        Takes a folder for each service; the one for health checks stands in the broker's own folder.
    now : datetime
    members : int
        Identities for so many ingests on Kafka, as folders in one folder; 0: none.

    Raises
    ------
    ConfigurationError, UnavailableError
        As `Authority`.
    """
    made = []
    if not _good(authority.broker_folder, authority, now, hosts):
        authority.equip_broker(hosts, now)
        made.append("broker")
    for service, folder in (
        *((service, out / service) for service in RUNNING),
        *((member, out / GROUP / member) for member in MEMBERS[:members]),
        (WATCH, authority.broker_folder / WATCH),
    ):
        if not _good(folder, authority, now):
            authority.certify_service(service, folder, now)
            made.append(service)
    return made


def _good(folder: Path, authority: Authority, now: datetime, hosts: Sequence[str] = ()) -> bool:
    """Whether the certificate in a folder is this authority's, lasts, and is for all these names."""
    try:
        found = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        ca = (folder / CA).read_bytes()
    except (OSError, ValueError):
        return False
    names: set[str] = set()
    if hosts:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = {str(name.value) for name in extension}
    return ca == authority.certificate and found.not_valid_after_utc - now > RENEW_BEFORE and set(hosts) <= names
