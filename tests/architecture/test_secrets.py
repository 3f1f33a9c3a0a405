"""No secret stands in a file of the repository."""

from pathlib import Path

import pytest

from tests.security.secrets import secrets_in, secrets_of

ROOT = Path(__file__).parents[2]


def test_no_file_holds_a_secret() -> None:
    read, found = secrets_of(ROOT)
    assert read > 500
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN EC " + "PRIVATE KEY-----\n" + "MHcCAQEEIA" * 8,
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 10,
        "sjk_" + "a1B2" * 10,
        "whsec_" + "a1B2" * 8,
        "postgresql://user:" + "hunter22@db.example/x",
        'password = "' + "a1B2" * 6 + '"',
    ],
)
def test_each_shape_is_found(text: str) -> None:
    assert secrets_in(text)
    assert secrets_in(text.replace("\n", " ") + "  # not a secret") == []
