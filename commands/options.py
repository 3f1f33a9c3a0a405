"""Options and arguments that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

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
Privacy = Annotated[
    Path | None,
    typer.Option(envvar="SOJOURN_PRIVACY", help="Folder of the suppression list and its key (docs/protect.md)."),
]
Retain = Annotated[
    str,
    typer.Option(envvar="SOJOURN_RETAIN", help="How long each kind is kept: signals=14d, visits=6mo, notes=2y."),
]
Adopt = Annotated[bool, typer.Option("--adopt", help="Let ingest take it into use.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]
