"""Recordings of others into recordings of ours."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Recordings of others into recordings of ours.", no_args_is_help=True)


@app.command("salrb")
def convert_salrb(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the data set.")],
    out: Annotated[Path, typer.Option(help="Folder for recording.parquet, plan.json and truth.csv.")],
    cars: Annotated[bool, typer.Option("--cars", help="The car runs instead of the walks.")] = False,
) -> None:
    """SAL-RB: a tag past ten sniffers around a door, truth inside or outside."""
    from simulators.recordings.converted import write_converted
    from simulators.recordings.salrb import convert_salrb as read

    write_converted(read(folder, "car" if cars else "walk"), out)


@app.command("tetam")
def convert_tetam(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the data set.")],
    out: Annotated[Path, typer.Option(help="Folder for recording.parquet, plan.json and truth.csv.")],
    receivers: Annotated[bool, typer.Option("--receivers", help="A zone for each of 12 receivers, not 4.")] = False,
) -> None:
    """TETAM: a tag along nine tracks past twelve receivers, its place known all the time."""
    from simulators.recordings.converted import write_converted
    from simulators.recordings.tetam import convert_tetam as read

    write_converted(read(folder, "receivers" if receivers else "groups"), out)


@app.command("csv")
def convert_csv(
    *,
    source: Annotated[Path, typer.Argument(metavar="CSV", help="A table of one's own, with a header.")],
    out: Annotated[Path, typer.Option(help="The recording, CSV or Parquet by its ending.")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="NAME=SOURCE: what ts, anchor, … is called there."),
    ] = None,
    store: Annotated[str | None, typer.Option(help="The store of all rows, where there is no column for it.")] = None,
    unit: Annotated[Literal["ns", "us", "ms", "s", "iso"], typer.Option(help="How times are written.")] = "ns",
    separator: Annotated[str, typer.Option(help="What stands between fields.")] = ",",
    sort: Annotated[bool, typer.Option("--sort", help="The rows are not in order of arrival: sort by time.")] = False,
) -> None:
    """Turn a table of one's own into a recording."""
    from simulators.recordings.table import columns_from, convert_table

    columns = columns_from(column if column is not None else [])
    made = convert_table(source, out, columns, store=store, unit=unit, separator=separator, ordered=not sort)
    typer.echo(f"{made.rows:,} rows: {out}", err=True)
    if made.timeless:
        typer.echo(f"Of {made.timeless:,} rows the time cannot be read as {unit}; is --unit right?", err=True)
    if made.levelless:
        typer.echo(f"Of {made.levelless:,} rows the level is no number.", err=True)
    if made.late:
        typer.echo(
            f"{made.late:,} rows lie more than 30 s behind earlier ones, and a replay leaves those out: "
            "if the table is in another order, convert it with --sort.",
            err=True,
        )
