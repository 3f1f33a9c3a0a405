"""The audit log: is it whole, and which hashes to keep elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import DatabaseUrl, Privacy
from commands.running import database

app = typer.Typer(help="The audit log: is it whole, and which hashes to keep elsewhere.", no_args_is_help=True)


@app.command("verify")
def audit_verify(
    *,
    heads: Annotated[
        Path | None,
        typer.Option(
            help="Heads that were kept elsewhere, as `sojourn audit heads` wrote them; they show a cut-off end."
        ),
    ] = None,
    privacy: Privacy = None,
    database_url: DatabaseUrl,
) -> None:
    """Go through the whole chain; names the first entry that is not as it was sealed, and ends with 1."""
    from storage.audit.heads_file import read_heads
    from storage.audit.verifying import verify
    from storage.privacy.keys import PrivacyFolder

    published = read_heads(heads.read_text(encoding="utf-8"), name=str(heads)) if heads is not None else {}
    with database(database_url) as connection:
        found = verify(connection, published, None if privacy is None else PrivacyFolder(privacy))
    if found.broken is not None:
        typer.echo(f"Broken after {found.links} good links. {found.broken}")
        raise typer.Exit(1)
    kept = f" {found.compared} of {len(published)} published heads agree." if published else ""
    if found.untold:
        kept += f" {found.untold} are of links that retention took, and were compared with nothing."
    typer.echo(f"{found.links} links hold, {found.waiting} entries wait to be sealed.{kept} Head: {found.head.hex()}")


@app.command("heads")
def audit_heads(
    *, days: Annotated[int, typer.Option(min=1, max=4_000, help="Newest days.")] = 400, database_url: DatabaseUrl
) -> None:
    """Print the last hash of each day; keep them where whoever owns the database cannot write."""
    from storage.audit.heads_file import write_heads
    from storage.audit.sealing import heads

    with database(database_url) as connection:
        typer.echo(write_heads(heads(connection, days=days)), nl=False)
