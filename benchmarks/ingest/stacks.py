"""Where a worker's time goes: py-spy looks at it, and each sample is counted for the part of ours it was in."""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_RATE_HZ: Final = 200
_PARTS: Final = (
    # the first that a stack holds counts, looked at from the top of the worker's loop down
    ("acknowledge to the broker", ("acknowledge (",)),
    ("tell edges what is committed", ("_tell (",)),
    ("read messages: decode, SHA-256", ("read (ingest/messages",)),
    ("judge rows", ("accept (ingest/acceptance",)),
    ("log: COPY", ("append (storage/log/signals",)),
    ("cursors: lock, advance, read", ("lock_cursors (", "advance_cursors (", "newest_cursors (")),
    ("commit", ("in_transaction (", "commit (ingest/commit")),
    ("engine: signals to visits", ("push_parts (core/dwell/engine",)),
    ("engine: devices to their index, rows in its form", ("to_signals (",)),
    ("presence, visits, progress: find changes and write", ("write (ingest/feed",)),
    ("rollups and alerts (own thread)", ("ingest/counting",)),
    ("wait for messages", ("take (ingest/subscriber", "take (ingest/kafka/source")),
    ("receive: paho's thread", ("_thread_main (paho", "loop_forever (paho")),
    ("feed: the rest", ("push (ingest/holding",)),
)


def profile(pid: int, seconds: int) -> dict[str, float] | str:
    """Return the share of each part in the time that the process was running, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="sojourn-profile-") as folder:
        raw = Path(folder) / "stacks"
        command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid), "--duration"]
        command += [str(seconds), "--rate", str(_RATE_HZ), "--format", "raw", "--output", str(raw), "--nonblocking"]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
        except OSError as error:
            return f"py-spy does not start: {error}"
        if run.returncode or not raw.exists():
            said = run.stderr.strip().splitlines()
            return f"py-spy could not look at the worker: {said[-1] if said else run.returncode}"
        return shares(raw.read_text().splitlines())


def shares(lines: Iterable[str]) -> dict[str, float]:
    """Return the share of each part in collapsed stacks (`outermost;…;innermost count`), largest first."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        counts[_part(stack)] += int(count)
    total = max(sum(counts.values()), 1)
    return {part: count / total for part, count in counts.most_common()}


def _part(stack: str) -> str:
    return next((part for part, marks in _PARTS if any(mark in stack for mark in marks)), "other")
