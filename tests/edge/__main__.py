"""`python -m tests.edge`: what an edge costs at a given rate of advertisements, with real bleak, D-Bus and broker.

The double of BlueZ and the stand-in for ingest run here, the edge is a process of its own and the only one measured.
Needs dbus-daemon and the servers (`python -m servers`).
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.edge.bluez_double import BlueZ

TAGS = 300  # two thirds of them ours
_TICK_S = 0.01
_WARM_S = 5.0


def main() -> int:
    """Read the command line, load an edge, print what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.edge")
    parser.add_argument("--rate", type=int, default=2000, help="advertisements a second, over all adapters")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--adapters", type=int, default=1)
    asked = parser.parse_args()

    from servers.mosquitto import Mosquitto
    from servers.provide import provide
    from tests.edge.bluez_double import BlueZ, DBus

    names = [f"hci{number}" for number in range(asked.adapters)]
    with (
        tempfile.TemporaryDirectory(prefix="sojourn-edge-") as folder,
        DBus(Path(folder)) as bus,
        BlueZ(bus.address, *names) as bluez,
        Mosquitto(provide(), Path(folder) / "broker") as broker,
    ):
        return _measure(asked, bluez, broker.url, Path(folder))


def _measure(asked: argparse.Namespace, bluez: "BlueZ", url: str, folder: Path) -> int:
    import psutil

    from edge.broker import Topics
    from tests.edge.stand_ins import StandInIngest, await_that

    topics = Topics("loaded", "north")
    ingest = StandInIngest(url, topics)
    with _edge(folder, url, list(bluez.adapters), bluez.address) as process:
        await_that(
            lambda: all(adapter.discovering for adapter in bluez.adapters.values()) or process.poll() is not None
        )
        if process.poll() is not None:  # it has said why
            return 1
        measured = psutil.Process(process.pid)
        idle_mb = measured.memory_info().rss / 2**20
        _load(bluez, asked.rate, _WARM_S)
        before, sent, began_s = measured.cpu_times(), bluez.sent, time.monotonic()
        _load(bluez, asked.rate, asked.seconds)
        after, took_s = measured.cpu_times(), time.monotonic() - began_s
        rate = (bluez.sent - sent) / took_s
        cpu = (after.user - before.user + after.system - before.system) / took_s
        memory = measured.memory_full_info()
        process.terminate()
        process.wait(30)
    logged = sum(len(batch) for batch in {(b.boot, b.sequence): b for b in ingest.received}.values())
    ingest.close()
    ours = _ours(bluez.sent)
    print(f"{rate:,.0f} advertisements/s over {len(bluez.adapters)} adapters, {took_s:.0f} s")
    print(f"CPU {100 * cpu:.0f}% of one core, {1e6 * cpu / rate:.0f} µs an advertisement")
    own_mb, all_mb = memory.uss / 2**20, memory.rss / 2**20
    print(f"memory {all_mb:.0f} MB ({own_mb:.0f} MB its own), {idle_mb:.0f} MB before the load")
    print(f"signals: {ours:,} sent by tags of ours, {logged:,} logged")
    return 0 if logged == ours else 1


def _ours(sent: int) -> int:
    """Return how many of the first so many advertisements were of tags that the rules take."""
    return sum(1 for number in range(sent) if number % TAGS % 3)


def _load(bluez: "BlueZ", rate: int, seconds: float) -> None:
    from tests.edge.listening import ibeacon

    names = list(bluez.adapters)
    addresses = [f"C0:34:12:AB:{tag >> 8:02X}:{tag & 255:02X}" for tag in range(TAGS)]
    frames = [ibeacon(tag) if tag % 3 else ibeacon(tag, "00" * 16) for tag in range(TAGS)]

    async def send() -> None:
        began_s, done = time.monotonic(), 0
        while (passed_s := time.monotonic() - began_s) < seconds:
            while done < passed_s * rate:
                number = bluez.sent
                tag = number % TAGS
                bluez.tell(names[number % len(names)], addresses[tag], -50 - number % 40, frames[tag])
                done += 1
            await asyncio.sleep(_TICK_S)

    asyncio.run_coroutine_threadsafe(send(), bluez.loop).result()


@contextmanager
def _edge(folder: Path, url: str, adapters: list[str], bus: str) -> Iterator[subprocess.Popen[bytes]]:
    from edge.broker import Broker
    from tests.edge.listening import NAMESPACE

    entries = "".join(f'[[adapter]]\nname = "{name}"\nanchor = "gw-{name}"\n' for name in adapters)
    path, password, broker = folder / "edge.toml", folder / "password", Broker.from_url(url)
    password.touch(mode=0o600)
    password.write_text(str(broker.password))
    path.write_text(
        f'store = "loaded"\nedge = "north"\n[broker]\nurl = "mqtt://{broker.host}:{broker.port}"\n'
        f'username = "{broker.username}"\npassword_file = "{password}"\n'
        f'[files]\nkeys = "{folder}/keys"\noutbox = "{folder}/outbox.sqlite3"\nhealth = "{folder}/health.json"\n'
        f'{entries}[[hear]]\nkind = "ibeacon"\nnamespace = "{NAMESPACE}"\n'
    )
    with subprocess.Popen(
        [sys.executable, "-m", "sojourn", "edge", str(path)], env=os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": bus}
    ) as process:
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
