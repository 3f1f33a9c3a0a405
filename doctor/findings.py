"""What a check has found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["ok", "warn", "fail"]
EXIT_CODES: Final[dict[State, int]] = {"ok": 0, "warn": 0, "fail": 1}
"""A warning fails no script: what it warns of works today."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line: what was looked at, how it is, and what to do where it is not well; never a secret."""

    what: str
    state: State
    says: str
    do: str = ""


def ok(what: str, says: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(what=what, state="ok", says=says)


def warn(what: str, says: str, do: str) -> Finding:
    """Return a finding that works today and may not tomorrow."""
    return Finding(what=what, state="warn", says=says, do=do)


def fail(what: str, says: str, do: str) -> Finding:
    """Return a finding that does not work."""
    return Finding(what=what, state="fail", says=says, do=do)


def worst(findings: Iterable[Finding]) -> State:
    """Return the worst state of them."""
    states = {finding.state for finding in findings}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"
