"""`python -m benchmarks kept`: bytes on disk for each signal, visit and count of a store, by table and by chunk."""

import argparse
import io
import json
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.recompute.filling import fill
from benchmarks.results_part import replace_part
from ingest.counting import Counting
from servers.postgres import Postgres
from servers.provide import provide
from storage.connect import Connection, connect
from storage.edition import read_edition
from storage.migrate import migrate

FIGURES: Final = Path(__file__).parent / "kept.json"
_HYPERTABLE: Final = """
select sum(table_bytes)::bigint, sum(index_bytes)::bigint, sum(toast_bytes)::bigint,
       (select count(*) from timescaledb_information.chunks where hypertable_name = %(table)s::text)
  from hypertable_detailed_size(%(table)s::text::regclass)
"""
_PLAIN: Final = """
select sum(pg_relation_size(oid)), sum(pg_indexes_size(oid)),
       sum(pg_total_relation_size(oid) - pg_relation_size(oid) - pg_indexes_size(oid)), 0
  from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname like %(table)s::text
"""
_CHUNK: Final = {"signal_log": "a day", "zone_visit": "7 days", "store_visit": "7 days", "rollup%": "none"}
_EACH: Final = {
    "signal_log": "signal",
    "zone_visit": "zone visit",
    "store_visit": "store visit",
    "rollup%": "zone visit",
}


@dataclass(frozen=True)
class Kept:
    """Bytes of a table and the things in it."""

    table: str
    things: int
    rows_bytes: int
    index_bytes: int
    packed_bytes: int
    chunks: int

    @property
    def bytes_in_all(self) -> int:
        """All of it."""
        return self.rows_bytes + self.index_bytes + self.packed_bytes

    def each(self, size: int) -> str:
        """Return bytes a thing."""
        return f"{size / max(self.things, 1):,.1f}"


def main(arguments: list[str]) -> int:
    """Fill a log with days of a store, derive visits and counts, and print what lies on the disk."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks kept", description=__doc__)
    parser.add_argument("--stores", type=int, default=4)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--shoppers", type=int, default=500, help="of a store and day")
    parser.add_argument("--results", type=Path, help="Markdown file whose part is replaced (docs/growth.md)")
    asked = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="sojourn-kept-") as folder,
        Postgres(provide(), Path(folder)) as database,
        connect((migrate(database.dsn()), database.dsn())[1]) as connection,
    ):
        signals = fill(connection, stores=asked.stores, days=asked.days, shoppers=asked.shoppers)
        counting = Counting(database.dsn(), asked.days + 1)
        counting.begin()
        counting.stop()
        connection.execute("vacuum analyze")
        edition, version = read_edition(connection)
        found = [_kept(connection, table, signals) for table in _CHUNK]
        packed = _packed(connection)
    text = markdown(
        found, packed, ["python", "-m", "benchmarks", "kept", *arguments], asked.stores * asked.days,
        f"{edition.value}, {version}",
    )  # fmt: skip
    print(text)
    if asked.results is not None:
        replace_part(asked.results, "kept", text)
        FIGURES.write_text(json.dumps(_a_signal(found), indent=1) + "\n")
    return 0


def _kept(connection: Connection, table: str, signals: int) -> Kept:
    plain = table.endswith("%")
    row = connection.execute(_PLAIN if plain else _HYPERTABLE, {"table": table}).fetchone()
    things = signals
    if table != "signal_log":
        counted = "select count(*) from store_visit" if table == "store_visit" else "select count(*) from zone_visit"
        things = int((connection.execute(counted).fetchone() or (0,))[0])
    sizes = [int(value or 0) for value in row or (0, 0, 0, 0)]
    return Kept(table, things, *sizes)


def _a_signal(found: list[Kept]) -> dict[str, float]:
    """Return the bytes of each table for a signal; `python -m benchmarks scale` reckons with them."""
    signals = found[0].things
    return {kept.table.rstrip("%"): round(kept.bytes_in_all / signals, 3) for kept in found}


def _packed(connection: Connection) -> float:
    """Return bytes a zone visit where all of them are columns, packed: what a columnstore could come near to."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute("select * from zone_visit order by store_no, entered_at")
        names = [column.name for column in cursor.description or ()]
        rows = [[value.bytes if hasattr(value, "bytes") else value for value in row] for row in cursor.fetchall()]
    file = io.BytesIO()
    pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None).write_parquet(file, compression="zstd")
    return len(file.getvalue()) / max(len(rows), 1)


def markdown(found: list[Kept], packed: float, command: list[str], store_days: int, edition: str) -> str:
    """Return the part of docs/growth.md."""
    by_name = {kept.table: kept for kept in found}
    log, zone, store = by_name["signal_log"], by_name["zone_visit"], by_name["store_visit"]
    visits = zone.things + store.things
    month = 30 * log.bytes_in_all / store_days / 1e6
    year = 365 * (zone.bytes_in_all + store.bytes_in_all) / store_days / 1e6
    return "\n".join(
        [
            f"    {shlex.join(command)}",
            "",
            f"{log.things:,} signals, {zone.things:,} zone visits and {store.things:,} store visits",
            f"in {store_days} days of stores; TimescaleDB's edition: {edition}. Bytes for each:",
            "",
            "| table | each | rows | indexes | beside (packed values) | together | chunk | chunks |",
            "|---|---|---|---|---|---|---|---|",
            *[
                f"| `{kept.table.replace('%', '…')}` | {_EACH[kept.table]} | {kept.each(kept.rows_bytes)} "
                f"| {kept.each(kept.index_bytes)} | {kept.each(kept.packed_bytes)} "
                f"| **{kept.each(kept.bytes_in_all)}** "
                f"| {_CHUNK[kept.table]} | {kept.chunks or '-'} |"
                for kept in found
            ],
            "",
            f"A store like these ({log.things // store_days:,} signals, {visits // store_days:,} visits a day) takes",
            f"{month:,.0f} MB for 30 days of its log and {year:,.0f} MB for a year of visits.",
            f"The same zone visits as packed columns (Parquet, zstd) take {packed:.0f} bytes each.",
        ]
    )
