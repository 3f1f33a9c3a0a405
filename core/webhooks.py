"""Webhooks without sockets: which events there are, where they may go, and when one that failed is tried again.

Source: the Standard Webhooks specification (standardwebhooks.com), whose library signs.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from core.errors import ConfigurationError, InputError

Network: TypeAlias = IPv4Network | IPv6Network

EVENT_TYPES: Final = {
    "alert.opened": "A limit of a store was passed: how many people, how long they wait, an anchor that is down",
    "alert.closed": "The same is over",
    "fleet_alarm.opened": "Something is wrong with an edge or an anchor of a store: what it is and what to do",
    "fleet_alarm.closed": "The same is over",
    "service_cue.shown": "A customer who consented has arrived, and what to do for her",
    "webhook.test": "Sent on request, to see that it arrives",
    "follow_up.due": "A follow-up has fallen due and is not done: whose it is and what to do",
    "alert.made": "A rule foresees something of a customer: which one and why",
    "message.made": "A personal message is to be sent; its text is at GET /v1/profiles/{profile}/messages",
}
"""Every event that anything here tells of, with what it means; a room that tells of more adds its line."""
TYPE_CHARACTERS: Final = 100
URL_CHARACTERS: Final = 2_000
"""What proxies still pass on."""
BODY_BYTES: Final = 65_536
"""The specification asks for less than 20 kB; three times that is a mistake."""

RETRY_AFTER_S: Final = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
"""The specification's own schedule: ten attempts in three days, long enough for a weekend without anybody at work."""
ATTEMPTS: Final = len(RETRY_AFTER_S) + 1
LONGEST_WAIT_S: Final = 24 * 3600
"""A receiver may ask for a later attempt (Retry-After), by a day at most."""
_JITTER: Final = 0.2
"""Messages that failed together don't come back together."""

_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_CARRY_IPV4: Final = (
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052)
    IPv6Network("::/96"),  # IPv4-compatible (RFC 4291)
    IPv6Network("::ffff:0:0:0/96"),  # SIIT (RFC 2765)
)
_ISATAP: Final = 0x00005EFE
"""Before the IPv4 address in the lower half of an IPv6 one (RFC 5214), but for the bit of a public one."""
_NOT_PUBLIC: Final[tuple[Network, ...]] = (
    IPv4Network("192.0.0.0/24"),  # for protocols (RFC 6890); a cloud's metadata are at 192.0.0.192
    IPv4Network("168.63.129.16/32"),  # a cloud's host (Azure's wire server), for its machines alone
    IPv6Network("fec0::/10"),  # site-local (RFC 3879)
    IPv6Network("5f00::/16"),  # segment routing (RFC 9602)
    IPv6Network("64:ff9b:1::/48"),  # a NAT64 of one's own (RFC 8215)
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
"""What `is_global` calls public in some or all of the Pythons that this runs on."""


def check_event_type(event_type: str) -> str:
    """Return a well-formed event type, such as `service_cue.shown`.

    Raises
    ------
    InputError
        If it is none.
    """
    if len(event_type) > TYPE_CHARACTERS or not _TYPE.fullmatch(event_type):
        raise InputError(
            f"{event_type[:TYPE_CHARACTERS]!r} is no type of event.",
            hint="It looks like service_cue.shown.",
            where="event_types",
        )
    return event_type


def check_known(event_type: str) -> str:
    """Return an event type that something here tells; of another nobody would ever hear.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if check_event_type(event_type) not in EVENT_TYPES:
        raise InputError(
            f"There is no event {event_type!r}.", hint=f"There are {', '.join(EVENT_TYPES)}.", where="event_types"
        )
    return event_type


def check_url(url: str, allowed: Sequence[Network] = ()) -> str:
    """Return a URL that events may be sent to, as far as that can be seen without asking for its addresses.

    Raises
    ------
    InputError
        If it is none, or names an address that is refused.
    """
    if len(url) > URL_CHARACTERS or not url.isprintable() or " " in url or not url.isascii():
        raise InputError(f"A URL has at most {URL_CHARACTERS} characters of ASCII.", where="url")
    try:
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError as error:
        raise InputError("This is no URL.", hint="It looks like https://crm.example/hooks.", where="url") from error
    if split.scheme not in {"https", "http"} or not host or port == 0:
        raise InputError("This is no URL.", hint="It looks like https://crm.example/hooks.", where="url")
    if split.username is not None or split.password is not None or split.fragment:
        raise InputError("The URL holds a name, a password or a fragment.", hint="Leave them out.", where="url")
    try:
        address = ip_address(host)
    except ValueError:
        return url  # a name: its addresses are looked at each time something is sent
    refused = why_refused(address, allowed, secure=split.scheme == "https")
    if refused:
        raise InputError(refused, hint="An operator can allow it: SOJOURN_WEBHOOK_ALLOW.", where="url")
    return url


def why_refused(address: IPv4Address | IPv6Address, allowed: Iterable[Network], *, secure: bool) -> str:
    """Return why nothing is sent to an address, empty if it may be.

    Parameters
    ----------
    address : IPv4Address or IPv6Address
    allowed : iterable of Network
        What the operator allows, private or without TLS.
    secure : bool
        Whether TLS is used.
    """
    meant = _meant(address)
    if any(one in network for one in {address, meant} for network in allowed if one.version == network.version):
        return ""
    inside = any(meant in one for one in _NOT_PUBLIC if one.version == meant.version)
    if not meant.is_global or meant.is_multicast or inside:
        return "The address is private."
    return "" if secure else "Without https everybody on the way could read it."


def read_networks(text: str) -> tuple[Network, ...]:
    """Return networks from a text such as `10.1.0.0/16, 192.0.2.7`.

    Raises
    ------
    ConfigurationError
        If one of them is none.
    """
    found = []
    for part in text.replace(",", " ").split():
        try:
            found.append(ip_network(part))
        except ValueError as error:
            raise ConfigurationError(
                f"{part!r} is no network.", hint="Networks look like 10.1.0.0/16 or 192.0.2.7."
            ) from error
    return tuple(found)


def wait_s(attempts: int, drawn: float, asked_s: float | None = None) -> float | None:
    """Return how long to wait after an attempt that failed; None after the last.

    Parameters
    ----------
    attempts : int
        How many there were, from 1.
    drawn : float
        0..1, at random.
    asked_s : float or None
        What the receiver asked for.
    """
    if attempts >= ATTEMPTS:
        return None
    planned = RETRY_AFTER_S[attempts - 1] * (1 + _JITTER * drawn)
    return planned if asked_s is None else min(max(planned, asked_s), LONGEST_WAIT_S)


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for: else a private one could pass for a public one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    carries = any(address in one for one in _CARRY_IPV4) or (int(address) >> 32) & 0xFDFFFFFF == _ISATAP
    return IPv4Address(int(address) & 0xFFFFFFFF) if carries else address
