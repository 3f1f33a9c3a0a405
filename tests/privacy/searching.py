"""Looks for secrets in whatever was written: every column of every table, every file, also what is packed there."""

import base64
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import zstandard
from psycopg import sql

from storage.connect import Connection

_ZSTD = b"\x28\xb5\x2f\xfd"
_UNPACKED_MOST = 64 * 1024 * 1024


def spelled(value: bytes) -> dict[str, bytes]:
    """The ways in which somebody may have written these bytes."""
    text = value.hex()
    pairs = [text[place : place + 2] for place in range(0, len(text), 2)]
    found = {
        "raw": value,
        "backwards": value[::-1],
        "base64": base64.b64encode(value).rstrip(b"="),
        "url base64": base64.urlsafe_b64encode(value).rstrip(b"="),
        "hex": text.encode(),
        "hex backwards": value[::-1].hex().encode(),
        "colons": ":".join(pairs).encode(),
        "colons backwards": ":".join(reversed(pairs)).encode(),
        "dashes": "-".join(pairs).encode(),
    }
    if len(value) == 16:
        found["uuid"] = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()
    found |= {f"{name} upper": way.upper() for name, way in found.items() if name[0] in "hcdu" and way.islower()}
    return {name: way for name, way in found.items() if len(way) >= 6}


def wide(text: str) -> str:
    """The same in letters and digits of full width, as another keyboard writes it."""
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def needles(secrets: Mapping[str, bytes]) -> dict[str, bytes]:
    """What to look for: every secret in every spelling."""
    return {f"{name} ({way})": written for name, value in secrets.items() for way, written in spelled(value).items()}


def found_in(data: bytes, wanted: Mapping[str, bytes]) -> set[str]:
    """The names of what is found in some bytes, or in anything that is packed inside them."""
    return {name for part in (data, *_unpacked(data)) for name, value in wanted.items() if value in part}


def found_in_database(connection: Connection, wanted: Mapping[str, bytes]) -> dict[str, set[str]]:
    """By table, what is found in any column of any row."""
    tables = connection.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    ).fetchall()
    found = {}
    for (table,) in tables:
        statement = sql.SQL("copy (select * from {}) to stdout (format binary)").format(sql.Identifier(table))
        with connection.cursor().copy(statement) as copy:
            names = set().union(*(found_in(bytes(row), wanted) for row in copy))
        if names:
            found[table] = names
    return found


def found_in_statistics(connection: Connection, wanted: Mapping[str, bytes]) -> dict[str, set[str]]:
    """By table, what is found in the planner's statistics: values of rows, also of rows that went since.

    Not of tables without a row, which keep theirs until they have one.
    """
    found: dict[str, set[str]] = {}
    rows = connection.execute(
        "select tablename::text, pg_stats::text from pg_stats"
        " where schemaname not in ('pg_catalog', 'information_schema')"
    ).fetchall()
    for table, text in rows:
        if names := found_in(text.encode(), wanted):
            found.setdefault(table, set()).update(names)
    return {
        table: names
        for table, names in found.items()
        if connection.execute(
            sql.SQL("select exists (select from {})").format(_somewhere(connection, table))
        ).fetchone()
        == (True,)
    }


def _somewhere(connection: Connection, name: str) -> sql.Composable:
    """A table, or that of an index, in whichever schema it is; a hypertable for its chunks."""
    row = connection.execute(
        "select relnamespace::regnamespace::text, relname::text from pg_class where oid = ("
        " select coalesce(indrelid, pg_class.oid) from pg_class left join pg_index on indexrelid = pg_class.oid"
        "  where relname = %s limit 1)",
        [name],
    ).fetchone()
    assert row is not None
    return sql.Identifier(*row)


def found_in_files(folder: Path, wanted: Mapping[str, bytes]) -> dict[str, set[str]]:
    """By file, what is found in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a server removed it meanwhile
            continue
        names = found_in(data, wanted)
        if data.startswith(b"SQLite format 3"):
            with suppress(sqlite3.OperationalError):  # whoever runs has it to itself; then its pages have to do
                names |= _in_sqlite(path, wanted)
        if names:
            found[str(path.relative_to(folder))] = names
    return found


def _in_sqlite(path: Path, wanted: Mapping[str, bytes]) -> set[str]:
    """Values as SQLite gives them: in the file long ones are cut into pages."""
    found: set[str] = set()
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in database.execute(f'select * from "{table}"'):
                for value in row:
                    data = value if isinstance(value, bytes) else str(value).encode()
                    found |= found_in(data, wanted)
    return found


def _unpacked(data: bytes) -> Iterator[bytes]:
    place = data.find(_ZSTD)
    while place >= 0:
        with suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().stream_reader(data[place:]).read(_UNPACKED_MOST)
        place = data.find(_ZSTD, place + 1)
    for magic in (b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
        if data.startswith(magic):
            with suppress(zlib.error):
                yield zlib.decompress(data)
