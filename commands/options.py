"""Options and arguments that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

DatabaseUrl = Annotated[str, typer.Option(envvar="SOJOURN_DATABASE_URL", help="postgresql://… of a TimescaleDB.")]
MqttUrl = Annotated[str, typer.Option(envvar="SOJOURN_MQTT_URL", help="mqtts://host:port of an MQTT 5 broker.")]
MqttCredentials = Annotated[
    Path | None,
    typer.Option(
        "--mqtt-credentials",
        envvar="SOJOURN_MQTT_CREDENTIALS",
        help="Folder with ca.pem, certificate.pem and key.pem, for mqtts://; or with a folder for each of several"
        " identities, which ingests on Kafka share.",
    ),
]
AuthorityFolder = Annotated[
    Path, typer.Option("--authority", envvar="SOJOURN_AUTHORITY", help="Folder of the authority, mode 0700.")
]
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
Metrics = Annotated[
    str,
    typer.Option(
        "--metrics",
        envvar="SOJOURN_METRICS",
        metavar="ADDRESS",
        help="Serve counts for Prometheus on 127.0.0.1:9464, an address of its own.",
    ),
]
EdgeMetrics = Annotated[
    str,
    typer.Option(
        "--metrics",
        envvar="SOJOURN_METRICS",
        metavar="ADDRESS|FILE",
        help="Serve counts for Prometheus on 127.0.0.1:9464, or rewrite a file that ends in .prom.",
    ),
]
Traces = Annotated[
    str,
    typer.Option(
        "--traces",
        envvar="SOJOURN_TRACES",
        metavar="URL",
        help="Send traces by OTLP to http://127.0.0.1:4318/v1/traces; needs the extra otel.",
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
