"""Erasure, access export, retention, and keys."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from commands.options import DatabaseUrl, Privacy, Retain
from commands.running import database, stop_on_signals

if TYPE_CHECKING:
    from storage.connect import Connection
    from storage.privacy.keys import PrivacyFolder

app = typer.Typer()
suppress = typer.Typer(help="Who was erased stays away.", no_args_is_help=True)
_WAIT_S = 0.5
_Profile = Annotated[UUID, typer.Option(help="Any profile of hers, as the API names it.")]


@app.command()
def erase(
    *,
    profile: _Profile,
    by: Annotated[str, typer.Option(help="Which colleague asks, for the receipt; never the customer.")],
    database_url: DatabaseUrl,
    privacy: Privacy,
) -> None:
    """Erase a person everywhere, and print the receipt."""  # fmt: skip
    from core.errors import InputError
    from storage.connect import in_transaction
    from storage.privacy.erasing import ask

    folder = _folder(privacy)
    with database(database_url) as connection:
        erasure = in_transaction(connection, lambda connection: ask(connection, profile, asked_by=by))
        if erasure is None:
            raise InputError("There is no such profile.", hint="Was it erased? /privacy lists receipts.")
        _work(connection, folder)
        _print_receipt(connection, erasure)


@app.command()
def access_export(
    *, profile: _Profile, out: Annotated[Path, typer.Option(help="The ZIP file to write.")], database_url: DatabaseUrl
) -> None:
    """Write everything that is kept of a person into a ZIP file of JSON."""
    from api.privacy.exporting import zip_of
    from core.errors import InputError
    from storage.privacy.export import subject_of
    from storage.reading import Reader

    reader = Reader(database_url)
    try:
        with reader.connection() as connection:
            subject = subject_of(connection, profile)
        if subject is None:
            raise InputError("There is no such profile.")
        with out.open("xb") as file:
            for part in zip_of(reader, subject, datetime.now(UTC)):
                file.write(part)
    finally:
        reader.close()
    typer.echo(f"{out}: {out.stat().st_size:,} bytes")


@app.command()
def retain(
    *,
    database_url: DatabaseUrl,
    policy: Retain = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Take away what is older than the policy says; ingest does the same every hour."""
    from core.privacy.retention import read_policy
    from storage.privacy.retention import retain as take_away

    read = read_policy(policy)
    with database(database_url) as connection:
        found = take_away(connection, read, datetime.now(UTC), dry_run=dry_run)
    for kept in found:
        verb = "would go" if dry_run else "gone"
        typer.echo(f"{kept.kind}: {kept.count:,} {kept.unit} of {kept.table} before {kept.before:%Y-%m-%d} {verb}")
    if not found:
        typer.echo("Nothing is old enough.")


@suppress.command("reapply")
def suppress_reapply(database_url: DatabaseUrl, privacy: Privacy) -> None:
    """After a backup was restored: erase again whom the list outside of the database names."""
    from storage.privacy.restoring import reapply

    folder = _folder(privacy)
    with database(database_url) as connection:
        again = reapply(connection, folder)
        _work(connection, folder)
    typer.echo(f"{again} erased again." if any(again) else "Nobody on the list is here.")


@suppress.command("copy")
def suppress_copy(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where backups of the database are not.")],
    privacy: Privacy,
) -> None:
    """Copy the list and its key to where they outlast this machine; a newer copy is never overwritten."""
    typer.echo(f"{target}: the key, and {_folder(privacy).copy_to(target)} lines of the list.")


def _folder(privacy: Path | None) -> "PrivacyFolder":
    from core.errors import ConfigurationError
    from storage.privacy.keys import PrivacyFolder

    if privacy is None:
        raise ConfigurationError("It is not said where the suppression key is.", hint="Set SOJOURN_PRIVACY.")
    return PrivacyFolder(privacy)


def _work(connection: "Connection", folder: "PrivacyFolder") -> None:
    """Work off all jobs; what waits for a running ingest is waited for."""
    from storage.privacy.erasing import waiting, work_all

    stop = stop_on_signals()
    while waiting(connection) and not stop.is_set():
        if work_all(connection, folder, lambda: datetime.now(UTC), stopped=stop.is_set) == "waits":
            time.sleep(_WAIT_S)


def _print_receipt(connection: "Connection", erasure: UUID) -> None:
    from storage.privacy.places import NOT_REACHED
    from storage.privacy.receipts import find_receipt

    receipt = find_receipt(connection, erasure)
    if receipt is None:
        return
    typer.echo(f"Erasure {receipt.erasure_id}: {receipt.state}")
    for place in receipt.places:
        typer.echo(f"  {place.place:<20} {place.rows:>9,}  {place.verified or 'not yet'}")
    typer.echo("No job can reach:")
    for line in NOT_REACHED:
        typer.echo(f"  {line}")
