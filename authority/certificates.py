"""Certificates and the list of revoked ones, as bytes; files are `authority.authority`'s (X.509, RFC 5280)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.errors import ConfigurationError
from edge.enrolment import name_of

AUTHORITY_LASTS: Final = timedelta(days=3650)
"""Ten years: replacing the authority means visiting every edge."""
LASTS: Final = timedelta(days=397)
"""A year and a month in which to renew: what a lost key is worth ends, and one visit a year is enough."""
_BACK: Final = timedelta(hours=1)
"""Clocks that are slow by less find a new certificate valid at once."""
_NAME: Final = "Sojourn authority"

Key = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


def self_signed(key: Key, now: datetime) -> x509.Certificate:
    """Return the authority's own certificate."""
    name = name_of(f"{_NAME} {x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()[:8]}")
    built = _dated(_fields(name, name, key.public_key(), key.public_key()), now, AUTHORITY_LASTS)
    return (
        built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )


@dataclass(frozen=True)
class Signer:
    """The authority's certificate and key."""

    certificate: x509.Certificate
    key: Key


def of_client(identity: str, public_key: PublicKey, signer: Signer, now: datetime) -> x509.Certificate:
    """Return the certificate of somebody who connects to the broker; its common name is who they are."""
    built = _builder(name_of(identity), public_key, signer, now, LASTS)
    return _leaf(built, ExtendedKeyUsageOID.CLIENT_AUTH).sign(signer.key, hashes.SHA256())


def of_server(hosts: Sequence[str], public_key: PublicKey, signer: Signer, now: datetime) -> x509.Certificate:
    """Return the certificate of a broker or an API for the names and addresses that it is reached by.

    Raises
    ------
    ConfigurationError
        If one is neither a name nor an address.
    """
    if not hosts:
        raise ConfigurationError("It is not said what the server is called.", hint="Name each host or address.")
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    built = _builder(name_of(hosts[0][:64]), public_key, signer, now, LASTS).add_extension(names, critical=False)
    return _leaf(built, ExtendedKeyUsageOID.SERVER_AUTH).sign(signer.key, hashes.SHA256())


def revoked_list(
    revoked: Sequence[tuple[int, datetime]], signer: Signer, now: datetime
) -> x509.CertificateRevocationList:
    """Return the list of revoked certificates: serial numbers and since when.

    It holds for as long as the authority: a broker that finds its list outdated refuses everybody, and this one is a
    file that is written anew with each revocation, not one that is fetched.
    """
    ca, key = signer.certificate, signer.key
    built = x509.CertificateRevocationListBuilder().issuer_name(ca.subject).last_update(now - _BACK)
    built = built.next_update(ca.not_valid_after_utc)
    built = built.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    ).add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
    for serial, at in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        built = built.add_revoked_certificate(entry)
    return built.sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name, public_key: PublicKey, signer: Signer, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return _dated(_fields(subject, signer.certificate.subject, public_key, signer.key.public_key()), now, lasts)


def _fields(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, signs: PublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signs), critical=False)
    )


def _dated(built: x509.CertificateBuilder, now: datetime, lasts: timedelta) -> x509.CertificateBuilder:
    return built.not_valid_before(now - _BACK).not_valid_after(now + lasts)


def _leaf(built: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    return (
        built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    try:
        if not host or any(sign in host for sign in "*/:@ "):
            raise ValueError(host)
        return x509.DNSName(host.encode("idna").decode())
    except ValueError as error:
        raise ConfigurationError(
            f"{host!r} is neither a host name nor an address.", hint="Write broker.example or 192.0.2.7."
        ) from error
