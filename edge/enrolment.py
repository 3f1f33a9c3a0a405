"""How an edge comes by its certificate without its key ever leaving it.

`request` makes a key and asks for a certificate (PKCS #10, RFC 2986); whoever keeps the authority signs; `accept`
puts what came back in place. A renewal makes a new key, which waits beside the old one for its certificate.
"""

import os
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from core.errors import ConfigurationError, InputError, UnavailableError
from edge.broker import CA, CERTIFICATE, KEY, Topics
from edge.files import read_private, replace_file

REQUEST: Final = "request.pem"
_NEXT_KEY: Final = "key.next.pem"
APP: Final = "app"
"""The edge that apps are in every store (docs/app-presence.md)."""
REPLAY: Final = "replay"
"""The edge that a recording is played as (`sojourn replay --live`)."""
_TAKEN: Final = {APP: "apps", REPLAY: "recordings that are played"}
"""Edges that a service publishes for (authority.access); no machine may be one of them."""
_NAME_CHARACTERS: Final = 64
"""A common name has no room for more (ub-common-name, RFC 5280, appendix A.1)."""


def identity_of(store: str, edge: str) -> str:
    """Return who an edge is at the broker: the common name of its certificate.

    Raises
    ------
    ConfigurationError
        If an id cannot stand in a topic, both together are too long, or the edge is one that a service publishes for.
    """
    Topics(store, edge)
    identity = f"{store}/{edge}"
    if edge in _TAKEN:
        raise ConfigurationError(
            f"No machine can be the edge {edge!r}: it stands for {_TAKEN[edge]}.", hint="Choose another id."
        )
    if len(identity) > _NAME_CHARACTERS:
        raise ConfigurationError(
            f"{identity!r} has {len(identity)} characters, and the name in a certificate at most {_NAME_CHARACTERS}.",
            hint="Choose a shorter id for the store or the edge.",
        )
    return identity


def private_folder(folder: Path) -> None:
    """Make a folder that nobody else may enter.

    Raises
    ------
    UnavailableError
        If it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"The folder {folder} cannot be made: {error.strerror}.", hint="Name one that this user may write."
        ) from error


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, in one step.

    Raises
    ------
    UnavailableError
        If it cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be written: {error.strerror}.", hint="Name a folder that this user may write."
        ) from error


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new key: P-256, which every TLS library knows and a small machine signs with in a millisecond."""
    return ec.generate_private_key(ec.SECP256R1())


def key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as PEM (PKCS #8)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def name_of(identity: str) -> x509.Name:
    """Return the name in the certificate of somebody."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity)])


def request(folder: Path, store: str, edge: str, *, renew: bool = False) -> Path:
    """Make a key in a folder and a request for its certificate; return the request's file.

    Raises
    ------
    ConfigurationError
        If the edge has a certificate and `renew` is not set, or the ids cannot be used.
    UnavailableError
        If the folder cannot be written.
    """
    identity = identity_of(store, edge)
    private_folder(folder)
    if (folder / CERTIFICATE).exists() and not renew:
        raise ConfigurationError(
            f"{folder} holds a certificate already.", hint="Add --renew to ask for the next one."
        )
    key = new_key()
    write_private(folder / (_NEXT_KEY if (folder / CERTIFICATE).exists() else KEY), key_bytes(key))
    asked = x509.CertificateSigningRequestBuilder().subject_name(name_of(identity)).sign(key, hashes.SHA256())
    write_private(folder / REQUEST, asked.public_bytes(Encoding.PEM))
    return folder / REQUEST


def accept(folder: Path, signed: bytes, *, new_authority: bool = False) -> x509.Certificate:
    """Put a signed certificate in place: certificate, then key, then the authority's own certificate.

    An edge that connects in between is refused once and tries again.

    Parameters
    ----------
    folder : Path
        Where `request` was made.
    signed : bytes
        What `sojourn edge sign` wrote: the certificate and the one of its authority, PEM.
    new_authority : bool
        Whether it may be another authority than before.

    Raises
    ------
    InputError
        If the certificate is not for this edge's key, or not from the authority that came with it.
    ConfigurationError, UnavailableError
        If the authority has changed, or a file cannot be read or written.
    """
    mine, theirs = _read_signed(signed)
    waiting = next((folder / name for name in (_NEXT_KEY, KEY) if _fits(folder / name, mine)), None)
    if waiting is None:
        raise InputError(
            f"The certificate is for another key than the one in {folder}.",
            hint="Sign the newest request.pem of this folder.",
        )
    ca = theirs.public_bytes(Encoding.PEM)
    if (folder / CA).exists() and (folder / CA).read_bytes() != ca and not new_authority:
        raise ConfigurationError(
            "It is from another authority than the certificate before.",
            hint="If that is meant, add --new-authority.",
        )
    try:
        replace_file(folder / CA, ca)
        replace_file(folder / CERTIFICATE, mine.public_bytes(Encoding.PEM))
        if waiting.name == _NEXT_KEY:
            waiting.replace(folder / KEY)
        (folder / REQUEST).unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"{folder} cannot be written: {error.strerror}.", hint="Name a folder that this user may write."
        ) from error
    return mine


def _read_signed(signed: bytes) -> tuple[x509.Certificate, x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(signed)
        if len(found) != 2:
            raise InputError(
                "It does not hold two certificates.", hint="Take the file that `sojourn edge sign` wrote."
            )
        found[0].verify_directly_issued_by(found[1])
    except (ValueError, TypeError, InvalidSignature) as error:
        raise InputError(
            "It is not a certificate with its authority's.", hint="Take the file that `sojourn edge sign` wrote."
        ) from error
    return found[0], found[1]


def _fits(path: Path, certificate: x509.Certificate) -> bool:
    if not path.exists():
        return False
    key = load_pem_private_key(read_private(path, "key of the certificate"), None)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)
