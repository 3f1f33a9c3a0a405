"""An ingest in a process of its own: `python -m tests.chaos.worker_process`; SIGTERM stops it in order.

CHAOS_FAILPOINT=place:times lets the times-th call at a place of `tests.ingest.killed_worker` be its last deed; the
place is written to CHAOS_LEDGER just before. CHAOS_HOLD=path lets commits wait, see `_hold`. The places are seams
that are patched here: the product has none.
"""

import faulthandler
import os
import signal
import time
from pathlib import Path
from typing import Any

import ingest.commit
import ingest.worker
from commands.running import stop_on_signals
from ingest.settings import Settings
from tests.chaos import mutants
from tests.ingest import killed_worker


def settings(client_id: str) -> Settings:
    """Small commits, frequent snapshots and counts: every seam is passed often, also that of a count under way."""
    return Settings(
        client_id=client_id,
        session_expiry_s=600,
        commit_messages=8,
        derive_s=0.05,
        status_s=0.3,
        rollup_s=1.0,
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


def _hold(path: Path) -> None:
    """Stop in each commit: the n-th leaves a file `.n`; the first goes on once there is a file `.go`."""
    commit: Any = ingest.commit.commit
    calls = 0

    def held(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        path.with_suffix(f".{calls}").touch()
        while calls > 1 or not path.with_suffix(".go").exists():
            time.sleep(0.02)
        return commit(*given)

    vars(ingest.worker)["commit"] = held


if __name__ == "__main__":
    stop = stop_on_signals()
    faulthandler.register(signal.SIGUSR1)  # where it stands, when somebody waits for it in vain
    armed = os.environ.get("CHAOS_FAILPOINT", "")
    mutants.apply()  # first: a place that a mutant moves moves with it
    if armed:
        name, _, count = armed.partition(":")
        _arm(name, int(count), Path(os.environ["CHAOS_LEDGER"]))
    if os.environ.get("CHAOS_HOLD"):
        _hold(Path(os.environ["CHAOS_HOLD"]))
    ingest.worker.run(
        os.environ["SOJOURN_DATABASE_URL"],
        os.environ["SOJOURN_MQTT_URL"],
        stop=stop,
        settings=settings(os.environ["CHAOS_CLIENT_ID"]),
        credentials=Path(os.environ["SOJOURN_MQTT_CREDENTIALS"]),
    )
