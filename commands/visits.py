"""What is worked out again from what the database holds."""

from typing import Annotated, Literal

import typer

from commands.options import DatabaseUrl, Privacy, Quiet
from commands.running import database

app = typer.Typer()


@app.command()
def revise(
    *,
    store: Annotated[str, typer.Option(help="Id of a store in the database.")],
    begin: Annotated[
        str | None, typer.Option("--from", help="Who came at or after, 2026-11-21T09:00 UTC unless it says another.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Who came before.")] = None,
    model: Annotated[
        Literal["in-use", "latest"], typer.Option(help="The models of that time, or the newest for all of it.")
    ] = "in-use",
    reason: Annotated[
        Literal["late_signals", "new_model", "by_hand"] | None,
        typer.Option(help="Why; late_signals (the rule with in-use) looks only at who has late signals."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    database_url: DatabaseUrl,
    quiet: Quiet = False,
) -> None:
    """Decode visits that were reported once more from the signal log; what changes becomes a new revision."""
    from ingest.revise_commands import revise_store
    from simulators.replay.report import shown
    from storage.instants import read_instant

    with database(database_url) as connection, shown(quiet=quiet) as progress:
        said = revise_store(
            connection,
            store,
            from_ns=None if begin is None else read_instant(begin, name="--from"),
            until_ns=None if until is None else read_instant(until, name="--until"),
            model=model,
            reason=reason,
            dry_run=dry_run,
            progress=lambda share: progress("revise", share),
        )
    typer.echo(said)


@app.command()
def fit_returns(database_url: DatabaseUrl) -> None:
    """Fit the models of returning customers to all visits so far; profiles then show a return probability."""
    from datetime import UTC, datetime

    from storage.profiles.understanding import fit_returns as fit

    with database(database_url) as connection:
        models = fit(connection, through=datetime.now(UTC))
    for model in models:
        typer.echo(
            f"{model.kind.value}: r {model.r:.4f}, alpha {model.alpha:.3f} days, a {model.a:.4f}, b {model.b:.4f},"
            f" log-likelihood {model.log_likelihood:.2f}, {model.customers} customers"
        )


@app.command()
def recompute(
    *,
    begin: Annotated[str, typer.Option("--from", metavar="DAY", help="First day (UTC), 2026-11-01.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day (UTC), with it.")],
    model: Annotated[str, typer.Option(help="latest of each store, in-use (those of that time), or a version.")],
    store: Annotated[list[str] | None, typer.Option(help="Id of a store, as often as wanted (default: all).")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes on this machine; 1 needs no Dask.")] = 1,
    scheduler: Annotated[str | None, typer.Option(metavar="tcp://…", help="Workers of this Dask instead.")] = None,
    archive: Annotated[
        str | None, typer.Option(metavar="DIR|s3://…", help="Read signals from an archive, not from the log.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only make it out; the same command without it then shows it.")
    ] = False,
    afresh: Annotated[bool, typer.Option("--afresh", help="Give up a run that is not over.")] = False,
    privacy: Privacy = None,
    database_url: DatabaseUrl,
    quiet: Quiet = False,
) -> None:
    """Decode days of many stores again under one model; all revisions become visible at once, or none."""
    from ingest.recompute import recompute as run
    from simulators.replay.report import shown
    from storage.archive.places import Place
    from storage.instants import read_days
    from storage.privacy.keys import PrivacyFolder
    from storage.recompute.runs import Asked, read_model

    from_ns, until_ns = read_days(begin, last)
    where = None if archive is None else Place(archive).target
    asked = Asked(from_ns, until_ns, read_model(model), tuple(sorted(set(store or []))), where)
    with database(database_url) as connection, shown(quiet=quiet) as progress:
        said = run(
            connection,
            database_url,
            asked,
            workers=workers,
            scheduler=scheduler,
            afresh=afresh,
            dry_run=dry_run,
            privacy=None if privacy is None else PrivacyFolder(privacy),
            progress=lambda share: progress("revise", share),
        )
    typer.echo(said)
