"""A BLE advertisement in, the identity of its device out, by rules.

An identity is what a device calls itself, as ASCII text: `ibeacon:<uuid>:<major><minor>`, `address:<twelve digits>`
and so on, all hexadecimal in lower case. It is what a pseudonym is made of (`core.identity`) and is never stored. A
tag gets the same identity from whatever heard it, an adapter of ours or a gateway bought elsewhere.

Payloads are taken apart by bluetooth-data-tools, which Home Assistant runs on whatever is in the air: it is alive,
exact on its own 72 payloads and bounded on damaged ones. Without it we would write the same loop over lengths again.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import msgspec
from bluetooth_data_tools import parse_advertisement_data_bytes

from core.addresses import ADDRESS_BYTES, RANDOMISED, AddressKind, Resolver, address_kind
from core.beacon_frames import Frame, FrameKind, frames
from core.errors import ConfigurationError, InputError

RuleKind = FrameKind | Literal["address", "private_address"]

MOST_PAYLOAD_BYTES: Final = 1650
"""The longest advertising data of Bluetooth 5 (Core 5.4, Vol 4 Part E 7.7.65.13, fragments joined)."""
MOST_RULES: Final = 256
"""A store knows the makers of its tags; more than a handful of namespaces is seldom."""
_ADDRESS_RULES: Final = frozenset({"address", "private_address"})
_NAMESPACE_DIGITS: Final = {
    "ibeacon": 32, "altbeacon": 32, "eddystone_uid": 20, "eddystone_eid": 0, "estimote": 0, "minew": 0,
    "kontakt": 0, "private_address": 0,
}  # fmt: skip
_OUI_DIGITS: Final = 6
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]*")
_URL_NAMESPACE: Final = re.compile(r"https?://[!-.0-~]{1,255}")
# advertising PDUs that begin with the sender's address (Core 5.4, Vol 6 Part B 2.3); the value: data follow it
_PDU_WITH_SENDER: Final = {0x0: True, 0x1: False, 0x2: True, 0x4: True, 0x6: True}


class Advertisement(NamedTuple):
    """What was heard of one sender at one moment."""

    address: bytes | None
    """ADDRESS_BYTES, most significant first; None where it is not told."""
    random: bool
    """Whether the sender called its address random."""
    manufacturer_data: dict[int, bytes]
    """By company id."""
    service_data: dict[str, bytes]
    """By UUID as 36 lower-case characters."""
    name: str | None = None
    service_uuids: tuple[str, ...] = ()
    power_dbm: int | None = None
    read: tuple[Frame, ...] = ()
    """Frames that a gateway has taken apart by itself, where it does not tell their bytes."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which advertisements are of devices, and what tells one device from another.

    An advertisement that no rule takes is not a signal. The first rule that takes it decides.
    """

    kind: RuleKind
    """A beacon format; `address`: a public or static one; `private_address`: a resolvable one whose key is known."""
    namespace: str = ""
    """Empty: every one. iBeacon and AltBeacon: the UUID; Eddystone-UID: 20 digits; Eddystone-URL: scheme and host;
    address: its first three bytes (who made it)."""
    device: Literal["instance", "instance_and_address", "address", "none"] = "instance"
    """What makes a device. `instance`: what the frame says. `instance_and_address`: that and who sent it, where one
    id was given to many tags (one covered 337 addresses in a mall). `address`: who sent it. `none`: refused."""


TILT: Final = tuple(
    Rule(kind="ibeacon", namespace=f"a495bb{colour}0c5b14b44b5121370f02d74de", device="none")
    for colour in range(1, 9)
)
"""Tilt hydrometers write temperature and gravity where iBeacon has major and minor: every reading another device."""


def with_known(rules: Iterable[Rule]) -> list[Rule]:
    """Return rules behind those that refuse what is known to be no device, unless a rule is for just that."""
    given = list(rules)
    named = {(rule.kind, rule.namespace.replace("-", "").lower()) for rule in given}
    return [*(rule for rule in TILT if (rule.kind, rule.namespace) not in named), *given]


def read_payload(payload: bytes, address: bytes | None = None, *, random: bool = False) -> Advertisement:
    """Take the AD structures of an advertisement (and its scan response, joined) apart.

    A structure that runs over the end or lacks its fields is passed over, the others count.

    Raises
    ------
    InputError
        If it is longer than any advertisement.
    """
    if len(payload) > MOST_PAYLOAD_BYTES:
        raise InputError(f"An advertisement has at most {MOST_PAYLOAD_BYTES} bytes, this one {len(payload)}.")
    name, uuids, service_data, manufacturer_data, power_dbm = parse_advertisement_data_bytes(payload)
    # copies: the library hands the same containers to everybody
    return Advertisement(address, random, dict(manufacturer_data), dict(service_data), name, tuple(uuids), power_dbm)


def read_pdu(pdu: bytes) -> Advertisement | None:
    """Take a link-layer advertising PDU apart: header, sender, AD structures.

    Returns
    -------
    Advertisement or None
        None for a PDU that does not begin with its sender: scan requests, and extended advertisements, whose sender
        stands in a later packet.

    Raises
    ------
    InputError
        If it is shorter than its own header says.
    """
    if len(pdu) < 2 or len(pdu) < 2 + pdu[1]:
        raise InputError("This advertising PDU is cut short.", hint="Give the whole PDU, from its header on.")
    with_data = _PDU_WITH_SENDER.get(pdu[0] & 0x0F)
    if with_data is None or pdu[1] < ADDRESS_BYTES:
        return None
    end = 2 + ADDRESS_BYTES
    return read_payload(pdu[end : 2 + pdu[1]] if with_data else b"", pdu[2:end][::-1], random=bool(pdu[0] & 0x40))


class Identities:
    """Tells whose an advertisement is, by rules.

    Parameters
    ----------
    rules : iterable of Rule
        In the order in which they are tried.
    resolver : Resolver
        Knows the senders of resolvable private addresses.

    Raises
    ------
    ConfigurationError
        If a rule cannot be: a namespace that its kind does not have, the same rule twice, or more than MOST_RULES.
    """

    def __init__(self, rules: Iterable[Rule], resolver: Resolver | None = None) -> None:
        self._resolver = resolver if resolver is not None else Resolver()
        given = list(rules)
        if len(given) > MOST_RULES:
            raise ConfigurationError(
                f"There are {len(given)} rules of what to hear.", hint=f"{MOST_RULES} are enough."
            )
        self._frames: dict[tuple[str, str], tuple[int, Rule]] = {}
        for place, rule in enumerate(given):
            key = (rule.kind, _namespace(rule))
            if key in self._frames:
                named = rule.namespace or "every namespace"
                raise ConfigurationError(f"Two rules are for {rule.kind}, {named}.", hint="Keep one of them.")
            self._frames[key] = (place, rule)
        self._addresses = [rule for rule in given if rule.kind in _ADDRESS_RULES]

    def of(self, heard: Advertisement) -> bytes | None:
        """Return the identity of whoever sent an advertisement, None if no rule takes it or it names nobody."""
        best: tuple[int, Rule, Frame | None] | None = None
        if heard.manufacturer_data or heard.service_data or heard.read:
            for frame in (*heard.read, *frames(heard.manufacturer_data, heard.service_data)):
                taken = self._rule(frame.kind, frame.namespace)
                if taken is not None and (best is None or taken[0] < best[0]):
                    best = (*taken, frame)
        if self._addresses and heard.address is not None:
            taken = self._rule_for_address(heard.address, random=heard.random)
            if taken is not None and (best is None or taken[0] < best[0]):
                best = (*taken, None)
        return None if best is None else self._identity(best[1], best[2], heard)

    def _rule(self, kind: str, namespace: str) -> tuple[int, Rule] | None:
        """Return the earlier of the rule for this namespace and the one for all."""
        exact, every = self._frames.get((kind, namespace)), self._frames.get((kind, ""))
        if exact is None or every is None:
            return exact if exact is not None else every
        return min(exact, every, key=lambda placed: placed[0])

    def _rule_for_address(self, address: bytes, *, random: bool) -> tuple[int, Rule] | None:
        kind = address_kind(address, random=random)
        if kind is AddressKind.RESOLVABLE:
            return self._rule("private_address", "") if self._resolver.irk_of(address) is not None else None
        if kind in {AddressKind.PUBLIC, AddressKind.STATIC}:
            return self._rule("address", address[:3].hex())
        return None

    def _identity(self, rule: Rule, frame: Frame | None, heard: Advertisement) -> bytes | None:
        if rule.device == "none":
            return None
        sender = self._sender(heard)
        if frame is None or rule.device == "address":
            return None if sender is None else sender.encode()
        named = f"{frame.kind}:{frame.namespace}:{frame.instance}"
        if rule.device == "instance":
            return named.encode()
        return None if sender is None else f"{named}@{sender}".encode()

    def _sender(self, heard: Advertisement) -> str | None:
        """Name the sender by its key where it has a resolvable address of a known one, else by its address."""
        if heard.address is None:
            return None
        kind = address_kind(heard.address, random=heard.random)
        if kind is AddressKind.RESOLVABLE:
            irk = self._resolver.irk_of(heard.address)
            if irk is not None:
                return f"irk:{irk.hex()}"
        if kind in {AddressKind.PUBLIC, AddressKind.STATIC}:
            return f"address:{heard.address.hex()}"
        return f"{RANDOMISED}{heard.address.hex()}"


def _namespace(rule: Rule) -> str:
    """Return a rule's namespace as frames spell it.

    Raises
    ------
    ConfigurationError
        If its kind has no such namespace.
    """
    if not rule.namespace:
        return ""
    if rule.kind == "eddystone_url":
        if _URL_NAMESPACE.fullmatch(rule.namespace) is None:
            raise _wrong(rule, "a scheme and a host, as https://example.org")
        return rule.namespace
    digits = rule.namespace.replace("-", "").replace(":", "").lower()
    wanted = _OUI_DIGITS if rule.kind == "address" else _NAMESPACE_DIGITS[rule.kind]
    if wanted == 0:
        raise _wrong(rule, "none: leave it out")
    if len(digits) != wanted or _HEXADECIMAL.fullmatch(digits) is None:
        raise _wrong(rule, f"{wanted} hexadecimal digits")
    return digits


def _wrong(rule: Rule, right: str) -> ConfigurationError:
    return ConfigurationError(f"{rule.namespace!r} cannot be the namespace of {rule.kind}.", hint=f"It has {right}.")
