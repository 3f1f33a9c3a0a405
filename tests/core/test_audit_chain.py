"""The chain of the audit log: one canonical text, and a hash that changes with each part of it."""

from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
import pytest

from core.audit.chain import GENESIS, ChainedEntry, canonical, chained, commitment
from core.audit.hints import HINTS
from core.audit.words import KINDS, PURPOSES, ROLE_PURPOSES, default_purpose

ENTRY = ChainedEntry(
    entry_no=7,
    at_us=1_764_349_200_000_001,
    actor="Anna Löfgren",
    actor_id="a-1",
    actor_kind="person",
    role="crm",
    stores=("quay",),
    purpose="service",
    kind="read",
    route="GET /v1/profiles/{profile}",
    outcome="done",
    fields=("profile",),
    commitments=("00ff",),
    detail={"b": 2, "a": 1},
    sealed_on="2026-11-28",
)


def test_the_text_of_an_entry_is_fixed() -> None:
    text = (
        '[1,[7,1764349200000001,"Anna Löfgren","a-1","person","crm",["quay"],"service","read",'
        '"GET /v1/profiles/{profile}","done",["profile"],["00ff"],{"a":1,"b":2},"2026-11-28"]]'
    )
    assert canonical(ENTRY).decode() == text
    assert chained(GENESIS, ENTRY) == sha256(bytes(32) + text.encode()).digest()


@pytest.mark.parametrize("field", ChainedEntry.__struct_fields__)
def test_a_hash_changes_with_each_field(field: str) -> None:
    held = getattr(ENTRY, field)
    match held:
        case int():
            other: Any = held + 1
        case dict():
            other = held | {"c": 3}
        case tuple():
            other = (*held, "x")
        case _:
            other = f"{held}x"
    changed = msgspec.structs.replace(ENTRY, **{field: other})
    assert chained(GENESIS, changed) != chained(GENESIS, ENTRY)
    assert chained(bytes(31) + b"\1", ENTRY) != chained(GENESIS, ENTRY)


def test_a_commitment_says_nothing_without_its_salt() -> None:
    profile = UUID(int=5)
    assert commitment(b"salt", profile) == sha256(b"salt" + profile.bytes).digest()
    assert commitment(b"other", profile) != commitment(b"salt", profile)


def test_the_purpose_of_whoever_states_none() -> None:
    assert default_purpose(["crm", "privacy"], "person") == "service"
    assert default_purpose(["privacy"], "person") == "data_subject"
    assert default_purpose(["crm"], "key") == "integration"
    assert default_purpose([], "person") == "service"
    assert default_purpose([], "program") == "operation"
    assert set(ROLE_PURPOSES.values()) <= set(PURPOSES)


def test_each_hint_says_how_and_why() -> None:
    assert len({hint.hint for hint in HINTS}) == len(HINTS) == 7
    assert all(hint.formula and hint.reason for hint in HINTS)
    assert "export" in KINDS
