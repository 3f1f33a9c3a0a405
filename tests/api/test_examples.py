"""Every answer in the API's description has an example, and the example is one that the route could give."""

from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from api.app import create_app
from api.examples import example_of

APP = create_app("postgresql://nobody@127.0.0.1:1/none")
DESCRIBED: dict[str, Any] = APP.openapi()
ANSWERS = [
    (operation["operationId"], operation["responses"]["200"]["content"]["application/json"])
    for operations in DESCRIBED["paths"].values()
    for operation in operations.values()
    if "application/json" in operation.get("responses", {}).get("200", {}).get("content", {})
]


def test_there_are_answers_to_look_at() -> None:
    assert len(ANSWERS) >= 10


# the export's rows are streamed as they come: no model makes them
@pytest.mark.parametrize(
    ("name", "answer"),
    [answer for answer in ANSWERS if answer[0] != "export"],
    ids=lambda said: said if isinstance(said, str) else "",
)
def test_an_example_is_valid(name: str, answer: dict[str, Any]) -> None:
    TypeAdapter(models()[name]).validate_python(answer["example"])


def models() -> dict[str, Any]:
    """What each route answers, by its name; writes that give an answer again say so in `responses`."""
    return {
        route.name: route.response_model if route.response_model is not None else route.responses[200]["model"]
        for route in routes()
        if route.response_model is not None or "model" in route.responses.get(200, {})
    }


def routes() -> list[APIRoute]:
    found: list[APIRoute] = []
    waiting: list[Any] = list(APP.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        else:
            waiting += getattr(route, "routes", None) or getattr(
                getattr(route, "original_router", None), "routes", []
            )
    return found


def test_a_schema_that_holds_itself_ends() -> None:
    schemas = {"Node": {"properties": {"next": {"$ref": "#/components/schemas/Node"}}}}
    assert example_of({"$ref": "#/components/schemas/Node"}, schemas) is not None
