"""Connections that lead only where they may: the address that was looked at is the one that is connected to.

A name is looked up once for each connection, and every address it has must be allowed: a name that changes its mind
between a check and a connection (DNS rebinding) gains nothing. Redirects are not followed.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any, Final

import httpcore

from core.errors import SojournError
from core.webhooks import Network, why_refused

CONNECT_S: Final = 5.0
"""As for the database: what is reachable answers within a tenth of this."""


class RefusedTargetError(SojournError):
    """Nothing is sent there."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to allowed addresses only.

    Parameters
    ----------
    allowed : sequence of Network
        Private networks, or such without TLS, that the operator allows.
    secure : bool
        Whether TLS is used on what is opened.
    """

    def __init__(self, allowed: Sequence[Network], *, secure: bool) -> None:
        self._allowed = allowed
        self._secure = secure
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host.

        Raises
        ------
        RefusedTargetError
            If one of its addresses is refused.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))
        for address in addresses:
            refused = why_refused(ip_address(address), self._allowed, secure=self._secure)
            if refused:
                raise RefusedTargetError(refused, hint="An operator can allow it: SOJOURN_WEBHOOK_ALLOW.")
        return await self._inner.connect_tcp(
            addresses[0], port, timeout=timeout, local_address=local_address, socket_options=socket_options
        )

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore asks for it between attempts to connect."""
        await asyncio.sleep(seconds)
