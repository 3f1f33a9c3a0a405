"""What runs all day beside the database and the broker."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from commands.kafka import KafkaServers, KafkaSettings, KafkaTopic, kafka_from, kafka_member
from commands.options import (
    DatabaseUrl,
    EdgeMetrics,
    Metrics,
    MqttCredentials,
    MqttUrl,
    Privacy,
    Retain,
    Traces,
    WebhookAllow,
)
from commands.running import stop_on_signals, traces

app = typer.Typer()


@app.command()
def migrate(database_url: DatabaseUrl) -> None:
    """Bring the database's tables up to date."""
    from storage.migrate import migrate as apply

    applied = apply(database_url)
    typer.echo("\n".join(applied) if applied else "Nothing to do.")


@app.command()
def ingest(
    database_url: DatabaseUrl,
    mqtt_url: MqttUrl,
    *,
    calibrate_every: Annotated[
        str,
        typer.Option(
            envvar="SOJOURN_CALIBRATE_EVERY",
            help="How often each store's model is learnt anew from its log: 24h (at three at night), 7d, or off.",
        ),
    ] = "24h",
    source: Annotated[
        Literal["mqtt", "kafka"],
        typer.Option(help="mqtt: the one ingest of this database; kafka: one of several, each with some stores."),
    ] = "mqtt",
    kafka: KafkaServers = "",
    kafka_settings: KafkaSettings = None,
    kafka_topic: KafkaTopic = "sojourn.edges",
    mqtt_credentials: MqttCredentials = None,
    metrics: Metrics = "",
    trace_url: Traces = "",
    privacy: Privacy = None,
    retain: Retain = "",
) -> None:
    """Take batches from the broker into the signal log and decode them into visits."""
    from core.duration import duration_s
    from core.privacy.retention import read_policy
    from ingest import run
    from ingest.settings import Settings

    off = calibrate_every.strip().lower() == "off"
    every_s = None if off else duration_s(calibrate_every, name="SOJOURN_CALIBRATE_EVERY")
    settings = Settings(calibrate_every_s=every_s, privacy=privacy, retain=read_policy(retain))
    where = kafka_from(kafka, kafka_settings, kafka_topic) if source == "kafka" else None
    stop = stop_on_signals()
    with (
        traces(trace_url, "sojourn ingest") as tracing,
        kafka_member(where, mqtt_url, settings, mqtt_credentials) as group,
    ):
        run(
            database_url,
            mqtt_url,
            stop=stop,
            settings=settings,
            credentials=mqtt_credentials,
            metrics=metrics,
            tracing=tracing,
            source=group,
        )


@app.command()
def bridge(
    mqtt_url: MqttUrl,
    *,
    mqtt_credentials: MqttCredentials = None,
    kafka: KafkaServers = "",
    kafka_settings: KafkaSettings = None,
    kafka_topic: KafkaTopic = "sojourn.edges",
    partitions: Annotated[
        int, typer.Option(min=0, max=10_000, help="Create the topic with so many, if it is not there; 0: do not.")
    ] = 0,
    replicas: Annotated[int, typer.Option(min=1, max=9, help="Brokers that keep each record, when creating it.")] = 3,
    metrics: Metrics = "",
) -> None:
    """Carry what edges publish from the MQTT broker to Kafka, for `ingest --source kafka`."""
    from ingest.settings import Settings

    where = kafka_from(kafka, kafka_settings, kafka_topic)
    from ingest.kafka.bridge import RECEIVE_MAXIMUM, Bridge
    from ingest.kafka.meters import BridgeMeters
    from ingest.kafka.topic import create_topic
    from telemetry.exposition import exposed, make_registry

    if partitions:
        create_topic(where, partitions=partitions, replicas=replicas)
    settings = Settings(receive_maximum=RECEIVE_MAXIMUM, commit_messages=RECEIVE_MAXIMUM)
    meters = BridgeMeters(make_registry("bridge"))
    name = f"sojourn-bridge-{kafka_topic}"
    with exposed(meters.registry, metrics):
        Bridge(where, mqtt_url, name, settings, mqtt_credentials, meters=meters).run(stop_on_signals())


@app.command()
def api(
    database_url: DatabaseUrl,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8787,
    webhook_allow: WebhookAllow = "",
    card_origins: Annotated[
        str,
        typer.Option(
            envvar="SOJOURN_CARD_ORIGINS",
            help="Origins whose pages may show a profile's card in a frame: https://crm.example.",
        ),
    ] = "",
    oidc_issuer: Annotated[
        str,
        typer.Option(
            envvar="SOJOURN_OIDC_ISSUER", help="Identity provider that people may log in by, as it calls itself."
        ),
    ] = "",
    oidc_client_id: Annotated[str, typer.Option(envvar="SOJOURN_OIDC_CLIENT_ID", help="What it calls us.")] = "",
    oidc_client_secret: Annotated[
        str, typer.Option(envvar="SOJOURN_OIDC_CLIENT_SECRET", help="Its secret with us; set it in the environment.")
    ] = "",
    oidc_groups: Annotated[
        str, typer.Option(envvar="SOJOURN_OIDC_GROUPS", help="Roles of its groups: store-staff=crm, it=admin.")
    ] = "",
    oidc_name: Annotated[
        str, typer.Option(envvar="SOJOURN_OIDC_NAME", help="What the button says.")
    ] = "your company's account",
    oidc_acr: Annotated[
        str, typer.Option(envvar="SOJOURN_OIDC_ACR", help="How strong its login has to be: values of `acr`.")
    ] = "",
    second_step: Annotated[
        str,
        typer.Option(
            envvar="SOJOURN_SECOND_STEP",
            help="Roles that need a second step of the login (TOTP): admin, privacy; or none.",
        ),
    ] = "admin, privacy",
    profiles_a_day: Annotated[
        int,
        typer.Option(
            envvar="SOJOURN_PROFILES_A_DAY", min=1, help="Different profiles that one person may open in a day."
        ),
    ] = 300,
    profiles_a_day_key: Annotated[
        int,
        typer.Option(
            envvar="SOJOURN_PROFILES_A_DAY_KEY", min=1, help="Different profiles that one key may open in a day."
        ),
    ] = 5_000,
    people_a_day: Annotated[
        int,
        typer.Option(
            envvar="SOJOURN_PEOPLE_A_DAY", min=1, help="Different people whom lists may show to one person in a day."
        ),
    ] = 3_000,
    people_a_day_key: Annotated[
        int,
        typer.Option(
            envvar="SOJOURN_PEOPLE_A_DAY_KEY", min=1, help="Different people whom lists may show to one key in a day."
        ),
    ] = 10_000,
    requests_a_minute: Annotated[
        int, typer.Option(envvar="SOJOURN_REQUESTS_A_MINUTE", min=1, help="Questions of one person or key.")
    ] = 1_200,
    tls_cert: Annotated[
        Path | None, typer.Option(envvar="SOJOURN_TLS_CERT", help="Certificate, PEM: pages and API by https.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(envvar="SOJOURN_TLS_KEY", help="Its key, PEM, mode 0600.")] = None,
    trusted_proxy: Annotated[
        str,
        typer.Option(
            envvar="SOJOURN_TRUSTED_PROXY",
            help="Address of the proxy in which TLS ends; only its X-Forwarded-… is believed: 127.0.0.1,10.0.0.0/24.",
        ),
    ] = "",
    unencrypted: Annotated[
        bool, typer.Option("--unencrypted", help="Listen beyond this machine without TLS and without a proxy.")
    ] = False,
    metrics: Metrics = "",
    trace_url: Traces = "",
    privacy: Privacy = None,
    listen_url: Annotated[
        str | None,
        typer.Option(
            envvar="SOJOURN_LISTEN_URL",
            help="Straight to the server, where --database-url leads through pgbouncer (transaction mode).",
        ),
    ] = None,
    analytics_url: Annotated[
        str | None,
        typer.Option(envvar="SOJOURN_ANALYTICS_URL", help="A replica, for figures, reports and exports."),
    ] = None,
    readers: Annotated[
        int, typer.Option(envvar="SOJOURN_READERS", min=1, max=200, help="Connections that read, at most.")
    ] = 8,
    writers: Annotated[
        int, typer.Option(envvar="SOJOURN_WRITERS", min=1, max=200, help="Connections that write, at most.")
    ] = 4,
) -> None:
    """Serve the pages and the JSON API."""
    from api import run
    from api.access.limits import Rates
    from api.access.provider import read_provider
    from api.server import Transport
    from api.settings import Databases, Settings, read_origins, read_second_step
    from core.webhooks import read_networks

    settings = Settings(
        webhook_allow=read_networks(webhook_allow),
        card_origins=read_origins(card_origins),
        rates=Rates(
            read=requests_a_minute,
            route=max(1, requests_a_minute * 2 // 3),
            profiles_a_day=profiles_a_day,
            profiles_a_day_key=profiles_a_day_key,
            people_a_day=people_a_day,
            people_a_day_key=people_a_day_key,
        ),
        oidc=read_provider(
            oidc_issuer, oidc_client_id, oidc_client_secret, name=oidc_name, groups=oidc_groups, acr=oidc_acr
        ),
        second_step=read_second_step(second_step),
        privacy=privacy,
        databases=Databases(listen_url or None, analytics_url or None, readers, writers),
    )
    transport = Transport(certificate=tls_cert, key=tls_key, trusted_proxy=trusted_proxy, unencrypted=unencrypted)
    with traces(trace_url, "sojourn api") as tracing:
        run(database_url, host, port, settings=settings, transport=transport, metrics=metrics, tracing=tracing)


@app.command()
def webhooks(
    database_url: DatabaseUrl, webhook_allow: WebhookAllow = "", metrics: Metrics = "", privacy: Privacy = None
) -> None:
    """Send what is queued for other systems to whoever subscribed."""
    from core.webhooks import read_networks
    from webhooks import run

    run(database_url, stop_on_signals(), allowed=read_networks(webhook_allow), metrics=metrics, privacy=privacy)


@app.command(name="app-presence")
def app_presence(
    database_url: DatabaseUrl, mqtt_url: MqttUrl, mqtt_credentials: MqttCredentials = None, metrics: Metrics = ""
) -> None:
    """Publish what apps told the API, and take in what they tell over MQTT."""
    from api.app_presence.forward import run

    run(database_url, mqtt_url, stop_on_signals(), credentials=mqtt_credentials, metrics=metrics)


@app.command()
def gateway(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML; docs/gateways.md has an example.")],
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the configuration is right.")] = False,
    metrics: EdgeMetrics = "",
) -> None:
    """Translate what gateways bought elsewhere publish, give it pseudonyms, and publish it as an edge."""
    from edge.gateways.service import run
    from edge.gateways.settings import read_settings

    settings = read_settings(config)
    if check:
        named = f"{len(settings.gateways)} gateways, {len(settings.listen)} topics, {len(settings.hear)} rules"
        typer.echo(f"{settings.store}/{settings.edge}: {named}")
        return
    run(settings, stop_on_signals(), metrics=metrics)
