"""A whole example for each answer in the API's description, made of the examples that stand with the fields."""

from typing import Any, Final

_BY_FORMAT: Final = {
    "date": "2026-11-21",
    "date-time": "2026-11-21T17:56:31.731000Z",
    "uuid": "5b0c2c3e-8a55-5a0e-9f4e-0d6f6a6b7c8d",
}
_BY_TYPE: Final = {"object": {}, "integer": 0, "number": 0.0, "boolean": True, "string": "", "null": None}
_DEEPEST: Final = 16
"""The deepest answer, a page of notes with suggestions, nests five objects; a schema that holds itself ends here."""


def add_examples(described: dict[str, Any]) -> None:
    """Put an example beside every JSON answer of a description (OpenAPI, changed in place) that has none."""
    schemas = described["components"]["schemas"]
    for path in described["paths"].values():
        for operation in path.values():
            for answer in operation.get("responses", {}).values():
                content = answer.get("content", {}).get("application/json")
                if content is not None and "schema" in content and not {"example", "examples"} & content.keys():
                    content["example"] = example_of(content["schema"], schemas)


def example_of(  # noqa: PLR0911 - one line a kind of schema
    schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0
) -> Any:
    """Return an example of a schema: its own, else one put together from its parts."""
    if depth > _DEEPEST:
        return None
    if schema.get("examples"):
        return schema["examples"][0]
    for word in ("example", "default", "const"):
        if word in schema:
            return schema[word]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas, depth + 1)
    for choices in ("anyOf", "oneOf", "allOf"):
        if choices in schema:
            return example_of(schema[choices][0], schemas, depth + 1)
    if schema.get("enum"):
        return schema["enum"][0]
    if "properties" in schema:
        return {name: example_of(part, schemas, depth + 1) for name, part in schema["properties"].items()}
    if schema.get("type") == "object":  # a dictionary: of what, its description says
        return {}
    if "prefixItems" in schema:
        return [example_of(part, schemas, depth + 1) for part in schema["prefixItems"]]
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas, depth + 1)] if "items" in schema else []
    return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(schema.get("type", "null")))
