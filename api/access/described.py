"""What the description of the API says of who may ask: roles, and the answers that the gate gives."""

from typing import Any, Final

from api.access.table import TABLE

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
_ANSWERS: Final = {
    "401": "Nobody is known by what was sent: a key or a login is missing, or holds no longer",
    "403": "Whoever asks has other roles, or a page's form came from elsewhere",
    "429": "Too many requests; Retry-After says how long to wait",
}


def describe_access(schema: dict[str, Any]) -> None:
    """Add to a description who may ask each route, and how it is refused."""
    schema["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key of a program: sjk_…"},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-sojourn_session"},
    }
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            entry = TABLE[f"{method.upper()} {path}"]
            answers = operation["responses"]
            told = _ANSWERS if entry.roles else {"429": _ANSWERS["429"]}
            for status, says in told.items():
                answers.setdefault(status, {"description": says, "content": _PROBLEM})
            if entry.roles:
                operation["security"] = [{"key": []}, {"session": []}]
                operation["x-roles"] = sorted(entry.roles)
            else:
                operation["security"] = []
