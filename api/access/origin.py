"""Where a request comes from: the page, as its browser says, and the address, as limits count it."""

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from api.problems import ProblemError

_SUBSCRIBER: Final = 64
"""Bits of a network that one subscriber has whole (RFC 6177): who has it has 2**64 addresses."""


def counted_address(text: str) -> str:
    """Return what an address is counted by: itself, of IPv6 the network of its subscriber."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), _SUBSCRIBER), strict=False))


def address_of(request: Request) -> str:
    """Return by what limits count who sends a request."""
    return counted_address(request.client.host) if request.client is not None else ""


def check_origin(request: Request) -> None:
    """Refuse what another site's page sent: browsers say where it comes from, and pages cannot forge that.

    Raises
    ------
    ProblemError
        If it does not come from a page of this server.
    """
    site = request.headers.get("sec-fetch-site")
    origin = urlsplit(request.headers.get("origin", "")).netloc
    if site == "same-origin" or (site is None and origin == request.headers.get("host")):
        return
    raise ProblemError(
        403,
        "foreign-form",
        "Not from here",
        detail="This was not sent from a page of this server.",
        hint="Open the page here and send it again.",
    )
