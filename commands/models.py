"""What the anchors of a live store sound like."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands.options import Adopt, DatabaseUrl, Quiet, StoreArgument, VersionArgument
from commands.running import database

app = typer.Typer(
    help="What the anchors of a live store sound like: versions, learnt or loaded.", no_args_is_help=True
)


@app.command("learn")
def model_learn(
    *,
    store: StoreArgument,
    last: Annotated[str, typer.Option(help="How much of the log, back from its newest row: 90m, 24h, 7d.")] = "24h",
    adopt: Adopt = False,
    database_url: DatabaseUrl,
    quiet: Quiet = False,
) -> None:
    """Learn a model from the signal log of a store."""
    from core.duration import duration_s
    from ingest.model_commands import learn_from_log
    from simulators.replay.report import shown

    last_s = duration_s(last, name="--last")
    with database(database_url) as connection, shown(quiet=quiet) as progress:
        said = learn_from_log(connection, store, last_s, lambda share: progress("calibrate", share), adopt=adopt)
    typer.echo(said)


@app.command("load")
def model_load(
    *,
    file: Annotated[Path, typer.Argument(metavar="MODEL", help="As `sojourn calibrate` wrote it.")],
    adopt: Adopt = False,
    database_url: DatabaseUrl,
) -> None:
    """Keep the models of a file for the stores that it names."""
    from ingest.model_commands import keep_loaded
    from simulators.replay.models import read_stores

    stores = read_stores(file)
    with database(database_url) as connection:
        typer.echo(keep_loaded(connection, stores, adopt=adopt))


@app.command("save")
def model_save(
    store: StoreArgument,
    version: VersionArgument,
    out: Annotated[Path, typer.Option(help="MODEL, for `sojourn replay --model`.")],
    database_url: DatabaseUrl,
) -> None:
    """Write a model into a file."""
    from ingest.model_commands import kept
    from simulators.replay.models import write_models

    with database(database_url) as connection:
        write_models({store: kept(connection, store, version)}, out)


@app.command("list")
def model_list(store: StoreArgument, database_url: DatabaseUrl) -> None:
    """Show the models of a store and which of them is in use."""
    from ingest.model_commands import table

    with database(database_url) as connection:
        Console().print(table(connection, store))


@app.command("adopt")
def model_adopt(store: StoreArgument, version: VersionArgument, database_url: DatabaseUrl) -> None:
    """Let ingest decode a store under another model; visits that were reported stay as they are."""
    from ingest.model_commands import ask_for

    with database(database_url) as connection:
        typer.echo(ask_for(connection, store, version))
