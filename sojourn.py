"""The front door: one command line, thin. Each command imports its room when it is called, so that help is quick."""

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Never

import structlog
import typer
from rich.console import Console

from core.errors import SojournError

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
PlanFile = Annotated[Path, typer.Option("--floorplan", help="Floor plan (JSON).")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]


@app.command()
def migrate(database_url: DatabaseUrl) -> None:
    """Bring the database's tables up to date."""
    from storage.migrate import migrate as apply

    for name in apply(database_url):
        typer.echo(name)


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
    try:
        app()
    except SojournError as error:
        _refuse(str(error))


def _refuse(sentence: str) -> Never:
    Console(stderr=True, soft_wrap=True).print(sentence, style="bold red", highlight=False, markup=False)
    sys.exit(2)


if __name__ == "__main__":
    main()
