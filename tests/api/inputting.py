"""How tests send what other systems would: profiles with consent, events, files."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx


def send(client: httpx.Client, path: str, body: Any, *, key: str | None = None) -> httpx.Response:
    """Post JSON with a fresh Idempotency-Key, or this one."""
    return client.post(path, json=body, headers={"Idempotency-Key": key if key is not None else str(uuid4())})


def send_csv(client: httpx.Client, path: str, text: str | bytes) -> httpx.Response:
    """Post a CSV file with a fresh Idempotency-Key."""
    body = text.encode() if isinstance(text, str) else text
    return client.post(path, content=body, headers={"Idempotency-Key": str(uuid4()), "Content-Type": "text/csv"})


def customer(number: int, *, at: datetime, devices: list[bytes] | None = None, **identifiers: str) -> dict[str, Any]:
    """A customer who consented, with her customer number and more identifiers."""
    given = {"customer_id": f"c-{number}"} | identifiers
    return {
        "source": "crm",
        "display_name": f"Customer {number}",
        "identifiers": [{"kind": kind, "value": value} for kind, value in given.items() if value],
        "devices": [device.hex() for device in devices or []],
        "consent": {"source": "app", "wording": "2026-03", "occurred_at": at.isoformat()},
    }


def event(key: str, kind: str, at: datetime, *, number: int = 1, **more: Any) -> dict[str, Any]:
    """An event of a customer by her number."""
    return {"key": key, "kind": kind, "occurred_at": at.isoformat(), "customer_id": f"c-{number}", **more}
