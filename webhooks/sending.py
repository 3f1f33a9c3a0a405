"""One attempt to deliver: signed, bounded in time and in what is read of the answer."""

import asyncio
import random
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpcore
from standardwebhooks import Webhook

from core.webhooks import Network, wait_s
from storage.webhooks.queue import Attempt, DueDelivery
from webhooks.connecting import CONNECT_S, GuardedBackend, RefusedTargetError

ATTEMPT_S: Final = 20.0
"""From looking up the name to the last byte: within the 15 to 30 s that the specification asks for."""
_ANSWER_BYTES: Final = 4_096
"""Only the status counts; the rest is read so far that a polite server can end its answer."""
GONE: Final = 410
"""By the specification: the receiver wants nothing more."""

_REASONS: Final = {
    httpcore.ConnectTimeout: "No connection in time.",
    httpcore.ReadTimeout: "No answer in time.",
    httpcore.WriteTimeout: "It does not read in time.",
    httpcore.ConnectError: "No connection.",
    httpcore.RemoteProtocolError: "The answer is no HTTP.",
}


class Sender:
    """Sends to one target after the other, each on a connection of its own.

    Parameters
    ----------
    allowed : sequence of Network
        See `GuardedBackend`.
    """

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._tls = ssl.create_default_context()

    async def send(self, due: DueDelivery) -> Attempt:
        """Send a delivery and return what came of it; whatever goes wrong on the other side is an outcome."""
        begun_at, begun = datetime.now(UTC), time.monotonic()
        status, asked_s = None, None
        try:
            async with asyncio.timeout(ATTEMPT_S):
                status, asked_s = await self._post(due)
            outcome = f"Answered {status}."
        except TimeoutError:
            outcome = f"No answer within {ATTEMPT_S:.0f} s."
        except RefusedTargetError as error:
            outcome = str(error)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            outcome = next((said for kind, said in _REASONS.items() if isinstance(error, kind)), "It broke off.")
            if isinstance(error.__cause__, ssl.SSLError) or isinstance(error, ssl.SSLError):
                outcome = "TLS fails: the certificate is not trusted or does not fit the name."
        except UnicodeError:
            outcome = "The host's name cannot be looked up."
        delivered = status is not None and 200 <= status < 300
        again = None if delivered or status == GONE else wait_s(due.attempts, random.random(), asked_s)  # noqa: S311 - spreads load, guards nothing
        return Attempt(
            delivery_id=due.delivery_id,
            begun_at=begun_at,
            duration_ms=round((time.monotonic() - begun) * 1000),
            http_status=status,
            outcome=outcome,
            delivered=delivered,
            wait_s=again,
        )

    async def _post(self, due: DueDelivery) -> tuple[int, float | None]:
        secure = urlsplit(due.url).scheme == "https"
        backend = GuardedBackend(self._allowed, secure=secure)
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls, max_connections=1, max_keepalive_connections=0, network_backend=backend
            ) as pool,
            pool.stream(
                "POST",
                due.url,
                headers=list(signed_headers(due, datetime.now(UTC)).items()),
                content=due.body.encode(),
                extensions={"timeout": {"connect": CONNECT_S, "read": ATTEMPT_S, "write": ATTEMPT_S}},
            ) as answer,
        ):
            heard = 0
            async for part in answer.aiter_stream():
                heard += len(part)
                if heard >= _ANSWER_BYTES:
                    break
            return answer.status, _retry_after_s(answer.headers)


def signed_headers(due: DueDelivery, now: datetime) -> dict[str, str]:
    """Return the headers of a delivery; each secret adds a signature."""
    message = f"msg_{due.message_id.hex}"
    signatures = [Webhook(secret).sign(message, now, due.body) for secret in due.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Sojourn-Webhooks/1",
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _retry_after_s(headers: Sequence[tuple[bytes, bytes]]) -> float | None:
    said = next((value.decode("latin-1") for name, value in headers if name.lower() == b"retry-after"), None)
    if said is None:
        return None
    if said.isdecimal():
        return float(said[:9])
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
