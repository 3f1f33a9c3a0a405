"""Recordings into visits, without broker or database."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands.options import PlanFile, Quiet, RecordingArgument

app = typer.Typer()


@app.command()
def replay(
    *,
    recording: RecordingArgument,
    plan: PlanFile,
    out: Annotated[Path, typer.Option(help="Visits, CSV or Parquet by its ending.")],
    model: Annotated[
        Path | None, typer.Option(help="A calibration; without it the replay calibrates itself.")
    ] = None,
    calibration: Annotated[bool, typer.Option(help="Calibrate on the recording, or trust priors only.")] = True,
    rejects: Annotated[Path | None, typer.Option(help="CSV for rows that are no signals, with the reason.")] = None,
    quiet: Quiet = False,
) -> None:
    """Turn a recording into visits, without broker or database."""
    from simulators.replay import replay as run
    from simulators.replay_report import print_report, shown

    with shown(quiet=quiet) as progress:
        report = run(recording, plan, out, model=model, calibrate=calibration, rejects=rejects, progress=progress)
    print_report(report, rejects)


@app.command()
def calibrate(
    recording: RecordingArgument,
    plan: PlanFile,
    out: Annotated[Path, typer.Option(help="The calibration.")],
    survey: Annotated[
        Path | None, typer.Option(help="CSV of where devices are known to have been (store,device,zone,from,to).")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Learn from a recording how each store's anchors are heard and how far their clocks are off."""
    from simulators.replay_calibrate import calibrate_recording
    from simulators.replay_report import print_calibration, shown

    with shown(quiet=quiet) as progress:
        report = calibrate_recording(recording, plan, out, survey=survey, progress=progress)
    print_calibration(report)


@app.command()
def score(
    visits: Annotated[Path, typer.Argument(metavar="VISITS", help="What a replay found.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="What really happened, in the same form.")],
    shortest: Annotated[float, typer.Option(min=0, help="Leave out visits of fewer seconds, on both sides.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Say how well visits agree with a truth: visits found, dwell, entries and exits, bounds."""
    from simulators.score import score_files
    from simulators.score_table import score_table

    found = score_files(visits, truth, shortest_s=shortest)
    if as_json:
        typer.echo(found.as_json())
    else:
        Console().print(score_table(found))
