"""All peers by name, ours among them."""

from typing import Final

from benchmarks.peers.databases import DUCKDB, POSTGRES
from benchmarks.peers.frames import PANDAS, POLARS
from benchmarks.peers.job import Peer
from benchmarks.peers.sojourn import SOJOURN
from benchmarks.peers.streams import BYTEWAX, PLAIN
from benchmarks.peers.walks import MOVINGPANDAS, SCIKIT_MOBILITY, TRACKINTEL

PEERS: Final[dict[str, Peer]] = {
    peer.name: peer
    for peer in (SOJOURN, POLARS, DUCKDB, PANDAS, POSTGRES, PLAIN, BYTEWAX, MOVINGPANDAS, TRACKINTEL, SCIKIT_MOBILITY)
}
