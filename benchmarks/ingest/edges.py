"""The processes of the edges as the benchmark holds them, and the broker's encrypted door."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.ingest.publishing import Publish, Sent, Told
from servers.process import HOST

_END_S: Final = 150.0
_NOTHING: Final = Told(0, 0, 0, 0)


class Edges:
    """Processes of edges and what each said last."""

    def __init__(self, publishes: Sequence[Publish], log: Path) -> None:
        self._told = [_NOTHING] * len(publishes)
        self._threads = []
        self._processes = []
        for place, publish in enumerate(publishes):
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.ingest.publishing", msgspec.json.encode(publish).decode()],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                )
            thread = threading.Thread(target=self._listen, args=(place, process), daemon=True)
            thread.start()
            self._processes.append(process)
            self._threads.append(thread)

    def _listen(self, place: int, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is not None:
            with process.stdout as lines:
                for line in lines:
                    self._told[place] = msgspec.json.decode(line, type=Told)

    @property
    def committed(self) -> int:
        """Signals that the edges know to be in the database."""
        return sum(told.committed for told in self._told)

    @property
    def wire_bytes(self) -> int:
        """Bytes that they published: topics and payloads."""
        return sum(told.wire_bytes for told in self._told)

    @property
    def signals(self) -> int:
        """Signals that they published."""
        return sum(told.signals for told in self._told)

    def end(self) -> tuple[list[Sent], int]:
        """Let everything be committed; return what each edge sent and how many processes left something behind."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        deadline_s = time.monotonic() + _END_S
        codes = [process.wait(max(deadline_s - time.monotonic(), 1)) for process in self._processes]
        for thread in self._threads:
            thread.join(5)
        return [sent for told in self._told for sent in told.sent], sum(code != 0 for code in codes)

    def kill(self) -> None:
        """End those that still run."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()


@contextmanager
def publishing(publishes: Sequence[Publish], log: Path) -> Iterator[Edges]:
    """Run the edges; they are ended in any case."""
    edges = Edges(publishes, log)
    try:
        yield edges
    finally:
        edges.kill()


def share_out(stores: int, processes: int, whole: Publish) -> list[Publish]:
    """Give every process its stores, and its part of the rate."""
    parts = [tuple(range(start, stores, processes)) for start in range(min(processes, stores))]
    return [msgspec.structs.replace(whole, stores=part, rate=whole.rate * len(part) / stores) for part in parts]


def encrypted_door(folder: Path, port: int) -> tuple[str, Path]:
    """Make a certificate for loopback; return the listener's lines for mosquitto and the file to trust."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{HOST}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    for path in (folder, certificate, key):  # mosquitto reads them as a user of its own; they last two days
        path.chmod(0o755 if path.is_dir() else 0o644)
    lines = f"listener {port} {HOST}\ncertfile {certificate}\nkeyfile {key}\ntls_version tlsv1.3\n"
    return lines, certificate


def trusting(certificate: str) -> dict[str, str]:
    """Return the environment in which a process trusts this certificate."""
    return {"SSL_CERT_FILE": certificate} if certificate else {}
