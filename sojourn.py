"""The front door: one command line, thin. Each command imports its room when it is called, so that help is quick."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Never

import structlog
import typer
from rich.console import Console

from core.errors import ConfigurationError, SojournError
from servers.kernel_cache import prepare, seal

if TYPE_CHECKING:
    from storage.connect import Connection

app = typer.Typer(
    help="Signals from stores, turned into zone visits with honest dwell times and consented journeys.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DatabaseUrl = Annotated[str, typer.Option(envvar="SOJOURN_DATABASE_URL", help="postgresql://… of a TimescaleDB.")]
MqttUrl = Annotated[str, typer.Option(envvar="SOJOURN_MQTT_URL", help="mqtt://host:port of an MQTT 5 broker.")]
Home = Annotated[
    Path | None,
    typer.Option(envvar="SOJOURN_HOME", help="Folder for servers, keys and caches (default: the user's cache)."),
]
PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="Floor plan (JSON).")]
RecordingArgument = Annotated[Path, typer.Argument(metavar="RECORDING", help="CSV or Parquet in order of arrival.")]
PlanFile = Annotated[Path, typer.Option("--floorplan", help="Floor plan (JSON).")]
StoreArgument = Annotated[str, typer.Argument(metavar="STORE", help="Id of a store in the database.")]
VersionArgument = Annotated[
    int, typer.Argument(metavar="VERSION", min=0, help="As `model list` shows it; 0: priors.")
]
WebhookAllow = Annotated[
    str,
    typer.Option(
        envvar="SOJOURN_WEBHOOK_ALLOW",
        help="Private networks that events may be sent to, also without https: 10.1.0.0/16,192.0.2.7.",
    ),
]
Adopt = Annotated[bool, typer.Option("--adopt", help="Let ingest take it into use.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]


floorplan = typer.Typer(help="Floor plans: stores, zones and anchors.", no_args_is_help=True)
model = typer.Typer(
    help="What the anchors of a live store sound like: versions, learnt or loaded.", no_args_is_help=True
)
convert = typer.Typer(help="Recordings of others into recordings of ours.", no_args_is_help=True)
app.add_typer(floorplan, name="floorplan")
app.add_typer(convert, name="convert")
app.add_typer(model, name="model")


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
    from simulators.demo import run

    sys.exit(run(for_s=for_s, as_json=as_json, api_port=port, home=home, seed=seed, shoppers=shoppers))


@app.command()
def migrate(database_url: DatabaseUrl) -> None:
    """Bring the database's tables up to date."""
    from storage.migrate import migrate as apply

    applied = apply(database_url)
    typer.echo("\n".join(applied) if applied else "Nothing to do.")


@app.command()
def fit_returns(database_url: DatabaseUrl) -> None:
    """Fit the models of returning customers to all visits so far; profiles then show a return probability."""
    from datetime import UTC, datetime

    from storage.understanding import fit_returns as fit

    with _database(database_url) as connection:
        models = fit(connection, through=datetime.now(UTC))
    for model in models:
        typer.echo(
            f"{model.kind.value}: r {model.r:.4f}, alpha {model.alpha:.3f} days, a {model.a:.4f}, b {model.b:.4f},"
            f" log-likelihood {model.log_likelihood:.2f}, {model.customers} customers"
        )


@floorplan.command("check")
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


@floorplan.command("load")
def floorplan_load(plan: PlanArgument, database_url: DatabaseUrl) -> None:
    """Write the stores of a floor plan to the database."""
    from simulators.replay_files import read_plan
    from simulators.replay_report import alike_lines
    from storage.stores import save_plan

    read = read_plan(plan)
    with _database(database_url) as connection:
        changed = save_plan(connection, read)
    for store in read.stores:
        for line in alike_lines(store):
            typer.echo(f"{store.id}: {line}", err=True)
    typer.echo(f"New or changed: {', '.join(changed)}" if changed else "Nothing changed.")


@model.command("learn")
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
    from simulators.replay_report import shown

    last_s = duration_s(last, name="--last")
    with _database(database_url) as connection, shown(quiet=quiet) as progress:
        said = learn_from_log(connection, store, last_s, lambda share: progress("calibrate", share), adopt=adopt)
    typer.echo(said)


@model.command("load")
def model_load(
    *,
    file: Annotated[Path, typer.Argument(metavar="MODEL", help="As `sojourn calibrate` wrote it.")],
    adopt: Adopt = False,
    database_url: DatabaseUrl,
) -> None:
    """Keep the models of a file for the stores that it names."""
    from ingest.model_commands import keep_loaded
    from simulators.replay_models import read_stores

    stores = read_stores(file)
    with _database(database_url) as connection:
        typer.echo(keep_loaded(connection, stores, adopt=adopt))


@model.command("save")
def model_save(
    store: StoreArgument,
    version: VersionArgument,
    out: Annotated[Path, typer.Option(help="MODEL, for `sojourn replay --model`.")],
    database_url: DatabaseUrl,
) -> None:
    """Write a model into a file."""
    from ingest.model_commands import kept
    from simulators.replay_models import write_models

    with _database(database_url) as connection:
        write_models({store: kept(connection, store, version)}, out)


@model.command("list")
def model_list(store: StoreArgument, database_url: DatabaseUrl) -> None:
    """Show the models of a store and which of them is in use."""
    from ingest.model_commands import table

    with _database(database_url) as connection:
        Console().print(table(connection, store))


@model.command("adopt")
def model_adopt(store: StoreArgument, version: VersionArgument, database_url: DatabaseUrl) -> None:
    """Let ingest decode a store under another model; visits that were reported stay as they are."""
    from ingest.model_commands import ask_for

    with _database(database_url) as connection:
        typer.echo(ask_for(connection, store, version))


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
    from simulators.replay_report import shown
    from storage.instants import read_instant

    with _database(database_url) as connection, shown(quiet=quiet) as progress:
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
def ingest(
    database_url: DatabaseUrl,
    mqtt_url: MqttUrl,
    calibrate_every: Annotated[
        str,
        typer.Option(
            envvar="SOJOURN_CALIBRATE_EVERY",
            help="How often each store's model is learnt anew from its log: 24h (at three at night), 7d, or off.",
        ),
    ] = "24h",
) -> None:
    """Take batches from the broker into the signal log and decode them into visits."""
    from core.duration import duration_s
    from ingest import run
    from ingest.settings import Settings

    off = calibrate_every.strip().lower() == "off"
    every_s = None if off else duration_s(calibrate_every, name="SOJOURN_CALIBRATE_EVERY")
    run(database_url, mqtt_url, stop=_stop_on_signals(), settings=Settings(calibrate_every_s=every_s))


@app.command()
def api(
    database_url: DatabaseUrl,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8787,
    webhook_allow: WebhookAllow = "",
) -> None:
    """Serve the pages and the JSON API."""
    from api import run
    from api.settings import Settings
    from core.webhooks import read_networks

    run(database_url, host, port, settings=Settings(webhook_allow=read_networks(webhook_allow)))


@app.command()
def webhooks(database_url: DatabaseUrl, webhook_allow: WebhookAllow = "") -> None:
    """Send what is queued for other systems to whoever subscribed."""
    from core.webhooks import read_networks
    from webhooks import run

    run(database_url, _stop_on_signals(), allowed=read_networks(webhook_allow))


@app.command()
def edge(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML; docs/edge.md has an example.")],
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the configuration is right.")] = False,
) -> None:
    """Listen with Bluetooth adapters and publish what is heard of the devices that are ours."""
    from edge.service import run
    from edge.settings import read_settings

    settings = read_settings(config)
    if check:
        typer.echo(f"{settings.store}/{settings.edge}: {len(settings.adapter)} adapters, {len(settings.hear)} rules")
        return
    run(settings, _stop_on_signals())


@app.command()
def simulate(
    *,
    plan: PlanFile,
    mqtt_url: MqttUrl,
    folder: Annotated[Path, typer.Option(help="Takes outboxes, the journal of what was sent, and the truth.")],
    keys: Annotated[Path | None, typer.Option(help="Key folder of the edges (default: keys in the folder).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another day.")] = 1,
    shoppers: Annotated[int, typer.Option(min=1, max=5000, help="People in the store at a time.")] = 150,
    members: Annotated[int, typer.Option(min=0, help="How many of them always carry the same tag.")] = 0,
    history: Annotated[float, typer.Option(min=0, max=3600, help="Seconds before now to begin with.")] = 1200.0,
) -> None:
    """Let a store live in real time: edge agents publish what they hear of its shoppers."""
    from edge.broker import Broker
    from simulators.replay_files import read_plan
    from simulators.store_live import LiveStore, run

    store = LiveStore(
        plan=read_plan(plan).stores[0],
        broker=Broker.from_url(mqtt_url),
        folder=folder,
        keys=keys if keys is not None else folder / "keys",
        seed=seed,
        shoppers=shoppers,
        members=members,
        history_s=history,
    )
    sys.exit(1 if run(store, _stop_on_signals()) else 0)


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


@convert.command("salrb")
def convert_salrb(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the data set.")],
    out: Annotated[Path, typer.Option(help="Folder for recording.parquet, plan.json and truth.csv.")],
    cars: Annotated[bool, typer.Option("--cars", help="The car runs instead of the walks.")] = False,
) -> None:
    """SAL-RB: a tag past ten sniffers around a door, truth inside or outside."""
    from simulators.recordings_converted import write_converted
    from simulators.recordings_salrb import convert_salrb as read

    write_converted(read(folder, "car" if cars else "walk"), out)


@convert.command("tetam")
def convert_tetam(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the data set.")],
    out: Annotated[Path, typer.Option(help="Folder for recording.parquet, plan.json and truth.csv.")],
    receivers: Annotated[bool, typer.Option("--receivers", help="A zone for each of 12 receivers, not 4.")] = False,
) -> None:
    """TETAM: a tag along nine tracks past twelve receivers, its place known all the time."""
    from simulators.recordings_converted import write_converted
    from simulators.recordings_tetam import convert_tetam as read

    write_converted(read(folder, "receivers" if receivers else "groups"), out)


@convert.command("csv")
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
    from simulators.recordings_table import columns_from, convert_table

    columns = columns_from(column if column is not None else [])
    convert_table(source, out, columns, store=store, unit=unit, separator=separator, ordered=not sort)


@contextmanager
def _database(database_url: str) -> Iterator["Connection"]:
    """Lend a connection to a database that has every migration."""
    from storage.connect import connect, reachable
    from storage.migrate import pending

    with connect(database_url) as connection, reachable():
        lacking = pending(connection)
        if lacking:
            raise ConfigurationError(f"The database lacks the migration {lacking[0]}.", hint="Run `sojourn migrate`.")
        yield connection


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def main() -> None:
    """Run the command line; what is wrong becomes one sentence, not a traceback."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    kernels = prepare(sorted(Path(__file__).parent.glob("core/dwell/*_kernels.py")))
    try:
        app()
    except SojournError as error:
        _refuse(str(error))
    finally:
        if kernels is not None:
            seal(kernels)


def _refuse(sentence: str) -> Never:
    Console(stderr=True, soft_wrap=True).print(sentence, style="bold red", highlight=False, markup=False)
    sys.exit(2)


if __name__ == "__main__":
    main()
