"""The description of the API is whole: every reference resolves, every answer has an example or a described field."""

import json
import re
from typing import Any

from api.app import create_app
from api.texts import PATTERNS

URL = "postgresql://nobody@127.0.0.1:1/nothing"


def schema() -> dict[str, Any]:
    return create_app(URL).openapi()


def test_every_route_is_there_with_a_summary_and_its_problems() -> None:
    found = schema()
    assert set(found["paths"]) == {
        "/v1/stores", "/v1/stores/{store}", "/v1/stores/{store}/zones", "/v1/stores/{store}/occupancy",
        "/v1/stores/{store}/visits", "/v1/stores/{store}/coverage", "/v1/stores/{store}/live",
        "/v1/profiles", "/v1/profiles/{profile}", "/v1/metrics/formulas", "/v1/stores/{store}/metrics/{formula}",
        "/v1/stores/{store}/visits/{visit}/revisions",
        "/v1/profiles/{profile}/timeline",
        "/v1/profiles/{profile}/memory", "/v1/alerts", "/v1/alerts/look", "/v1/alerts/{alert}",
        "/v1/follow-ups/due-count", "/v1/follow-ups/{follow_up}", "/v1/notes/feelings",
        "/v1/profiles/{profile}/journey/feelings", "/v1/interactions",
        "/v1/notes/over-time", "/v1/notes/counts/leaving", "/v1/stores/{store}/note-tags",
        "/v1/message-templates", "/v1/message-templates/{template}",
        "/v1/profiles/{profile}/messages", "/v1/profiles/{profile}/messages/preview",
        "/v1/alerts/{alert}/verdict", "/v1/alert-rules", "/v1/alert-rules/{rule}",
        "/v1/profiles/{profile}/visits", "/v1/profiles/{profile}/journey", "/v1/health", "/v1/ready",
        "/v1/profiles/{profile}/journey/history",
        "/v1/profiles/{profile}/consents", "/v1/profiles/{profile}/links", "/v1/profiles/{profile}/links/{link_no}",
        "/v1/profiles/{profile}/understanding", "/v1/profiles/{profile}/cue", "/v1/stores/{store}/cue-policy",
        "/v1/imports/profiles", "/v1/imports/withdrawals",
        "/v1/note-choices", "/v1/note-choices/{list}",
        "/v1/note-choices/{list}/{word}", "/v1/notes", "/v1/notes/counts", "/v1/notes/reading",
        "/v1/notes/{note}", "/v1/notes/{note}/history", "/v1/notes/{note}/follow-ups", "/v1/follow-ups",
        "/v1/colleagues",
        "/v1/follow-ups/{follow_up}/snooze", "/v1/follow-ups/{follow_up}/reassign", "/v1/follow-ups/{follow_up}/done",
        "/v1/fleet", "/v1/fleet/{store}", "/v1/fleet/{store}/alarms",
        "/v1/erasures", "/v1/erasures/{erasure}", "/v1/profiles/{profile}/access-export", "/v1/data-map",
        "/v1/audit", "/v1/audit/hints", "/v1/audit/heads",
        "/v1/app/installations", "/v1/app/installations/{installation}/revoke", "/v1/app/presence",
        "/v1/withdrawals", "/v1/inputs/{given_input}", "/v1/imports", "/v1/imports/{given_input}",
        "/v1/imports/{import_no}", "/v1/imports/{import_no}/revert",
        "/v1/identity/cases", "/v1/identity/cases/{case_no}", "/v1/identity/cases/{case_no}/undo",
        "/v1/stores/{store}/cues", "/v1/stores/{store}/cues/live", "/v1/cues/{cue_no}/outcome",
        "/v1/stores/{store}/cue-trials", "/v1/stores/{store}/cue-trials/{trial_no}/end",
        "/v1/webhooks/senders", "/v1/webhooks/senders/{source}/secret", "/v1/webhooks/senders/{source}/remove",
        "/v1/hooks/{source}/{what}", "/v1/profiles/{profile}/card", "/v1/profiles/{profile}/card-tickets",
        "/v1/exports/{what}",
        "/v1/segments", "/v1/segments/count", "/v1/segments/{segment_no}/remove", "/v1/journey-map",
        "/v1/webhooks/event-types", "/v1/webhooks/subscriptions", "/v1/webhooks/subscriptions/{subscription}",
        "/v1/webhooks/subscriptions/{subscription}/secret", "/v1/webhooks/subscriptions/{subscription}/test",
        "/v1/webhooks/subscriptions/{subscription}/remove", "/v1/webhooks/deliveries",
        "/v1/webhooks/deliveries/{delivery_no}", "/v1/webhooks/deliveries/{delivery_no}/again",
        "/v1/stores/{store}/plan", "/v1/stores/{store}/plan.svg", "/v1/plans/check",
        "/v1/stores/{store}/exclusions", "/v1/stores/{store}/exclusions/{change_no}/restore",
        "/v1/stores/{store}/cells", "/v1/stores/{store}/heatmap", "/v1/stores/{store}/presets",
        "/v1/stores/{store}/shelf-items", "/v1/stores/{store}/alerts",
        "/v1/stores/{store}/alert-rules", "/v1/stores/{store}/alert-rules/{rule_no}",
        "/v1/identity/blocked-devices", "/v1/identity/blocked-devices/{block_no}/lift",
    }  # fmt: skip
    for path, operation in ((path, one) for path, methods in found["paths"].items() for one in methods.values()):
        assert operation["summary"], path
        assert operation["description"], path
        if "{" in path and path != "/v1/imports/{given_input}":
            assert "404" in operation["responses"], path
        for status, answer in operation["responses"].items():
            if status in {"404", "422"} or (status == "503" and path != "/v1/ready"):
                assert list(answer["content"]) == ["application/problem+json"], (path, status)


def test_every_reference_resolves() -> None:
    found = schema()
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(found)))
    assert names <= set(found["components"]["schemas"])
    assert {"ProblemOut", "LiveStateOut", "JourneyOut"} <= names | set(found["components"]["schemas"])


_VERSIONS = ("plan", "model", "policy", "rule")
_NUMBERED = (
    "case",
    "link",
    "block",
    "import",
    "rule",
    "delivery",
    "cue",
    "trial",
    "alert",
    "alarm",
    "change",
    "segment",
    "entry",
)
_SAID = re.compile(
    r"_(s|m|us|min|count|now|days|share)$|people$|^signals|^(total|status|http_status|revision|line|"
    rf"({'|'.join(_NUMBERED)})_no|(({'|'.join(_VERSIONS)})_)?version)$"
)
_PLAIN = {
    "tried",
    "kept",
    "change",
    "low",
    "high",
    "confidence",
    "share",
    "begin",
    "end",
    "place",
    "column",
    "score",
    "valence",
    "opens_at",
    "clears_at",
    "value",
    "worst",
    "heat",
}
"""Shares, what is in the unit that stands beside it, what is compared in a trial, and places in a text or a list."""


def test_every_pattern_is_said_in_words() -> None:
    """Whoever sends a value that does not fit reads a sentence, never a regular expression."""
    patterns = set(re.findall(r'"pattern": ("(?:[^"\\\\]|\\\\.)*")', json.dumps(schema())))
    assert {json.loads(pattern) for pattern in patterns} <= PATTERNS.keys()
    assert len(patterns) >= 4


def test_numbers_name_their_unit() -> None:
    for name, described in schema()["components"]["schemas"].items():
        for field, kind in described.get("properties", {}).items():
            numeric = kind.get("type") in {"number", "integer"}
            unit = _SAID.search(field)
            assert not numeric or unit or field in _PLAIN, f"{name}.{field}"


def test_the_main_answers_carry_an_example() -> None:
    schemas = schema()["components"]["schemas"]
    for name in ("VisitOut", "StageOut", "LiveStateOut", "ProblemOut"):
        assert schemas[name]["examples"], name
