"""The API's description (OpenAPI) as Markdown: a page for each tag, searched, printed and read like the rest.

The usual viewers are a megabyte of script that a search does not see; what they can do beyond this is to try a call
out, which needs a server anyway.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

Pages: TypeAlias = Mapping[str, str]
"""Markdown by path among the pages."""

_ORDER: Final = ("get", "post", "put", "patch", "delete")
_SHAPE: Final = re.compile(r"\(#shape-([A-Za-z0-9_]+)\)")
_SAYS_NOTHING: Final = "Successful Response"
_EXAMPLE_CHARACTERS: Final = 2_500
"""Longer examples are cut: the schema says the rest."""


def reference(described: dict[str, Any]) -> dict[str, str]:
    """Return the pages of an OpenAPI 3.1 description, the overview first."""
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in sorted(described["paths"].items()):
        for method in sorted(operations, key=_ORDER.index):
            operation = operations[method]
            by_tag.setdefault(operation.get("tags", ["other"])[0], []).append((method, path, operation))
    schemas = described["components"]["schemas"]
    pages = {"reference/index.md": _overview(described, by_tag)}
    for tag, operations_of in sorted(by_tag.items()):
        parts = [f"# API: {tag}"]
        for method, path, operation in operations_of:
            parts += _operation(method, path, operation, schemas)
        parts += _shapes("\n".join(parts), schemas)
        pages[f"reference/{_slug(tag)}.md"] = "\n".join(parts) + "\n"
    return pages


def _overview(described: dict[str, Any], by_tag: Mapping[str, list[tuple[str, str, dict[str, Any]]]]) -> str:
    lines = ["# The API", "", described["info"]["description"], ""]
    lines += ["A running server has the same as `/openapi.json`.", ""]
    for tag, operations in sorted(by_tag.items()):
        lines += [f"## {tag}", "", "| | |", "|---|---|"]
        for method, path, operation in operations:
            anchor = _slug(f"{method} {path}")
            lines.append(
                f"| [`{method.upper()} {path}`]({_slug(tag)}.md#{anchor}) | {operation.get('summary', '')} |"
            )
        lines.append("")
    return "\n".join(lines)


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    lines = ["", f"## {operation.get('summary', path)} {{ #{_slug(f'{method} {path}')} }}", ""]
    lines += ["```http", f"{method.upper()} {path}", "```", ""]
    if operation.get("description"):
        lines += [_plain(operation["description"]), ""]
    parameters = operation.get("parameters", [])
    if parameters:
        lines += ["| parameter | in | type | |", "|---|---|---|---|"]
        lines += [_parameter(parameter, schemas) for parameter in parameters]
        lines.append("")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        lines += [f"**Body** (`{kind}`)", "", *_shape(content, schemas)]
    for status, answer in operation.get("responses", {}).items():
        lines += _answer(status, answer, schemas)
    return lines


def _parameter(parameter: dict[str, Any], schemas: dict[str, Any]) -> str:
    needed = "" if parameter.get("required") else ", may be left out"
    what = _cell(parameter.get("description", ""))
    kind = _type(parameter.get("schema", {}), schemas)
    return f"| `{parameter['name']}` | {parameter['in']} | {kind}{needed} | {what} |"


def _answer(status: str, answer: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    content = answer.get("content", {})
    if status.startswith(("4", "5")):
        return [f"`{status}` {_plain(answer.get('description', ''))}", ""]
    described = _plain(answer.get("description", "")).removeprefix(_SAYS_NOTHING)
    lines = [f"**`{status}`** {described}", ""]
    for kind, told in content.items():
        if kind != "application/json":
            lines += [f"As `{kind}`.", ""]
        lines += _shape(told, schemas)
    return lines


def _shape(content: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    """Return fields and an example of a body or an answer."""
    schema = _resolved(content.get("schema", {}), schemas)
    if schema.get("type") == "array":
        schema = _resolved(schema.get("items", {}), schemas)
    lines = _fields(schema, schemas)
    example = content.get("example") or next(iter(_examples(content)), None)
    if example is not None:
        text = example if isinstance(example, str) else json.dumps(example, indent=1, ensure_ascii=False)
        if len(text) > _EXAMPLE_CHARACTERS:
            text = text[:_EXAMPLE_CHARACTERS].rsplit("\n", 1)[0] + "\n…"
        lines += ["```json" if not isinstance(example, str) else "```text", text.rstrip(), "```", ""]
    return lines


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    if not schema.get("properties"):
        return []
    needed = set(schema.get("required", ()))
    lines = ["| field | type | |", "|---|---|---|"]
    for name, part in schema["properties"].items():
        optional = "" if name in needed else ", may be left out"
        lines.append(f"| `{name}` | {_type(part, schemas)}{optional} | {_cell(part.get('description', ''))} |")
    return [*lines, ""]


def _shapes(text: str, schemas: dict[str, Any]) -> list[str]:
    """Return the tables of what a page's fields consist of, and what those consist of."""
    lines: list[str] = []
    told: set[str] = set()
    wanted = sorted(set(_SHAPE.findall(text)))
    while wanted:
        told.update(wanted)
        fresh: list[str] = []
        for name in wanted:
            schema = schemas[name]
            fresh += ["", f"### {name} {{ #shape-{name} }}", ""]
            if schema.get("description"):
                fresh += [_plain(schema["description"]), ""]
            fresh += _fields(schema, schemas)
        lines += fresh
        wanted = sorted(set(_SHAPE.findall("\n".join(fresh))) - told)
    return ["", "## Shapes", *lines] if lines else []


def _examples(content: dict[str, Any]) -> Iterable[Any]:
    for example in content.get("examples", {}).values():
        yield example.get("value")


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return a type in words."""
    if "$ref" in schema:
        named = schema["$ref"].rsplit("/", 1)[-1]
        values = schemas[named].get("enum")
        return " or ".join(f"`{value}`" for value in values) if values else f"[{named}](#shape-{named})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    for choices in ("anyOf", "oneOf"):
        if choices in schema:
            return " or ".join(dict.fromkeys(_type(one, schemas) for one in schema[choices]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), schemas)}"
    kind = str(schema.get("type", "any"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _plain(text: str) -> str:
    """Return a description without what Markdown would take for more than a paragraph."""
    return re.sub(r"\s*\n\s*\n\s*", "\n\n", text.strip())


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
