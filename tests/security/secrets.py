"""Secrets in files that git knows: a short list of shapes, each with what it is.

A list of our own instead of detect-secrets (last release 2024): the shapes below are what this project could leak,
and a file that needs a fake one says so where it stands.
"""

import re
import subprocess
from pathlib import Path
from typing import Final

SHAPES: Final[dict[str, str]] = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*\n[A-Za-z0-9+/=\s]{40,}",
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36,}\b",
    "a token of GitLab": r"\bglpat-[A-Za-z0-9_-]{20,}\b",
    "a token of Slack": r"\bxox[abposr]-[A-Za-z0-9-]{20,}\b",
    "a key of ours": r"\bsjk_[A-Za-z0-9_-]{30,}",
    "a secret of a webhook": r"\bwhsec_[A-Za-z0-9+/=]{24,}",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a password in a URL": r"\b(?:postgres(?:ql)?|mqtts?|https?|amqp|redis)://[^\s:/@\"'{}<>$]+:(?!secret@|password@|sojourn@|verysecret@|CHANGE-ME@)"
    r"[^\s@\"'{}<>$]{6,}@",
    "a password that is set": r"(?i)\b(?:password|passwd|secret|api_?key|token)\b\s*[:=]\s*"
    r"[\"'][A-Za-z0-9+/_=-]{20,}[\"']",
}
MARK: Final = "not a secret"
"""What a line says that looks like one for a test."""
_LARGEST_BYTES: Final = 2_000_000


def secrets_in(text: str) -> list[tuple[int, str]]:
    """Return (line, what it is) of everything in a text that looks like a secret and is not marked."""
    lines = text.splitlines()
    found = []
    for what, shape in SHAPES.items():
        for match in re.finditer(shape, text):
            line = text.count("\n", 0, match.start())
            if MARK not in lines[line]:
                found.append((line + 1, what))
    return sorted(found)


def secrets_of(folder: Path) -> tuple[int, list[str]]:
    """Return how many files were read, and `file:line what` of each secret in them."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=folder, check=True, capture_output=True, text=True).stdout
    read, found = 0, []
    for name in filter(None, names.split("\0")):
        path = folder / name
        if not path.is_file() or path.stat().st_size > _LARGEST_BYTES or name.endswith(".lock"):
            continue
        read += 1
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{name}:{line} {what}" for line, what in secrets_in(text)]
    return read, found
