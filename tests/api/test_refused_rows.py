"""What is refused is neither kept nor repeated: of a row that cannot be taken in, its line and field are told."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from core.journey.inputs import INPUTS
from tests.api.inputting import send, send_csv
from tests.api.test_hooks import hook
from tests.fix_api import SeededStore
from tests.privacy.searching import found_in_database

pytestmark = pytest.mark.servers
CANARIES: Final = {
    "name": b"Zarathustra Kanari", "number": b"KD-77312", "mail": b"zara@aviary.test", "head": b"Kanari Zarathustra",
}  # fmt: skip
"""Nothing in the first two looks like somebody's address. The last stands in a header alone."""


def rows_with(row: Mapping[str, str], word: str) -> list[dict[str, str]]:
    """A row for each of its columns, in which that column holds what another one should."""
    return [{**row, column: word} for column in row]


def csv_of(rows: list[dict[str, str]], head: str) -> str:
    names = [*rows[0], head]
    return "\n".join([",".join(names), *(",".join([*row.values(), "x"]) for row in rows)])


def test_no_door_keeps_or_repeats_what_it_refused(store: SeededStore, client: httpx.Client) -> None:
    at = (store.now - timedelta(days=1)).isoformat()
    words = [word.decode() for name, word in CANARIES.items() if name != "head"]
    secret = send(client, "/v1/webhooks/senders", {"source": "shop"}).json()["secret"]
    told: list[httpx.Response] = []
    for given_input, kinds in INPUTS.items():
        row = {
            "key": "k1", "kind": next(iter(kinds)), "occurred_at": at, "customer_id": "nobody", "query": "x",
            "total": "5", "currency": "EUR", "starts_at": at, "store": "marktplatz", "service": "greet",
            "tier": "Gold",
        }  # fmt: skip
        rows = [one for word in words for one in rows_with(row, word)]
        told += [
            send_csv(client, f"/v1/imports/{given_input}?source=shop", csv_of(rows, CANARIES["head"].decode())),
            send(client, f"/v1/inputs/{given_input}", {"source": "shop", "events": rows}),
            hook(client, secret, given_input, {"type": words[0], "timestamp": at, "data": rows}, key=given_input),
        ]
    # each without a consent, so that nobody is made
    row = {
        "display_name": "N", "consent_source": "app", "consent_wording": "1", "consent_at": "", "customer_id": "c-9",
        "email": "", "phone": "", "consent_expires_at": "", "loyalty_tier": "",
    }  # fmt: skip
    rows = [one for word in words for one in rows_with(row, word)]
    told.append(send_csv(client, "/v1/imports/profiles?source=crm", csv_of(rows, CANARIES["head"].decode())))
    row = {"customer_id": "nobody", "occurred_at": at, "wording": "1", "key": "k"}
    rows = [one for word in words for one in rows_with(row, word)]
    told.append(send_csv(client, "/v1/imports/withdrawals?source=crm", csv_of(rows, CANARIES["head"].decode())))
    named: list[dict[str, Any]] = [
        {"identifier": {"kind": word, "value": word}, "wording": word, "occurred_at": word, word: word}
        for word in words
    ]
    told.append(hook(client, secret, "withdrawals", {"type": words[0], "timestamp": at, "data": named}, key="w"))
    assert {one.status_code for one in told} == {200}, [one.text[:300] for one in told]
    assert all(one.json()["refused_count"] > 0 for one in told)
    for one in told:
        errors = json.dumps(one.json()["errors"]).encode()
        assert not [name for name, word in CANARIES.items() if word in errors], errors
    assert CANARIES["head"].decode() in told[0].json()["left_out"], "which columns are not kept is told, once"
    assert found_in_database(store.connection, CANARIES) == {}


def test_an_import_that_is_sent_again_says_once_more_which_columns_it_left_out(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "again", "Content-Type": "text/csv"}
    body = "key,kind,occurred_at,customer_id,colour\nk,searched,2026-11-01T00:00:00Z,nobody,red\n"
    first, again = (client.post("/v1/imports/online?source=shop", content=body, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert (again.json()["left_out"], again.headers["Idempotency-Replayed"]) == (["colour"], "true")
