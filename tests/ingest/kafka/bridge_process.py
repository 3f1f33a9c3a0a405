"""A bridge in a process of its own, to be killed: `python -m tests.ingest.kafka.bridge_process`."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from commands.running import stop_on_signals
from ingest.kafka.bridge import Bridge
from ingest.kafka.topic import Kafka
from ingest.settings import Settings

if __name__ == "__main__":
    stop = stop_on_signals()

    def tell(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        if event["event"] == "the bridge stands":
            Path(os.environ["STANDS"]).touch()
        raise structlog.DropEvent

    structlog.configure(processors=[tell])
    where = Kafka(servers=os.environ["KAFKA"], topic=os.environ["TOPIC"])
    Bridge(where, os.environ["MQTT"], f"bridge-{where.topic}", Settings(receive_maximum=64)).run(stop)
