"""Requests made of the description of the API (schemathesis), and what of an answer must hold whoever asks."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
"""No fault, no answer that is not described: neither its status, nor its kind, nor its shape."""
STREAMS = re.compile(r"/live$")
"""Server-sent events do not end; they have tests of their own (test_live_stream.py, test_cues.py)."""
GATE = frozenset({"role", "key-missing", "not-logged-in", "form-token", "second-step", "too-many", "budget"})
"""Problems of the gate: whoever gets one has not reached the route."""
KNOWN_SHARE = 0.7
"""So often a request asks for something that is there; without that nearly every answer would be a 404."""
PATIENCE_S = 60
_KINDS = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass
class Findings:
    """What did not hold, once for each operation and kind of failure, with how to see it again."""

    statuses: Counter[int] = field(default_factory=Counter)
    turned_away: Counter[str] = field(default_factory=Counter)
    """Answers of the gate by their problem."""
    reached: Counter[str] = field(default_factory=Counter)
    """Requests that the gate let through, by operation."""
    asked: set[str] = field(default_factory=set)
    """Operations that were asked."""
    found: dict[tuple[str, str], str] = field(default_factory=dict)

    def look(self, case: Any, answer: Any) -> None:
        """Check one answer, and keep the first failure of each kind."""
        self.asked.add(case.operation.label)
        self.statuses[answer.status_code] += 1
        problem = _problem(answer)
        if problem in GATE:
            self.turned_away[problem] += 1
        else:
            self.reached[case.operation.label] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            failures = [one for one in group.exceptions if isinstance(one, Failure)]
        except Failure as failure:
            failures = [failure]
        else:
            return
        for one in failures:
            said = one.message.splitlines()[0][:200] if one.message else ""
            key = case.operation.label, f"{type(one).__name__}: {said}"
            self.found.setdefault(key, case.as_curl_command())

    def report(self) -> str:
        """Everything that was found, one after the other."""
        return "\n".join(f"{label}: {what}\n    {curl[:800]}" for (label, what), curl in self.found.items())


def _problem(answer: Any) -> str:
    if "problem+json" not in " ".join(answer.headers.get("content-type", [])):  # schemathesis has lists, lower case
        return ""
    return str(answer.json().get("type", "")).removeprefix("urn:sojourn:problem:")


def roles_of(operation: Any) -> frozenset[str]:
    """Who may ask an operation; empty: everybody, it has a way of its own to know who asks."""
    return frozenset(operation.definition.raw.get("x-roles", ()))


def load(base_url: str, headers: dict[str, str]) -> Any:
    """Read the description from a running service."""
    return schemathesis.openapi.from_url(f"{base_url}/openapi.json", headers=headers, timeout=PATIENCE_S)


def operations(schema: Any) -> Iterator[Any]:
    """Every operation that ends."""
    for result in schema.get_all_operations():
        operation = result.ok()
        if not STREAMS.search(operation.path):
            yield operation


def ask(
    operation: Any,
    headers: dict[str, str],
    known: dict[str, list[str]],
    findings: Findings,
    *,
    examples: int,
    number: int,
) -> None:
    """Ask an operation so often, half with what it takes and half with what it should not, and check each answer.

    `known` are ids of things that are there, by the name of the parameter.
    """
    with requests.Session() as session:
        for kind in _KINDS:
            draw = random.Random(number)

            @seed(number)
            @_quick(examples // 2)
            @given(case=operation.as_strategy(generation_mode=kind))
            def one(case: Any) -> None:
                for name in case.path_parameters or {}:
                    if known.get(name) and draw.random() < KNOWN_SHARE:  # noqa: B023 - called in this turn of the loop
                        case.path_parameters[name] = draw.choice(known[name])  # noqa: B023
                findings.look(case, case.call(session=session, headers=headers, timeout=PATIENCE_S))

            try:
                one()
            except Unsatisfiable:
                continue  # nothing can be wrong with what takes nothing


def follow(
    schema: Any, headers: dict[str, str], findings: Findings, *, examples: int, steps: int, number: int
) -> None:
    """Ask sequences: what one answer returns is what the next request asks for."""

    class Sequence(schema.as_state_machine()):  # type: ignore[misc]  # made at run time
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:  # noqa: ARG002 - its signature
            return {"headers": headers, "timeout": PATIENCE_S}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            findings.look(case, response)

    run_state_machine_as_test(seed(number)(Sequence), settings=_quick(examples, stateful_step_count=steps))


def _quick(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=max(1, examples),
        deadline=None,
        database=None,
        phases=[Phase.generate],  # a failure is kept, not made smaller: many are looked for in one go
        suppress_health_check=list(HealthCheck),
        **more,
    )
