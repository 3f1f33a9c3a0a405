"""The authority in its folder: key, what was signed, what was revoked, and the folder that the broker reads.

    ca.pem  ca.key.pem  issued.json  gateways.json  broker/   (mode 0700, keys 0600)

Every change is made under a lock and written file by file, each in one step.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from authority import certificates
from authority.access import GATEWAYS_MOST, MEMBERS, SERVICES, Gateway, access_list, check_gateway
from core.errors import ConfigurationError, InputError, UnavailableError
from edge.broker import CA, CERTIFICATE, KEY
from edge.enrolment import identity_of, key_bytes, new_key, private_folder, write_private
from edge.files import read_private
from servers.passwords import drawn_password, mosquitto_hash

REVOKED: Final = "revoked.pem"
ACCESS: Final = "access.acl"
PASSWORDS: Final = "passwords"  # the name of a file
_CA_KEY: Final = "ca.key.pem"
_ISSUED: Final = "issued.json"
_GATEWAYS: Final = "gateways.json"
_LOCK: Final = "lock"

_T = TypeVar("_T")


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate that was signed; `revoked_at` is None while it holds."""

    serial: str
    identity: str
    ends: datetime
    revoked_at: datetime | None = None


class Authority:
    """Signs, revokes, and writes what the broker reads.

    Parameters
    ----------
    folder : Path
        Made by `create`.

    Raises
    ------
    ConfigurationError, UnavailableError
        If there is no authority, or others may read its key.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / CA).exists():
            raise ConfigurationError(
                f"There is no authority in {folder}.",
                hint="Make one: `sojourn certify broker HOST --authority FOLDER`.",
            )
        self.folder = folder
        self._ca = x509.load_pem_x509_certificate((folder / CA).read_bytes())
        key = load_pem_private_key(read_private(folder / _CA_KEY, "key of the authority"), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError(f"{folder / _CA_KEY} is no key that an authority of ours has.")
        self._signer = certificates.Signer(self._ca, key)

    @classmethod
    def create(cls, folder: Path, now: datetime) -> Self:
        """Make a new authority, or open the one that is there.

        Raises
        ------
        UnavailableError
            If the folder cannot be written.
        """
        private_folder(folder)
        with _locked(folder):
            if not (folder / CA).exists():
                key = new_key()
                write_private(folder / _CA_KEY, key_bytes(key))
                write_private(folder / CA, certificates.self_signed(key, now).public_bytes(Encoding.PEM))
        return cls(folder)

    @property
    def broker_folder(self) -> Path:
        """What mosquitto reads: its certificate and key, whom it trusts, who is revoked, who may do what."""
        return self.folder / "broker"

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM."""
        return self._ca.public_bytes(Encoding.PEM)

    def issued(self) -> list[Issued]:
        """Return what was signed, oldest first."""
        return _read(self.folder / _ISSUED, list[Issued], [])

    def gateways(self) -> dict[str, Gateway]:
        """Return who comes by password."""
        return _read(self.folder / _GATEWAYS, dict[str, Gateway], {})

    def equip_broker(self, hosts: Sequence[str], now: datetime) -> None:
        """Make the broker a key and a certificate for the names that it is reached by, and write all that it reads.

        Raises
        ------
        ConfigurationError, UnavailableError
            If a name is none, or the folder cannot be written.
        """
        private_folder(self.broker_folder)
        with _locked(self.folder):
            key = new_key()
            made = certificates.of_server(hosts, key.public_key(), self._signer, now)
            self._put(self.broker_folder, made, key)
            self._note(made, f"broker {hosts[0]}")
            self._write_broker(now)

    def certify_server(self, hosts: Sequence[str], out: Path, now: datetime) -> None:
        """Make key and certificate of another server, as the API, into a folder; as `equip_broker`."""
        private_folder(out)
        with _locked(self.folder):
            key = new_key()
            made = certificates.of_server(hosts, key.public_key(), self._signer, now)
            self._put(out, made, key)
            self._note(made, f"server {hosts[0]}")

    def certify_service(self, name: str, out: Path, now: datetime) -> None:
        """Make key and certificate of one of our own services into a folder.

        Raises
        ------
        ConfigurationError
            If there is no such service.
        """
        if name not in SERVICES:
            names = ", ".join(one for one in SERVICES if one not in MEMBERS)
            raise ConfigurationError(
                f"There is no service {name!r}.", hint=f"There are {names}, {MEMBERS[0]} to {MEMBERS[-1]}."
            )
        self._certify(name, out, now)

    def enrol(self, store: str, edge: str, out: Path, now: datetime) -> None:
        """Make key and certificate of an edge here, into a folder to carry to it; `sign` lets the key stay there."""
        self._certify(identity_of(store, edge), out, now)

    def sign(self, request: bytes, store: str, edge: str, now: datetime) -> bytes:
        """Sign what an edge asks for, if it is this edge's certificate; return it with the authority's own.

        Raises
        ------
        InputError
            If it is no request, its signature is wrong, or it asks for somebody else's certificate.
        """
        identity = identity_of(store, edge)
        try:
            asked = x509.load_pem_x509_csr(request)
            public_key = asked.public_key()
            valid = asked.is_signature_valid
            names = [str(name.value) for name in asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        except ValueError as error:
            raise InputError(
                "It is no request for a certificate.", hint="Take request.pem of `sojourn edge request`."
            ) from error
        if not valid or not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise InputError(
                "The request is not signed by its own key.", hint="Make it anew: `sojourn edge request`."
            )
        if names != [identity]:
            raise InputError(
                f"The request is for {', '.join(names) or 'nobody'}, not for {identity}.",
                hint="Ask whoever sent it; sign only what you expect.",
            )
        with _locked(self.folder):
            made = certificates.of_client(identity, public_key, self._signer, now)
            self._note(made, identity)
        return made.public_bytes(Encoding.PEM) + self.certificate

    def revoke(self, identity: str, now: datetime) -> int:
        """Revoke all certificates of somebody that have not ended; return how many.

        Raises
        ------
        InputError
            If there is none.
        """
        with _locked(self.folder):
            issued = self.issued()
            held = {one.serial for one in issued if one.identity == identity and _holds(one, now)}
            if not held:
                raise InputError(
                    f"{identity} has no certificate that holds.", hint="`sojourn certify list` shows whose there are."
                )
            changed = [msgspec.structs.replace(one, revoked_at=now) if one.serial in held else one for one in issued]
            _write(self.folder / _ISSUED, changed)
            if self.broker_folder.exists():
                self._write_broker(now)
        return len(held)

    def add_gateway(self, name: str, writes: Sequence[str], reads: Sequence[str], now: datetime) -> str:
        """Let something in by password, for these topics only; return the password, which is kept as a hash alone.

        A name that is there already gets a new password and these topics.

        Raises
        ------
        ConfigurationError
            If its name or topics would let it take somebody else's place, or there are too many.
        """
        password = drawn_password()
        made = Gateway(password=mosquitto_hash(password), writes=tuple(writes), reads=tuple(reads))
        check_gateway(name, made)
        with _locked(self.folder):
            gateways = self.gateways() | {name: made}
            if len(gateways) > GATEWAYS_MOST:
                raise ConfigurationError(f"There are {GATEWAYS_MOST} gateways already.", hint="Remove some.")
            self._write_gateways(gateways, now)
        return password

    def remove_gateway(self, name: str, now: datetime) -> None:
        """Let a gateway in no more.

        Raises
        ------
        InputError
            If there is no such gateway.
        """
        with _locked(self.folder):
            gateways = self.gateways()
            if name not in gateways:
                raise InputError(f"There is no gateway {name!r}.", hint="`sojourn certify list` shows them.")
            del gateways[name]
            self._write_gateways(gateways, now)

    def _certify(self, identity: str, out: Path, now: datetime) -> None:
        private_folder(out)
        with _locked(self.folder):
            key = new_key()
            made = certificates.of_client(identity, key.public_key(), self._signer, now)
            self._put(out, made, key)
            self._note(made, identity)

    def _put(self, out: Path, made: x509.Certificate, key: certificates.Key) -> None:
        write_private(out / KEY, key_bytes(key))
        write_private(out / CERTIFICATE, made.public_bytes(Encoding.PEM))
        write_private(out / CA, self.certificate)

    def _note(self, made: x509.Certificate, identity: str) -> None:
        one = Issued(serial=f"{made.serial_number:x}", identity=identity, ends=made.not_valid_after_utc)
        _write(self.folder / _ISSUED, [*self.issued(), one])

    def _write_gateways(self, gateways: dict[str, Gateway], now: datetime) -> None:
        _write(self.folder / _GATEWAYS, gateways)
        if self.broker_folder.exists():
            self._write_broker(now)

    def _write_broker(self, now: datetime) -> None:
        revoked = [(int(one.serial, 16), one.revoked_at) for one in self.issued() if one.revoked_at is not None]
        gateways = self.gateways()
        passwords = "".join(f"{name}:{gateway.password}\n" for name, gateway in sorted(gateways.items()))
        listed = certificates.revoked_list(revoked, self._signer, now)
        write_private(self.broker_folder / REVOKED, listed.public_bytes(Encoding.PEM))
        write_private(self.broker_folder / ACCESS, access_list(gateways).encode())
        write_private(self.broker_folder / PASSWORDS, passwords.encode())


def _holds(one: Issued, now: datetime) -> bool:
    return one.revoked_at is None and one.ends > now


def _read(path: Path, kind: type[_T], nothing: _T) -> _T:
    if not path.exists():
        return nothing
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise UnavailableError(
            f"{path} cannot be read.", hint="Put back a copy of the authority's folder."
        ) from error


def _write(path: Path, content: object) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(content)))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the authority."""
    try:
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise UnavailableError(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
