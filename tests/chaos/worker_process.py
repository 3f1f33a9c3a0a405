"""An ingest in a process of its own: `python -m tests.chaos.worker_process`; SIGTERM stops it in order.

CHAOS_FAILPOINT=place:times lets the times-th call at a place of `tests.ingest.killed_worker` be its last deed; the
place is written to CHAOS_LEDGER just before. The places are seams that are patched here: the product has none.
"""

import os
import signal
import threading
from pathlib import Path

import ingest.worker
from ingest.settings import Settings
from tests.chaos import mutants
from tests.ingest import killed_worker


def settings(client_id: str) -> Settings:
    """Small commits and frequent snapshots: every seam is passed often."""
    return Settings(
        client_id=client_id,
        session_expiry_s=600,
        commit_messages=8,
        derive_s=0.05,
        status_s=0.3,
        snapshot_s=0.5,
        calibrate_every_s=None,
        revise_settle_s=None,
        retry_first_s=0.05,
        retry_most_s=0.5,
    )


def _arm(place: str, times: int, ledger: Path) -> None:
    def die() -> None:
        with ledger.open("a") as file:
            file.write(f"{place}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    killed_worker._die = die
    killed_worker.arm(place, times)


if __name__ == "__main__":
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    armed = os.environ.get("CHAOS_FAILPOINT", "")
    mutants.apply()  # first: a place that a mutant moves moves with it
    if armed:
        name, _, count = armed.partition(":")
        _arm(name, int(count), Path(os.environ["CHAOS_LEDGER"]))
    ingest.worker.run(
        os.environ["SOJOURN_DATABASE_URL"],
        os.environ["SOJOURN_MQTT_URL"],
        stop=stop,
        settings=settings(os.environ["CHAOS_CLIENT_ID"]),
    )
