"""Every check that what is told of an installation allows, in the order in which things rest on each other."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import SojournError
from doctor.broker import check_broker
from doctor.certificates import check_files
from doctor.clock import check_ntp, synchronised
from doctor.database import check_database
from doctor.findings import Finding, fail, warn
from doctor.kafka import KafkaPlace, check_kafka
from doctor.machine import check_disk, check_kernels, check_private, check_versions, check_writes
from edge.broker import KEY, identities
from edge.settings import EdgeSettings
from servers.home import sojourn_home
from storage.privacy.keys import LIST


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What there is to look at; what is None is not looked at.

    `credentials` is a folder with ca.pem, certificate.pem and key.pem for the broker, `keys` files and folders that
    nobody else may read, `edge` the configuration of an edge on this machine, `privacy` the folder of the suppression
    list; `kafka` may be why what was said of it cannot be used.
    """

    database_url: str | None = None
    mqtt_url: str | None = None
    kafka: KafkaPlace | SojournError | None = None
    credentials: Path | None = None
    keys: tuple[Path, ...] = ()
    edge: EdgeSettings | None = None
    privacy: Path | None = None


def look(installation: Installation) -> Iterator[Finding]:
    """Give one finding after the other, as they are found."""
    yield check_versions()
    yield check_ntp(synchronised())
    yield check_disk("disk", sojourn_home())
    yield check_kernels(os.environ)
    yield from _not_named(installation)
    if installation.privacy is not None:
        yield _privacy(installation.privacy)
    if installation.database_url is not None:
        yield from check_database(installation.database_url, installation.privacy)
    if installation.mqtt_url is not None:
        yield from check_broker(installation.mqtt_url, installation.credentials)
    if installation.kafka is not None:
        yield from check_kafka(installation.kafka)
    if installation.credentials is not None:
        ours = [folder / KEY for folder in identities(installation.credentials) if (folder / KEY).exists()]
        if ours:
            yield check_private("our key", ours)
    if installation.keys:
        yield check_private("keys", installation.keys)
    if installation.edge is not None:
        yield from _edge(installation.edge)


def _not_named(installation: Installation) -> Iterator[Finding]:
    """Tell what is not looked at because nobody said where it is: a forgotten setting must not read as health."""
    database, broker = installation.database_url, installation.mqtt_url
    if installation.edge is not None:
        return  # an edge has the broker in its configuration, and no database
    if database is None and broker is None and installation.kafka is None:
        yield fail(
            "installation",
            "Nothing of it was looked at: neither a database nor a broker is named.",
            "Set SOJOURN_DATABASE_URL and SOJOURN_MQTT_URL as the services have them (/etc/sojourn/sojourn.env); on"
            " an edge: --edge FILE.",
        )
        return
    if database is None:
        yield warn(
            "database",
            "Not looked at: SOJOURN_DATABASE_URL is not set.",
            "Set it as ingest and API have it; a machine with nothing but the bridge needs none.",
        )
    if broker is None:
        yield warn(
            "broker",
            "Not looked at: SOJOURN_MQTT_URL is not set.",
            "Set it as ingest has it; a machine with nothing but API and webhooks needs none.",
        )


def _privacy(folder: Path) -> Finding:
    """Look at the folder that an erasure is written to: the first one must not be the one that fails."""
    found = check_writes("privacy folder", folder)
    if found.state != "ok" or (folder / LIST).exists():
        return found
    return replace(found, says=f"{found.says} Nobody is on its list.")


def _edge(settings: EdgeSettings) -> Iterator[Finding]:
    files = [settings.files.keys, *(one for one in (settings.files.irks, settings.broker.key) if one is not None)]
    yield check_private("keys of the edge", files)
    yield check_disk("disk of the outbox", settings.files.outbox.parent)
    for what, path in (
        ("whom the edge trusts", settings.broker.ca),
        ("certificate of the edge", settings.broker.certificate),
    ):
        if path is not None:
            yield check_files(what, path)
