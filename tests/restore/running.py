"""Two servers of their own, a backup from one into the other, and the checksums of both."""

import tempfile
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from servers.clients import provide_clients
from servers.postgres import Postgres
from servers.provide import provide
from tests.restore.drill import drill, erase_again, erase_somebody, goes_on, seed

BATCHES = 300
"""Fifty minutes of twelve shoppers, beside the visits and customers that are written."""


def main() -> int:
    """Run the drill; return 0 if what was restored is what was backed up."""
    console, installed, programs = Console(), provide(), provide_clients()
    with tempfile.TemporaryDirectory(prefix="sojourn-drill-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the servers run as another user where root starts them
        with Postgres(installed, folder / "first") as first, Postgres(installed, folder / "second") as second:
            urls = [_database(server) for server in (first, second)]
            seed(urls[0], batches=BATCHES)
            found = drill(urls[0], urls[1], folder / "backups", programs)
            table = Table("table", "rows", "before", "after", "")
            for word, before in found.before.items():
                after = found.compared.tables[word]
                same = "equal" if before == after else "DIFFERS"
                table.add_row(word, f"{before.rows:,}", before.sha[-12:], after.sha[-12:], same)
            console.print(table)
            console.print(
                f"backup {found.backup_bytes / 1e6:.1f} MB in {found.backup_s:.1f} s,"
                f" restored in {found.restore_s:.1f} s"
            )
            if found.compared.different:
                return 1
            erased = erase_somebody(urls[0], folder / "privacy")
            again = erase_again(urls[1], erased, folder / "privacy")
            goes_on(urls[1], after=BATCHES)
            console.print(f"suppression list: {again} erased again who were erased after the backup")
            console.print(
                "ingest goes on: what it had counts once, what is new was taken, visits equal a cold replay"
            )
    return 0


def _database(server: Postgres) -> str:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("create database sojourn")
    return server.dsn("sojourn")
