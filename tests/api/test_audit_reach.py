"""No route can forget the audit log: each that reaches a table about people is entered, or answers with counts."""

import re
from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.audit.kinds import BY_ID, COUNTS, EVERYBODY, EXPORTS, LISTS, READ_BY_POST, kind_of, parts_of
from api.routing import PAGES, ROUTES
from storage.audit.seen import AboutPerson, saw
from tests.api.reaching import reached

PEOPLE = (
    "profile", "consent_event", "device_link", "profile_identifier", "identity_case", "customer_event",
    "event_seen", "profile_change",
    "card_ticket", "note", "note_seen", "note_revision", "follow_up", "follow_up_seen", "follow_up_change", "alert",
    "alert_seen", "message", "message_seen", "cue_log", "app_installation", "profile_device", "person",
    "webhook_message",
    "consent_current",
)  # fmt: skip
"""Tables and views about people."""
_READS = re.compile(rf"\b(?:from|join)\s+(?:{'|'.join(PEOPLE)})\b", re.IGNORECASE)


def routes() -> list[APIRoute]:
    return [route for router in (*ROUTES, *PAGES) for route in router.routes if isinstance(route, APIRoute)]


def calls_of(dependant: Dependant) -> Iterator[object]:
    if dependant.call is not None:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from calls_of(inner)


def of_people(route: APIRoute) -> tuple[bool, bool]:
    """Whether a route reads tables about people, and whether it makes rows that say of whom they are."""
    calls = [call for call in calls_of(route.dependant) if getattr(call, "__name__", "") != "audited"]
    found, texts = reached(calls)
    return any(_READS.search(text) for text in texts), (
        saw in found or any(isinstance(one, type) and issubclass(one, AboutPerson) for one in found)
    )


def test_every_route_that_reads_of_people_is_entered() -> None:
    forgotten = []
    for route in routes():
        if "GET" not in (route.methods or ()) and route.path not in READ_BY_POST:
            continue  # writes are entered by the tables that they change
        reads, says = of_people(route)
        if reads and not (says or route.path in EXPORTS or route.path in COUNTS):
            forgotten.append(route.path)
    assert forgotten == [], (
        "use rows that derive from storage.audit.seen.AboutPerson, or say in api.audit.kinds what is counted"
    )


def test_every_route_that_finds_people_is_one_that_a_spent_budget_closes() -> None:
    finds = {
        route.path
        for route in routes()
        if "GET" in (route.methods or ()) and of_people(route)[1] and kind_of(route.path) in {"list", "export"}
    }
    assert finds - COUNTS.keys() - EVERYBODY - BY_ID == LISTS, "say in api.audit.kinds what it is"


def test_the_lists_name_routes_that_there_are() -> None:
    there = {route.path for route in routes()}
    assert there >= EXPORTS | EVERYBODY | READ_BY_POST | BY_ID
    assert set(COUNTS) <= there


@pytest.mark.parametrize(
    "path", ["/v1/profiles/{profile}", "/profiles/{profile}", "/notes/{note}", "/v1/notes", "/v1/alerts"]
)
def test_the_walk_finds_what_it_should(path: str) -> None:
    (route,) = [route for route in routes() if route.path == path and "GET" in (route.methods or ())]
    assert of_people(route) == (True, True)


def test_every_look_has_a_kind_and_a_part() -> None:
    for route in routes():
        if route.path != "/":
            assert parts_of(route.path), route.path
    assert kind_of("/v1/profiles/{profile}/memory") == "read"
    assert kind_of("/v1/profiles") == "list"
    assert parts_of("/v1/profiles/{profile}/memory") == ("memory",)
