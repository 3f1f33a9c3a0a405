"""Segments that people named."""

from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from core.errors import InputError
from core.journey.segments import SegmentRule
from storage.connect import Connection
from storage.storable import storable

SEGMENTS: Final = 50
"""Each is counted anew whenever they are listed."""
NAME_CHARACTERS: Final = 100


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with its name."""

    segment_no: int
    name: str
    rule: SegmentRule
    made_by: str
    made_at: datetime


def add_segment(connection: Connection, *, name: str, rule: SegmentRule, made_by: str) -> int:
    """Keep a segment and return its number.

    Raises
    ------
    InputError
        If there are SEGMENTS of them.
    """
    connection.execute("lock table segment in share row exclusive mode")  # while they are counted
    row = connection.execute("select count(*) from segment where removed_at is null").fetchone()
    if row is not None and row[0] >= SEGMENTS:
        raise InputError(f"There are at most {SEGMENTS} segments.", hint="Remove one first.")
    made = connection.execute(
        "insert into segment (name, rule, made_by) values (%s, %s, %s) returning segment_no",
        [storable(name), Jsonb(msgspec.to_builtins(rule)), storable(made_by)],
    ).fetchone()
    if made is None:
        raise RuntimeError("An insert gave no row back.")
    number: int = made[0]
    return number


def segments(connection: Connection, segment_no: int | None = None) -> list[Segment]:
    """Return the segments there are, by name, or the one that is asked for."""
    rows: list[Any] = connection.execute(
        "select segment_no, name, rule, made_by, made_at from segment where removed_at is null"
        " and (%(one)s::integer is null or segment_no = %(one)s) order by lower(name), segment_no",
        {"one": segment_no},
    ).fetchall()
    return [
        Segment(
            segment_no=row[0],
            name=row[1],
            rule=msgspec.convert(row[2], SegmentRule),
            made_by=row[3],
            made_at=row[4],
        )
        for row in rows
    ]


def remove_segment(connection: Connection, segment_no: int) -> bool:
    """Remove a segment. False if there is none."""
    query = "update segment set removed_at = clock_timestamp() where segment_no = %s and removed_at is null"
    return connection.execute(query, [segment_no]).rowcount > 0
