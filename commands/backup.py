"""A backup of the database, and the way back."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import DatabaseUrl

app = typer.Typer()
Programs = Annotated[
    Path | None,
    typer.Option(envvar="SOJOURN_POSTGRES_PROGRAMS", help="Folder with pg_dump and pg_restore (default: the PATH)."),
]


@app.command()
def backup(
    database_url: DatabaseUrl,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Takes the backup and what it holds.")],
    programs: Programs = None,
) -> None:
    """Write a backup of one moment, while everything runs."""
    from storage.backup.copying import back_up, read_about

    path = back_up(database_url, folder, programs=programs)
    tables = read_about(path).tables
    visits = tables["zone_visit"].rows + tables["store_visit"].rows
    typer.echo(
        f"{path}: {path.stat().st_size / 1e6:,.1f} MB, {visits:,} visits, {tables['profile'].rows:,} profiles."
    )


@app.command()
def restore(
    database_url: DatabaseUrl,
    path: Annotated[Path, typer.Argument(metavar="BACKUP", help="A file that `sojourn backup` wrote.")],
    programs: Programs = None,
) -> None:
    """Put a backup into an empty database, and compare every checksum."""
    from storage.backup.copying import restore as put_back

    compared = put_back(database_url, path, programs=programs)
    for table, one in compared.tables.items():
        mark = "differs" if table in compared.different else "equal"
        typer.echo(f"{table:16} {one.rows:>12,} rows  {one.sha}  {mark}")
    if compared.different:
        raise typer.Exit(1)
    typer.echo("Everything is as it was. Before anybody reads it: `sojourn suppress reapply` (docs/backup.md).")
