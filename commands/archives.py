"""Signals of whole days as files that outlive the signal log's place, not its policy."""

from typing import Annotated

import typer

from commands.options import Privacy, Quiet, Retain
from commands.running import database
from core.errors import ConfigurationError

app = typer.Typer()
_Target = Annotated[str | None, typer.Option("--to", metavar="DIR|s3://…", help="A folder, or a bucket and prefix.")]


@app.callback(invoke_without_command=True)
def archive(
    context: typer.Context,
    *,
    to: _Target = None,
    store: Annotated[list[str] | None, typer.Option(help="Id of a store, as often as wanted (default: all).")] = None,
    retain: Retain = "",
    check: Annotated[bool, typer.Option("--check", help="Read each day back; make damaged ones anew.")] = False,
    privacy: Privacy = None,
    database_url: Annotated[str, typer.Option(envvar="SOJOURN_DATABASE_URL", help="As for `sojourn ingest`.")] = "",
    quiet: Quiet = False,
) -> None:
    """Copy the signals of days that are over to Parquet, by store and day; again, it adds what is new."""
    from datetime import UTC, datetime

    from core.privacy.retention import read_policy
    from ingest.archive_commands import archive as run
    from simulators.replay.report import shown
    from storage.archive.places import Place
    from storage.privacy.keys import PrivacyFolder

    if context.invoked_subcommand is not None:
        return
    if to is None or not database_url:
        raise ConfigurationError(
            "It is not said where to or from.", hint="`sojourn archive --to DIR|s3://…`, and SOJOURN_DATABASE_URL."
        )
    with database(database_url) as connection, shown(quiet=quiet) as progress:
        said = run(
            connection,
            Place(to, make=True),
            store or [],
            datetime.now(UTC),
            keep_days=read_policy(retain)["signals"],
            check=check,
            privacy=None if privacy is None else PrivacyFolder(privacy),
            progress=lambda share: progress("write", share),
        )
    typer.echo(said)


@app.command()
def erase(
    *,
    to: Annotated[str, typer.Option("--to", metavar="DIR|s3://…", help="The archive.")],
    device: Annotated[list[str], typer.Option(help="A pseudonym, 32 hexadecimal digits; as often as wanted.")],
) -> None:
    """Write every day anew that holds signals of somebody who was erased, without them."""
    from ingest.archive_commands import erase_devices
    from storage.archive.places import Place

    typer.echo(erase_devices(Place(to), device))
