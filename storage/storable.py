"""Text and JSON from outside in a form that PostgreSQL can hold: no NUL, no lone surrogate."""


def storable(text: str) -> str:
    """Return text without what neither `text` nor `jsonb` can hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def cleaned(value: object) -> object:
    """Return a JSON value with all of its text storable; what JSON does not know becomes text."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, (list, tuple)):
        return [cleaned(inner) for inner in value]
    if isinstance(value, dict):
        return {storable(str(name)): cleaned(inner) for name, inner in value.items()}
    return value if value is None or isinstance(value, (bool, int, float)) else storable(str(value))
