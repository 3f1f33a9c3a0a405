"""The closed lists of an audit entry's words."""

from collections.abc import Collection
from typing import Final, Literal, TypeAlias

PurposeWord: TypeAlias = Literal[
    "service", "follow_up", "data_subject", "administration", "integration", "analysis", "incident", "operation"
]
KindWord: TypeAlias = Literal["read", "list", "export", "change", "login", "key", "erasure"]
ActorWord: TypeAlias = Literal["person", "key", "program", "nobody"]
OutcomeWord: TypeAlias = Literal["done", "refused"]

PURPOSES: Final[dict[PurposeWord, str]] = {
    "service": "Serving the customer in the store",
    "follow_up": "Keeping a promise, a message or a task afterwards",
    "data_subject": "Answering the customer's own request: access, correction, erasure",
    "administration": "Looking after the system and its settings",
    "integration": "Another system of ours reads or writes",
    "analysis": "Finding out how customers behave as a whole",
    "incident": "Finding out what went wrong",
    "operation": "The programs of this service by themselves",
}
"""Why somebody looks; a program or page may state any of these, and nothing else."""
KINDS: Final[dict[KindWord, str]] = {
    "read": "Read",
    "list": "Listed",
    "export": "Exported",
    "change": "Changed",
    "login": "Login",
    "key": "Key",
    "erasure": "Erasure",
}
"""What was done: `list` shows a line of many people, `read` what is known of one."""
ROLE_PURPOSES: Final[dict[str, PurposeWord]] = {
    "crm": "service",
    "privacy": "data_subject",
    "admin": "administration",
    "operations": "operation",
    "edge": "integration",
}
"""What each role is there for: the purpose where none is stated. Who has several acts in the first of this list."""


def default_purpose(roles: Collection[str], actor_kind: ActorWord) -> PurposeWord:
    """Return the purpose of somebody who states none: of a program, what programs do; else the first role's."""
    match actor_kind:
        case "key":
            return "integration"
        case "program":
            return "operation"
    return next((purpose for role, purpose in ROLE_PURPOSES.items() if role in roles), "service")
