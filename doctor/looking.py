"""Every check that what is told of an installation allows, in the order in which things rest on each other."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from doctor.broker import check_broker
from doctor.certificates import check_files
from doctor.clock import check_ntp, synchronised
from doctor.database import check_database
from doctor.findings import Finding
from doctor.machine import check_disk, check_kernels, check_private, check_versions
from edge.settings import EdgeSettings
from servers.home import sojourn_home


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What there is to look at; what is None is not looked at.

    `credentials` is a folder with ca.pem, certificate.pem and key.pem for the broker, `keys` files and folders that
    nobody else may read, `edge` the configuration of an edge on this machine, `privacy` the folder of the suppression
    list.
    """

    database_url: str | None = None
    mqtt_url: str | None = None
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
    if installation.database_url is not None:
        yield from check_database(installation.database_url, installation.privacy)
    if installation.mqtt_url is not None:
        yield from check_broker(installation.mqtt_url, installation.credentials)
    if installation.credentials is not None and (installation.credentials / "key.pem").exists():
        yield check_private("our key", [installation.credentials / "key.pem"])
    if installation.keys:
        yield check_private("keys", installation.keys)
    if installation.edge is not None:
        yield from _edge(installation.edge)


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
