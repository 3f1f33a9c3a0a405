"""The whole API, asked by its own description: no fault, and no answer that the description does not tell of.

`make api-fuzz` asks each operation 1,000 times as every role. CI asks each a few times with the seed of the day: that
makes 100 in seven weeks, and a new route is asked on its first. SOJOURN_API_FUZZ_SEED repeats a day.
"""

import os
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from api.app import create_app
from tests.api_fuzz.asking import GATE, STREAMS, Findings, ask, follow, load, operations
from tests.api_fuzz.things import askers, fill
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
SEED = int(os.environ.get("SOJOURN_API_FUZZ_SEED") or datetime.now(UTC).date().toordinal())
EXAMPLES = int(os.environ.get("SOJOURN_API_FUZZ_EXAMPLES") or 2)
"""Measured: 40 ms of CPU each with what the service needs, so that CI spends some 12 s."""
WHOLE = EXAMPLES >= 100
"""The long run asks as every role; CI as one for each operation, another each day."""
STEPS = 6


def test_no_request_meets_a_fault_or_an_answer_that_is_not_described(
    store: SeededStore, client: httpx.Client, site: str
) -> None:
    print(f"SOJOURN_API_FUZZ_SEED={SEED}")
    known = fill(store, client)
    roles = list(askers(store, client).items())
    findings = Findings()
    for number, operation in enumerate(operations(load(site, roles[0][1]))):
        chosen = roles if WHOLE else [roles[(number + SEED) % len(roles)]]
        for _, headers in chosen:
            ask(operation, headers, known, findings, examples=EXAMPLES, number=SEED + number)
    print(dict(findings.statuses))
    assert findings.found == {}, findings.report()
    let_in = sum(count for status, count in findings.statuses.items() if status not in GATE)
    assert findings.statuses[200] > let_in / 20, "nearly nothing was there to be asked for"


def test_no_sequence_of_requests_meets_one(store: SeededStore, client: httpx.Client, site: str) -> None:
    print(f"SOJOURN_API_FUZZ_SEED={SEED}")
    fill(store, client)
    findings = Findings()
    (headers, *_) = askers(store, client).values()
    follow(load(site, headers), headers, findings, examples=EXAMPLES, steps=STEPS, number=SEED)
    assert findings.found == {}, findings.report()


def test_a_fault_would_be_found(store: SeededStore, client: httpx.Client, site: str) -> None:
    """An answer of another shape, status or kind, and a fault: each is told."""
    (headers, *_) = askers(store, client).values()
    schema = load(site, headers)
    health = next(one for one in operations(schema) if one.path == "/v1/health")
    for status, body, kind in (
        (500, b"{}", "application/json"),
        (418, b"{}", "application/json"),
        (200, b'{"status": 7}', "application/json"),
        (200, b"up", "text/plain"),
    ):
        findings = Findings()
        findings.look(health.Case(), _answer(site, status, body, kind))
        assert findings.found, (status, body, kind)


def test_only_streams_are_left_out() -> None:
    paths = create_app("postgresql://nobody@127.0.0.1:1/nothing").openapi()["paths"]
    assert sum(bool(STREAMS.search(path)) for path in paths) == 2


def _answer(site: str, status: int, body: bytes, kind: str) -> Any:
    import requests  # noqa: PLC0415 - here alone

    answer = requests.get(f"{site}/v1/health", timeout=20)
    answer.status_code, answer._content = status, body
    answer.headers["Content-Type"] = kind
    return answer
