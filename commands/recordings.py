"""Recordings: made from live stores, turned into visits, played live, scored."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from commands.options import MqttCredentials, MqttUrl, PlanFile, Quiet, RecordingArgument
from commands.running import stop_on_signals
from core.errors import ConfigurationError

if TYPE_CHECKING:
    from edge.broker import Broker
    from simulators.fixtures.sealing import Provenance

app = typer.Typer()


@app.command()
def record(
    *,
    out: Annotated[Path, typer.Argument(metavar="FIXTURE", help="The Parquet file to write.")],
    mqtt_url: MqttUrl,
    store: Annotated[list[str] | None, typer.Option(help="Only this store; may be given again.")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="How long: 90s, 10m, 8h (default: until Ctrl-C).")] = None,
    most_rows: Annotated[int, typer.Option(min=1, help="Stop after so many signals.")] = 200_000_000,
    quiet: Quiet = False,
    mqtt_credentials: MqttCredentials = None,
) -> None:
    """Record what live stores send into a fixture: under new pseudonyms, with its provenance and a checksum."""
    from core.duration import duration_s
    from edge.broker import Broker
    from simulators.fixtures.recording import record as run
    from simulators.fixtures.screen import recording

    for_s = None if for_ is None else duration_s(for_, name="--for")
    stores = store if store is not None else []
    broker = Broker.from_url(mqtt_url, mqtt_credentials)
    with recording(for_s, quiet=quiet) as told:
        made = run(broker, out, stop_on_signals(), stores=stores, for_s=for_s, most_rows=most_rows, told=told)
    _print_made(made, out)


@app.command()
def seal(out: Annotated[Path, typer.Argument(metavar="FIXTURE", help="As `sojourn record` was told.")]) -> None:
    """Make a fixture of a recording that was cut: by a power cut, a full disk or kill -9."""
    from simulators.fixtures.parts import Parts

    _print_made(Parts(out).seal_what_is_left(), out)


def _print_made(made: "Provenance", out: Path) -> None:
    typer.echo(f"{made.rows:,} signals of {len(made.stores):,} stores in {made.messages:,} messages: {out}")
    if not made.messages:
        heard = " and ".join(made.topics)
        typer.echo(f"No message came on {heard}: do edges send, and may these credentials read that?", err=True)
    if made.unreadable:
        typer.echo(f"{made.unreadable:,} messages were no batches.", err=True)
    for sentence in made.lacks():
        typer.echo(sentence, err=True)


@app.command()
def replay(
    *,
    recording: RecordingArgument,
    plan: PlanFile,
    out: Annotated[Path | None, typer.Option(help="Visits, CSV or Parquet by its ending.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="A calibration; without it the replay calibrates itself.")
    ] = None,
    calibration: Annotated[bool, typer.Option(help="Calibrate on the recording, or trust priors only.")] = True,
    rejects: Annotated[Path | None, typer.Option(help="CSV for rows that are no signals, with the reason.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Play it through MQTT, into a running ingest.")] = False,
    speed: Annotated[float, typer.Option(min=1, max=1000, help="With --live: recorded seconds to a second.")] = 1.0,
    times: Annotated[
        Literal["now", "recorded"], typer.Option(help="With --live: move times to now, or leave them.")
    ] = "now",
    mqtt_url: Annotated[
        str | None, typer.Option(envvar="SOJOURN_MQTT_URL", help="With --live: mqtts://host:port of the broker.")
    ] = None,
    mqtt_credentials: MqttCredentials = None,
    quiet: Quiet = False,
) -> None:
    """Turn a recording into visits, without broker or database; or play it live, through MQTT."""
    from edge.broker import Broker
    from simulators.fixtures.sealing import check_seal
    from simulators.replay.report import print_report, shown
    from simulators.replay.running import replay as run

    sealed = check_seal(recording)
    for sentence in [] if sealed is None else sealed.lacks():
        typer.echo(sentence, err=True)
    if live:
        if mqtt_url is None:
            raise ConfigurationError("It is not said where the broker is.", hint="Add --mqtt-url mqtts://host:port.")
        broker = Broker.from_url(mqtt_url, mqtt_credentials)
        _play(recording, plan, broker, speed=speed, times=times, rejects=rejects, quiet=quiet)
        return
    if out is None:
        raise ConfigurationError("It is not said where the visits go.", hint="Add --out visits.csv, or --live.")
    with shown(quiet=quiet) as progress:
        report = run(recording, plan, out, model=model, calibrate=calibration, rejects=rejects, progress=progress)
    print_report(report, rejects)


def _play(
    recording: Path,
    plan: Path,
    broker: "Broker",
    *,
    speed: float,
    times: Literal["now", "recorded"],
    rejects: Path | None,
    quiet: bool,
) -> None:
    import time

    from simulators.fixtures.pacing import Pacer
    from simulators.fixtures.pieces import measure
    from simulators.fixtures.player import play
    from simulators.fixtures.screen import keys, playing
    from simulators.replay.files import read_plan

    measured = measure(recording, read_plan(plan), rejects)
    stop = stop_on_signals()
    pacer = Pacer(speed, time.monotonic)
    with keys(pacer.toggle, stop) as pressable, playing(measured, speed, quiet=quiet, pressable=pressable) as shown:
        done = play(recording, plan, broker, stop, pacer, measured=measured, speed=speed, times=times, shown=shown)
    refused = f", {sum(done.rejected.values()):,} rows were no signals" if done.rejected else ""
    typer.echo(f"{done.signals:,} signals of {done.stores:,} stores in {done.batches:,} batches{refused}")
    typer.echo(f"Times were moved by {done.moved_ns} ns; ingest has committed all of them.")
    if not done.complete:
        typer.echo("Stopped before the end.", err=True)


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
    from simulators.fixtures.sealing import check_seal
    from simulators.replay.calibrate import calibrate_recording
    from simulators.replay.report import print_calibration, shown

    check_seal(recording)
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
    from simulators.score.scoring import score_files
    from simulators.score.table import score_table

    found = score_files(visits, truth, shortest_s=shortest)
    if as_json:
        typer.echo(found.as_json())
    else:
        Console().print(score_table(found))
