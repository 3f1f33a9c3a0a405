"""Floor plans: what is wrong with one, a picture of it, and the way into the database."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import DatabaseUrl, PlanArgument
from commands.running import database
from core.errors import ConfigurationError

app = typer.Typer(help="Floor plans: stores, zones and anchors.", no_args_is_help=True)


@app.command("check")
def floorplan_check(plan: PlanArgument) -> None:
    """Say everything that is wrong with a floor plan, by line and column, or what it holds."""
    from core.dwell.model import never_reported, prior_model
    from core.floorplan_check import check_text
    from simulators.replay.files import read_file, read_plan
    from simulators.replay.report import alike_lines

    data = read_file(plan)
    findings = check_text(data)
    for finding in findings:
        typer.echo(f"{plan}:{finding}", err=True)
    grave = sum(finding.grave for finding in findings)
    if grave:
        typer.echo(f"{grave} errors, {len(findings) - grave} warnings: it cannot be used", err=True)
        raise typer.Exit(2)
    for store in read_plan(plan).stores:
        typer.echo(f"{store.id}: {len(store.zones)} zones, {len(store.anchors)} anchors, {store.timezone}")
        for zone in never_reported(store, prior_model(store)):
            typer.echo(f"{store.id}: zone {zone} has no anchor and no outline, so nobody is ever reported there")
        for line in alike_lines(store):
            typer.echo(f"{store.id}: {line}")


@app.command("draw")
def floorplan_draw(
    plan: PlanArgument,
    out: Annotated[Path, typer.Option(help="The picture, SVG.")],
    store: Annotated[str | None, typer.Option(help="Which store, where the plan has several.")] = None,
) -> None:
    """Draw a store's plan: zones, walls, anchors and a scale."""
    from api.plans.svg import as_svg
    from simulators.replay.files import keep_apart, read_plan, write_file

    stores = read_plan(plan).stores
    found = next((one for one in stores if store in {None, one.id}), None)
    if found is None or (store is None and len(stores) > 1):
        raise ConfigurationError(
            "It is not said which store to draw.",
            hint=f"Add --store with one of {', '.join(s.id for s in stores[:8])}.",
        )
    keep_apart([out], [plan])
    write_file(out, as_svg(found).encode())
    typer.echo(f"{out}: {found.label}, {len(found.zones)} zones, {len(found.anchors)} anchors")


@app.command("load")
def floorplan_load(plan: PlanArgument, database_url: DatabaseUrl) -> None:
    """Write the stores of a floor plan to the database."""
    from simulators.replay.files import read_plan
    from simulators.replay.report import alike_lines
    from storage.stores import save_plan

    read = read_plan(plan)
    with database(database_url) as connection:
        changed = save_plan(connection, read)
    for store in read.stores:
        for line in alike_lines(store):
            typer.echo(f"{store.id}: {line}", err=True)
    typer.echo(f"New or changed: {', '.join(changed)}" if changed else "Nothing changed.")
