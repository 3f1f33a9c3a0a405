"""Migrations add only, or say that they do not: programs of before run on beside them."""

import re

import pytest

from storage.migrate import migrations

FIRST = "0095"
"""From here on a floor is kept; what came before was applied while everything stood still."""
TAKES = re.compile(
    r"\bdrop\s+(table|column|view|function|type|schema|sequence)\b|\brename\b|(?<!before )\btruncate\b"
    r"|\balter\s+column\s+\w+\s+((set\s+data\s+)?type|set\s+not\s+null)\b"
    r"|\badd\s+column\s+\w+\s+[\w ()]+\bnot\s+null\b(?![^,;]*\bdefault\b)",
    re.IGNORECASE,
)


def without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text)


def test_migrations_only_add_or_say_that_they_do_not() -> None:
    taking = [
        (migration.name, found.group(0))
        for migration in migrations()
        if migration.name >= FIRST and not migration.needs_newer
        for found in [TAKES.search(without_comments(migration.text))]
        if found is not None
    ]
    assert taking == [], "give it the first line `-- sojourn: needs-newer-program: why`, or let it add only"


@pytest.mark.parametrize(
    ("statement", "takes"),
    [
        ("alter table a drop column b;", True),
        ("alter table a rename to b;", True),
        ("truncate a;", True),
        ("create trigger t before truncate on a for each statement execute function f();", False),
        ("alter table a alter column b type bigint;", True),
        ("alter table a add column b int not null;", True),
        ("alter table a add column b int not null default 0;", False),
        ("alter table a add column b int; create table c (d int not null);", False),
        ("-- drop table a\ncreate index on a (b);", False),
    ],
)
def test_what_takes_is_found(statement: str, takes: bool) -> None:
    assert (TAKES.search(without_comments(statement)) is not None) is takes
