"""Look at an installation and say what to do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from commands.kafka import KafkaServers, KafkaSettings, KafkaTopic, kafka_from
from commands.options import Privacy
from core.errors import ConfigurationError

if TYPE_CHECKING:
    from doctor.kafka import KafkaPlace

app = typer.Typer()


@app.command()
def doctor(
    *,
    database_url: Annotated[
        str | None, typer.Option(envvar="SOJOURN_DATABASE_URL", help="The database to look at.")
    ] = None,
    mqtt_url: Annotated[str | None, typer.Option(envvar="SOJOURN_MQTT_URL", help="The broker to look at.")] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(
            "--mqtt-credentials",
            envvar="SOJOURN_MQTT_CREDENTIALS",
            help="Folder with ca.pem, certificate.pem and key.pem for the broker.",
        ),
    ] = None,
    kafka: KafkaServers = "",
    kafka_settings: KafkaSettings = None,
    kafka_topic: KafkaTopic = "sojourn.edges",
    keys: Annotated[
        list[Path] | None, typer.Option(help="Keys that nobody else may read; may be given again.")
    ] = None,
    edge: Annotated[Path | None, typer.Option(help="Configuration of an edge on this machine.")] = None,
    privacy: Privacy = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check clock, database, broker, Kafka, disk, certificates and keys; exit code 1 if something fails."""
    from doctor.findings import EXIT_CODES, worst
    from doctor.looking import Installation, look
    from doctor.report import as_json as written
    from doctor.report import show
    from edge.settings import read_settings

    installation = Installation(
        database_url=database_url,
        mqtt_url=mqtt_url,
        kafka=_kafka(kafka, kafka_settings, kafka_topic),
        credentials=credentials,
        keys=tuple(keys or ()),
        edge=None if edge is None else read_settings(edge),
        privacy=privacy,
    )
    console = Console()
    if as_json:
        findings = list(look(installation))
        typer.echo(written(findings))
    else:
        with console.status("Looking …"):
            findings = list(look(installation))
        show(findings, console)
    raise typer.Exit(EXIT_CODES[worst(findings)])


def _kafka(servers: str, settings: Path | None, topic: str) -> "KafkaPlace | ConfigurationError | None":
    """Return where the topic is, why that cannot be used, or None where there is no Kafka."""
    from doctor.kafka import KafkaPlace

    if not servers.strip():
        return None
    try:
        where = kafka_from(servers, settings, topic)
    except ConfigurationError as error:
        return error
    return KafkaPlace(client=where.client(client_id="sojourn-doctor"), topic=where.topic, group=where.group)
