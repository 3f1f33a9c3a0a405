"""Certificates of a demo: one for ingest, one for each edge, and one for whoever wants to send own batches."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from authority.authority import Authority
from core.floorplan import StorePlan
from simulators.store_live import edges_of

OWN_EDGE: Final = "own"
"""The edge that a newcomer may be."""


class Credentials(NamedTuple):
    """Folders: of ingest, with one for each edge, and of the newcomer's edge."""

    ingest: Path
    edges: Path
    own: Path


def certify(authority: Authority, store: StorePlan, folder: Path) -> Credentials:
    """Make the certificates of one run into a folder that goes away with it.

    Raises
    ------
    UnavailableError
        If the folder cannot be written.
    """
    now = datetime.now(UTC)
    made = Credentials(folder / "ingest", folder / "edges", folder / OWN_EDGE)
    authority.certify_service("ingest", made.ingest, now)
    for edge in edges_of(store):
        authority.enrol(store.id, edge, made.edges / edge, now)
    authority.enrol(store.id, OWN_EDGE, made.own, now)
    return made
