"""The configuration file of an edge (TOML), read and checked as a whole before anything starts."""

import ssl
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from core.addresses import Resolver
from core.advertisement import Identities, Rule, with_known
from core.errors import ConfigurationError
from edge.broker import Broker, Topics
from edge.files import read_private
from edge.tls import said_of_files

MOST_ADAPTERS: Final = 8
"""A USB hub's worth. One with 2,000 adverts/s takes a tenth of the core that listens (docs/edge.md)."""
_CONFIGURATION_BYTES: Final = 262_144
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_T = TypeVar("_T")
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
_ADAPTER_NAME: Final = r"^hci[0-9]{1,3}$"
_IN_WORDS: Final = {
    f"`str` matching regex {_NAME!r}": "an id of 1 to 64 letters, digits, dots, colons, dashes or underscores",
    f"`str` matching regex {_ADAPTER_NAME!r}": "the name of an adapter as `bluetoothctl list` shows it, such as hci0",
    "`array` of length >= 1": "at least one",
    f"`array` of length <= {MOST_ADAPTERS}": f"at most {MOST_ADAPTERS}",
    "at `$.": "at `",
}
"""What the decoder says, for people."""
Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
AdapterName = Annotated[str, msgspec.Meta(pattern=_ADAPTER_NAME)]
Silence = Annotated[float, msgspec.Meta(ge=5, le=3600)]
Scanning = Literal["active", "passive"]


class Adapter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Bluetooth adapter and the anchor of the floor plan that it is."""

    name: AdapterName
    anchor: Name


class Radio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to listen."""

    scanning: Scanning = "active"
    """Active asks for scan responses too; passive only listens and needs BlueZ with --experimental."""
    silence_s: Silence = 15.0
    """A scan that hears nothing at all, not even strangers, for so long is begun anew. Where a customer's tag is sent
    every second, 15 s without anybody are no longer chance."""


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker and this edge's own credentials there."""

    url: str
    ca: Path | None = None
    """Who the broker's certificate has to be from, PEM; without it, whom this machine trusts."""
    certificate: Path | None = None
    key: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    unencrypted: bool = False
    """Allow mqtt:// to another machine."""


class Files(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an edge keeps its things."""

    keys: Path
    """Key folder of the pseudonyms, mode 0700, shared by the edges of a store."""
    outbox: Path
    health: Path | None = None
    """Rewritten every two seconds."""
    irks: Path | None = None
    """Identity resolving keys, one of 32 hexadecimal digits a line, mode 0600."""


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    store: Name
    edge: Name
    broker: BrokerSettings
    files: Files
    adapter: Annotated[tuple[Adapter, ...], msgspec.Meta(min_length=1, max_length=MOST_ADAPTERS)]
    hear: tuple[Rule, ...]
    radio: Radio = Radio()

    @property
    def anchors(self) -> tuple[str, ...]:
        """The anchors, in the order of the adapters."""
        return tuple(adapter.anchor for adapter in self.adapter)

    def resolver(self) -> Resolver:
        """Read the identity resolving keys; as `read_irks`."""
        return read_irks(self.files.irks)

    def connection(self) -> Broker:
        """Return the broker with this edge's credentials; as `connection`."""
        return connection(self.broker, "broker")


def read_irks(path: Path | None) -> Resolver:
    """Read identity resolving keys.

    Raises
    ------
    ConfigurationError, UnavailableError
        If the file cannot be read, others may read it, or a line is no key.
    """
    if path is None:
        return Resolver()
    lines = read_private(path, "identity resolving keys").decode("ascii", "replace").split()
    try:
        return Resolver(bytes.fromhex(line) for line in lines)
    except ValueError as error:
        raise ConfigurationError(
            f"{path} holds something else than identity resolving keys.",
            hint="Write 32 hexadecimal digits a line.",
        ) from error


def connection(given: BrokerSettings, section: str) -> Broker:
    """Return a broker with our credentials there.

    Parameters
    ----------
    given : BrokerSettings
    section : str
        Where they stand in the file.

    Raises
    ------
    ConfigurationError, UnavailableError
        If the address, a certificate or a key cannot be used, or a secret may be read by others.
    """
    broker = Broker.from_url(given.url)
    if urlsplit(given.url).password is not None:
        raise ConfigurationError(
            "A password stands in the broker's address.", hint="Put it into a file of its own: password_file."
        )
    if not broker.tls and broker.host not in _LOOPBACK and not given.unencrypted:
        raise ConfigurationError(
            f"Signals would travel to {broker.host} unencrypted.",
            hint=f"Use mqtts://, or set unencrypted = true in [{section}] where the network is yours alone.",
        )
    if (given.certificate is None) != (given.key is None):
        raise ConfigurationError("A certificate and its key go together.", hint=f"Set both in [{section}] or none.")
    if not broker.tls and (given.ca is not None or given.certificate is not None):
        raise ConfigurationError("Certificates are for mqtts://.", hint=f"Change the url in [{section}].")
    password = None
    if given.password_file is not None:
        password = read_private(given.password_file, "password").decode("utf-8", "replace").strip()
    broker = Broker(
        broker.host,
        broker.port,
        broker.tls,
        given.username if given.username is not None else broker.username,
        password,
        ca=given.ca,
        certificate=given.certificate,
        key=given.key,
    )
    _check_certificates(broker, section)
    return broker


def read_settings(path: Path) -> EdgeSettings:
    """Read and check a configuration file.

    Raises
    ------
    ConfigurationError
        With the place in the file and what would be right there.
    """
    return read_toml(path, EdgeSettings, _check, "docs/edge.md has an example.")


def read_toml(path: Path, kind: type[_T], check: Callable[[_T], None], example: str) -> _T:
    """Read a configuration file as a type and check it.

    Parameters
    ----------
    path : Path
    kind : type
        A msgspec Struct.
    check : callable
        Raises ConfigurationError for what types cannot say.
    example : str
        One sentence: where a right one is.

    Raises
    ------
    ConfigurationError
        With the place in the file and what would be right there.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The configuration {path} cannot be read: {error.strerror}.", hint=example
        ) from error
    if len(content) > _CONFIGURATION_BYTES:
        raise ConfigurationError(
            f"The configuration {path} is larger than {_CONFIGURATION_BYTES} bytes.", hint="Is it the right file?"
        )
    try:
        raw = tomllib.loads(content.decode("utf-8"))
        wrong = _misfits(raw, kind)
        if len(wrong) > 1:
            raise ConfigurationError("; ".join(map(_in_words, wrong)) + ".", hint=example)
        settings = msgspec.convert(raw, kind, dec_hook=_path)
        check(settings)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ConfigurationError(f"{path}: {_in_words(error)}.", hint=example) from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.what}", hint=error.hint) from error
    return settings


def check_rules(rules: tuple[Rule, ...], *, with_keys: bool) -> None:
    """Hold that rules can be followed.

    Raises
    ------
    ConfigurationError
        If there is none, one of them cannot be, or private addresses are asked for and there are no keys.
    """
    if not rules:
        raise ConfigurationError("Nothing would be heard.", hint="Say what with at least one [[hear]].")
    Identities(with_known(rules))
    if not with_keys and any(rule.kind == "private_address" for rule in rules):
        raise ConfigurationError(
            "Private addresses are recognised by keys, and there are none.", hint="Set irks in [files]."
        )


def _in_words(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "This is no text in UTF-8"
    said = str(error)
    for word, people in _IN_WORDS.items():
        said = said.replace(word, people)
    return said


def _misfits(raw: dict[str, Any], kind: type) -> list[Exception]:
    """Return what is wrong with each part of a configuration, the first in each: people mend all in one go."""
    found: list[Exception] = []
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, value in raw.items():
        if name not in fields:
            found.append(msgspec.ValidationError(f"There is no setting `{name}`"))
            continue
        try:
            msgspec.convert({name: value}, msgspec.defstruct("Part", [(name, fields[name].type)]), dec_hook=_path)
        except msgspec.ValidationError as error:
            found.append(error)
    return found + [
        msgspec.ValidationError(f"`{name}` is missing")
        for name, field in fields.items()
        if field.required and name not in raw
    ]


def _path(kind: type, value: object) -> object:
    """Read what TOML has no type for."""
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("This has to be a path.")


def _check(settings: EdgeSettings) -> None:
    Topics(settings.store, settings.edge)
    for what, names in (
        ("adapter", [adapter.name for adapter in settings.adapter]),
        ("anchor", list(settings.anchors)),
    ):
        if len(set(names)) < len(names):
            raise ConfigurationError(f"Two adapters have the same {what}.", hint="Each is an anchor of its own.")
    check_rules(settings.hear, with_keys=settings.files.irks is not None)
    settings.connection()
    settings.resolver()


def _check_certificates(broker: Broker, section: str) -> None:
    """Hold that the TLS files can be used, before a connection finds out."""
    if not broker.tls:
        return
    if broker.key is not None:
        read_private(broker.key, "key of the certificate")
    try:
        context = ssl.create_default_context(cafile=broker.ca)
        if broker.certificate is not None:
            context.load_cert_chain(broker.certificate, broker.key, password="")  # or it would ask on the terminal
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The TLS files of [{section}] cannot be used: {said_of_files(error, broker)}.",
            hint="ca, certificate and key are PEM files; docs/transport.md says how they are made.",
        ) from error
