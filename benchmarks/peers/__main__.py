"""One peer in a process of its own; prints one JSON object. Run by `benchmarks.beside`."""

import gc
import importlib
import json
import sys
import time
import warnings
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.measuring import memory_bytes
from benchmarks.peers.job import Columns, Peer
from benchmarks.peers.table import PEERS

_WARM_UP = 2_000


def measure(peer: Peer, folder: Path, signals: int) -> dict[str, Any]:
    """Return what the job took, or why it cannot be done here."""
    reason = missing(peer)
    if reason is not None:
        return {"missing": reason}
    for name in peer.needs:
        importlib.import_module(name)
    peer.run(peer.prepare(Columns.read(folder, _WARM_UP)))  # what is imported, compiled or planned at first use
    columns = Columns.read(folder, signals)
    given, signals = peer.prepare(columns), len(columns)
    del columns
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here (proc_pid_clear_refs(5))
    before = memory_bytes("VmRSS")
    begun_cpu, begun = peer.cpu_ns(), time.perf_counter_ns()
    sessions = peer.run(given)
    wall = time.perf_counter_ns() - begun
    cpu = peer.cpu_ns() - begun_cpu
    peak = peer.peak_bytes() if peer.peak_bytes is not None else memory_bytes()
    return {
        "signals": signals,
        "cpu_ns": cpu / signals,
        "wall_ns": wall / signals,
        "peak_bytes": peak,
        "before_bytes": before,
        "sessions": sessions,
        "version": _version(peer),
    }


def missing(peer: Peer) -> str | None:
    """Return why a peer cannot be run here, None if it can."""
    reason = peer.lacks()
    if reason is not None:
        return reason
    absent = [name for name in peer.needs if find_spec(name) is None]
    return f"{', '.join(absent)} is not installed: `make setup-bench`" if absent else None


def _version(peer: Peer) -> str:
    if peer.version is not None:
        return peer.version()
    return metadata.version(peer.needs[0]) if peer.needs else sys.version.split()[0]


def main(arguments: list[str]) -> int:
    """Run `NAME FOLDER SIGNALS`."""
    name, folder, signals = arguments
    warnings.simplefilter("ignore")  # theirs, about their own futures
    print(json.dumps(measure(PEERS[name], Path(folder), int(signals))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
