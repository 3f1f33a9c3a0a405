"""Until when certificates hold."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from doctor.findings import Finding, fail, ok, warn

RENEW_DAYS: Final = 30
"""A month before its end there is time for a request to travel to whoever signs."""
_RENEW: Final = (
    "Renew it: `sojourn certify service` for a service, `sojourn certify broker` and a reload for the broker,"
    " `sojourn edge request --renew` for an edge (docs/transport.md)."
)


def check_files(what: str, path: Path, now: datetime | None = None) -> Finding:
    """Judge the certificate of a PEM file."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return fail(
            what, f"{path} holds no certificate that can be read.", "Name a PEM file that this user may read."
        )
    return check_ends(what, certificate.not_valid_after_utc, certificate.not_valid_before_utc, now)


def check_der(what: str, der: bytes, now: datetime | None = None) -> Finding:
    """Judge a certificate that a server has shown."""
    certificate = x509.load_der_x509_certificate(der)
    return check_ends(what, certificate.not_valid_after_utc, certificate.not_valid_before_utc, now)


def check_ends(what: str, ends: datetime, begins: datetime, now: datetime | None = None) -> Finding:
    """Judge the days that a certificate holds on; they are told, never whose it is."""
    now = now if now is not None else datetime.now(UTC)
    days = (ends - now).days
    if ends <= now:
        return fail(what, f"It ended {-days} days ago.", _RENEW)
    if begins > now:
        return fail(what, f"It holds only from {begins:%Y-%m-%d} on.", "Is this machine's clock right?")
    if days < RENEW_DAYS:
        return warn(what, f"It ends in {days} days, on {ends:%Y-%m-%d}.", _RENEW)
    return ok(what, f"It holds for {days} days more, until {ends:%Y-%m-%d}.")
