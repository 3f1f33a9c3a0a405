"""A store without a store: the demo, a chain in files, shoppers in real time."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from commands.options import Home, MqttUrl, PlanFile, Quiet
from commands.running import stop_on_signals

app = typer.Typer()


@app.command()
def demo(
    *,
    home: Home = None,
    for_s: Annotated[
        float | None, typer.Option("--for", min=5, help="Seconds to run; without it until Ctrl-C.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Last line on stdout is one JSON object.")] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the pages (8787 or the next free).")
    ] = None,
    shoppers: Annotated[int, typer.Option(min=1, max=5000, help="People in the store at a time.")] = 150,
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 1,
) -> None:
    """One simulated store on a real database and broker, with the pages to watch it."""
    from simulators.demo.running import run

    sys.exit(run(for_s=for_s, as_json=as_json, api_port=port, home=home, seed=seed, shoppers=shoppers))


@app.command()
def simulate(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the recording, its plan and truth, customers and events.")],
    stores: Annotated[int, typer.Option(min=1, max=10_000, help="How many stores.")] = 10,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days, one after another.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another chain; the same, the same bytes.")] = 1,
    first_day: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (2026-01-05, a Monday).")
    ] = None,
    plan: Annotated[Path | None, typer.Option("--floorplan", help="Stores of one's own, not invented ones.")] = None,
    visits: Annotated[int, typer.Option(min=1, max=5000, help="Parties a usual store has on a usual day.")] = 40,
    members: Annotated[int, typer.Option(min=0, max=1000, help="Consented customers of each store.")] = 30,
    staff: Annotated[int, typer.Option(min=0, max=1000, help="People at work in a store.")] = 2,
    faults: Annotated[
        Literal["none", "usual", "many"], typer.Option(help="Outages, wrong clocks, late and repeated messages.")
    ] = "usual",
    jobs: Annotated[int | None, typer.Option(min=1, max=256, help="Processes (default: one a processor).")] = None,
    quiet: Quiet = False,
) -> None:
    """Simulate a chain of stores into files: what is heard, what is true, who the members are, what they buy."""
    from simulators.chain.report import ask, simulated
    from simulators.replay.report import shown

    settings = ask(
        stores=stores,
        days=days,
        seed=seed,
        first_day=None if first_day is None else first_day.date(),
        plan=plan,
        visits=visits,
        members=members,
        staff=staff,
        faults=faults,
    )
    with shown(quiet=quiet) as progress:
        said = simulated(settings, out, jobs, progress)
    typer.echo(said)


@app.command()
def simulate_live(
    *,
    plan: PlanFile,
    mqtt_url: MqttUrl,
    folder: Annotated[Path, typer.Option(help="Takes outboxes, the journal of what was sent, and the truth.")],
    keys: Annotated[Path | None, typer.Option(help="Key folder of the edges (default: keys in the folder).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another day.")] = 1,
    shoppers: Annotated[int, typer.Option(min=1, max=5000, help="People in the store at a time.")] = 150,
    members: Annotated[int, typer.Option(min=0, help="How many of them always carry the same tag.")] = 0,
    history: Annotated[float, typer.Option(min=0, max=3600, help="Seconds before now to begin with.")] = 1200.0,
    credentials: Annotated[
        Path | None, typer.Option(help="For mqtts://: a folder with a folder of credentials for each edge.")
    ] = None,
) -> None:
    """Let a store live in real time: edge agents publish what they hear of its shoppers."""
    from edge.broker import Broker
    from simulators.replay.files import read_plan
    from simulators.store_live import LiveStore, run

    store = LiveStore(
        plan=read_plan(plan).stores[0],
        broker=Broker.from_url(mqtt_url),
        folder=folder,
        keys=keys if keys is not None else folder / "keys",
        credentials=credentials,
        seed=seed,
        shoppers=shoppers,
        members=members,
        history_s=history,
    )
    sys.exit(1 if run(store, stop_on_signals()) else 0)
