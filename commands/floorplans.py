"""Floor plans: what is wrong with one, and the way into the database."""

import typer

from commands.options import DatabaseUrl, PlanArgument
from commands.running import database

app = typer.Typer(help="Floor plans: stores, zones and anchors.", no_args_is_help=True)


@app.command("check")
def floorplan_check(plan: PlanArgument) -> None:
    """Say what is wrong with a floor plan, or what it holds."""
    from core.dwell.model import never_reported, prior_model
    from simulators.replay_files import read_plan
    from simulators.replay_report import alike_lines

    for store in read_plan(plan).stores:
        typer.echo(f"{store.id}: {len(store.zones)} zones, {len(store.anchors)} anchors, {store.timezone}")
        for zone in never_reported(store, prior_model(store)):
            typer.echo(f"{store.id}: zone {zone} has no anchor and no outline, so nobody is ever reported there")
        for line in alike_lines(store):
            typer.echo(f"{store.id}: {line}")


@app.command("load")
def floorplan_load(plan: PlanArgument, database_url: DatabaseUrl) -> None:
    """Write the stores of a floor plan to the database."""
    from simulators.replay_files import read_plan
    from simulators.replay_report import alike_lines
    from storage.stores import save_plan

    read = read_plan(plan)
    with database(database_url) as connection:
        changed = save_plan(connection, read)
    for store in read.stores:
        for line in alike_lines(store):
            typer.echo(f"{store.id}: {line}", err=True)
    typer.echo(f"New or changed: {', '.join(changed)}" if changed else "Nothing changed.")
