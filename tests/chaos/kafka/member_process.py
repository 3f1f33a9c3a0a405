"""A member of the group in a process of its own: `python -m tests.chaos.kafka.member_process`; SIGTERM ends it.

CHAOS_FAILPOINT=place:times as in `tests.chaos.worker_process`. CHAOS_ROLE=bridge is the bridge instead.
"""

import faulthandler
import os
import signal
from dataclasses import replace
from pathlib import Path

import ingest.worker
from commands.running import stop_on_signals
from ingest.kafka.bridge import Bridge
from ingest.kafka.source import KafkaSource
from ingest.kafka.topic import Kafka
from tests.chaos.worker_process import _arm, settings

SESSION_MS = 2_000


def main() -> None:
    stop = stop_on_signals()
    faulthandler.register(signal.SIGUSR1)
    where = Kafka(servers=os.environ["CHAOS_KAFKA"])
    mqtt_url = os.environ["SOJOURN_MQTT_URL"]
    ours = settings("chaos")
    if os.environ.get("CHAOS_ROLE") == "bridge":
        Bridge(where, mqtt_url, "chaos-bridge", replace(ours, receive_maximum=64, commit_messages=64)).run(stop)
        return
    armed = os.environ.get("CHAOS_FAILPOINT", "")
    if armed:
        name, _, count = armed.partition(":")
        _arm(name, int(count), Path(os.environ["CHAOS_LEDGER"]))
    source = KafkaSource(where, mqtt_url, ours, session_ms=SESSION_MS)
    ingest.worker.run(os.environ["SOJOURN_DATABASE_URL"], mqtt_url, stop=stop, settings=ours, source=source)
    source.stop()


if __name__ == "__main__":
    main()
