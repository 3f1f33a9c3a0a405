"""The whole API, asked by its own description as every role: no fault, and no answer that is not described.

CI asks each operation twice, as one of the roles that may, another each day; and as each role 100 times in all: ten
of an operation at a time, which one is dealt out over the days, so that each is asked so as each role within weeks.
`make api-fuzz` asks each operation 1,000 times as each role that may, in rounds of ten, and twice as each that may
not; MINUTES ends it early and says where, ROLES=crm,edge picks. SOJOURN_API_FUZZ_SEED repeats a run.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.access.limits import Rates
from api.app import create_app
from api.settings import Settings
from tests.api.serving import answering
from tests.api_fuzz.asking import STREAMS, Findings, ask, follow, load, operations, roles_of
from tests.api_fuzz.things import askers, fill, keep_her
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
SEED = int(os.environ.get("SOJOURN_API_FUZZ_SEED") or datetime.now(UTC).date().toordinal())
EXAMPLES = int(os.environ.get("SOJOURN_API_FUZZ_EXAMPLES") or 0)
MINUTES = float(os.environ.get("SOJOURN_API_FUZZ_MINUTES") or 1e9)
ROLES = frozenset((os.environ.get("SOJOURN_API_FUZZ_ROLES") or "").replace(",", " ").split())
ONCE = 2
"""Of each operation in CI: one with what it takes and one with what it should not."""
A_ROLE = 100
"""Requests as each role in CI."""
OF_EACH = 10
A_ROUND = 10
REFUSED = 2
"""Of each operation as a role that may not: the gate looks at the route alone, and each has its test beside."""
STEPS = 6
SEQUENCES = 100
"""As each role in the long run; each is made of the whole description."""
UNBOUNDED = Rates(*[10**9] * len(fields(Rates)))
"""Rates have tests of their own; here they would hide the routes behind them."""


@pytest.fixture
def client(store: SeededStore, tmp_path: Path) -> Iterator[httpx.Client]:
    settings = Settings(rates=UNBOUNDED, privacy=tmp_path / "privacy")
    with answering(create_app(store.database_url, settings)) as client:
        yield client


def test_no_request_meets_a_fault_or_an_answer_that_is_not_described(
    store: SeededStore, client: httpx.Client, site: str
) -> None:
    print(f"SOJOURN_API_FUZZ_SEED={SEED}")
    known = fill(store, client)
    everybody = askers(store, client)
    roles = {name: headers for name, headers in everybody.items() if not ROLES or name in ROLES}
    found: dict[str, Findings] = {name: Findings() for name in roles}
    every = list(operations(load(site, everybody["every"])))  # nobody may read the description
    for name, operation, examples, number in plan(list(roles), every):
        keep_her(store, known["profile"][0])
        ask(operation, roles[name], known, found[name], examples=examples, number=number)
    for name, findings in found.items():
        print(name, dict(findings.statuses), dict(findings.turned_away), file=sys.stderr)
    assert not any(findings.found for findings in found.values()), "\n".join(
        f"as {name}: {findings.report()}" for name, findings in found.items() if findings.found
    )
    assert not any(findings.turned_away["too-many"] for findings in found.values()), "the rates hide routes"
    for name, findings in found.items():
        asked = findings.asked
        may = {one.label for one in every if may_ask(name, one)}
        assert not (asked & may) - findings.reached.keys(), f"what {name} may ask was not reached"
    assert sum(one.statuses[200] for one in found.values()) > sum(
        sum(one.reached.values()) for one in found.values()
    ) / 20, "nearly nothing was there to be asked for"  # fmt: skip


def plan(roles: list[str], every: list[Any]) -> Iterator[tuple[str, Any, int, int]]:
    """Yield role, operation, how many examples and a number to draw them by."""
    if EXAMPLES:
        yield from _long(roles, every)
        return
    asked: Counter[str] = Counter()
    for number, operation in enumerate(every):
        may = [name for name in roles if name != "every" and may_ask(name, operation)] or roles
        name = may[(number + SEED) % len(may)]
        asked[name] += ONCE
        yield name, operation, ONCE, SEED + number
    for name in sorted(set(roles) - {"every"}):
        own = [one for one in every if may_ask(name, one)]
        for place in range(0, A_ROLE - asked[name], OF_EACH):
            yield name, own[(SEED * A_ROLE + place) // OF_EACH % len(own)], OF_EACH, SEED + place


def _long(roles: list[str], every: list[Any]) -> Iterator[tuple[str, Any, int, int]]:
    begun = time.monotonic()
    pairs = [(name, one) for name in roles for one in every]
    for turn in range(0, EXAMPLES, A_ROUND):
        for number, (name, operation) in enumerate(pairs):
            if time.monotonic() - begun > MINUTES * 60:
                print(f"ended in the round of {turn + A_ROUND}, at {number} of {len(pairs)}", file=sys.stderr)
                return
            if may_ask(name, operation):
                yield name, operation, min(A_ROUND, EXAMPLES - turn), SEED + 1_000_003 * turn + number
        minutes = (time.monotonic() - begun) / 60
        print(f"{turn + A_ROUND} of each after {minutes:.1f} minutes", file=sys.stderr, flush=True)
    for number, (name, operation) in enumerate(pairs):
        if not may_ask(name, operation):
            yield name, operation, REFUSED, SEED + number


def may_ask(name: str, operation: Any) -> bool:
    """Whether somebody gets past the gate."""
    roles = roles_of(operation)
    return name == "every" or name in roles or not roles


def test_no_sequence_of_requests_meets_one(store: SeededStore, client: httpx.Client, site: str) -> None:
    print(f"SOJOURN_API_FUZZ_SEED={SEED}")
    fill(store, client)
    findings = Findings()
    everybody = askers(store, client)
    roles = [one for one in everybody.items() if not ROLES or one[0] in ROLES]
    for _, headers in roles if EXAMPLES else [roles[SEED % len(roles)]]:
        examples = min(EXAMPLES, SEQUENCES) if EXAMPLES else ONCE
        schema = load(site, everybody["every"])  # nobody may read the description
        follow(schema, headers, findings, examples=examples, steps=STEPS, number=SEED)
    print("sequences", dict(findings.statuses), file=sys.stderr)
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


def test_an_answer_of_the_gate_is_none_of_the_route(store: SeededStore, client: httpx.Client, site: str) -> None:
    (headers, *_) = askers(store, client).values()
    stores = next(one for one in operations(load(site, headers)) if one.path == "/v1/stores")
    findings = Findings()
    findings.look(stores.Case(), stores.Case().call(headers={}))
    assert findings.turned_away == {"key-missing": 1}
    assert not findings.reached


def test_only_streams_are_left_out() -> None:
    paths = create_app("postgresql://nobody@127.0.0.1:1/nothing").openapi()["paths"]
    assert sum(bool(STREAMS.search(path)) for path in paths) == 2


def _answer(site: str, status: int, body: bytes, kind: str) -> Any:
    import requests  # noqa: PLC0415 - here alone

    answer = requests.get(f"{site}/v1/health", timeout=20)
    answer.status_code, answer._content = status, body
    answer.headers["Content-Type"] = kind
    return answer
